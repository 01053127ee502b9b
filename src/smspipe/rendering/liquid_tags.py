"""
Liquid's tags: each made into a Python function once.

Source: https://liquidjs.com/tags/overview.html and trials of LiquidJS 10.30.1.
"""

import difflib
import re
from collections.abc import Callable, Collection
from typing import Any, Final, TypeVar

from smspipe.rendering.liquid_lists import to_items
from smspipe.rendering.liquid_reader import MAX_DEPTH, Mistake, Notes, Reader, Value
from smspipe.rendering.liquid_run import Evaluate, LiquidFault, Render, Run
from smspipe.rendering.liquid_scan import Kind, Piece, scan, scan_lines
from smspipe.rendering.liquid_texts import escape
from smspipe.rendering.liquid_values import (
    UNDEFINED,
    Loop,
    added,
    cut,
    double,
    equals,
    is_number,
    js_text,
    js_truthy,
    printed,
    to_number,
    to_value,
    truthy,
)

_UNMARKED_LINE = re.compile(r"\n\s*[^#\s]")
_INNER: Final = {
    "else": "if, unless, case or for",
    "elsif": "if or unless",
    "when": "case",
}
_Whole = TypeVar("_Whole")


class Parser:
    """Makes functions of the pieces of one template."""

    def __init__(self, pieces: list[Piece], notes: Notes, *, escaping: bool) -> None:
        self.pieces = pieces
        self.notes = notes
        self.escaping = escaping
        self.at = 0
        self._depth = 0

    def rest(self) -> Render:
        """Make one function of all that is left."""
        nodes: list[Render] = []
        while self.at < len(self.pieces):
            self._add(nodes, self._next())
        return _sequence(nodes)

    def until(self, opening: Piece, closers: Collection[str]) -> tuple[Render, Piece]:
        """Make one function of what comes before a tag that closes or divides the block that `opening` opens."""
        nodes: list[Render] = []
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Mistake(f"Blocks are nested more than {MAX_DEPTH} deep", opening.start)
        while self.at < len(self.pieces):
            piece = self._next()
            if piece.kind is Kind.TAG and piece.name in closers:
                self._depth -= 1
                return _sequence(nodes), piece
            self._add(nodes, piece)
        raise not_closed(opening)

    def skip(self, opening: Piece, closer: str) -> list[Piece]:
        """Take the pieces up to a tag, unread."""
        first = self.at
        while self.at < len(self.pieces):
            piece = self._next()
            if piece.kind is Kind.TAG and piece.name == closer:
                return self.pieces[first : self.at - 1]
        raise not_closed(opening)

    def _next(self) -> Piece:
        self.at += 1
        return self.pieces[self.at - 1]

    def _add(self, nodes: list[Render], piece: Piece) -> None:
        if piece.kind is Kind.TEXT:
            text = piece.source[piece.shown[0] : max(piece.shown)]
            if piece.shown[0] < piece.shown[1]:
                nodes.append(_text(text))
            return
        if piece.kind is Kind.OUTPUT:
            value = Reader(piece.source, *piece.inner, self.notes).filtered_value()
            nodes.append(_placed(piece, self.output(value)))
            return
        tag = TAGS.get(piece.name)
        if tag is None:
            raise _unknown(piece)
        node = tag(self, piece)
        if node is not None:
            nodes.append(_placed(piece, node))

    def output(self, value: Value) -> Render:
        """Make the function that prints a value, escaped where that is asked for."""
        evaluate = value.evaluate
        if self.escaping and not value.raw:

            def render_escaped(run: Run, out: list[str]) -> None:
                run.write(out, escape(printed(evaluate(run), run)))

            return render_escaped

        def render(run: Run, out: list[str]) -> None:
            run.write(out, printed(evaluate(run), run))

        return render

    def inner(self, pieces: list[Piece]) -> "Parser":
        """Give a parser of other pieces of the same template."""
        parser = Parser(pieces, self.notes, escaping=self.escaping)
        parser._depth = self._depth + 1
        return parser


def parse_template(source: str, notes: Notes, *, escaping: bool) -> Render:
    """
    Make one function of a template.

    Raises:
        Mistake: it is no Liquid.
    """
    return Parser(scan(source, notes), notes, escaping=escaping).rest()


def not_closed(piece: Piece) -> Mistake:
    """Say that a block stays open."""
    return Mistake(f"{{% {piece.name} %}} is never closed", piece.start, f"Close it with {{% end{piece.name} %}}.")


