"""What of a template is text of its own, as far as its source tells: it reaches every result, or some."""

from collections.abc import Iterator

from smspipe.hog.parse import parse_template
from smspipe.hog.tree import Binary, Constant, Member, Node, Operator, children


def find_literals(source: str) -> list[tuple[int, str]]:
    """
    List the texts that a template may print as they stand, each with its offset (code points) in the source.

    They are what stands outside of the braces, and the text in quotes inside of them, but for names of properties and
    what is only compared.

    Raises:
        Invalid: as `compile_template`.
    """
    return sorted(_walk(parse_template(source)))


def _walk(tree: Node) -> Iterator[tuple[int, str]]:
    pending = [tree]
    while pending:
        node = pending.pop()
        match node:
            case Constant(value=str(text)):
                yield node.at, text
            case Member():
                pending.append(node.owner)
            case Binary() if node.operator is not Operator.ADD:
                continue
            case _:
                pending.extend(children(node))
