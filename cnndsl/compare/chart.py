"""Rows of figures → the picture of accuracy over operations, with circles by parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10, sqrt

from cnndsl.amounts import amount, rounded
from cnndsl.compare.drawing import GRID, INK, MUTED, Circle, Line, Sheet, Words, width_of
from cnndsl.compare.placing import Area, Disc, place
from cnndsl.compare.rows import Accuracy, Row

SMALL, LARGE = (860.0, 600.0), (1200.0, 890.0)
"""Width and height of a panel with few networks, and with many."""
MANY = 20
LEFT, RIGHT, TOP, BOTTOM = 64.0, 24.0, 72.0, 56.0
LARGEST = 28.0
"""The radius of the network with most parameters."""
SMALLEST = 2.5
APART = 34.0
"""Pixels between lines of accuracy, at the least."""
ENOUGH = 5
"""Lines of accuracy, of which no finer ones are needed than whole percents."""
NAME = 10.0
# Okabe and Ito's colours, which colour-blind readers tell apart, and darker ones of the same hues.
COLOURS = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999", "#f0e442"),
    *("#004b75", "#8c6100", "#005f45", "#8a3f6c", "#2a7aa8", "#8f3e00", "#444444", "#8f8700"),
)


@dataclass(frozen=True)
class Point:
    row: Row
    accuracy: Accuracy


@dataclass(frozen=True)
class Scale:
    """Numbers from `low` to `high` on pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def points_of(rows: Sequence[Row]) -> dict[str, list[Point]]:
    """What is known of accuracy, by the data set: figures on two of them cannot be compared."""
    points: dict[str, list[Point]] = {}
    for row in rows:
        if row.accuracy:
            points.setdefault(row.accuracy.data, []).append(Point(row, row.accuracy))
    return points


def chart(rows: Sequence[Row]) -> Sheet | None:
    """A panel for each data set, one below the other; None where no accuracy is known."""
    points = points_of(rows)
    if not points:
        return None
    families = list(dict.fromkeys(row.family for row in rows if row.accuracy))
    colours = {family: COLOURS[i % len(COLOURS)] for i, family in enumerate(families)}
    width, height = LARGE if max(map(len, points.values())) > MANY else SMALL
    sheet = Sheet(width, height * len(points))
    for index, (data, own) in enumerate(points.items()):
        top = height * index
        area = Area(LEFT, top + TOP, width - RIGHT, top + height - BOTTOM)
        panel(sheet, area, data, own, colours)
    return sheet


def panel(
    sheet: Sheet, area: Area, data: str, points: Sequence[Point], colours: dict[str, str]
) -> None:
    macs = [log10(max(1, point.row.macs)) for point in points]
    errors = [error(point.accuracy.top1) for point in points]
    across = Scale(*_widened(min(macs), max(macs), 0.2), area.left, area.right)
    up = Scale(*_widened(max(errors), min(errors), 0.02), area.bottom, area.top)
    axes(sheet, area, across, up, data)
    unit = LARGEST / sqrt(max(point.row.params for point in points) or 1)
    # Large circles lie below small ones.
    ordered = sorted(points, key=lambda point: -point.row.params)
    discs = []
    for point in ordered:
        row = point.row
        x, y = across(log10(max(1, row.macs))), up(error(point.accuracy.top1))
        radius = max(SMALLEST, unit * sqrt(row.params))
        discs.append(Disc(x, y, radius, row.name))
        sheet.add(Circle(x, y, radius, colours[row.family], INK, 0.5, told(point)))
    names(sheet, discs, area)
    sizes(sheet, area, unit)


def told(point: Point) -> str:
    row = point.row
    return (
        f"{row.name}: {point.accuracy.top1:.2f} %, {amount(row.macs)} multiply-adds, "
        f"{amount(row.params)} parameters"
    )


