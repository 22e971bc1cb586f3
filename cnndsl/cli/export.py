"""`cnndsl export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cnndsl.cli.options import InputOption, SetOption, VariantOption
from cnndsl.cli.telling import fail, usage
from cnndsl.cli.trained import TrainedArgument, TrainedWeightsOption, found, warn

FORMATS = (".onnx", ".pt2", ".safetensors", ".py")


def export(
    source: TrainedArgument,
    out: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="The file: .onnx, .pt2 (torch.export), .safetensors or .py (source).",
        ),
    ],
    weights: TrainedWeightsOption = None,
    variant: VariantOption = None,
    set: SetOption = None,
    input: InputOption = None,
    opset: Annotated[int | None, typer.Option(min=1, metavar="N", help="Of ONNX.")] = None,
) -> None:
    """Write a network for other programs, checked by running it against the module."""
    if out.suffix not in FORMATS:
        usage(f"no format `{out.suffix}`: name a file that ends in {', '.join(FORMATS)}")
    if opset is not None and out.suffix != ".onnx":
        usage("`--opset` is for .onnx")
    with found(source, weights, variant, set, input, None, {}, untrained=True) as trained:
        from cnndsl import exporter

        if not trained.weights and out.suffix != ".py":
            warn("note: no weights were named: the file holds those that the network begins with")
        network = exporter.Network(trained.graph, trained.module, trained.notes(), opset)
        try:
            print(exporter.export(network, out))
        except exporter.ExportError as e:
            fail(e.message, e.help)
