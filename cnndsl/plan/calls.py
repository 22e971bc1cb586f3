"""What a network's source takes from elsewhere by name: its own names stay clear of these."""

from __future__ import annotations

from collections.abc import Iterator

from cnndsl.graph import Graph
from cnndsl.ops.base import Call
from cnndsl.plan.words import function_name


def called(graph: Graph) -> frozenset[str]:
    """The names of the classes and functions that the source imports or takes along."""
    ops = {(node.op, node.input_shapes): node for node in graph.layers}
    calls = [
        call
        for node in ops.values()
        for call in (node.op.module(node.x), node.op.function(*node.input_shapes))
        if isinstance(call, Call)
    ]
    return frozenset(name for call in calls for name in _names(call))


def _names(call: Call) -> Iterator[str]:
    if ":" in call.target:
        yield function_name(call.target)
    for value in (*call.args, *(value for _, value in call.kwargs)):
        if isinstance(value, Call):
            yield from _names(value)