def axes(sheet: Sheet, area: Area, across: Scale, up: Scale, data: str) -> None:
    for value in decades(across):
        x = across(log10(value))
        sheet.add(Line(((x, area.top), (x, area.bottom)), GRID))
        sheet.add(Words(x, area.bottom + 18, rounded(value), 11, "middle", MUTED))
    for value in steps(up):
        y = up(error(value))
        sheet.add(Line(((area.left, y), (area.right, y)), GRID))
        sheet.add(Words(area.left - 8, y + 4, f"{value:g}", 11, "end", MUTED))
    corner = ((area.left, area.top), (area.left, area.bottom), (area.right, area.bottom))
    sheet.add(Line(corner, MUTED))
    middle, centre = (area.left + area.right) / 2, (area.top + area.bottom) / 2
    across_told = "multiply-adds for one sample (log scale)"
    up_told = "top-1 accuracy, % (errors on a log scale)"
    sheet.add(
        Words(middle, area.bottom + 42, across_told, 12, "middle"),
        Words(18, centre, up_told, 12, "middle", upright=True),
        Words(area.left, area.top - TOP / 2 + 5, f"Accuracy on {data} and cost", 14, bold=True),
    )


def names(sheet: Sheet, discs: Sequence[Disc], area: Area) -> None:
    """The names of the circles, those first that have least room."""
    order = sorted(range(len(discs)), key=lambda i: -crowd(discs[i], discs))
    for index, found in zip(order, place([discs[i] for i in order], area, NAME), strict=True):
        disc = discs[index]
        if found is None:
            continue
        if found.far:
            end = found.nearest(disc.x, disc.y)
            sheet.add(Line(((disc.x, disc.y), end), INK, 0.6), Circle(disc.x, disc.y, 1.2, INK))
        sheet.add(Words(found.left, found.bottom - 0.22 * NAME, disc.name, NAME))


def crowd(disc: Disc, discs: Sequence[Disc]) -> int:
    return sum(abs(o.x - disc.x) < 70 and abs(o.y - disc.y) < 40 for o in discs)


def sizes(sheet: Sheet, area: Area, unit: float) -> None:
    """Circles of round numbers of parameters, at the top right."""
    most = (LARGEST / unit) ** 2
    power = 10.0 ** floor(log10(most))
    x, y = area.right, area.top - TOP / 2
    for share in (3, 1, 0.1) if most >= 3 * power else (1, 0.1, 0.01):
        number = share * power
        radius = max(SMALLEST, unit * sqrt(number))
        x -= width_of(rounded(number), 10)
        sheet.add(Words(x, y + 4, rounded(number), 10, "start", MUTED))
        x -= radius + 6
        sheet.add(Circle(x, y, radius, "#ffffff", MUTED))
        x -= radius + 16
    sheet.add(Words(x, y + 4, "parameters", 10, "end", MUTED))


def decades(across: Scale) -> list[float]:
    """1, 2 and 5 of each power of ten that lies on the scale, or the powers alone."""
    leading = (1, 2, 5) if across.high - across.low < 5 else (1,)
    powers = range(floor(across.low), ceil(across.high) + 1)
    values = [digit * 10.0**power for power in powers for digit in leading]
    return [value for value in values if across.low <= log10(value) <= across.high]


def error(top1: float) -> float:
    """What the height is measured by: the error's logarithm, since the last percents are hard."""
    return log10(max(0.01, 100 - top1))


def steps(up: Scale) -> list[float]:
    """Round accuracies, the roundest first, where the scale has room for them."""
    least, most = (100 - 10**value for value in (up.low, up.high))
    found: list[float] = []
    for step in (20.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1):
        if step < 1 and len(found) >= ENOUGH:
            break
        for n in range(ceil(least / step), floor(most / step) + 1):
            value = round(n * step, 1)
            y = up(error(value))
            if all(abs(y - up(error(other))) >= APART for other in found):
                found.append(value)
    return found


def _widened(first: float, last: float, least: float) -> tuple[float, float]:
    """A range, upward or downward, with some room at both ends."""
    room = max(least, 0.06 * abs(last - first))
    return (first - room, last + room) if first <= last else (first + room, last - room)
