"""A run from the spec to the checkpoints."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

import cnndsl
from cnndsl.diagnostics import SpecError
from cnndsl.graph import Graph
from cnndsl.ops.base import Reject
from cnndsl.recipe import Recipe
from cnndsl.training import checkpoint, progress, target
from cnndsl.training.data import Facts, Split, find_facts, load
from cnndsl.training.device import choose_device
from cnndsl.training.device import describe as describe_device
from cnndsl.training.errors import TrainError
from cnndsl.training.loop import Metrics, fit, make_optimizer, steps_per_epoch

Echo = Callable[[str], None]
PRINT: Echo = partial(print, flush=True)


@dataclass(frozen=True)
class Result:
    """What a run gave: its folder, every epoch, the best of them, and the model after the last."""

    folder: Path
    epochs: tuple[Metrics, ...]
    best: Metrics
    model: nn.Module

    @property
    def best_checkpoint(self) -> Path:
        return self.folder / checkpoint.BEST

    @property
    def last_checkpoint(self) -> Path:
        return self.folder / checkpoint.LAST


def run(
    spec: str | Path,
    variant: str | None = None,
    params: Mapping[str, Any] | None = None,
    input: Sequence[int] | None = None,
    *,
    device: str = "auto",
    data: str | None = None,
    data_root: str | Path | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    echo: Echo = PRINT,
    bar: bool = False,
) -> Result:
    """Compile a spec for a data set and train it; what is not given comes from its `train:`.

    `echo` is given each line of text; `bar` draws a progress bar on the standard error.
    """
    place = choose_device(device)
    root = None if data_root is None else Path(data_root)
    given = {"data": data, "epochs": epochs, "batch_size": batch_size, "lr": lr, "seed": seed}
    plain = cnndsl.check(spec, variant, params, input)
    recipe = make_recipe(plain.train, given)
    facts = find_facts(recipe.data, root)
    aimed = target.aim(plain, params or {}, recipe, facts, fixed=input is not None)
    graph = _recheck(spec, variant, aimed, facts)
    target.check_outputs(graph, facts)
    if changed := target.describe(plain, graph, facts):
        echo(changed)
    folder = checkpoint.make_folder(None if out is None else Path(out), _slug(graph, recipe))
    with _in_words(folder):
        split = load(recipe.data, root, recipe.seed, aimed.size, place, echo)
        torch.manual_seed(recipe.seed)
        model = cnndsl.build(graph).to(place).to(memory_format=torch.channels_last)
        _introduce(model, split, facts, recipe, place, echo)
        echo(f"writing to {folder}")
        return _train(model, graph, split, facts, recipe, place, folder, echo, bar)


def make_recipe(spec: Mapping[str, Any], given: Mapping[str, Any]) -> Recipe:
    """The spec's recipe with what the command line gives put over it."""
    stated = {name: value for name, value in given.items() if value is not None}
    own = {name: value for name, value in spec.items() if name != "params"}
    try:
        return Recipe.create({**own, **stated})
    except Reject as e:
        raise TrainError(e.message, e.help) from e


def _recheck(spec: str | Path, variant: str | None, aimed: target.Target, facts: Facts) -> Graph:
    """The network for the data set; what does not fit is a matter of the size, not of the spec."""
    try:
        return cnndsl.check(spec, variant, aimed.params, aimed.input)
    except SpecError as e:
        sides = "×".join(map(str, aimed.input))
        first = next(d for d in e.diagnostics if d.severity == "error")
        larger = ",".join(map(str, (aimed.input[0], *(2 * side for side in aimed.size))))
        raise TrainError(
            f"the network cannot be compiled for {facts.name} at {sides}: "
            f"{first.span}: {first.message}",
            f"another size, as in `--input {larger}`, or `size:` under `train:`, may fit",
        ) from e


def _introduce(
    model: nn.Module,
    split: Split,
    facts: Facts,
    recipe: Recipe,
    device: torch.device,
    echo: Echo,
) -> None:
    """The first lines of a run: what is trained, on what, where and how."""
    weights = sum(p.numel() for p in model.parameters() if p.requires_grad)
    echo(
        f"{facts.name}: {len(split.train):,} images to train on, {len(split.val):,} to validate, "
        f"{len(facts.classes)} classes"
    )
    echo(
        f"epochs: {recipe.epochs}, each of {steps_per_epoch(len(split.train), recipe):,} steps, "
        f"batches of {recipe.batch_size}, {recipe.optimizer}, lr {recipe.lr_at(0, 1):g} "
        f"({recipe.schedule}), seed {recipe.seed}"
    )
    echo(f"{weights:,} parameters on {describe_device(device)}")


def _train(
    model: nn.Module,
    graph: Graph,
    split: Split,
    facts: Facts,
    recipe: Recipe,
    device: torch.device,
    folder: Path,
    echo: Echo,
    bar: bool,
) -> Result:
    optimizer = make_optimizer(model, recipe)
    watch = progress.watch_for(bar, recipe.epochs)
    about = _about(graph, facts, recipe)
    rows: list[Metrics] = []
    for metrics in fit(model, optimizer, split, recipe, graph.outputs, device, watch):
        best = not rows or metrics.rank > max(row.rank for row in rows)
        rows.append(metrics)
        state = {
            **about,
            "epoch": metrics.epoch,
            "step": metrics.epoch * steps_per_epoch(len(split.train), recipe),
            "metrics": dataclasses.asdict(metrics),
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
        }
        checkpoint.save(folder, state, best)
        checkpoint.write_metrics(folder, rows)
        echo(progress.line(metrics, recipe.epochs, best))
    top = max(rows, key=lambda row: row.rank)
    echo(f"best: {top.val_accuracy:.2%} in epoch {top.epoch}, {folder / checkpoint.BEST}")
    return Result(folder, tuple(rows), top, model)


def _about(graph: Graph, facts: Facts, recipe: Recipe) -> dict[str, Any]:
    """What a checkpoint says of the network and the run, in plain values."""
    return {
        "spec": graph.name,
        "variant": graph.variant,
        "params": {name: _plain(value) for name, value in graph.params.items()},
        "input": list(graph.inputs[0].shape),
        "classes": list(facts.classes),
        "recipe": dataclasses.asdict(recipe),
    }


def _plain(value: Any) -> Any:
    """A parameter's value as a checkpoint keeps it: a block by its name."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _slug(graph: Graph, recipe: Recipe) -> str:
    return re.sub(r"[^\w.-]+", "-", f"{target.title(graph)}-{recipe.data}").strip(".-")


@contextlib.contextmanager
def _in_words(folder: Path) -> Iterator[None]:
    """Say in words what PyTorch tells of a run that cannot go on, and leave no empty folder."""
    try:
        yield
    except torch.OutOfMemoryError as e:
        raise TrainError(
            f"out of memory on the GPU: {str(e).splitlines()[0]}", "use a smaller `--batch-size`"
        ) from e
    except ValueError as e:
        if "more than 1 value per channel" not in str(e):
            raise
        raise TrainError(
            "batch normalization cannot train on one value a channel",
            "use a larger `--batch-size` or a larger input",
        ) from e
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()  # succeeds where it is empty alone
