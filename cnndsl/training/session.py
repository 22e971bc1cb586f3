"""A run from the spec to the checkpoints."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnndsl.graph import Graph
from cnndsl.recipe import Recipe, plain
from cnndsl.training import checkpoint, target
from cnndsl.training.device import Placement, Request, choose, precise
from cnndsl.training.errors import TrainError, reader_ended
from cnndsl.training.facts import Facts
from cnndsl.training.optim import check_patterns
from cnndsl.training.tally import Metrics

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


@dataclass(frozen=True)
class Plan:
    """All that is decided before a run begins, without an image read or a weight made."""

    spec: str
    written: Graph
    """The network as the spec has it."""
    graph: Graph
    """The network for the data."""
    recipe: Recipe
    facts: Facts
    size: tuple[int, int]
    place: Placement
    folder: Path | None
    resume: bool


def run(
    spec: str | Path,
    variant: str | None = None,
    params: Mapping[str, Any] | None = None,
    input: Sequence[int] | None = None,
    *,
    recipe: str | None = None,
    train: Mapping[str, Any] | None = None,
    device: str = "auto",
    out: str | Path | None = None,
    resume: bool = False,
    echo: Echo = PRINT,
    bar: bool = False,
) -> Result:
    """Compile a spec for a data set and train it; what is not given comes from its `train:`.

    `recipe` names one of the spec's recipes, and `train` replaces keys of it, as {"epochs": 3,
    "optimizer": {"lr": 0.1}}. With `resume` and `out`, a run that lies there goes on. `echo` is
    given each line of text; `bar` draws a progress bar on the standard error. Raises SpecError,
    TrainError, and signals.Stopped after Ctrl-C or SIGTERM.
    """
    from cnndsl.training.trainer import execute

    planned = plan(spec, variant, params, input, Request(device), recipe, train or {}, out, resume)
    return execute(planned, echo, bar)


def plan(
    spec: str | Path,
    variant: str | None,
    params: Mapping[str, Any] | None,
    input: Sequence[int] | None,
    request: Request,
    recipe: str | None,
    train: Mapping[str, Any],
    out: str | Path | None,
    resume: bool,
) -> Plan:
    """Check everything that a run needs; raises SpecError or TrainError."""
    place = choose(request)
    folder = None if out is None else Path(out)
    earlier = checkpoint.run_folder(spec)
    if earlier is not None:
        spec = earlier / checkpoint.RUN
        folder = earlier if resume and folder is None else folder
    if resume and folder is None:
        raise TrainError("`--resume` needs a run", "name its folder, as in `-o runs/NAME`")
    if restarted() and folder is None:
        raise TrainError("a run that begins anew needs its folder", "name it with `-o DIR`")
    fitted = target.fit(spec, variant, params, input, recipe, train)
    names = [name for node in fitted.graph.layers for name in node.weights]
    check_patterns(names, fitted.recipe)
    place = precise(place, fitted.recipe.precision)
    if fitted.recipe.sync_bn and place.strategy and place.device.type == "cpu":
        raise TrainError(
            "PyTorch synchronizes batch normalization on GPUs alone", "leave `sync_bn` away"
        )
    return Plan(str(spec), *fitted, place, folder, resume)


def about(planned: Plan) -> dict[str, Any]:
    """What a checkpoint says of the network and the run, in plain values."""
    from cnndsl.training.runfile import structure

    graph = planned.graph
    return {
        "spec": graph.name,
        "variant": graph.variant,
        "params": {name: _plain(value) for name, value in graph.params.items()},
        "input": list(graph.inputs[0].shape),
        "classes": list(planned.facts.classes),
        "recipe": plain(planned.recipe),
        "structure": structure(graph),
    }


def _plain(value: Any) -> Any:
    """A parameter's value as a checkpoint keeps it: a block by its name."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


MAY_CHANGE = ("epochs", "save_every", "early_stopping", "compile", "val")
"""Keys of a recipe that a run may go on with other values of; and `data.root`, `data.workers`."""


def check_resumed(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Refuse to go on with another network or recipe than the run began with."""
    for key in ("structure", "classes", "input"):
        if old.get(key) != new[key]:
            raise TrainError(
                f"the run is of another network: {key} was {old.get(key)}, now {new[key]}",
                "go on with the run's own `run.yaml`",
            )
    before, now = (_fixed(state["recipe"]) for state in (old, new))
    for key in now:
        if before.get(key) != now[key]:
            raise TrainError(
                f"the run began with train.{key} {before.get(key)}, not {now[key]}",
                f"a run goes on as it began; {', '.join(MAY_CHANGE)} may change",
            )


def _fixed(recipe: Mapping[str, Any]) -> dict[str, Any]:
    data = {k: v for k, v in recipe["data"].items() if k not in ("root", "workers", "cache_gb")}
    return {k: v for k, v in recipe.items() if k not in (*MAY_CHANGE, "data")} | {"data": data}


def slug(planned: Plan) -> str:
    """The name of a run's folder."""
    name = f"{target.title(planned.graph)}-{planned.recipe.data.name}"
    return re.sub(r"[^\w.-]+", "-", name).strip(".-")


def restarted() -> bool:
    """Whether torchrun has started this process anew after a failure."""
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"


@contextlib.contextmanager
def in_words(folder: Path, main: bool) -> Iterator[None]:
    """Say in words what PyTorch tells of a run that cannot go on, and leave no empty folder."""
    try:
        yield
    except torch.OutOfMemoryError as e:
        raise TrainError(
            f"out of memory on the GPU: {str(e).splitlines()[0]}",
            "use a smaller `--batch-size`, or `--set train.accumulate=4`",
        ) from e
    except RuntimeError as e:
        if ended := reader_ended(e):
            raise ended from e
        if not (isinstance(e, torch.distributed.DistError) or "gloo" in str(e)):
            raise
        raise TrainError(
            "another process of the run has ended",
            "go on from the last checkpoint with `--resume`",
        ) from e
    except ValueError as e:
        if "more than 1 value per channel" not in str(e):
            raise
        raise TrainError(
            "batch normalization cannot train on one value a channel",
            "use a larger `--batch-size` or a larger input",
        ) from e
    finally:
        if main:
            with contextlib.suppress(OSError):
                folder.rmdir()  # succeeds where it is empty alone
