"""The static shapes and weights against those that PyTorch gives."""

from __future__ import annotations

import torch

from cnndsl.builder import build_module, run_probed
from cnndsl.graph import Graph


def verify(graph: Graph) -> list[str]:
    """What differs between the graph and its module on the meta device; empty where all agrees.

    Every layer's output shape in a forward pass in training mode, every weight's name and shape.
    """
    inputs = [torch.empty(2, *node.shape, device="meta") for node in graph.inputs]
    found = run_probed(graph, inputs)
    differences = [
        f"{node.span}: {node.path}: static shape {node.shape}, PyTorch gives {found.get(node.path)}"
        for node in graph.layers
        if found.get(node.path) != tuple(node.shape)
    ]
    with torch.device("meta"):
        weights = {name: tuple(p.shape) for name, p in build_module(graph).named_parameters()}
    stated = {name: shape for node in graph.layers for name, shape in node.weights.items()}
    return differences + [
        f"{name}: static weight {stated.get(name)}, PyTorch has {weights.get(name)}"
        for name in sorted(stated.keys() | weights.keys())
        if stated.get(name) != weights.get(name)
    ]
