"""`cnndsl evaluate`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnndsl.cli.options import InputOption, SetOption, VariantOption
from cnndsl.cli.telling import fail, usage, write
from cnndsl.cli.train import DataOption, DeviceOption, RecipeOption, RootOption
from cnndsl.cli.trained import TrainedArgument, TrainedWeightsOption, found, warn

if TYPE_CHECKING:
    from cnndsl.training.evaluation import Evaluation

PARTS = ("val", "train", "all")
SHOWN = 20
"""Most classes that are all shown in the terminal; of more, half as many that do worst."""


def evaluate(
    source: TrainedArgument,
    weights: TrainedWeightsOption = None,
    variant: VariantOption = None,
    set: SetOption = None,
    input: InputOption = None,
    recipe: RecipeOption = None,
    data: DataOption = None,
    data_root: RootOption = None,
    split: Annotated[
        str, typer.Option(metavar="val|train|all", help="Which part of the data.")
    ] = "val",
    batch_size: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Images at a time.")
    ] = None,
    device: DeviceOption = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="DIR", help="Where the tables go; else the run's folder."
        ),
    ] = None,
) -> None:
    """Tell how well a trained network does: top-1, top-5, loss, every class and confusion."""
    if split not in PARTS:
        usage(f"no split `{split}`: one of {', '.join(PARTS)}")
    flags = {"data.name": data, "data.root": data_root, "val.batch_size": batch_size}
    with found(source, weights, variant, set, input, recipe, flags, for_data=True) as trained:
        from cnndsl.training import confusion, evaluation

        folder = trained.folder if out is None else made(out)
        result = evaluation.evaluate(trained, device, split, warn)
        if as_json:
            print(json.dumps(result.to_json(), indent=2))
        else:
            print("\n".join(table(result)))
        if folder is not None:
            for name, content in confusion.files(result):
                write(folder / name, content)
            print(f"confusion matrix and classes: {folder}", file=sys.stderr)


def made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        fail(f"cannot make {folder}: {e.strerror}")
    return folder


def table(result: Evaluation) -> Iterator[str]:
    """The report for a person."""
    yield (
        f"{result.network}, {result.weights}: {result.images:,} images of {result.data} "
        f"({result.part})"
    )
    yield f"top-1 {result.top1:.2%}  top-5 {result.top5:.2%}  loss {result.loss:.4f}"
    classes = list(result.per_class())
    if len(classes) > SHOWN:
        seen = [of_class for of_class in classes if of_class.images]
        classes = sorted(seen, key=lambda c: c.f1 or 0.0)[: SHOWN // 2]
        yield f"the {len(classes)} classes of {len(result.classes)} that do worst:"
    width = max([5, *(len(of_class.name) for of_class in classes)])
    yield ""
    yield f"{'class':{width}}  {'images':>7}  {'precision':>9}  {'recall':>9}  {'F1':>9}"
    for c in classes:
        shares = "  ".join(f"{_percent(share):>9}" for share in (c.precision, c.recall, c.f1))
        yield f"{c.name:{width}}  {c.images:>7,}  {shares}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.2%}"
