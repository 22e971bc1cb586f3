"""The loop: epochs of steps, from wherever a run stands."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch

from cnndsl.recipe import Recipe
from cnndsl.training.data import Batch, Split
from cnndsl.training.device import memory_in_use
from cnndsl.training.errors import TrainError
from cnndsl.training.learner import Learner
from cnndsl.training.order import Share, Step, training_steps
from cnndsl.training.signals import Signals, Stopped
from cnndsl.training.tally import Metrics, Tally

REFRESH = 0.25
"""Seconds between two looks at the loss: each look waits for the device."""


@dataclass(frozen=True)
class Glance:
    """What a progress bar shows of an epoch: images done, means so far, share of waiting."""

    done: int
    loss: float
    accuracy: float
    waiting: float
    memory_mb: float


Tick = Callable[[Glance], None]
"""Told now and then how the epoch goes."""

Watch = Callable[[str, int], AbstractContextManager[Tick]]
"""Entered for each epoch, with its title and its count of images."""

Save = Callable[["Progress"], None]
"""Writes down where the run stands."""


@dataclass
class Progress:
    """Where a run stands: the next step is number `step` of `epoch`."""

    epoch: int = 1
    step: int = 0
    rows: list[Metrics] = field(default_factory=list)
    sums: torch.Tensor | None = None
    """The tally of the epoch so far, over all processes."""
    seconds: float = 0.0
    """Of the epoch so far; spent waiting for images; spent on the epoch's training."""
    waited: float = 0.0
    trained: float = 0.0

    def state(self) -> dict[str, Any]:
        """In values that a checkpoint holds."""
        own = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        sums = None if self.sums is None else self.sums.cpu().clone()
        return own | {"rows": [dataclasses.asdict(row) for row in self.rows], "sums": sums}

    @classmethod
    def of(cls, state: dict[str, Any]) -> Progress:
        return cls(**state | {"rows": [Metrics(**row) for row in state["rows"]]})

    def next_epoch(self, row: Metrics) -> None:
        self.rows.append(row)
        self.epoch, self.step, self.sums = self.epoch + 1, 0, None
        self.seconds = self.waited = self.trained = 0.0

    @property
    def best(self) -> Metrics | None:
        """The best epoch of the network itself, the first of equals."""
        own = [row for row in self.rows if not row.stage]
        return max(own, key=lambda row: row.rank, default=None)