def _unknown(piece: Piece) -> Mistake:
    name = piece.name
    if name.startswith("end") and name[3:] in TAGS:
        return Mistake(f"{{% {name} %}} closes nothing here", piece.start, f"Open it with {{% {name[3:]} … %}} before.")
    if name in _INNER:
        return Mistake(f"{{% {name} %}} stands outside of {_INNER[name]}", piece.start)
    near = difflib.get_close_matches(name, [*TAGS, *_INNER], n=1)
    hint = f"Did you mean {near[0]}?" if near else f"The tags are {', '.join(sorted(TAGS))}."
    return Mistake(f'There is no tag "{name[:40]}"', piece.start, hint)


def _sequence(nodes: list[Render]) -> Render:
    if len(nodes) == 1:
        return nodes[0]

    def render(run: Run, out: list[str]) -> None:
        for node in nodes:
            node(run, out)
            if run.stopped:
                return

    return render


def _text(text: str) -> Render:
    return lambda run, out: run.write(out, text)


def _placed(piece: Piece, node: Render) -> Render:
    """Let a node say where it is, should it fail."""

    def render(run: Run, out: list[str]) -> None:
        run.step(1)
        try:
            node(run, out)
        except LiquidFault as fault:
            if fault.position is None:
                fault.position = piece.start
            raise

    return render


def _expect_no_arguments(piece: Piece) -> None:
    if piece.arguments():
        raise Mistake(f"{{% {piece.name} %}} takes nothing", piece.start, f"Write {{% {piece.name} %}}.")


def _needed(found: _Whole | None, piece: Piece, hint: str) -> _Whole:
    if not found:
        raise Mistake(f"{{% {piece.name} %}} is not complete", piece.start, hint)
    return found


# ---- variables -----------------------------------------------------------------------------------------------


def _assign(_parser: Parser, piece: Piece) -> Render:
    reader = piece.read()
    hint = "Write {% assign name = value %}."
    name = _needed(reader.word(), piece, hint)
    reader.skip_blank()
    _needed(reader.peek() == "=", piece, hint)
    reader.position += 1
    evaluate = reader.filtered_value().evaluate

    def render(run: Run, _out: list[str]) -> None:
        run.scopes[0][name] = evaluate(run)

    return render


def _capture(parser: Parser, piece: Piece) -> Render:
    reader = piece.read()
    name = reader.word() or reader.quoted()
    if name is None:
        raise Mistake("{% capture %} has no name", piece.start, "Write {% capture name %}…{% endcapture %}.")
    block, _ = parser.until(piece, ("endcapture",))

    def render(run: Run, _out: list[str]) -> None:
        captured: list[str] = []
        block(run, captured)
        run.scopes[0][name] = "".join(captured)

    return render


def _counting(*, up: bool) -> Callable[[Parser, Piece], Render]:
    def tag(parser: Parser, piece: Piece) -> Render:
        name = piece.read().word()
        parser.notes.names.add(name)

        def render(run: Run, out: list[str]) -> None:
            counted = run.environment.get(name)
            number: float = double(counted) if is_number(counted) else 0.0
            run.environment[name] = number + (1 if up else -1)
            run.write(out, printed(number if up else number - 1, run))

        return render

    return tag


# ---- choices -------------------------------------------------------------------------------------------------


def _if(parser: Parser, piece: Piece) -> Render:
    branches: list[tuple[Evaluate, Render]] = []
    otherwise: Render | None = None
    test: Evaluate | None = piece.read().filtered_value().evaluate
    while True:
        block, closer = parser.until(piece, ("elsif", "else", "endif"))
        if test is None:
            otherwise = block
        else:
            branches.append((test, block))
        if test is None and closer.name != "endif":
            raise Mistake(f"{{% {closer.name} %}} comes after {{% else %}}", closer.start, "Put {% else %} last.")
        if closer.name == "elsif":
            test = closer.read().filtered_value().evaluate
            continue
        _expect_no_arguments(closer)
        test = None
        if closer.name == "endif":
            return _choice(branches, otherwise)


def _choice(branches: list[tuple[Evaluate, Render]], otherwise: Render | None) -> Render:
    def render(run: Run, out: list[str]) -> None:
        for test, block in branches:
            if truthy(test(run)):
                block(run, out)
                return
        if otherwise is not None:
            otherwise(run, out)

    return render


