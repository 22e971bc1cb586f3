"""What a picture shows: which boxes its lines join and which titles they cross.

Only places on the page tell it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from cnndsl.diagram import Figure
from cnndsl.diagram.figure import Area, PlacedGroup
from cnndsl.diagram.routes import Line, Point

TANGLED = "\n".join(
    [
        "input: [3, 4, 4]",
        "body:",
        "  - {for: {i: 420}, do: [{relu: {}, name: a$i}, {tanh: {}, name: b$i}]}",
        *(f"  - {{add: [[], {{from: a{n}}}, {{from: b{419 - n}}}]}}" for n in range(210)),
    ]
)
"""A network whose wires cross too much for its diagram to be laid out."""

NEAR = 0.6
"""How far apart two places may be that are one to the eye, in pixels."""


def drawn_edges(figure: Figure) -> set[tuple[str, str]]:
    """The ids of the boxes that a line leads from and to, through the borders of groups."""
    edges: set[tuple[str, str]] = set()
    for line in figure.lines:
        if source := _box_at(figure, line.points[0]):
            edges |= {(source, target) for target in _ends(figure, line.points[-1])}
    return edges


def loose_ends(figure: Figure) -> list[tuple[Point, Point]]:
    """The lines that begin nowhere or end nowhere."""
    starts = [line.points[0] for line in figure.lines]
    ends = [line.points[-1] for line in figure.lines]
    return [
        (line.points[0], line.points[-1])
        for line in figure.lines
        if not (_box_at(figure, line.points[0]) or _among(line.points[0], ends))
        or not (_box_at(figure, line.points[-1]) or _among(line.points[-1], starts))
    ]


def crossed_titles(figure: Figure) -> set[tuple[str, Line]]:
    """The ids of the groups through whose titles a line runs, with the line."""
    return {
        (placed.group.id, line)
        for line in figure.lines
        for a, b in pairwise(_traced(line, figure.across))
        for placed in figure.groups
        if _meets(a, b, _title(placed))
    }


def strokes(svg: str) -> dict[str, list[str]]:
    """The colours of the lines that begin at a place, the one drawn last on top."""
    found: dict[str, list[str]] = {}
    for start, color in re.findall(r'<path d="M([^A-Z]+)[^"]+" fill="none" stroke="([^"]+)"', svg):
        found.setdefault(start, []).append(color)
    return found


def _title(placed: PlacedGroup) -> Area:
    """What the letters of a title of 11 points cover; they hang below their line by a quarter."""
    x, y = placed.title_at
    return Area(x, y - 8.25, placed.title.width, 11.0)


def _meets(a: Point, b: Point, area: Area) -> bool:
    """Whether the box around a short or straight stretch meets the area."""
    (ax, ay), (bx, by) = a, b
    beside = max(ax, bx) < area.x or min(ax, bx) > area.x + area.width
    return not (beside or max(ay, by) < area.y or min(ay, by) > area.y + area.height)


def _traced(line: Line, across: bool) -> list[Point]:
    """The line in straight stretches: a curved one leaves and enters its turns along the page."""
    if not line.curved:
        return list(line.points)
    found = [line.points[0]]
    for (ax, ay), (bx, by) in pairwise(line.points):
        for step in range(1, 25):
            t = step / 24
            early, late = (1 - t) ** 3 + 3 * t * (1 - t) ** 2, t**3 + 3 * (1 - t) * t**2
            middle = 1.5 * t * (1 - t)
            even = (1 - t) ** 3 + middle, t**3 + middle
            (xa, xb), (ya, yb) = (even, (early, late)) if across else ((early, late), even)
            found.append((ax * xa + bx * xb, ay * ya + by * yb))
    return found


def _ends(figure: Figure, place: Point) -> Iterator[str]:
    """The boxes that a line which ends at this place leads to."""
    if box := _box_at(figure, place):
        yield box
        return
    for line in figure.lines:
        if _among(place, [line.points[0]]):
            yield from _ends(figure, line.points[-1])


def _box_at(figure: Figure, place: Point) -> str:
    return next((box.box.id for box in figure.boxes if _within(place, box.area)), "")


def _within(place: Point, area: Area) -> bool:
    x, y = place
    across = area.x - NEAR <= x <= area.x + area.width + NEAR
    return across and area.y - NEAR <= y <= area.y + area.height + NEAR


def _among(place: Point, places: list[Point]) -> bool:
    return any(abs(place[0] - x) <= NEAR and abs(place[1] - y) <= NEAR for x, y in places)
