"""A diagram that would be too tall for a page → several columns, side by side.

A long chain is cut where a single value goes on; a pair of numbered joints marks where it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, log

from cnndsl.diagram.plan import Box, Edge, Group, Item, Kind, Link, boxes, groups

MAX_COLUMNS = 6
TALLEST = 2.6
"""Height over width up to which a diagram stays in one column."""
GOAL = 1.0
"""Height over width that several columns come near to."""
SHORTER = 0.7
"""How high several columns may be at the most, as a share of one."""
HEADING = 290.0
"""Points that a diagram is wide at the least, for its heading."""
MAX_CUTS = 64
"""How many places to cut at are looked at."""
TOP_ROWS = 3
"""How far below its column's top a group may begin that is cut: the next column begins as low."""
ROW, COLUMN, TITLE = 58.0, 155.0, 22.0
"""Points that a row of boxes is high, that a box is wide, and that a cluster adds to the height."""
DEEP_CUT = 0.06
"""How much worse a cut inside a group is, for each group around it, as a share of the height."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A place to go on in the next column: behind box number `after`, within `depth` groups."""

    after: int
    depth: int


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a box stands: the ids of the groups around it, and its row."""

    groups: tuple[str, ...]
    row: int


def in_columns(
    items: tuple[Item, ...], edges: tuple[Edge, ...], columns: int | None
) -> tuple[tuple[Item, ...], tuple[Edge, ...]]:
    """The items with joints between the columns, and the edges through them.

    Without a number of columns, as many as give a page's proportions.
    """
    drawn = list(boxes(items))
    places = _places(items, edges)
    whole = {group.id for group in groups(items) if group.times > 1}
    cuts = _cuts(drawn, places, edges, whole)
    chosen = _choose(drawn, places, cuts, columns)
    if not chosen:
        return items, edges
    joints = {drawn[cut.after].id: (number, cut.depth) for number, cut in enumerate(chosen, 1)}
    return _with_joints(items, joints, 0), _through_joints(drawn, edges, chosen)


def _places(items: Sequence[Item], edges: Sequence[Edge]) -> list[_Place]:
    rows: dict[str, int] = {}
    into: dict[str, list[str]] = {}
    for edge in edges:
        into.setdefault(edge.target, []).append(edge.source)
    found: list[_Place] = []

    def walk(items: Sequence[Item], around: tuple[str, ...]) -> None:
        for item in items:
            if isinstance(item, Group):
                walk(item.items, (*around, item.id))
            else:
                above = (rows[source] for source in into.get(item.id, ()) if source in rows)
                rows[item.id] = 1 + max(above, default=-1)
                found.append(_Place(around, rows[item.id]))

    walk(items, ())
    return found


def _cuts(
    drawn: Sequence[Box], places: Sequence[_Place], edges: Sequence[Edge], whole: set[str]
) -> list[Cut]:
    """Where only one value goes on, and no group that is to stay whole is cut."""
    number = {box.id: index for index, box in enumerate(drawn)}
    reach: dict[int, int] = {}
    for edge in edges:
        source = number[edge.source]
        reach[source] = max(reach.get(source, source), number[edge.target])
    open_values = [0] * (len(drawn) + 1)
    for source, last in reach.items():
        open_values[source] += 1
        open_values[last] -= 1
    found, going_on = [], 0
    for index, (here, after) in enumerate(pairwise(places)):
        going_on += open_values[index]
        common = [a for a, b in zip(here.groups, after.groups, strict=False) if a == b]
        if going_on == 1 and whole.isdisjoint(common):
            found.append(Cut(index, len(common)))
    return found[:: 1 + len(found) // MAX_CUTS]


def _choose(
    drawn: Sequence[Box], places: Sequence[_Place], cuts: Sequence[Cut], columns: int | None
) -> list[Cut]:
    """The cuts for this number of columns, or for the number with the best proportions."""
    bounds = [Cut(-1, 0), *cuts, Cut(len(drawn) - 1, 0)]
    if columns is not None:
        return _partition(places, bounds, max(columns, 1))
    height, width = _extent(places)
    if height <= TALLEST * max(width, HEADING):
        return []
    options = [_partition(places, bounds, count) for count in range(2, MAX_COLUMNS + 1)]
    worth = [cuts for cuts in options if _size(places, cuts)[0] <= SHORTER * height]
    return min(worth, key=lambda cuts: _ugliness(places, cuts), default=[])


def _partition(places: Sequence[_Place], bounds: Sequence[Cut], columns: int) -> list[Cut]:
    """At most `columns` - 1 cuts that make the tallest column as short as can be."""
    total = _extent(places)[0]
    best: list[tuple[float, list[Cut]]] = [(inf, []) for _ in bounds]
    best[0] = (0.0, [])
    for _ in range(columns):
        step = list(best)
        for end in range(1, len(bounds)):
            for start in range(end):
                done, chosen = best[start]
                part = places[bounds[start].after + 1 : bounds[end].after + 1]
                if done == inf or not part or not _even(part, bounds[end]):
                    continue
                height = _extent(part)[0] + DEEP_CUT * total * bounds[start].depth
                cut = [bounds[start]] if start else []
                step[end] = min(step[end], (max(done, height), [*chosen, *cut]), key=_first)
        best = step
    return best[-1][1]


def _even(part: Sequence[_Place], end: Cut) -> bool:
    """Whether the groups that the cut at the column's end goes through begin near its top.

    A group's part in the next column begins no higher than the group itself.
    """
    top = part[0].row
    return all(
        group in part[0].groups
        or next(place.row for place in part if group in place.groups) <= top + TOP_ROWS
        for group in part[-1].groups[: end.depth]
    )


def _first(entry: tuple[float, list[Cut]]) -> tuple[float, int]:
    return entry[0], len(entry[1])


def _ugliness(places: Sequence[_Place], cuts: Sequence[Cut]) -> float:
    height, width = _size(places, cuts)
    return abs(log(height / width / GOAL)) + DEEP_CUT * sum(cut.depth for cut in cuts)


def _size(places: Sequence[_Place], cuts: Sequence[Cut]) -> tuple[float, float]:
    """About how high and wide the columns between these cuts are, in points."""
    ends = [-1, *(cut.after for cut in cuts), len(places) - 1]
    parts = [_extent(places[a + 1 : b + 1]) for a, b in pairwise(ends)]
    return max(part[0] for part in parts), sum(part[1] for part in parts)


def _extent(places: Sequence[_Place]) -> tuple[float, float]:
    """About how high and wide a column of these boxes is, in points."""
    rows: dict[int, int] = {}
    for place in places:
        rows[place.row] = rows.get(place.row, 0) + 1
    around = len({group for place in places for group in place.groups})
    height = ROW * (max(rows) - min(rows) + 1) + TITLE * around
    return height, COLUMN * max(rows.values()) + TITLE * bool(around)


# --- joints ---


def _joint(number: int, end: str) -> Box:
    return Box(f"column/{number}/{end}", Kind.JOINT, str(number), "", "", "", (), ())


def _with_joints(
    items: Sequence[Item], joints: dict[str, tuple[int, int]], depth: int
) -> tuple[Item, ...]:
    """The items with each pair of joints behind its box, at the level of its cut."""
    found: list[Item] = []
    for item in items:
        if isinstance(item, Group):
            item = item.with_items(_with_joints(item.items, joints, depth + 1))
        found.append(item)
        last = list(boxes([item]))[-1]
        number, level = joints.get(last.id, (0, -1))
        if level == depth:
            found += [_joint(number, "out"), _joint(number, "in")]
    return tuple(found)


def _through_joints(
    drawn: Sequence[Box], edges: Sequence[Edge], cuts: Sequence[Cut]
) -> tuple[Edge, ...]:
    """The edges; what goes on in another column ends at a joint and begins again at its twin."""
    number = {box.id: index for index, box in enumerate(drawn)}
    found: dict[tuple[str, str], Edge] = {}
    for edge in edges:
        source = edge.source
        for index, cut in enumerate(cuts, 1):
            if number[edge.source] <= cut.after < number[edge.target]:
                joint = _joint(index, "out").id
                found.setdefault((source, joint), Edge(source, joint, Link.MAIN))
                source = _joint(index, "in").id
        found.setdefault((source, edge.target), Edge(source, edge.target, edge.link))
    return tuple(found.values())
