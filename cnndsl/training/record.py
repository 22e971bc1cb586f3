"""What a run writes of its epochs: metrics.csv, TensorBoard events, and the curves as pictures."""

from __future__ import annotations

import dataclasses
import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnndsl.cells import csv_text, short
from cnndsl.training.checkpoint import METRICS, write
from cnndsl.training.tally import Metrics

CURVES = ("curves.png", "curves.svg")

PAUSE = 2.0
"""Seconds that lie at least between two drawings of the curves, but for the last."""

TRAIN, VAL = "#2563eb", "#ea580c"


class Record:
    """The files of one run; a run that goes on adds to them."""

    def __init__(self, folder: Path, title: str, first_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.folder, self.title, self.drawn = folder, title, 0.0
        self.board: Any = SummaryWriter(str(folder), purge_step=first_step or None)

    def add(self, rows: Sequence[Metrics]) -> None:
        """Write down the epochs, the last of which is new."""
        write_metrics(self.folder, rows)
        row = rows[-1]
        pairs = {"loss": (row.train_loss, row.val_loss)}
        pairs["accuracy"] = (row.train_accuracy, row.val_accuracy)
        for name, (train, val) in pairs.items():
            self.board.add_scalar(f"{name}/train", train, row.epoch)
            self.board.add_scalar(f"{name}/validation", val, row.epoch)
        for name in ("lr", "samples_per_second", "waiting", "memory_mb"):
            self.board.add_scalar(f"run/{name}", getattr(row, name), row.epoch)
        self.board.flush()
        if time.monotonic() - self.drawn > PAUSE:
            self.draw(rows)

    def draw(self, rows: Sequence[Metrics]) -> None:
        draw_curves(self.folder, rows, self.title)
        self.drawn = time.monotonic()

    def close(self, rows: Sequence[Metrics]) -> None:
        """Draw the curves of all epochs, and close the files."""
        self.board.close()
        if rows:
            self.draw(rows)


def write_metrics(folder: Path, rows: Sequence[Metrics]) -> None:
    """Write `metrics.csv`, a row an epoch."""
    head = [field.name for field in dataclasses.fields(Metrics)]
    encoded = csv_text([head, *(short(dataclasses.astuple(row)) for row in rows)]).encode()
    write(folder / METRICS, lambda file: file.write(encoded))


def draw_curves(folder: Path, rows: Sequence[Metrics], title: str) -> None:
    """Loss and accuracy of training and validation over the epochs, as PNG and SVG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=11)
    loss, accuracy = figure.subplots(1, 2)
    epochs = [row.epoch for row in rows]
    _curves(loss, epochs, [r.train_loss for r in rows], [r.val_loss for r in rows], "loss")
    _curves(
        accuracy,
        epochs,
        [100 * row.train_accuracy for row in rows],
        [100 * row.val_accuracy for row in rows],
        "accuracy (%)",
    )
    best = max(range(len(rows)), key=lambda i: rows[i].rank)
    y = 100 * rows[best].val_accuracy
    accuracy.plot([epochs[best]], [y], "o", color=VAL, markersize=7, fillstyle="none")
    accuracy.annotate(
        f"{y:.2f}", (epochs[best], y), (0, -14), textcoords="offset points", ha="center", color=VAL
    )
    for name in CURVES:
        picture = io.BytesIO()
        figure.savefig(
            picture,
            format=name.rpartition(".")[2],
            dpi=120,
            metadata={"Date": None} if name.endswith("svg") else None,
        )
        data = picture.getvalue()
        write(folder / name, lambda file, data=data: file.write(data))  # type: ignore[misc]


def _curves(
    axes: Any, epochs: Sequence[int], train: Sequence[float], val: Sequence[float], name: str
) -> None:
    """One pair of curves; dashes tell them apart without colour."""
    marker = "." if len(epochs) <= 30 else ""
    axes.plot(epochs, train, marker=marker, color=TRAIN, linestyle="--", label="training")
    axes.plot(epochs, val, marker=marker, color=VAL, label="validation")
    axes.set_xlabel("epoch")
    axes.set_ylabel(name)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
