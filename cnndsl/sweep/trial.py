"""One trial: a run of training, and what is told of it while it goes."""

from __future__ import annotations

import csv
import gc
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnndsl.diagnostics import SpecError
from cnndsl.sweep.results import Outcome

ERROR = "error.txt"
"""Where a trial that failed by surprise says all that is known of it."""

Tell = Callable[[int, Outcome], None]
"""Given the count of epochs that are over, and how the trial stands."""


@dataclass(frozen=True)
class Trial:
    """What a process needs to know to train a candidate; plain values, that travel."""

    name: str
    folder: str
    spec: str
    variant: str | None
    params: Mapping[str, Any]
    input: list[int] | None
    recipe: str | None
    settings: Mapping[str, Any]
    device: str
    epochs: int

    def train(self, echo: Callable[[str], None], bar: bool) -> Outcome:
        """Train from where the folder stands; raises what training raises."""
        from cnndsl.training import session

        result = session.run(
            self.spec,
            self.variant,
            self.params,
            self.input,
            recipe=self.recipe,
            train=self.settings,
            device=self.device,
            out=self.folder,
            resume=self.begun(),
            echo=echo,
            bar=bar,
        )
        seconds = sum(row.seconds for row in result.epochs)
        return Outcome("done", result.best.val_accuracy, result.best.epoch, seconds)

    def begun(self) -> bool:
        """Whether a run lies in the folder that can go on; what is left of one that can't is put
        aside."""
        from cnndsl.training.checkpoint import LAST, METRICS, RUN

        folder = Path(self.folder)
        if (folder / LAST).exists():
            return True
        for name in (RUN, METRICS):
            (folder / name).unlink(missing_ok=True)
        return False


def run_trial(trial: Trial, tell: Tell, bar: bool = False) -> Outcome:
    """Train a candidate; whatever goes wrong is its outcome, but for a stop that is asked for."""
    from cnndsl.training import TrainError
    from cnndsl.training.signals import Stopped

    watch = Watch(Path(trial.folder), tell)
    try:
        return trial.train(watch, bar)
    except TrainError as e:
        return watch.failed(e.message)
    except SpecError as e:
        first = next(d.by_flag for d in e.diagnostics if d.severity == "error")
        return watch.failed(f"{first.span}: {first.message}")
    except (Stopped, KeyboardInterrupt):
        raise
    except Exception as e:  # out of memory, a defect: the other trials go on
        write_error(Path(trial.folder))
        return watch.failed(f"{type(e).__name__}: {' '.join(str(e).split())[:200]}")
    finally:
        gc.collect()  # the network's memory, before the next one


class Watch:
    """Given the lines of a run, tells of each new epoch as `metrics.csv` has it."""

    def __init__(self, folder: Path, tell: Tell) -> None:
        self.folder, self.tell, self.epochs = folder, tell, 0

    def __call__(self, line: str) -> None:
        epochs, outcome = standing(self.folder)
        if epochs > self.epochs:
            self.epochs = epochs
            self.tell(epochs, outcome)

    def failed(self, message: str) -> Outcome:
        _, so_far = standing(self.folder)
        return Outcome("failed", so_far.val_accuracy, so_far.best_epoch, so_far.seconds, message)


def standing(folder: Path) -> tuple[int, Outcome]:
    """How many epochs of the network itself are over, and the best of them."""
    from cnndsl.training.checkpoint import METRICS

    try:
        with open(folder / METRICS, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError:
        rows = []
    seconds = sum(float(row["seconds"]) for row in rows)
    own = [row for row in rows if not row.get("stage")]
    if not own:
        return 0, Outcome("running", seconds=seconds if rows else None)
    best = max(own, key=lambda row: (float(row["val_accuracy"]), -float(row["val_loss"])))
    outcome = Outcome("running", float(best["val_accuracy"]), int(best["epoch"]), seconds)
    return len(own), outcome


def write_error(folder: Path) -> None:
    """Keep the traceback of what is being handled."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ERROR).write_text(traceback.format_exc(), encoding="utf-8")
