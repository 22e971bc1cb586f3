"""Wires between boxes → for each group, what lies directly in it and how that hangs together.

A group is entered and left through ports, one for each value: so what is in it can be laid out for
itself, and opening it changes nothing around it but its size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cnndsl.diagram.plan import Box, Item, Link, Wire

LINKS = list(Link)

Path = tuple[str, ...]
"""A box or group with the groups around it, from the outside in."""


@dataclass(frozen=True, slots=True)
class Net:
    """What lies directly in one group: the wires lead between its `keys`, in the order they run.

    A key is the id of an item, or a port: `entry(value)` or `leave(value)`. Of several `entries`
    and `exits` the first one is on the main path.
    """

    keys: tuple[str, ...]
    entries: tuple[int, ...]
    exits: tuple[int, ...]
    wires: tuple[Wire, ...]
    result: str
    """Where the main path ends: an exit, or in the outermost net the output."""


def entry(value: int) -> str:
    return f"in/{value}"


def leave(value: int) -> str:
    return f"out/{value}"


def is_port(key: str) -> bool:
    return key.startswith(("in/", "out/"))


@dataclass
class _Open:
    """A net that still takes wires; two for one value between the same ends are one."""

    items: list[str] = field(default_factory=list)
    wires: dict[tuple[str, str, int], Wire] = field(default_factory=dict)

    def add(self, wire: Wire) -> None:
        ends = (wire.source, wire.target, wire.value)
        known = self.wires.get(ends, wire)
        self.wires[ends] = min(known, wire, key=_rank)


def nets(items: Sequence[Item], wires: Sequence[Wire], result: str) -> dict[str, Net]:
    """The net of every group by its id, and of the whole by ""; `result` is the main output."""
    above = dict(_places(items, ()))
    found: dict[str, _Open] = {}
    for box_or_group, around in above.items():
        found.setdefault(around[-1] if around else "", _Open()).items.append(box_or_group)
    for wire in wires:
        _route(found, wire, (*above[wire.source], wire.source), (*above[wire.target], wire.target))
    return {group: _closed(net, "" if group else result) for group, net in found.items()}


def _places(items: Sequence[Item], around: Path) -> Iterator[tuple[str, Path]]:
    """Each box and group with the groups around it, from the outside in."""
    for item in items:
        yield item.id, around
        if not isinstance(item, Box):
            yield from _places(item.items, (*around, item.id))


def _route(found: dict[str, _Open], wire: Wire, source: Path, target: Path) -> None:
    """Lead a wire out of the groups around its source, and into those around its target."""
    level = next(i for i, (a, b) in enumerate(zip(source, target, strict=False)) if a != b)
    group = source[level - 1] if level else ""
    found[group].add(Wire(source[level], target[level], wire.value, wire.link))
    for outer, inner in zip(source[level:], source[level + 1 :], strict=False):
        found[outer].add(Wire(inner, leave(wire.value), wire.value, wire.link))
    for outer, inner in zip(target[level:], target[level + 1 :], strict=False):
        found[outer].add(Wire(entry(wire.value), inner, wire.value, wire.link))


def _closed(net: _Open, result: str) -> Net:
    wires = tuple(net.wires.values())
    entering = [wire for wire in wires if wire.source == entry(wire.value)]
    entries = dict.fromkeys(wire.value for wire in sorted(entering, key=_rank))
    # What is computed last goes on; a value for training alone is never the main one.
    leaving = [wire for wire in wires if wire.target == leave(wire.value)]
    leaving.sort(key=lambda wire: (wire.link is Link.TRAIN, -wire.value))
    exits = dict.fromkeys(wire.value for wire in leaving)
    keys = (*map(entry, entries), *net.items, *map(leave, exits))
    return Net(keys, tuple(entries), tuple(exits), wires, result or keys[-len(exits)])


def _rank(wire: Wire) -> int:
    return LINKS.index(wire.link)
