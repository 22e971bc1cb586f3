"""The boxes of what a network gives."""

from __future__ import annotations

from cnndsl.diagram import words
from cnndsl.diagram.changes import Changes
from cnndsl.diagram.plan import Box, Kind, Link, Mark, Read, Was
from cnndsl.graph import Graph, Output


def output_box(graph: Graph, changes: Changes, output: Output) -> Box:
    """The box of one output, and of the value that it had before."""
    mark, old = changes.outputs.get(output.name), changes.ends.get(output.name)
    node = graph.nodes[output.node]
    shape = words.shape([node.shape])
    was = None
    if mark is Mark.CHANGED:
        earlier = changes.was.get(output.node) if old is None else graph.nodes[old]
        was = Was("", "", words.shape([earlier.shape]) if earlier else "")
    return Box(
        id=f"output/{output.name}",
        kind=Kind.OUTPUT,
        name=output.name,
        op="",
        text=f"training only, loss × {output.loss_weight:g}" if output.train_only else "",
        shape=shape,
        nodes=(),
        reads=_reads(output, mark, old),
        train_only=output.train_only,
        mark=mark,
        was=was,
    )


def _reads(output: Output, mark: Mark | None, old: int | None) -> tuple[Read, ...]:
    if old is not None:
        return (output.node, Link.ADDED), (old, Link.REMOVED)
    if mark is Mark.ADDED:
        return ((output.node, Link.ADDED),)
    if mark is Mark.REMOVED:
        return ((output.node, Link.REMOVED),)
    return ((output.node, Link.TRAIN if output.train_only else Link.MAIN),)
