"""The wires between boxes, and which of them are shortcuts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cnndsl.diagram.plan import Box, Item, Kind, Link, Wire, boxes
from cnndsl.graph import Graph, Node
from cnndsl.ops.base import Family

SHORTCUT = (Family.CONVOLUTION, Family.NORMALIZATION, Family.POOLING)
"""What a projection shortcut may consist of."""
MAX_SHORTCUT = 3
"""How many nodes a projection shortcut may have."""
MAX_BODY = 100
"""How many nodes may lie beside it."""


def wires(graph: Graph, items: Iterable[Item]) -> tuple[Wire, ...]:
    """What the boxes read, in the order of the readers: of each box each value once."""
    drawn = list(boxes(items))
    box_of = {node: box for box in drawn for node in box.nodes}
    shown = {node for box in drawn for node in box.shown}
    special = shortcuts(graph)
    found: dict[tuple[str, int], Wire] = {}
    for node in graph.nodes:
        if node.id not in shown:
            continue  # a later repetition: its wires are those of the first
        for value in node.inputs:
            source, target = box_of[value], box_of[node.id]
            if source is not target:
                link = special.get((value, node.id), Link.MAIN)
                _add(found, source, target, value, link)
    for output in graph.outputs:
        _add(found, box_of[output.node], _output_box(drawn, output.name), output.node, Link.MAIN)
    return tuple(found.values())


def _output_box(drawn: Sequence[Box], name: str) -> Box:
    return next(box for box in drawn if box.kind is Kind.OUTPUT and box.name == name)


def _add(
    found: dict[tuple[str, int], Wire], source: Box, target: Box, value: int, link: Link
) -> None:
    """Add a wire; of two for one value into one box the one with the more important link stays."""
    wire = Wire(source.id, target.id, value, Link.TRAIN if target.train_only else link)
    known = found.get((target.id, value), wire)
    found[target.id, value] = min(known, wire, key=lambda w: list(Link).index(w.link))


def shortcuts(graph: Graph) -> dict[tuple[int, int], Link]:
    """The edges between nodes, (source, reader), that go past the layers they are merged with."""
    found: dict[tuple[int, int], Link] = {}
    for node in graph.nodes:
        if node.op.family is Family.MERGE and len(node.inputs) > 1:
            for source in _identities(graph, node):
                found[source, node.id] = Link.IDENTITY
            for edge in _projection(graph, node):
                found[edge] = Link.PROJECTION
    return found


def _identities(graph: Graph, merge: Node) -> list[int]:
    """The inputs of a merge from which another of its inputs is computed."""
    sources = set(merge.inputs)
    lowest = min(sources)
    ahead, seen = list(sources), set(sources)
    passed: list[int] = []
    while ahead:
        for source in graph.nodes[ahead.pop()].inputs:
            if source in sources and source not in passed:
                passed.append(source)
            if source >= lowest and source not in seen:
                seen.add(source)
                ahead.append(source)
    return passed


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
