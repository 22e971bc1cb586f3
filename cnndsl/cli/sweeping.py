"""What `cnndsl sweep` does with its arguments, and what it says."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from cnndsl.checker import tree_of
from cnndsl.cli.telling import fail, told, usage
from cnndsl.sweep import planning, report
from cnndsl.sweep.filtering import Judged, Limits, read_amount
from cnndsl.sweep.planning import Request
from cnndsl.sweep.results import TABLE, Results, Row, row_of
from cnndsl.sweep.running import Resources, has_ray, run_trials
from cnndsl.sweep.space import TRAIN, Space, check_axes, check_variants, fixed_axis, read_axes
from cnndsl.training.errors import TrainError
from cnndsl.training.signals import Stopped

INSTALL = "pip install 'cnndsl[sweep]'"


def check_usage(resources: Resources, device: str, homeless: bool) -> None:
    """Refuse options that do not go together, or need what is not installed."""
    if homeless:
        usage("`--resume` needs a sweep: name its folder, as in `-o sweeps/NAME`")
    if device == "cpu" and resources.gpus:
        usage("`--gpus-per-trial` does not go with `--device cpu`")
    if resources.gpus == 0 and device.startswith("cuda"):
        usage(f"`--device {device}` needs a GPU for each trial")
    ray = has_ray()
    if ray and device.startswith("cuda:"):
        usage("Ray chooses the GPU of each trial: use `--device cuda`")
    if not ray and (resources.address or resources.asha):
        fail("`--address` and `--asha` need Ray Tune", f"install it with `{INSTALL}`")


def limits_of(macs: str | None, params: str | None) -> Limits:
    """What `--max-macs` and `--max-params` allow."""
    return Limits(_amount(macs, "--max-macs"), _amount(params, "--max-params"))


def _amount(text: str | None, flag: str) -> int | None:
    number = None if text is None else read_amount(text)
    if text is not None and number is None:
        usage(f"{flag} takes a number as 500M, 1.5G, 40K or 40000, not `{text}`")
    return number


def space_of(spec: str, set: Sequence[str], variant: str | None, flags: Mapping[str, Any]) -> Space:
    """All that the command line asks to try; raises SpecError."""
    axes = read_axes(set)
    given = {TRAIN + key: value for key, value in flags.items() if value is not None}
    for axis in axes:
        if axis.name in given:
            usage(f"`{axis.name}` is given twice, by its flag and by --set")
    tree = tree_of(spec)
    variants = tuple(variant.split(",")) if variant else (None,)
    check_variants(variants, tree)
    check_axes(axes, tree)
    fixed = (fixed_axis(name, value, name) for name, value in given.items())
    space = Space((*axes, *fixed), variants)
    if not space.varying:
        usage("nothing varies: give several values, as in `--set width=32,64`")
    return space


def carry_out(
    request: Request, resources: Resources, dry_run: bool, resume: bool, out: Path | None
) -> None:
    """Judge all candidates, train those that are kept, and tell what came of it."""
    found = planning.judge_all(request)
    kept = [one for one in found if not one.reason]
    if dry_run or not kept:
        show([row_of(one) for one in found], request.space)
    if not kept:
        fail("no candidate is left", "try other values, or raise the limits")
    if not dry_run:
        name = f"{tree_of(request.job.spec).name}-{kept[0].data}"
        results = planning.open_results(out, name, found, resume)
        _train(request, found, results, resources)


def _train(
    request: Request, found: Sequence[Judged], results: Results, resources: Resources
) -> None:
    trials = planning.trials_of(request.job, found, results)
    results.write()
    kept = sum(not one.reason for one in found)
    before = f", {kept - len(trials)} of them trained before" if kept > len(trials) else ""
    print(f"{len(found)} candidates, {kept} kept{before}")
    if not has_ray():
        print(f"one trial after the other; `{INSTALL}` runs them in parallel")
    print(f"writing to {results.folder}", flush=True)
    stopped = 0
    try:
        run_trials(trials, results, resources, told_at_once, sys.stderr.isatty())
    except Stopped as e:
        stopped = e.exit_code
    except KeyboardInterrupt:
        stopped = 130
    except TrainError:
        results.discard()
        raise
    finish(results, request.space)
    if stopped:
        print("stopped; what is done is written, go on with `--resume`", file=sys.stderr)
    if stopped or any(row.outcome.status == "failed" for row in results.rows):
        raise typer.Exit(stopped or 1)


def finish(results: Results, space: Space) -> None:
    """The table, the picture, and the best network."""
    from cnndsl.sweep.picture import PICTURES, draw_picture

    print()
    show(results.rows, space)
    best = report.best(results.rows)
    if best is None:
        return
    draw_picture(results.folder, results.rows, space.varying)
    print(f"\n{results.folder / TABLE}, {', '.join(PICTURES)}")
    print(f"best: {best.outcome.val_accuracy:.2%}, {results.folder / best.trial}")


def show(rows: Sequence[Row], space: Space) -> None:
    for line in report.table(rows, space.varying):
        print(line)


def told_at_once(line: str) -> None:
    print(line, flush=True)


@contextmanager
def reported() -> Iterator[None]:
    """Tell what is wrong with the spec, the recipe or the folder, and end with exit code 1."""
    try:
        with told():
            yield
    except TrainError as e:
        fail(e.message, e.help)
