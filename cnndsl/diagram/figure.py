"""Plan → Figure: every box, cluster and line with its place on the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cnndsl.diagram.columns import in_columns
from cnndsl.diagram.errors import Oversize
from cnndsl.diagram.geometry import PAD, TITLE, Block, Measures, Spot, last_entry, lay_out
from cnndsl.diagram.labels import Label, Title, is_joint, label, title
from cnndsl.diagram.plan import Box, Group, Item, Plan
from cnndsl.diagram.routes import Line, Point, lines
from cnndsl.diagram.structure import structure
from cnndsl.diagram.wiring import nets

MAX_BOXES = 5_000
"""How many boxes a figure has at the most, those around others among them."""


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle on the page."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class PlacedBox:
    box: Box
    label: Label
    area: Area


@dataclass(frozen=True, slots=True)
class PlacedGroup:
    """A cluster; `depth` counts those around it, and the title's baseline begins at `title_at`."""

    group: Group
    title: Title
    area: Area
    title_at: Point
    depth: int


@dataclass(frozen=True, slots=True)
class Figure:
    """A diagram with all its places; the upper left corner is (0, 0)."""

    plan: Plan
    width: float
    height: float
    groups: tuple[PlacedGroup, ...]
    lines: tuple[Line, ...]
    boxes: tuple[PlacedBox, ...]
    across: bool = False


def make_figure(plan: Plan, *, across: bool = False, columns: int | None = None) -> Figure:
    """Lay a plan out, from top to bottom or `across`, from left to right.

    `columns` is how many stand side by side, by default as many as give a page's proportions.
    """
    measures = measure(plan, across)
    breaks = in_columns(measures, columns)
    placer = _Placer(plan, measures, lay_out(measures, breaks))
    return placer.figure()


def measure(plan: Plan, across: bool) -> Measures:
    """The sizes of all boxes and titles of a plan, and the structure of its groups.

    Raises Oversize where there are more boxes than MAX_BOXES.
    """
    if len(plan.boxes) + len(plan.groups) > MAX_BOXES:
        raise Oversize(f"more than {MAX_BOXES:,} boxes, those around others among them")
    found = nets(plan.items, plan.result)
    sizes = {box.id: (label(box).width, label(box).height) for box in plan.boxes}
    if not across:
        by_id = {box.id: box for box in plan.boxes}
        for net in found.values():
            sizes |= _even([by_id[key] for key in net.keys if key in by_id], sizes)
    titles = {group.id: title(group).width for group in plan.groups}
    return Measures(sizes, titles, found, {id: structure(net) for id, net in found.items()}, across)


def _even(
    boxes: Sequence[Box], sizes: Mapping[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """Boxes of one group are of one width, but for small ones: joints, inputs and outputs."""
    large = [box.id for box in boxes if box.kind.explained and not is_joint(box)]
    width = max((sizes[id][0] for id in large), default=0.0)
    return {id: (width, sizes[id][1]) for id in large}


@dataclass
class _Placer:
    plan: Plan
    measures: Measures
    blocks: Mapping[str, Block]

    def figure(self) -> Figure:
        whole = self.blocks[""]
        groups, drawn, boxes = list[PlacedGroup](), list[Line](), list[PlacedBox]()
        for found in self.items(self.plan.items, "", (whole.left, 0.0), 0):
            if isinstance(found, PlacedGroup):
                groups.append(found)
            elif isinstance(found, PlacedBox):
                boxes.append(found)
            else:
                drawn.append(found)
        size = whole.left + whole.right, whole.length
        width, height = size[::-1] if self.measures.across else size
        across = self.measures.across
        return Figure(self.plan, width, height, tuple(groups), tuple(drawn), tuple(boxes), across)

    def items(
        self, items: Sequence[Item], net: str, origin: Point, depth: int
    ) -> Iterator[PlacedGroup | PlacedBox | Line]:
        """What is drawn for a net whose main line enters at the origin."""
        for line in lines(net, self.measures, self.blocks):
            points = tuple(self.point(x + origin[0], y + origin[1]) for x, y in line.points)
            yield Line(line.wire, points, line.arrow, line.curved)
        for item in items:
            spot = self.blocks[net].spots[item.id]
            area = self.area(spot, origin)
            if isinstance(item, Box):
                yield PlacedBox(item, label(item), area)
                continue
            yield PlacedGroup(item, title(item), area, self.title_at(item, spot, origin), depth)
            inside = spot.x + origin[0], spot.y + origin[1]
            yield from self.items(item.items, item.id, inside, depth + 1)

    def point(self, x: float, y: float) -> Point:
        return (y, x) if self.measures.across else (x, y)

    def area(self, spot: Spot, origin: Point) -> Area:
        x, y = self.point(spot.x - spot.left + origin[0], spot.y + origin[1])
        width, height = self.point(spot.left + spot.right, spot.length)
        return Area(x, y, width, height)

    def title_at(self, group: Group, spot: Spot, origin: Point) -> Point:
        """Right of the lines that enter, or above all."""
        x, y = spot.x + origin[0], spot.y + origin[1]
        if self.measures.across:
            return y + PAD, x - spot.left + TITLE * 0.8
        return x + last_entry(self.blocks[group.id]) + TITLE / 2, y + TITLE * 0.8
