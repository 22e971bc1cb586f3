"""An evaluation as tables and as a picture."""

from __future__ import annotations

import io
import json
import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from cnndsl.cells import csv_text, short
from cnndsl.training.evaluation import Evaluation

NUMBERED = 25
"""Most classes of which the picture gives the counts as numbers."""
NAMED = 60
"""Most classes of which it gives the names."""
TICKS = (0.01, 0.1, 0.25, 0.5, 1.0)


def files(evaluation: Evaluation) -> Iterator[tuple[str, bytes]]:
    """The files of an evaluation, by name."""
    names, counts = evaluation.classes, evaluation.confusion.tolist()
    rows = ([name, *row] for name, row in zip(names, counts, strict=True))
    yield "confusion.csv", csv_text([["true / predicted", *names], *rows]).encode()
    classes = list(evaluation.per_class())
    cells = (short([*vars(of_class).values()]) for of_class in classes)
    head = ["class", "images", "precision", "recall", "f1"]
    yield "per_class.csv", csv_text([head, *cells]).encode()
    yield "confusion.png", draw(evaluation)
    text = json.dumps(evaluation.to_json(), indent=2, ensure_ascii=False) + "\n"
    yield "evaluation.json", text.encode()


def draw(evaluation: Evaluation) -> bytes:
    """The confusion matrix as PNG: each row's shares by shade, counts where there is room."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    classes = len(evaluation.classes)
    side = min(max(4.5, 0.42 * classes), 12.0)
    figure = Figure(figsize=(side + 1.2, side + 0.6), layout="constrained", dpi=130)
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    counts = evaluation.confusion
    shares = (counts / counts.sum(1, keepdim=True).clamp(min=1)).numpy()
    shades = [[share**0.5 if share else math.nan for share in row] for row in shares.tolist()]
    shown = axes.imshow(shades, cmap="Blues", vmin=-0.2, vmax=1, interpolation="nearest")
    if classes <= NUMBERED:
        _write_numbers(axes, counts.tolist(), shares.tolist())
    _name_classes(axes, evaluation.classes)
    bar = figure.colorbar(shown, ax=axes, shrink=0.6, ticks=[share**0.5 for share in TICKS])
    bar.ax.set_ylim(0, 1)
    bar.ax.set_yticklabels([f"{share:.0%}" for share in TICKS], fontsize=8)
    bar.set_label("share of the true class", fontsize=8)
    axes.set_title(
        f"{evaluation.network} on {evaluation.data} ({evaluation.part}): "
        f"top-1 {evaluation.top1:.2%} of {evaluation.images:,}",
        fontsize=10,
        parse_math=False,
    )
    picture = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters that the font lacks
        figure.savefig(picture, format="png", bbox_inches="tight")
    return picture.getvalue()


def _write_numbers(axes: Any, counts: list[list[int]], shares: list[list[float]]) -> None:
    for row, (line, parts) in enumerate(zip(counts, shares, strict=True)):
        for column, (count, share) in enumerate(zip(line, parts, strict=True)):
            if count:
                colour = "white" if share > 0.2 else "#334155"
                axes.text(column, row, count, ha="center", va="center", color=colour, fontsize=8)


def _name_classes(axes: Any, names: Sequence[str]) -> None:
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.spines[:].set_color("#cbd5e1")
    if len(names) > NAMED:
        return
    short = [name if len(name) <= 18 else name[:17] + "…" for name in names]
    size = 8 if len(names) <= 40 else 6
    upright = max(map(len, short)) > 3
    style = {"fontsize": size, "parse_math": False}
    axes.set_xticks(range(len(names)), short, rotation=90 if upright else 0, **style)
    axes.set_yticks(range(len(names)), short, **style)
