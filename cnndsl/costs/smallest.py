"""The smallest image that a network takes."""

from __future__ import annotations

from collections.abc import Iterator

from cnndsl.graph import Graph
from cnndsl.ops.base import Reject, Shape

MAX_REPLAYED = 100_000
"""How many ops the search for the smallest input evaluates at the most."""


def min_input(graph: Graph, training: bool = False) -> int | None:
    """The side of the smallest square image that the network with its weights takes.

    In inference, or in training too, where heads of training may need more. None where there are
    several inputs, the input is no image, or the search is too long.
    """
    if len(graph.inputs) != 1 or len(graph.inputs[0].shape) != 3:
        return None
    channels, height, width = graph.inputs[0].shape
    work = 0
    for side in range(1, max(height, width) + 1):
        for fits in replay(graph, Shape((channels, side, side)), training):
            work += 1
            if not fits:
                break
        else:
            return side
        if work > MAX_REPLAYED:
            return None
    return None


def replay(graph: Graph, input: Shape, training: bool = False) -> Iterator[bool]:
    """For each node that runs, whether it takes what another input brings it, weights kept."""
    shapes: dict[int, Shape] = {graph.inputs[0].id: input}
    for node in graph.layers:
        if node.id in graph.train_only and not training:
            continue
        inputs = tuple(shapes[i] for i in node.inputs)
        try:
            shapes[node.id] = node.op.infer(inputs)
            yield node.op.weights(inputs[0]) == node.op.weights(node.x)
        except Reject:
            yield False
