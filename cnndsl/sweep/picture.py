"""Accuracy over cost: every trial a disc, the networks that no other one beats named."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from itertools import pairwise, product
from pathlib import Path
from typing import Any

from cnndsl.amounts import amount, rounded
from cnndsl.sweep.report import pareto, told
from cnndsl.sweep.results import Row, put

PICTURES = ("sweep.png", "sweep.svg")

FRONT, OTHERS = "#2563eb", "#94a3b8"
SMALLEST, LARGEST = 30.0, 420.0
"""Areas of discs, in square points."""
WIDE = 20.0
"""A quotient of the largest and the smallest cost above which the axis is logarithmic."""

Box = tuple[float, float, float, float]
"""Left, bottom, right and top, in pixels."""


def draw_picture(folder: Path, rows: Sequence[Row], varying: Sequence[str]) -> None:
    """Write `sweep.png` and `sweep.svg`; nothing where no trial is complete."""
    known = [row for row in rows if row.complete]
    if not known:
        return
    figure = make_figure(known, varying, folder.resolve().name)
    for name in PICTURES:
        svg = name.endswith("svg")
        image = io.BytesIO()
        figure.savefig(
            image, format="svg" if svg else "png", dpi=150, metadata={"Date": None} if svg else None
        )
        put(folder / name, image.getvalue())


def make_figure(rows: Sequence[Row], varying: Sequence[str], title: str) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    axes = figure.subplots()
    front = pareto(rows)
    _discs(axes, rows, front)
    _axes(axes, rows, title)
    canvas.draw()  # from here on places in pixels are known
    figure.set_layout_engine("none")
    _names(axes, rows, front, varying)
    return figure


def _discs(axes: Any, rows: Sequence[Row], front: Sequence[Row]) -> None:
    """The trials, large ones below small ones; a ring is a run that was ended early."""
    names = {row.trial for row in front}
    most = max(row.params or 1 for row in rows)
    for row in sorted(rows, key=lambda row: -(row.params or 0)):
        color = FRONT if row.trial in names else OTHERS
        early = row.outcome.status == "stopped"
        axes.scatter(
            *_place(row),
            s=_area(row.params or 1, most),
            facecolor="none" if early else color,
            edgecolor=color if early else "white",
            linewidth=1.2 if early else 0.8,
            alpha=0.9,
            zorder=3 if row.trial in names else 2,
        )
    line = [_place(row) for row in front]
    axes.plot(*zip(*line, strict=True), color=FRONT, linewidth=1.2, zorder=1)
    for params in dict.fromkeys((min(row.params or 1 for row in rows), most)):
        axes.scatter(
            [], [], s=_area(params, most), color=OTHERS, label=f"{amount(params)} parameters"
        )
    axes.plot([], [], color=FRONT, linewidth=1.2, label="Pareto front")
    if any(row.outcome.status == "stopped" for row in rows):
        axes.scatter([], [], s=60, facecolor="none", edgecolor=OTHERS, label="ended early")


def _axes(axes: Any, rows: Sequence[Row], title: str) -> None:
    macs = [row.macs or 1 for row in rows]
    if max(macs) > WIDE * min(macs):
        axes.set_xscale("log")
    else:
        axes.set_xlim(left=0)
    axes.margins(0.16, 0.16)
    axes.set_title(title, fontsize=11)
    axes.set_xlabel("multiply-adds of one image")
    axes.set_ylabel("validation accuracy (%)")
    axes.xaxis.set_major_formatter(lambda value, _: rounded(value))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.figure.legend(
        frameon=False, fontsize=9, loc="outside right lower", labelspacing=1.2, borderpad=1.0
    )


def _place(row: Row) -> tuple[float, float]:
    return row.macs or 0, 100 * (row.outcome.val_accuracy or 0)


def _area(params: int, most: int) -> float:
    """In proportion to the parameters, as far as a small disc can be seen."""
    return max(SMALLEST, LARGEST * params / most)


# --- the names of the front: each at the first place where it covers nothing ---

SIDES = (
    (-1, 1, "right", "bottom"),
    (0, 1, "center", "bottom"),
    (-1, 0, "right", "center"),
    (1, 0, "left", "center"),
    (1, -1, "left", "top"),
    (0, -1, "center", "top"),
    (1, 1, "left", "bottom"),
    (-1, -1, "right", "top"),
)
"""Where a name may stand, seen from its disc, and how it lies there. Up and to the left of the
front there is no trial."""

DISTANCES = (4, 14, 28, 42)
"""Points between a disc and its name; far ones are tied to it by a line."""


def _names(axes: Any, rows: Sequence[Row], front: Sequence[Row], varying: Sequence[str]) -> None:
    """Name the front, from its cheapest network on; a name without a place is in the table."""
    renderer = axes.figure.canvas.get_renderer()
    radii = {row.trial: _radius(row, rows) for row in rows}
    pixels = axes.figure.dpi / 72
    taken = [_square(_pixels(axes, row), radii[row.trial] * pixels) for row in rows]
    taken += _line_boxes([_pixels(axes, row) for row in front])
    inside: Box = tuple(axes.bbox.extents)
    for row in front:
        for distance, side in product(DISTANCES, SIDES):
            far = radii[row.trial] + distance
            text = _text(axes, row, told(row, varying), side, far)
            box: Box = tuple(text.get_window_extent(renderer).extents)
            if within(box, inside) and not any(overlap(box, other) for other in taken):
                taken.append(box)
                if distance > DISTANCES[1]:
                    _text(axes, row, "", side, far, tied=True)
                break
            text.remove()


def _text(
    axes: Any,
    row: Row,
    words: str,
    side: tuple[int, int, str, str],
    far: float,
    tied: bool = False,
) -> Any:
    x, y, across, up = side
    share = 0.7 if x and y else 1.0
    return axes.annotate(
        words,
        _place(row),
        (x * far * share, y * far * share),
        textcoords="offset points",
        ha=across,
        va=up,
        fontsize=9,
        arrowprops={"arrowstyle": "-", "color": OTHERS, "linewidth": 0.8} if tied else None,
        zorder=4,
    )


def _radius(row: Row, rows: Sequence[Row]) -> float:
    """Of a disc, in points."""
    return _radius_of(_area(row.params or 1, max(other.params or 1 for other in rows)))


def _radius_of(area: float) -> float:
    return math.sqrt(area / math.pi)


def _pixels(axes: Any, row: Row) -> tuple[float, float]:
    x, y = axes.transData.transform(_place(row))
    return float(x), float(y)


def _square(place: tuple[float, float], radius: float) -> Box:
    x, y = place
    return x - radius, y - radius, x + radius, y + radius


def _line_boxes(places: Sequence[tuple[float, float]]) -> list[Box]:
    """Small squares along the line through these places."""
    return [
        _square((x + (u - x) * step / 40, y + (v - y) * step / 40), 2)
        for (x, y), (u, v) in pairwise(places)
        for step in range(41)
    ]


def overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def within(box: Box, around: Box) -> bool:
    return all(box[i] >= around[i] for i in (0, 1)) and all(box[i] <= around[i] for i in (2, 3))
