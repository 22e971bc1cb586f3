"""cnndsl: convolutional networks as one page of YAML, checked, drawn and compiled to PyTorch.

>>> import cnndsl
>>> graph = cnndsl.check("resnet50")      # shapes and costs, without torch
>>> model = cnndsl.build("resnet50")      # a torch.nn.Module
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnndsl.checker import check
from cnndsl.costs import Cost, cost
from cnndsl.diagnostics import Diagnostic, SpecError
from cnndsl.graph import Graph

if TYPE_CHECKING:
    import graphviz
    from torch import nn

    from cnndsl.exporter import Exported

__all__ = [
    "Cost",
    "Diagnostic",
    "Graph",
    "SpecError",
    "build",
    "check",
    "cost",
    "draw",
    "emit",
    "export",
]
__version__ = "0.1.0"


def build(
    spec: str | Path | Graph,
    variant: str | None = None,
    params: Mapping[str, Any] | None = None,
    input: Sequence[int] | None = None,
    *,
    weights: str | Path | None = None,
    partial: bool = False,
) -> nn.Module:
    """Check a spec as `check` does, or take a checked Graph, and build its `torch.nn.Module`.

    `weights` are a file (.pth, .pt, .safetensors) or torchvision's, as "torchvision:IMAGENET1K_V1".
    With `partial`, tensors that do not fit are left, and a warning lists them. Raises
    `cnndsl.weights.WeightsError` where the weights cannot be had or do not fit, and TypeError for
    an argument that the others leave without effect.
    """
    from cnndsl.builder import build_module

    if isinstance(spec, Graph) and any(v is not None for v in (variant, params, input)):
        raise TypeError("a Graph is checked: give variant, params and input to `check`")
    if partial and weights is None:
        raise TypeError("`partial` is of `weights`, and none are given")
    graph = spec if isinstance(spec, Graph) else check(spec, variant, params, input)
    module = build_module(graph)
    if weights is not None:
        from cnndsl.weights import load_weights

        loaded = load_weights(module, graph, str(weights), partial)
        if loaded.left or loaded.note:
            warnings.warn("\n".join(loaded.lines()), stacklevel=2)
    return module


def emit(graph: Graph) -> str:
    """The network as readable PyTorch source that needs no cnndsl."""
    from cnndsl.emitter import emit_source

    return emit_source(graph)


def draw(graph: Graph) -> graphviz.Digraph:
    """The network as a Graphviz diagram."""
    from cnndsl.diagram import draw_graph

    return draw_graph(graph)


def export(
    source: str | Path,
    path: str | Path,
    variant: str | None = None,
    params: Mapping[str, Any] | None = None,
    input: Sequence[int] | None = None,
    *,
    weights: str | Path | None = None,
    opset: int | None = None,
) -> Exported:
    """Write a run or a spec as .onnx, .pt2, .safetensors or .py, checked against the module.

    `weights` are as for `build`, for a run "best" (the default) or "last" too. Raises SpecError,
    `cnndsl.training.TrainError` and `cnndsl.exporter.ExportError`.
    """
    from cnndsl import exporter
    from cnndsl.training.trained import Asked, find_trained

    chosen = None if weights is None else str(weights)
    trained = find_trained(Asked(str(source), chosen, variant, params or {}, input), lambda _: None)
    network = exporter.Network(trained.graph, trained.module, trained.notes(), opset)
    return exporter.export(network, Path(path))
