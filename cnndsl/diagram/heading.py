"""The heading of a diagram: what it shows, and the legend of the kinds that are present."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cnndsl.diagram.metrics import text_width
from cnndsl.diagram.plan import Kind, Plan
from cnndsl.diagram.theme import Theme

SIZE = 9.0
WIDEST = 420.0
"""Points after which the legend takes another line."""
SWATCH, SPACE, LINE = 21.0, 14.0, 15.0
"""A patch of colour and what is right of it; behind an entry; from line to line."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A patch of colour with its meaning."""

    words: str
    fill: str
    border: str
    x: float
    y: float
    dash: str = ""
    stripe: bool = True


@dataclass(frozen=True, slots=True)
class Heading:
    title: str
    subtitle: str
    after_title: float
    legend: tuple[Entry, ...]
    width: float
    height: float


def heading(plan: Plan, theme: Theme) -> Heading:
    after = text_width(plan.title, 16, bold=True) + 10
    width = after + text_width(plan.subtitle, 10)
    legend = tuple(_legend(plan, theme, max(width, WIDEST)))
    right = max((e.x + SWATCH + text_width(e.words, SIZE) for e in legend), default=0.0)
    lower = max((e.y + LINE for e in legend), default=20.0)
    return Heading(plan.title, plan.subtitle, after, legend, max(width, right), lower + 14)


def _legend(plan: Plan, theme: Theme, widest: float) -> Iterator[Entry]:
    x, y = 0.0, 26.0
    for words, kind, dash in _meanings(plan):
        width = SWATCH + text_width(words, SIZE)
        if x and x + width > widest:
            x, y = 0.0, y + LINE
        paint = theme.paints[kind]
        yield Entry(words, paint.fill, paint.border, x, y, dash, kind.explained)
        x += width + SPACE


def _meanings(plan: Plan) -> Iterator[tuple[str, Kind, str]]:
    for kind in plan.kinds:
        yield kind.value, kind, ""
    if any(box.train_only for box in plan.boxes):
        yield "training only", Kind.OUTPUT, ' stroke-dasharray="4 3"'
