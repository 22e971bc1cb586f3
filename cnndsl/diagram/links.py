"""What boxes read, and which of it are shortcuts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cnndsl.diagram.changes import Changes
from cnndsl.diagram.plan import Link, Read
from cnndsl.graph import Graph, Node
from cnndsl.ops.base import Family

SHORTCUT = (Family.CONVOLUTION, Family.NORMALIZATION, Family.POOLING)
"""What a projection shortcut may consist of."""
MAX_SHORTCUT = 3
"""How many nodes a projection shortcut may have."""
MAX_BODY = 100
"""How many nodes may lie beside it."""
MAX_LOOKS, LOOKS = 100_000, 20
"""How often nodes are looked at in search of shortcuts, and so often more for each node."""


def reads(
    graph: Graph,
    changes: Changes,
    special: Mapping[tuple[int, int], Link],
    shown: Iterable[int],
    own: Iterable[int],
) -> tuple[Read, ...]:
    """What the nodes `shown` read but for their `own` ones: each value once, and what for."""
    inside, order = frozenset(own), list(Link)
    found: dict[int, Link] = {}
    for node in shown:
        for value in graph.nodes[node].inputs:
            if value not in inside:
                link = changes.link(value, node, special.get((value, node), Link.MAIN))
                found[value] = min(found.get(value, link), link, key=order.index)
    return tuple(found.items())


def shortcuts(graph: Graph) -> dict[tuple[int, int], Link]:
    """The edges between nodes, (source, reader), that go past the layers they are merged with.

    Where long ones are many, the later ones are not told from other edges.
    """
    found: dict[tuple[int, int], Link] = {}
    looks = MAX_LOOKS + LOOKS * len(graph.nodes)
    for node in graph.nodes:
        if node.op.family is Family.MERGE and len(node.inputs) > 1:
            passed, looked = _identities(graph, node, looks)
            looks -= looked
            for source in passed:
                found[source, node.id] = Link.IDENTITY
            for edge in _projection(graph, node):
                found[edge] = Link.PROJECTION
    return found


def _identities(graph: Graph, merge: Node, looks: int) -> tuple[set[int], int]:
    """The inputs of a merge from which another of its inputs is computed, found in so many looks.

    Beside them, how many looks at nodes were taken; where they do not suffice, there are none.
    """
    sources = set(merge.inputs)
    lowest = min(sources)
    ahead, seen = list(sources), set(sources)
    passed = set[int]()
    while ahead:
        if len(seen) > looks:
            return set(), len(seen)
        for source in graph.nodes[ahead.pop()].inputs:
            if source in sources:
                passed.add(source)
            if source >= lowest and source not in seen:
                seen.add(source)
                ahead.append(source)
    return passed, len(seen)


def _projection(graph: Graph, merge: Node) -> list[tuple[int, int]]:
    """The edges of an addition's shortcut, if it is short and only projects the body's input."""
    if merge.op.name != "add" or len(merge.inputs) != 2:
        return []
    body = _above(graph, merge.inputs[0])
    place = merge.inputs[1]
    path = [(place, merge.id)]
    while place not in body and len(path) <= MAX_SHORTCUT:
        node = graph.nodes[place]
        if node.op.family not in SHORTCUT or len(node.inputs) != 1:
            return []
        place = node.inputs[0]
        path.append((place, node.id))
    steps = body.get(place, 0)
    return path if len(path) > 1 and steps >= len(path) else []


def _above(graph: Graph, start: int) -> dict[int, int]:
    """The nodes from which first inputs lead to `start`, with the number of steps."""
    found, place = {start: 0}, start
    while graph.nodes[place].inputs and len(found) < MAX_BODY:
        place = graph.nodes[place].inputs[0]
        found[place] = len(found)
    return found