def _unless(parser: Parser, piece: Piece) -> Render:
    branches: list[tuple[Evaluate, Render]] = []
    otherwise: Render | None = None
    test: Evaluate | None = _negated(piece.read().filtered_value().evaluate)
    elses = 0
    while True:
        block, closer = parser.until(piece, ("elsif", "else", "endunless"))
        # What stands after a second else, or an elsif after an else, is passed by.
        if test is not None:
            branches.append((test, block))
        elif elses == 1 and otherwise is None:
            otherwise = block
        test = None
        if closer.name == "endunless":
            return _choice(branches, otherwise)
        if closer.name == "else":
            elses += 1
        elif elses == 0:
            test = closer.read().filtered_value().evaluate
        else:
            elses += 1


def _negated(test: Evaluate) -> Evaluate:
    return lambda run: not truthy(test(run))


def _case(parser: Parser, piece: Piece) -> Render:
    target = piece.read().filtered_value().evaluate
    branches: list[tuple[list[Evaluate], Render]] = []
    others: list[Render] = []
    values: list[Evaluate] | None = None
    elses = 0
    while True:
        block, closer = parser.until(piece, ("when", "else", "endcase"))
        if elses == 1:
            others.append(block)
        elif values is not None and not elses:
            branches.append((values, block))
        if closer.name == "endcase":
            break
        if closer.name == "else":
            elses += 1
        elif not elses:
            values = _when(closer)

    def render(run: Run, out: list[str]) -> None:
        value = to_value(target(run))
        hit = False
        for tests, block in branches:
            if any(equals(value, test(run), run) for test in tests):
                hit = True
                block(run, out)
        if not hit:
            for block in others:
                block(run, out)
                if run.stopped:
                    return

    return render


def _when(piece: Piece) -> list[Evaluate]:
    reader = piece.read()
    values: list[Evaluate] = []
    while not reader.at_end():
        values.append(reader.needed_value().evaluate)
        reader.skip_blank()
        reader.skip_past("," if reader.peek() == "," else "or")
    return values


# ---- loops ---------------------------------------------------------------------------------------------------


def _for(parser: Parser, piece: Piece) -> Render:
    reader = piece.read()
    hint = "Write {% for item in event.properties.items %}."
    name = _needed(reader.word(), piece, hint)
    _needed(reader.word() == "in", piece, hint)
    collection = _needed(reader.value(), piece, hint)
    text = piece.source[collection.start : collection.end]
    options = reader.options()
    block, closer = parser.until(piece, ("else", "endfor"))
    _expect_no_arguments(closer)
    otherwise: Render | None = None
    while closer.name == "else":
        more, closer = parser.until(piece, ("else", "endfor"))
        _expect_no_arguments(closer)
        otherwise = more if otherwise is None else _sequence([otherwise, more])
    mark = f"continue-{name}-{text}"

    def render(run: Run, out: list[str]) -> None:
        items = to_items(run, collection.evaluate(run))
        if not items:
            if otherwise is not None:
                otherwise(run, out)
            return
        items = _limited(run, items, options, mark)
        loop = Loop(f"{name}-{text}", len(items))
        scope: dict[str, Any] = {"forloop": loop}
        run.scopes.append(scope)
        for item in items:
            run.step(1)
            scope[name] = item
            run.go_on()
            block(run, out)
            if run.skipping:
                break
            # The template may have made `forloop` something else, but only for itself.
            loop.i += 1
        run.go_on()
        run.scopes.pop()

    return render


def _limited(run: Run, items: list[Any], options: dict[str, Evaluate], mark: str) -> list[Any]:
    # `offset: continue` reads where the last such loop ended.
    run.scopes.append({"continue": run.registers.get(mark) or {}})
    given = {key: evaluate(run) for key, evaluate in options.items()}
    run.scopes.pop()
    offset = given.get("offset", UNDEFINED)
    if offset is not UNDEFINED:
        items = cut(items, offset, UNDEFINED, run)
    if given.get("limit", UNDEFINED) is not UNDEFINED:
        items = cut(items, 0, given["limit"], run)
    if given.get("reversed", UNDEFINED) is not UNDEFINED:
        items = items[::-1]
    run.registers[mark] = added(offset if js_truthy(offset) else 0, len(items), run)
    return items


