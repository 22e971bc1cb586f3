"""The values of every layer of a real network, one by one as they are computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from cnndsl.emitter import emit_source, network_class
from cnndsl.graph import Graph

See = Callable[[str, Tensor], None]


def probed(graph: Graph, see: See) -> nn.Module:
    """The network in double precision and inference; `see` is shown each value with its path."""

    def probe(path: str, value: Tensor) -> Tensor:
        see(path, value)
        return value

    space: dict[str, Any] = {"probe": probe, "__name__": "probed"}
    exec(compile(emit_source(graph, probe=True), "<probed>", "exec"), space)
    module: nn.Module = space[network_class(graph)]().double().eval()
    by_path = dict(module.named_modules())
    for node in graph.layers:
        if node.path in by_path:
            by_path[node.path].register_forward_hook(
                lambda _module, _inputs, value, path=node.path: see(path, value)
            )
    return module


def make_positive(module: nn.Module) -> nn.Module:
    """Give a network weights with which no value is lost: positive ones, and no shifts."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, tensor in module.named_parameters():
            tensor.uniform_(0.5, 1.5, generator=generator)
            if tensor.ndim > 1:
                tensor /= max(1, tensor[0].numel())
            elif name.endswith("bias"):
                tensor.zero_()
    return module
