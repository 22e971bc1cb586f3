"""`cnndsl train`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cnndsl.checker import written_sizes, written_values
from cnndsl.cli.options import InputOption, SetOption, SpecArgument, VariantOption
from cnndsl.cli.telling import fail, told, told_of, usage

TRAIN = "train."

RecipeOption = Annotated[
    str | None, typer.Option("--recipe", metavar="NAME", help="One of the spec's recipes.")
]
DeviceOption = Annotated[str, typer.Option(metavar="auto|cpu|cuda[:N]", help="Where to compute.")]
DataOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="digits (embedded), mnist, fashion_mnist, cifar10, cifar100, folder or webdataset.",
    ),
]
RootOption = Annotated[str | None, typer.Option(metavar="DIR", help="Where the data set lies.")]
WorkersOption = Annotated[
    int | None, typer.Option(min=0, metavar="N", help="Processes that read images.")
]
EpochsOption = Annotated[int | None, typer.Option(min=1, metavar="N")]
BatchOption = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Images in a step, over all devices.")
]
OptimizerOption = Annotated[
    str | None, typer.Option(metavar="sgd|adam|adamw|rmsprop", help="The optimizer.")
]
RateOption = Annotated[float | None, typer.Option(min=0, metavar="X", help="Learning rate.")]
PrecisionOption = Annotated[str | None, typer.Option(metavar="fp32|bf16|fp16", help="Autocast.")]
SeedOption = Annotated[int | None, typer.Option(min=0, metavar="N")]


def train(
    spec: SpecArgument,
    variant: VariantOption = None,
    set: SetOption = None,
    input: InputOption = None,
    recipe: RecipeOption = None,
    data: DataOption = None,
    data_root: RootOption = None,
    workers: WorkersOption = None,
    epochs: EpochsOption = None,
    batch_size: BatchOption = None,
    optimizer: OptimizerOption = None,
    lr: RateOption = None,
    precision: PrecisionOption = None,
    compile: Annotated[
        bool | None, typer.Option("--compile", help="Run through torch.compile.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|torchvision:NAME", help="Weights to begin with, where they fit."
        ),
    ] = None,
    seed: SeedOption = None,
    device: DeviceOption = "auto",
    devices: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Processes on this machine, a device for each."),
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(metavar="ddp|fsdp", help="How several devices work together.")
    ] = None,
    restarts: Annotated[
        int, typer.Option(min=0, metavar="N", help="Begin anew after a process died, so often.")
    ] = 0,
    save_every: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Steps between two checkpoints.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that lies in the folder.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Where the run is written.")
    ] = None,
) -> None:
    """Train a network; what is not given comes from the spec's `train:`.

    SPEC may be the run.yaml of a run, which repeats it, or with --resume the run's folder. Every
    key of the recipe can be set, as in --set train.optimizer.momentum=0.9.
    """
    flags = {
        "data.name": data,
        "data.root": data_root,
        "data.workers": workers,
        "epochs": epochs,
        "batch_size": batch_size,
        "optimizer.name": optimizer,
        "optimizer.lr": lr,
        "precision": precision,
        "compile": compile,
        "weights": weights,
        "seed": seed,
        "save_every": save_every,
    }
    from cnndsl.training import TrainError
    from cnndsl.training.signals import Stopped

    try:
        with told():
            params, settings = divided(set or (), flags)
            from cnndsl.training import session
            from cnndsl.training.device import Request
            from cnndsl.training.trainer import execute

            asked = Request(device, devices, strategy)
            plan = session.plan(
                spec, variant, params, written_sizes(input), asked, recipe, settings, out, resume
            )
            if plan.place.start:
                raise typer.Exit(started(plan, restarts))
            if os.environ.get("RANK", "0") == "0":
                told_of([d for d in plan.written.diagnostics if d.severity == "warning"])
            execute(plan, session.PRINT, sys.stderr.isatty())
    except TrainError as e:
        fail(e.message, e.help)
    except Stopped as e:
        if os.environ.get("RANK", "0") == "0":
            print(f"{e}; the state is written, go on with `--resume`", file=sys.stderr)
        raise typer.Exit(e.exit_code) from None


def started(plan: Any, restarts: int) -> int:
    """Run the same command in several processes, with the folder of the run decided."""
    from cnndsl.training import checkpoint, session
    from cnndsl.training.launch import launch

    args = sys.argv[1:]
    if plan.folder is None:
        folder = checkpoint.make_folder(None, session.slug(plan))
        args = [*args, "-o", str(folder)]
    return launch(plan.place.start, args, restarts)


def divided(set: Sequence[str], flags: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters of the spec, and keys of the recipe, nested, that the command line gives."""
    values = written_values(set)
    params = {name: value for name, value in values.items() if not name.startswith(TRAIN)}
    settings = {k.removeprefix(TRAIN): v for k, v in values.items() if k.startswith(TRAIN)}
    for key, value in flags.items():
        if value is not None and key in settings:
            usage(f"`train.{key}` is given twice, by its flag and by --set")
    settings |= {key: value for key, value in flags.items() if value is not None}
    nested: dict[str, Any] = {}
    for key in sorted(settings):  # `optimizer` before `optimizer.lr`
        _put(nested, key.split("."), settings[key])
    return params, nested


def _put(nested: dict[str, Any], path: list[str], value: Any) -> None:
    """Set a value at a path; a section that was given by its primary value becomes a mapping."""
    from cnndsl.recipe import Recipe, merge, spread

    for key in reversed(path):
        value = {key: value}
    whole = merge(spread(Recipe, nested), spread(Recipe, value))
    nested.clear()
    nested.update(whole)