def _tablerow(parser: Parser, piece: Piece) -> Render:
    reader = piece.read()
    hint = "Write {% tablerow item in event.properties.items cols:2 %}."
    name = reader.word()
    _needed(reader.word() == "in", piece, hint)
    collection = _needed(reader.value(), piece, hint)
    text = piece.source[collection.start : collection.end]
    options = reader.options()
    block, _ = parser.until(piece, ("endtablerow",))

    def render(run: Run, out: list[str]) -> None:
        items = to_items(run, collection.evaluate(run))
        given = {key: evaluate(run) for key, evaluate in options.items()}
        offset = given.get("offset", UNDEFINED)
        offset = offset if js_truthy(offset) else 0
        limit = given.get("limit", UNDEFINED)
        limit = len(items) if limit is UNDEFINED else limit
        items = cut(items, offset, added(offset, limit, run), run)
        columns = given.get("cols", UNDEFINED)
        columns = columns if js_truthy(columns) else len(items)
        loop = Loop(f"{name}-{text}", len(items), columns, to_number(columns, run))
        scope: dict[str, Any] = {"tablerowloop": loop}
        run.scopes.append(scope)
        for item in items:
            run.step(1)
            scope[name] = item
            if loop.get("col0") == 0:
                row = printed(loop.get("row"), run)
                run.write(out, f'{"</tr>" if row != "1" else ""}<tr class="row{row}">')
            run.write(out, f'<td class="col{printed(loop.get("col"), run)}">')
            block(run, out)
            run.write(out, "</td>")
            loop.i += 1
        if items:
            run.write(out, "</tr>")
        run.scopes.pop()

    return render


def _leaving(*, skipping: bool) -> Callable[[Parser, Piece], Render]:
    return lambda _parser, _piece: lambda run, _out: run.stop(skipping=skipping)


def _cycle(parser: Parser, piece: Piece) -> Render:
    reader = piece.read()
    begin = reader.position
    group = reader.value()
    reader.skip_blank()
    if group is not None and reader.peek() == ":":
        reader.position += 1
    else:
        group = None
        reader.position = begin
    values: list[Value] = []
    while not reader.at_end():
        values.append(reader.filtered_value())
        reader.skip_past(",")
    _needed(values, piece, "Write {% cycle 'one', 'two' %}.")
    texts = ",".join(value.text for value in values)

    def render(run: Run, out: list[str]) -> None:
        named = UNDEFINED if group is None else group.evaluate(run)
        key = ("cycle", js_text(to_value(named), run), texts)
        at = run.registers.get(key, 0)
        run.registers[key] = (at + 1) % len(values)
        value = values[at]
        result = to_value(value.evaluate(run))
        if parser.escaping and not value.raw:
            run.write(out, escape(printed(result, run)))
        elif js_truthy(result):
            run.write(out, printed(result, run))

    return render


# ---- the rest ------------------------------------------------------------------------------------------------


def _echo(parser: Parser, piece: Piece) -> Render | None:
    reader = piece.read()
    return None if reader.at_end() else parser.output(reader.filtered_value())


def _liquid(parser: Parser, piece: Piece) -> Render:
    reader = piece.read()
    return parser.inner(scan_lines(piece.source, reader.position, piece.inner[1], parser.notes)).rest()


def _raw(parser: Parser, piece: Piece) -> Render:
    return _text("".join(part.text() for part in parser.skip(piece, "endraw")))


def _comment(parser: Parser, piece: Piece) -> None:
    parser.skip(piece, "endcomment")


def _inline_comment(_parser: Parser, piece: Piece) -> None:
    if _UNMARKED_LINE.search(piece.arguments()):
        raise Mistake("A line of a comment does not begin with #", piece.start, "Begin every line with #.")


def _block(parser: Parser, piece: Piece) -> Render:
    block, _ = parser.until(piece, ("endblock",))

    def render(run: Run, out: list[str]) -> None:
        run.scopes.append({"block": {}})
        block(run, out)
        run.scopes.pop()

    return render


def _layout(parser: Parser, piece: Piece) -> Render:
    reader = piece.read()
    if reader.word() != "none":
        return _refused(parser, piece)
    return parser.rest()


def _refused(_parser: Parser, piece: Piece) -> Render:
    raise Mistake(
        f"{{% {piece.name} %}} would load another template, and there are none",
        piece.start,
        "Write its text into this one.",
    )


TAGS: Final[dict[str, Callable[[Parser, Piece], Render | None]]] = {
    "#": _inline_comment,
    "assign": _assign,
    "block": _block,
    "break": _leaving(skipping=True),
    "capture": _capture,
    "case": _case,
    "comment": _comment,
    "continue": _leaving(skipping=False),
    "cycle": _cycle,
    "decrement": _counting(up=False),
    "echo": _echo,
    "for": _for,
    "if": _if,
    "include": _refused,
    "increment": _counting(up=True),
    "layout": _layout,
    "liquid": _liquid,
    "raw": _raw,
    "render": _refused,
    "tablerow": _tablerow,
    "unless": _unless,
}
"""Every tag by its name."""
