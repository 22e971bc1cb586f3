"""`cnndsl train`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cnndsl.checker import written_sizes, written_values
from cnndsl.cli.options import InputOption, SetOption, SpecArgument, VariantOption
from cnndsl.cli.telling import fail, told


def train(
    spec: SpecArgument,
    variant: VariantOption = None,
    set: SetOption = None,
    input: InputOption = None,
    device: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda[:N]", help="Where to train.")
    ] = "auto",
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="digits (embedded), mnist, fashion_mnist, cifar10, or folder."
        ),
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the data set lies.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, metavar="N")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, metavar="N")] = None,
    lr: Annotated[float | None, typer.Option(min=0, metavar="X", help="Learning rate.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, metavar="N")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Where the run is written.")
    ] = None,
) -> None:
    """Train a network; what is not given comes from the spec's `train:`."""
    from cnndsl.training import TrainError, run

    try:
        with told():
            run(
                spec,
                variant,
                written_values(set or ()),
                written_sizes(input),
                device=device,
                data=data,
                data_root=data_root,
                epochs=epochs,
                batch_size=batch_size,
                lr=lr,
                seed=seed,
                out=out,
                bar=sys.stderr.isatty(),
            )
    except TrainError as e:
        fail(e.message, e.help)
