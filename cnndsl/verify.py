"""The static shapes and weights against those that PyTorch gives."""

from __future__ import annotations

import torch

from cnndsl.builder import build_module, run_probed
from cnndsl.graph import Graph

Shapes = dict[str, tuple[int, ...]]


def verify(graph: Graph) -> list[str]:
    """What differs between the graph and its module; empty where all agrees.

    Every layer's output shape in a forward pass in training mode, every weight's name and shape: on
    the meta device, or on the processor where a module cannot do without numbers.
    """
    try:
        found, weights = _run(graph, "meta")
    except Exception:  # modules fail there in as many ways as there are
        try:
            found, weights = _run(graph, "cpu")
        except Exception as e:
            said = " ".join(str(e).split()) or type(e).__name__
            return [f"{graph.root.span}: PyTorch cannot run the network: {said[:300]}"]
    differences = [
        f"{node.span}: {node.path}: static shape {node.shape}, PyTorch gives {found.get(node.path)}"
        for node in graph.layers
        if found.get(node.path) != tuple(node.shape)
    ]
    stated = {name: shape for node in graph.layers for name, shape in node.weights.items()}
    return differences + [
        f"{name}: static weight {stated.get(name)}, PyTorch has {weights.get(name)}"
        for name in sorted(stated.keys() | weights.keys())
        if stated.get(name) != weights.get(name)
    ]


def _run(graph: Graph, device: str) -> tuple[Shapes, Shapes]:
    """The shapes of all values, without the batch, and of all parameters, by name."""
    inputs = [torch.zeros(2, *node.shape, device=device) for node in graph.inputs]
    values = run_probed(graph, inputs)
    with torch.device(device):
        parameters = build_module(graph).named_parameters()
    return values, {name: tuple(parameter.shape) for name, parameter in parameters}