@dataclass(frozen=True)
class Loop:
    """A phase of a run: what is trained, on what, and who is told."""

    learner: Learner
    data: Split
    recipe: Recipe
    sizes: list[tuple[int, int]]
    """Heights and widths that training draws from."""
    val_size: tuple[int, int]
    signals: Signals
    watch: Watch
    save: Save
    stage: str = ""
    first: int = 1
    """The number of the phase's first epoch in the run."""

    def fit(self, progress: Progress) -> Iterator[Metrics]:
        """Train from where the progress stands, and yield after each epoch."""
        last = self.first + self.recipe.epochs - 1
        while progress.epoch <= last:
            title = f"{self.stage + ': ' if self.stage else ''}epoch {progress.epoch}/{last}"
            start = time.perf_counter()
            with self.watch(title, len(self.data.train)) as tick:
                tally = self.train_epoch(progress, tick)
                val_loss, val_accuracy = self.judge(progress, start)
            progress.seconds += time.perf_counter() - start
            row = self.row(progress, tally, val_loss, val_accuracy)
            progress.next_epoch(row)
            yield row

    def steps(self, epoch: int) -> list[Step]:
        """What this process does in an epoch."""
        world, recipe = self.learner.engine.world, self.recipe
        samples = self.data.train
        return training_steps(
            recipe.seed,
            epoch,
            len(samples),
            recipe.batch_size,
            self.sizes,
            Share(world.rank, world.size, recipe.accumulate),
            recipe.augment.repeats,
            samples.order(recipe.seed, epoch),
        )

    def train_epoch(self, progress: Progress, tick: Tick) -> Tally:
        """The steps of an epoch that are still to be done."""
        learner, engine = self.learner, self.learner.engine
        steps = self.steps(progress.epoch)
        batches = Waited(self.data.train.batches([c for s in steps[progress.step :] for c in s]))
        tally = Tally(engine.device)
        if progress.sums is not None and engine.main:
            tally.sums += progress.sums.to(engine.device)
        learner.train()
        looked = begun = time.perf_counter()
        while progress.step < len(steps):
            number = (progress.epoch - 1) * len(steps) + progress.step
            in_phase = (progress.epoch - self.first) * len(steps) + progress.step
            lr = self.recipe.lr_at(in_phase, len(steps))
            learner.step(steps[progress.step], batches, number, lr, tally)
            progress.step += 1
            now = time.perf_counter()
            if now - looked > REFRESH:
                self.look(tally, tick, batches.seconds / (now - begun), progress.epoch)
                looked = now
            self.pause(progress, tally, now - begun, batches.seconds)
        progress.sums = tally.sums
        progress.trained += time.perf_counter() - begun
        progress.waited += batches.seconds
        return tally

    def pause(self, progress: Progress, tally: Tally, trained: float, waited: float) -> None:
        """Write the state down where that is due, and stop where a signal asks for it."""
        signal = self.learner.engine.agree(self.signals.received)
        every = self.recipe.save_every
        if signal or (every and progress.step % every == 0):
            kept = dataclasses.replace(
                progress,
                sums=self.learner.engine.total(tally.sums.clone()),
                seconds=progress.seconds + trained,
                trained=progress.trained + trained,
                waited=progress.waited + waited,
            )
            self.save(kept)
        if signal:
            raise Stopped(signal)

    def look(self, tally: Tally, tick: Tick, waiting: float, epoch: int) -> None:
        loss, accuracy = checked(tally, epoch, self.recipe)
        memory = memory_in_use(self.learner.engine.device) / 1e6
        world = self.learner.engine.world.size
        tick(Glance(tally.count * world, loss, accuracy, waiting, memory))

    def judge(self, progress: Progress, start: float) -> tuple[float, float]:
        """Loss and accuracy on the validation images."""
        agree = self.learner.engine.agree
        tally = self.learner.evaluate(
            self.data.val, self.val_size, lambda: bool(agree(self.signals.received))
        )
        if tally is None:
            progress.seconds += time.perf_counter() - start
            if progress.sums is not None:
                progress.sums = self.learner.engine.total(progress.sums.clone())
            self.save(progress)
            raise Stopped(agree(self.signals.received))
        return checked(tally, progress.epoch, self.recipe)

    def row(self, progress: Progress, tally: Tally, loss: float, accuracy: float) -> Metrics:
        engine = self.learner.engine
        engine.total(tally.sums)
        train_loss, train_accuracy = checked(tally, progress.epoch, self.recipe)
        steps = progress.step
        last = (progress.epoch - self.first + 1) * steps - 1
        return Metrics(
            epoch=progress.epoch,
            train_loss=train_loss,
            train_accuracy=train_accuracy,
            val_loss=loss,
            val_accuracy=accuracy,
            lr=self.recipe.lr_at(last, steps),
            seconds=progress.seconds,
            samples_per_second=tally.count / max(progress.trained, 1e-9),
            waiting=progress.waited / max(progress.trained, 1e-9),
            memory_mb=memory_in_use(engine.device) / 1e6,
            stage=self.stage,
        )


class Waited(Iterator[Batch]):
    """Batches, and the seconds that were spent waiting for them."""

    def __init__(self, batches: Iterator[Batch]) -> None:
        self.batches, self.seconds = batches, 0.0

    def __next__(self) -> Batch:
        start = time.perf_counter()
        batch = next(self.batches)
        self.seconds += time.perf_counter() - start
        return batch


def checked(tally: Tally, epoch: int, recipe: Recipe) -> tuple[float, float]:
    """Mean loss and accuracy so far; a loss that is no number any more ends the run."""
    loss, accuracy = tally.read()
    if not math.isfinite(loss):
        raise TrainError(
            f"the loss became {loss} in epoch {epoch}",
            f"a lower learning rate, as in `--lr {recipe.optimizer.start / 10:g}`, often helps; "
            "checkpoints of earlier epochs are kept",
        )
    return loss, accuracy
