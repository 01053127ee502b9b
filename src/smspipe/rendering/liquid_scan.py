"""Liquid's source cut into text, outputs and tags, with the white space that `-` takes away."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from smspipe.rendering.liquid_reader import BLANK_CHARACTERS, BLANK_RUN, Mistake, Notes, Reader

_OPENING = re.compile(r"\{[{%]")
_OUTPUT_PART = re.compile(r"""\}\}|["']""")
_QUOTED: Final = {
    '"': re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL),
    "'": re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL),
}
# LiquidJS takes the dash of `{%-` for a part of the name, which is not `endraw` then.
_ENDRAW = re.compile(rf"\{{%{BLANK_RUN.pattern}endraw(?![-?\w])")
_SIGN = re.compile(r"%\}|\{%")


class Kind(Enum):
    """What a piece of the source is."""

    TEXT = "text"
    OUTPUT = "output"
    TAG = "tag"


@dataclass(slots=True)
class Piece:
    """A piece of the source from `start` to `end`; of a tag or output, `inner` is what stands between its signs."""

    kind: Kind
    source: str
    start: int
    end: int
    inner: tuple[int, int] = (0, 0)
    trims_left: bool = False
    trims_right: bool = False
    name: str = ""
    reader: Reader | None = None
    shown: tuple[int, int] = (0, 0)
    """Of text, what white space control leaves of it."""

    def text(self) -> str:
        """Give the piece as it was written."""
        return self.source[self.start : self.end]

    def read(self) -> Reader:
        """Give the reader of a tag's arguments, behind its name."""
        assert self.reader is not None  # noqa: S101 (only tags are asked)
        return self.reader

    def arguments(self) -> str:
        """Give a tag's arguments, of which nothing was read yet."""
        return self.source[self.read().position : self.inner[1]]


def scan(source: str, notes: Notes) -> list[Piece]:
    """Cut a template into pieces."""
    pieces: list[Piece] = []
    position = 0
    while position < len(source):
        opening = _OPENING.search(source, position)
        start = opening.start() if opening else len(source)
        if start > position:
            pieces.append(_text(source, position, start))
        if opening is None:
            break
        piece = _tag(source, start, notes) if opening[0] == "{%" else _output(source, start)
        pieces.append(piece)
        position = piece.end
        if piece.name == "raw":
            position = _scan_raw(source, piece, pieces, notes)
    _control_white_space(pieces)
    return pieces


def scan_lines(source: str, start: int, end: int, notes: Notes) -> list[Piece]:
    """Cut what stands in a `liquid` tag into tags, one a line."""
    pieces: list[Piece] = []
    position = _skip_blank(source, start, end)
    while position < end:
        found = source.find("\n", position, end)
        line_end = end if found < 0 else found + 1
        piece = Piece(Kind.TAG, source, position, line_end)
        _name_tag(piece, position, line_end, notes)
        pieces.append(piece)
        position = _skip_blank(source, line_end, end)
    return pieces


def _skip_blank(source: str, start: int, end: int) -> int:
    found = BLANK_RUN.match(source, start, end)
    return found.end() if found else start


def _text(source: str, start: int, end: int) -> Piece:
    return Piece(Kind.TEXT, source, start, end, shown=(start, end))


def _tag(source: str, start: int, notes: Notes) -> Piece:
    closing = source.find("%}", start + 1)
    if closing < 0:
        raise Mistake("A {% is never closed", start, "Close it with %}.")
    piece = Piece(Kind.TAG, source, start, closing + 2)
    _name_tag(piece, start + 2, closing, notes)
    return piece


def _name_tag(piece: Piece, start: int, end: int, notes: Notes) -> None:
    _set_inner(piece, start, end)
    reader = Reader(piece.source, piece.inner[0], piece.inner[1], notes)
    reader.skip_blank()
    if reader.peek() == "#":
        piece.name = "#"
        reader.position += 1
    else:
        piece.name = reader.word()
    reader.expect(piece.name, "A tag has no name", piece.start, "For example {% if person.name %}.")
    reader.skip_blank()
    piece.reader = reader


def _set_inner(piece: Piece, start: int, end: int) -> None:
    """Find what stands between the signs, without `-` and white space."""
    source = piece.source
    piece.trims_left = source[start : start + 1] == "-"
    piece.trims_right = end > 0 and source[end - 1] == "-"
    start += piece.trims_left
    end -= piece.trims_right
    start = max(_skip_blank(source, start, max(start, end)), start)
    piece.inner = (start, max(start + len(source[start:end].rstrip(BLANK_CHARACTERS)), min(start, end)))


def _output(source: str, start: int) -> Piece:
    position = start + 2
    while True:
        found = _OUTPUT_PART.search(source, position)
        if found is None:
            break
        if found[0] == "}}":
            piece = Piece(Kind.OUTPUT, source, start, found.end())
            _set_inner(piece, start + 2, found.start())
            return piece
        quoted = _QUOTED[found[0]].match(source, found.start())
        if quoted is None:
            raise Mistake(
                "A text in quotes inside of {{ }} is never closed", found.start(), f"Close it with {found[0]}."
            )
        position = quoted.end()
    raise Mistake("A {{ is never closed", start, "Close it with }}.")


def _scan_raw(source: str, opening: Piece, pieces: list[Piece], notes: Notes) -> int:
    found = _ENDRAW.search(source, opening.end)
    while found and (sign := _SIGN.search(source, found.end())) and sign[0] == "{%":
        found = _ENDRAW.search(source, sign.start())
    closing = source.find("%}", found.end()) if found else -1
    if found is None or closing < 0:
        raise Mistake("{% raw %} is never closed", opening.start, "Close it with {% endraw %}.")
    if found.start() > opening.end:
        pieces.append(_text(source, opening.end, found.start()))
    piece = Piece(Kind.TAG, source, found.start(), closing + 2)
    _name_tag(piece, found.start() + 2, closing, notes)
    pieces.append(piece)
    return piece.end


def _control_white_space(pieces: list[Piece]) -> None:
    in_raw = False
    for index, piece in enumerate(pieces):
        if piece.kind is Kind.TEXT:
            continue
        if piece.trims_left and not in_raw and index and pieces[index - 1].kind is Kind.TEXT:
            before = pieces[index - 1]
            start, end = before.shown
            before.shown = (start, start + len(before.source[start:end].rstrip(BLANK_CHARACTERS)))
        in_raw = piece.name == "raw" or (in_raw and piece.name != "endraw")
        if piece.trims_right and not in_raw and index + 1 < len(pieces) and pieces[index + 1].kind is Kind.TEXT:
            after = pieces[index + 1]
            after.shown = (_skip_blank(after.source, *after.shown), after.shown[1])
