"""Places → the lines of wires.

page/routes.js computes the same lines; a test compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cnndsl.diagram.geometry import LEVEL, TITLE, Block, Measures
from cnndsl.diagram.structure import Way
from cnndsl.diagram.wiring import LINKS, Wire, entry, is_port, leave

BELOW, BELOW_TITLE, ABOVE = 8.0, 20.0, 12.0
"""Where wires turn: below a box, below a group's title, above a box."""
NEAR = 0.5
"""Points that two lines are apart to be one."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """The line of a wire through its turns; `curved` ones go smoothly between rows."""

    wire: Wire
    points: tuple[Point, ...]
    arrow: bool
    """Whether the wire ends here, and does not go on in a group or out of it."""
    curved: bool = False


@dataclass(frozen=True, slots=True)
class _End:
    """Where a wire leaves or enters: its point, and the height at which it may turn."""

    x: float
    y: float
    turn: float


def lines(id: str, measures: Measures, blocks: Mapping[str, Block]) -> list[Line]:
    """The lines of the wires of one net, in its coordinates, in the order they are drawn.

    Data comes last: a stretch that lines share shows as data, and what branches off does not.
    """
    router = _Router(id, measures, blocks)
    ways = measures.structures[id].ways
    found: dict[tuple[Point, ...], Line] = {}
    for number, wire in enumerate(measures.nets[id].wires):
        points = router.points(number, wire, ways[number])
        # Several values between two boxes go one way.
        arrow = wire.target in measures.sizes
        found.setdefault(points, Line(wire, points, arrow, ways[number] is Way.WEB))
    return sorted(found.values(), key=lambda line: LINKS.index(line.wire.link), reverse=True)


@dataclass
class _Router:
    id: str
    measures: Measures
    blocks: Mapping[str, Block]

    @property
    def block(self) -> Block:
        return self.blocks[self.id]

    def points(self, number: int, wire: Wire, way: Way) -> tuple[Point, ...]:
        start, end = self.start(wire), self.end(wire)
        a, b = (start.x, start.y), (end.x, end.y)
        jump = self.block.jumps.get(wire.target)
        if jump is not None and way is Way.STRAIGHT:
            lower, turn, upper = jump
            return _clean(a, (a[0], lower), (turn, lower), (turn, upper), (b[0], upper), b)
        if way is Way.WEB:
            return self.crossing(number, wire, a, b)
        if way is Way.LANE:
            lane = self.block.lanes[number]
            above = ((a[0], start.turn), (lane, start.turn))
            return _clean(a, *above, *self.ending(lane, wire.target, end))
        if way is Way.OUT:
            return _clean(a, (a[0], start.turn), (b[0], start.turn), b)
        if way is Way.SIDE:
            return _clean(a, *self.ending(a[0], wire.target, end))
        return _clean(a, (a[0], end.turn), (b[0], end.turn), b)

    def start(self, wire: Wire) -> _End:
        spot = self.block.spots[wire.source]
        y = spot.y + spot.length
        if is_port(wire.source):
            return _End(spot.x, y, y + (BELOW if self.measures.across else BELOW_TITLE))
        if wire.source in self.measures.nets:
            level = self.measures.nets[wire.source].exits.index(wire.value)
            port = self.blocks[wire.source].spots[leave(wire.value)]
            return _End(spot.x + port.x, y, y + BELOW + LEVEL * level)
        return _End(spot.x + spot.out, y, y + BELOW)

    def end(self, wire: Wire) -> _End:
        spot = self.block.spots[wire.target]
        if wire.target in self.measures.nets:
            level = self.measures.nets[wire.target].entries.index(wire.value)
            port = self.blocks[wire.target].spots[entry(wire.value)]
            return _End(spot.x + port.x, spot.y, spot.y - ABOVE - LEVEL * level)
        return _End(spot.x, spot.y, spot.y - (LEVEL if is_port(wire.target) else ABOVE))

    def ending(self, x: float, target: str, end: _End) -> tuple[Point, ...]:
        """The way down a line right of the target, to its side if it is a box."""
        spot = self.block.spots[target]
        if target in self.measures.sizes and x > spot.x + spot.right + NEAR:
            middle = spot.y + spot.length / 2
            return (x, middle), (spot.x + spot.right, middle)
        return (x, end.turn), (end.x, end.turn), (end.x, end.y)

    def crossing(self, number: int, wire: Wire, a: Point, b: Point) -> tuple[Point, ...]:
        """The way through the rows of a web: straight in a row, slanting between two."""
        beside_title = is_port(wire.source) and not self.measures.across
        floor = self.block.floors.get(wire.source, a[1] + TITLE * beside_title)
        turns = [(a[0], floor)] if floor > a[1] else []
        for key in self.measures.structures[self.id].vias.get(number, ()):
            spot = self.block.spots[key]
            turns += [(spot.x, spot.y), (spot.x, spot.y + spot.length)]
        return (a, *turns, b)


def _clean(*points: Point) -> tuple[Point, ...]:
    """The points without those that lie between two others on one line, or at the same place."""
    found: list[Point] = []
    for x, y in points:
        if found and abs(found[-1][0] - x) < NEAR and abs(found[-1][1] - y) < NEAR:
            continue
        while len(found) > 1 and _straight(found[-2], found[-1], (x, y)):
            found.pop()
        found.append((x, y))
    return tuple(found)


def _straight(a: Point, b: Point, c: Point) -> bool:
    return (abs(a[0] - b[0]) < NEAR and abs(b[0] - c[0]) < NEAR) or (
        abs(a[1] - b[1]) < NEAR and abs(b[1] - c[1]) < NEAR
    )
