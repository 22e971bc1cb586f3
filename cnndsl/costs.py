"""Graph → what a network costs, without running it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from cnndsl.graph import Graph, Node
from cnndsl.ops.base import Reject, Shape

MAX_REPLAYED = 100_000
"""How many ops the search for the smallest input evaluates at the most."""


@dataclass(frozen=True)
class LayerCost:
    """Parameters and multiply-adds of one node, for one sample."""

    node: Node
    params: int
    macs: int


@dataclass(frozen=True)
class Cost:
    """What a network costs.

    `params` counts every learned number, those of train-only heads included. `macs` counts the
    multiply-adds of convolutions and linear layers in inference for one sample; one multiply-add is
    one multiplication and one addition.
    """

    layers: tuple[LayerCost, ...]
    params: int
    macs: int


def cost(graph: Graph) -> Cost:
    """The cost of each layer and of the whole."""
    layers = tuple(layer_cost(node) for node in graph.layers)
    inference = [layer.macs for layer in layers if layer.node.id not in graph.train_only]
    return Cost(layers, sum(layer.params for layer in layers), sum(inference))


def layer_cost(node: Node) -> LayerCost:
    return LayerCost(node, sum(map(prod, node.weights.values())), node.op.macs(node.x))


def min_input(graph: Graph) -> int | None:
    """The side of the smallest square image that the network with its weights takes in inference.

    None where there are several inputs, the input is no image, or the search is too long.
    """
    if len(graph.inputs) != 1 or len(graph.inputs[0].shape) != 3:
        return None
    channels, height, width = graph.inputs[0].shape
    work = 0
    for side in range(1, max(height, width) + 1):
        for fits in replay(graph, Shape((channels, side, side))):
            work += 1
            if not fits:
                break
        else:
            return side
        if work > MAX_REPLAYED:
            return None
    return None


def replay(graph: Graph, input: Shape) -> Iterator[bool]:
    """For each node of inference, whether it takes what another input brings it, weights kept."""
    shapes: dict[int, Shape] = {graph.inputs[0].id: input}
    for node in graph.layers:
        if node.id in graph.train_only:
            continue
        inputs = tuple(shapes[i] for i in node.inputs)
        try:
            shapes[node.id] = node.op.infer(inputs)
            yield node.op.weights(inputs[0]) == node.op.weights(node.x)
        except Reject:
            yield False
