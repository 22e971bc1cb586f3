"""What a run shows: a bar while an epoch lasts, on a terminal, and a line for each epoch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from cnndsl.amounts import size
from cnndsl.training.loop import Glance, Tick, Watch
from cnndsl.training.tally import Metrics


def watch_for(bar: bool) -> Watch:
    """The watch over a run; without a bar it shows nothing."""

    def watch(title: str, count: int) -> AbstractContextManager[Tick]:
        return _bar(title, count) if bar else _silence()

    return watch


@contextmanager
def _silence() -> Iterator[Tick]:
    yield lambda glance: None


@contextmanager
def _bar(title: str, count: int) -> Iterator[Tick]:
    """A bar on the standard error, gone when the epoch is over."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[shown]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=count, shown="")

        def tick(glance: Glance) -> None:
            shown = glanced(glance, progress.tasks[0].speed)
            progress.update(task, completed=glance.done, shown=shown)

        yield tick


def glanced(glance: Glance, speed: float | None) -> str:
    """What stands beside the bar."""
    memory = size(1e6 * glance.memory_mb)
    parts = [f"loss {glance.loss:.3f}", f"accuracy {glance.accuracy:.1%}"]
    parts += [f"{speed:,.0f} images/s"] if speed else []
    return ", ".join([*parts, f"waiting {glance.waiting:.0%}", f"{memory}"])


def line(row: Metrics, last: int, best: bool) -> str:
    """An epoch in one line."""
    number = f"epoch {row.epoch:{len(str(last))}}/{last}"
    return (
        f"{row.stage + '  ' if row.stage else ''}{number}  "
        f"loss {row.train_loss:.4f}  accuracy {row.train_accuracy:7.2%}  "
        f"validation: loss {row.val_loss:.4f}  accuracy {row.val_accuracy:7.2%}  "
        f"{row.samples_per_second:,.0f} images/s  waiting {row.waiting:.0%}  "
        f"{size(1e6 * row.memory_mb)}  {row.seconds:.1f} s{'  best' if best else ''}"
    )
