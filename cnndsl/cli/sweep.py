"""`cnndsl sweep`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cnndsl.cli.options import InputOption, SpecArgument
from cnndsl.cli.train import (
    BatchOption,
    DataOption,
    DeviceOption,
    EpochsOption,
    OptimizerOption,
    PrecisionOption,
    RateOption,
    RecipeOption,
    RootOption,
    SeedOption,
    WorkersOption,
)


def sweep(
    spec: SpecArgument,
    set: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE,VALUE…",
            help="Values to try, in YAML; ranges as 16..128, 16..64:16 and 1e-4..1e-1:log.",
        ),
    ] = None,
    variant: Annotated[
        str | None, typer.Option("--variant", metavar="V,V…", help="Variants to try.")
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="So many at random instead of every choice."),
    ] = None,
    max_macs: Annotated[
        str | None,
        typer.Option(metavar="500M", help="Leave out networks of more multiply-adds."),
    ] = None,
    max_params: Annotated[
        str | None, typer.Option(metavar="5M", help="Leave out networks of more parameters.")
    ] = None,
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
    seed: SeedOption = None,
    device: DeviceOption = "auto",
    cpus_per_trial: Annotated[
        float, typer.Option(min=0.1, metavar="N", help="Processors of a trial, by Ray.")
    ] = 1,
    gpus_per_trial: Annotated[
        float | None,
        typer.Option(min=0, metavar="N", help="GPUs of a trial, or a share of one, by Ray."),
    ] = None,
    address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="A cluster of Ray; `auto` is its own.")
    ] = None,
    asha: Annotated[
        bool, typer.Option("--asha", help="End trials that fall behind early, by Ray.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be trained and what it costs.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the sweep that lies in the folder.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Where the sweep is written."),
    ] = None,
) -> None:
    """Train many candidates of a spec, and compare their accuracy and their cost.

    Each --set gives the values of a parameter, or of a key of the recipe as in
    --set train.optimizer.lr=0.1,0.01; every choice of values is trained, or --samples of them.
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
        "seed": seed,
    }
    from cnndsl.checker import written_sizes
    from cnndsl.cli import sweeping
    from cnndsl.sweep.fitting import Job
    from cnndsl.sweep.planning import Request
    from cnndsl.sweep.running import Resources

    resources = Resources(cpus_per_trial, gpus_per_trial, address, asha)
    sweeping.check_usage(resources, device, resume and out is None)
    limits = sweeping.limits_of(max_macs, max_params)
    with sweeping.reported():
        space = sweeping.space_of(spec, set or (), variant, flags)
        job = Job(spec, written_sizes(input), recipe, device)
        request = Request(job, space, limits, samples, seed or 0)
        sweeping.carry_out(request, resources, dry_run, resume, out)
