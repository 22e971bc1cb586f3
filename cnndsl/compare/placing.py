"""Finding room for the names of points: near their own circle, over no other name or centre."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import cos, hypot, inf, pi, sin

from cnndsl.compare.drawing import width_of

CORE = 5.0
"""Pixels around a circle's centre that no name covers."""
GAPS = (2.0, 6.0, 12.0, 20.0, 30.0, 42.0, 56.0, 72.0, 90.0, 110.0, 135.0, 165.0)
ANGLES = tuple(2 * pi * i / 24 for i in range(24))
ROUNDS = 4
COVERING, PASSING, CROSSING = 60.0, 20.0, 50.0
"""What it costs a name to lie on a circle, and its line to go through one or cross another line,
in pixels that it might lie farther away instead."""
Spot = tuple[float, float]


@dataclass(frozen=True)
class Disc:
    """A circle of the picture with the name that it is to bear."""

    x: float
    y: float
    radius: float
    name: str


@dataclass(frozen=True)
class Place:
    """Where a name stands: its box, and whether it is so far off that a line leads to it."""

    left: float
    top: float
    right: float
    bottom: float
    cost: float
    far: bool

    def overlaps(self, other: Place) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def nearest(self, x: float, y: float) -> Spot:
        """The point of the box that is nearest."""
        return min(max(x, self.left), self.right), min(max(y, self.top), self.bottom)


@dataclass(frozen=True)
class Area:
    left: float
    top: float
    right: float
    bottom: float


def place(discs: Sequence[Disc], area: Area, size: float) -> list[Place | None]:
    """A place for each name, or None where there is none left; the first ones choose first."""
    known = [sorted(candidates(disc, discs, area, size), key=lambda p: p.cost) for disc in discs]
    chosen: list[Place | None] = [None] * len(discs)
    for _ in range(ROUNDS):
        for index, disc in enumerate(discs):
            others = [(discs[i], found) for i, found in enumerate(chosen) if found and i != index]
            chosen[index] = best(disc, known[index], others)
    return chosen


def best(disc: Disc, known: Sequence[Place], others: Sequence[tuple[Disc, Place]]) -> Place | None:
    """The place that reads best beside the other names; `known` begins with the best alone."""
    least, found = inf, None
    for own in known:
        if own.cost >= least:
            break
        cost = own.cost + conflict(disc, own, others)
        if cost < least:
            least, found = cost, own
    return found


def conflict(disc: Disc, own: Place, others: Sequence[tuple[Disc, Place]]) -> float:
    """How much a name and its line get in the way of others; names never cover each other."""
    if any(own.overlaps(other) for _, other in others):
        return inf
    cost = 0.0
    start, end = (disc.x, disc.y), own.nearest(disc.x, disc.y)
    for other, place in others:
        first, last = (other.x, other.y), place.nearest(other.x, other.y)
        if own.far and crosses(start, end, place):
            return inf
        if place.far and crosses(first, last, own):
            return inf
        if own.far and place.far and cross(start, end, first, last):
            cost += CROSSING
    return cost


def candidates(disc: Disc, discs: Sequence[Disc], area: Area, size: float) -> Iterator[Place]:
    """Boxes in a circle or around it that cover no centre; `cost` is how badly they read."""
    width, height = width_of(disc.name, size), size * 1.1
    near = [o for o in discs if hypot(o.x - disc.x, o.y - disc.y) < GAPS[-1] + width + o.radius]
    if hypot(width, height) < 2 * disc.radius:
        yield box_at(disc.x, disc.y, width, height, -1)
    for gap in GAPS:
        for angle in ANGLES:
            reach = disc.radius + gap
            x = disc.x + reach * cos(angle) + width * cos(angle) / 2
            y = disc.y + reach * sin(angle) + height * sin(angle) / 2
            box = box_at(x, y, width, height, gap + 3 * abs(sin(angle)), gap > GAPS[1])
            if within(box, area) and not any(covers(box, other) for other in near):
                yield replace(box, cost=box.cost + clutter(box, disc, near))


def box_at(
    x: float, y: float, width: float, height: float, cost: float, far: bool = False
) -> Place:
    return Place(x - width / 2, y - height / 2, x + width / 2, y + height / 2, cost, far)


def within(box: Place, area: Area) -> bool:
    across = area.left <= box.left and box.right <= area.right
    return across and area.top <= box.top and box.bottom <= area.bottom


def clutter(box: Place, disc: Disc, near: Sequence[Disc]) -> float:
    """How much a name and its line get in the way of other circles."""
    others = [other for other in near if other is not disc]
    touched = sum(touches(box, other) for other in others)
    if not box.far:
        return COVERING * touched
    end = box.nearest(disc.x, disc.y)
    passed = sum(passes((disc.x, disc.y), end, other) for other in others)
    return COVERING * touched + PASSING * passed


def passes(a: Spot, b: Spot, disc: Disc) -> bool:
    """Whether a line goes through the core of a circle."""
    length = hypot(b[0] - a[0], b[1] - a[1]) or 1.0
    along = ((disc.x - a[0]) * (b[0] - a[0]) + (disc.y - a[1]) * (b[1] - a[1])) / length
    if not 0 < along < length:
        return False
    off = ((disc.x - a[0]) * (b[1] - a[1]) - (disc.y - a[1]) * (b[0] - a[0])) / length
    return abs(off) < min(disc.radius, CORE)


def covers(box: Place, disc: Disc) -> bool:
    x, y = box.nearest(disc.x, disc.y)
    return hypot(x - disc.x, y - disc.y) < min(disc.radius, CORE) + 1


def touches(box: Place, disc: Disc) -> bool:
    x, y = box.nearest(disc.x, disc.y)
    return hypot(x - disc.x, y - disc.y) < disc.radius


def cross(a: Spot, b: Spot, c: Spot, d: Spot) -> bool:
    """Whether the lines from a to b and from c to d cross."""
    return side(a, b, c) != side(a, b, d) and side(c, d, a) != side(c, d, b)


def side(a: Spot, b: Spot, point: Spot) -> bool:
    return (b[0] - a[0]) * (point[1] - a[1]) > (b[1] - a[1]) * (point[0] - a[0])


def crosses(a: Spot, b: Spot, box: Place) -> bool:
    """Whether a line goes through a box: by how much of it lies within each of its sides."""
    enter, leave = 0.0, 1.0
    for start, end, low, high in (
        (a[0], b[0], box.left, box.right),
        (a[1], b[1], box.top, box.bottom),
    ):
        if start == end:
            if not low <= start <= high:
                return False
            continue
        first, last = sorted(((low - start) / (end - start), (high - start) / (end - start)))
        enter, leave = max(enter, first), min(leave, last)
    return enter < leave
