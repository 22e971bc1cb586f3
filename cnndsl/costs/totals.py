"""What each layer costs, and the whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

from cnndsl.costs.depth import depth
from cnndsl.costs.field import Field, Sights, field_of, last_map, sights
from cnndsl.costs.memory import Memory, memory
from cnndsl.costs.smallest import min_input
from cnndsl.graph import Graph, Node


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
    one multiplication and one addition. The other figures are computed when they are asked for.
    """

    layers: tuple[LayerCost, ...]
    params: int
    macs: int
    graph: Graph = dataclasses.field(repr=False)

    @cached_property
    def memory(self) -> Memory:
        """Bytes of activations, in inference and training."""
        return memory(self.graph)

    @cached_property
    def depth(self) -> int:
        """Convolutions and linear layers on the longest path through the network."""
        return depth(self.graph)

    @cached_property
    def fields(self) -> Mapping[int, Field]:
        """What the values of each node see of the image, by the node's id."""
        image = self.graph.inputs[0].shape
        return {id: field_of(own, image) for id, own in self._sights.items()}

    @cached_property
    def field(self) -> Field | None:
        """What the values of the last feature map see; None where there is none."""
        last = last_map(self.graph, self._sights)
        return None if last is None else field_of(self._sights[last], self.graph.inputs[0].shape)

    @cached_property
    def _sights(self) -> Mapping[int, Sights]:
        return sights(self.graph)

    @cached_property
    def min_input(self) -> int | None:
        """The side of the smallest square image, as `min_input` has it."""
        return min_input(self.graph)


def cost(graph: Graph) -> Cost:
    """The cost of each layer and of the whole."""
    layers = tuple(layer_cost(node) for node in graph.layers)
    inference = [layer.macs for layer in layers if layer.node.id not in graph.train_only]
    return Cost(layers, sum(layer.params for layer in layers), sum(inference), graph)


def layer_cost(node: Node) -> LayerCost:
    return LayerCost(node, sum(map(prod, node.weights.values())), node.op.macs(node.x))
