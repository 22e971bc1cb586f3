"""A sheet as PNG, painted by matplotlib."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from cnndsl.compare.drawing import Box, Circle, Line, Mark, Sheet

DPI = 144
POINT = 72 / 96
"""A pixel of the sheet in points."""


def to_png(sheet: Sheet) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(sheet.width / 96, sheet.height / 96), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, sheet.width)
    axes.set_ylim(sheet.height, 0)
    axes.set_axis_off()
    for order, mark in enumerate(sheet.marks):
        _paint(axes, mark, order)
    out = BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _paint(axes: Any, mark: Mark, order: int) -> None:
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Circle as Disc
    from matplotlib.patches import Rectangle

    match mark:
        case Circle(x, y, radius, fill, stroke, opacity):
            look = {"facecolor": to_rgba(fill, opacity), "edgecolor": stroke, "linewidth": POINT}
            axes.add_patch(Disc((x, y), radius, zorder=order, **look))
        case Line(points, stroke, width, dash):
            xs, ys = zip(*points, strict=True)
            style: Any = (0, tuple(d / width for d in dash)) if dash else "solid"
            axes.plot(xs, ys, color=stroke, lw=width * POINT, ls=style, zorder=order)
        case Box(x, y, width, height, fill):
            axes.add_patch(Rectangle((x, y), width, height, facecolor=fill, lw=0, zorder=order))
        case _:
            weight = "bold" if mark.bold else "normal"
            ends = {"start": "left", "middle": "center", "end": "right"}
            axes.text(
                mark.x,
                mark.y,
                mark.text.replace("$", r"\$"),
                fontsize=mark.size * POINT,
                fontweight=weight,
                color=mark.fill,
                ha=ends[mark.anchor],
                va="baseline",
                rotation=90 if mark.upright else 0,
                rotation_mode="anchor",
                zorder=order,
            )
