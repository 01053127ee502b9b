"""What a source depends on, as far as its text tells: which globals it reads, and whether it calls anything."""

from smspipe.hog.library import FUNCTIONS
from smspipe.hog.tree import Call, Constant, Lambda, Member, Name, Node, children


def find_paths(tree: Node) -> frozenset[tuple[str, ...]]:
    """List the chains of names that begin at a global: `event.properties['a b'].x` is (event, properties, a b, x)."""
    found: set[tuple[str, ...]] = set()
    pending: list[tuple[Node, frozenset[str]]] = [(tree, frozenset())]
    while pending:
        node, known = pending.pop()
        path = static_chain(node)
        if path is not None:
            a_function = len(path) == 1 and path[0] in FUNCTIONS  # named as a value: arrayMap(upper, list)
            if path[0] not in known and not a_function:
                found.add(path)
            continue
        if isinstance(node, Lambda):
            known |= frozenset(node.parameters)
        if isinstance(node, Call) and isinstance(node.function, Name) and node.function.name in FUNCTIONS:
            pending.extend((argument, known) for argument in node.arguments)
            continue
        pending.extend((child, known) for child in children(node))
    return frozenset(found)


def static_chain(node: Node) -> tuple[str, ...] | None:
    """Read `a.b['c']` as (a, b, c); None when the node is anything else."""
    names: list[str] = []
    while isinstance(node, Member):
        if not isinstance(node.key, Constant) or type(node.key.value) is not str:
            return None
        names.append(node.key.value)
        node = node.owner
    if not isinstance(node, Name):
        return None
    names.append(node.name)
    return tuple(reversed(names))


def has_calls(tree: Node) -> bool:
    """Tell whether anything is called, so that the value may depend on more than globals."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, Call):
            return True
        pending.extend(children(node))
    return False
