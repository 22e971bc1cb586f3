"""What a run shows while an epoch lasts: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from cnndsl.training.loop import Metrics, Tick, Watch


def watch_for(bar: bool, epochs: int) -> Watch:
    """The watch over a run of so many epochs."""

    def watch(epoch: int, count: int) -> AbstractContextManager[Tick]:
        return _bar(f"epoch {epoch}/{epochs}", count) if bar else _silence()

    return watch


@contextmanager
def _silence() -> Iterator[Tick]:
    yield lambda done, loss, accuracy: None


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

        def tick(done: int, loss: float, accuracy: float) -> None:
            shown = f"loss {loss:.3f}, accuracy {accuracy:.1%}"
            speed = progress.tasks[0].speed
            shown += f", {speed:,.0f} images/s" if speed else ""
            progress.update(task, completed=done, shown=shown)

        yield tick


def line(metrics: Metrics, epochs: int, best: bool) -> str:
    """An epoch in one line."""
    number = f"epoch {metrics.epoch:{len(str(epochs))}}/{epochs}"
    return (
        f"{number}  loss {metrics.train_loss:.4f}  accuracy {metrics.train_accuracy:7.2%}  "
        f"validation: loss {metrics.val_loss:.4f}  accuracy {metrics.val_accuracy:7.2%}  "
        f"{metrics.samples_per_second:,.0f} images/s  {metrics.seconds:.1f} s"
        f"{'  best' if best else ''}"
    )
