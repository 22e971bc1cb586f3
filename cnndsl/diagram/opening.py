"""Which groups are open: all down to a depth, and below it one of each kind if there is room."""

from __future__ import annotations

from collections.abc import Sequence

from cnndsl.diagram.plan import Box, Group, Item, boxes

READABLE = 60
"""How many boxes a diagram may have for all of it to be read at a glance."""


def opened(items: Sequence[Item], depth: int | None) -> tuple[Item, ...]:
    """The items with all groups below `depth` levels closed.

    Without a depth, the deepest that leaves the diagram readable; if that closes groups, the first
    of each look is opened all the same, as long as there is room.
    """
    if depth is not None:
        return _cut(items, depth, frozenset())
    levels = _levels(items)
    counts = {depth: _count(_cut(items, depth, frozenset())) for depth in range(levels + 1)}
    depth = max((depth for depth, count in counts.items() if count <= READABLE), default=0)
    return _with_samples(items, depth) if depth < levels else tuple(items)


def _with_samples(items: Sequence[Item], depth: int) -> tuple[Item, ...]:
    """Open the first group of each look that is closed at this depth, where there is room."""
    room = READABLE - _count(_cut(items, depth, frozenset()))
    chosen: set[str] = set()
    seen: set[str] = set()
    for group in _at(items, depth):
        more = len(group.items) - 1
        if group.look not in seen and more <= room:
            chosen.add(group.id)
            room -= more
        seen.add(group.look)
    return _cut(items, depth, frozenset(chosen))


def _cut(items: Sequence[Item], depth: int, chosen: frozenset[str]) -> tuple[Item, ...]:
    """The items with groups closed that are deeper than `depth` and not among the chosen."""
    return tuple(
        item if isinstance(item, Box) else _opened_or_closed(item, depth, chosen) for item in items
    )


def _opened_or_closed(group: Group, depth: int, chosen: frozenset[str]) -> Item:
    if depth <= 0 and group.id not in chosen:
        return group.closed
    return group.with_items(_cut(group.items, depth - 1, chosen))


def _at(items: Sequence[Item], depth: int) -> list[Group]:
    """The groups that lie below `depth` open ones."""
    outer = [item for item in items if isinstance(item, Group)]
    return outer if depth <= 0 else [g for group in outer for g in _at(group.items, depth - 1)]


def _levels(items: Sequence[Item]) -> int:
    return max((1 + _levels(item.items) for item in items if isinstance(item, Group)), default=0)


def _count(items: Sequence[Item]) -> int:
    return sum(1 for _ in boxes(items))
