"""The heading of a diagram: what it shows, and the legend of the kinds that are present."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cnndsl.diagram.metrics import text_width
from cnndsl.diagram.plan import Kind, Mark, Plan
from cnndsl.diagram.theme import Paint, Theme

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
    for words, paint, dash, stripe in meanings(plan, theme):
        width = SWATCH + text_width(words, SIZE)
        if x and x + width > widest:
            x, y = 0.0, y + LINE
        yield Entry(words, paint.fill, paint.border, x, y, dash, stripe)
        x += width + SPACE


def meanings(plan: Plan, theme: Theme) -> Iterator[tuple[str, Paint, str, bool]]:
    """What is explained: words, colours, dashes, and whether it has a bar."""
    for mark in plan.marks:
        dash = ' stroke-dasharray="2 3"' if mark is Mark.REMOVED else ""
        yield f"{mark.sign} {mark.value}".strip(), theme.marks[mark], dash, True
    for kind in () if plan.marks else plan.kinds:
        yield kind.value, theme.paints[kind], "", True
    if any(box.train_only for box in plan.boxes):
        yield "training only", theme.paints[Kind.OUTPUT], ' stroke-dasharray="4 3"', False
