"""What a picture shows: which boxes its lines join, by their places on the page alone."""

from __future__ import annotations

from collections.abc import Iterator

from cnndsl.diagram import Figure
from cnndsl.diagram.figure import Area
from cnndsl.diagram.routes import Point

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
