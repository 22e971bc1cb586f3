"""How deep a network is."""

from __future__ import annotations

from cnndsl.graph import Graph
from cnndsl.ops.base import Family

COUNTED = (Family.CONVOLUTION, Family.LINEAR)


def depth(graph: Graph) -> int:
    """Convolutions and linear layers on the longest path from an input to the first output.

    So ResNet-50 has 50, VGG-16 has 16, and GoogLeNet 22; normalization is not counted.
    """
    found: dict[int, int] = {}
    for node in graph.nodes:
        before = max((found[i] for i in node.inputs), default=0)
        found[node.id] = before + (node.op.family in COUNTED)
    return found[graph.output.node]
