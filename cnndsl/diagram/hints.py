"""Hints for Graphviz: where titles stand, and what stands side by side."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cnndsl.diagram.plan import Edge, Group, Item, Link, Plan, boxes

Rows = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Hints:
    """Edges by their number in the plan, groups and boxes by their ids.

    `titles` are the groups whose title stands right of their first row, inner ones first, by the
    last edge into it: a title above would be crossed by edges. `rows` are branches that begin in
    one row, by the group that holds them.
    """

    titles: Mapping[int, tuple[str, ...]]
    rows: Mapping[str, Rows]


def hints(plan: Plan) -> Hints:
    """The hints for a plan."""
    home = _homes(plan.items, "")
    titles: dict[int, tuple[str, ...]] = {}
    for group in reversed(plan.groups):
        entry = _last_entry(plan.edges, {box.id for box in boxes(group.items)})
        if entry is not None:
            titles[entry] = (*titles.get(entry, ()), group.id)
    return Hints(titles, _rows(plan.edges, home))


def title_id(group: str) -> str:
    """The id of the node that holds a group's title."""
    return f"title/{group}"


def _homes(items: Sequence[Item], group: str) -> dict[str, str]:
    """The group that directly holds each box."""
    found: dict[str, str] = {}
    for item in items:
        found |= _homes(item.items, item.id) if isinstance(item, Group) else {item.id: group}
    return found


def _last_entry(edges: Sequence[Edge], own: Collection[str]) -> int | None:
    """The last edge of those that lead the data into a group."""
    entries = [
        index
        for index, edge in enumerate(edges)
        if edge.target in own and edge.source not in own and edge.link in (Link.MAIN, Link.TRAIN)
    ]
    return entries[-1] if entries else None


def _rows(edges: Sequence[Edge], home: Mapping[str, str]) -> dict[str, Rows]:
    """Boxes in one group that read the same box, if none of them is computed from another."""
    targets: dict[tuple[str, str], list[str]] = {}
    readers: dict[str, list[str]] = {}
    for edge in edges:
        readers.setdefault(edge.source, []).append(edge.target)
        if edge.link is Link.MAIN:
            targets.setdefault((edge.source, home[edge.target]), []).append(edge.target)
    number = {box: index for index, box in enumerate(home)}
    found: dict[str, Rows] = {}
    for (_, group), row in targets.items():
        below = _below(readers, row, number)
        free = tuple(box for box in row if box not in below)
        if len(free) > 1:
            found[group] = (*found.get(group, ()), free)
    return found


def _below(
    readers: Mapping[str, Sequence[str]], start: Sequence[str], number: Mapping[str, int]
) -> set[str]:
    """The boxes that are computed from these, down to the last of them."""
    if len(start) < 2:
        return set()
    last = max(number[box] for box in start)
    found: set[str] = set()
    ahead = list(start)
    while ahead:
        for target in readers.get(ahead.pop(), ()):
            if target not in found and number[target] <= last:
                found.add(target)
                ahead.append(target)
    return found
