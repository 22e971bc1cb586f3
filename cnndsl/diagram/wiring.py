"""Items → for each group, what lies directly in it and how that hangs together.

A group is entered and left through ports, one for each value: so what is in it can be laid out for
itself, and opening it changes nothing around it but its size.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from cnndsl.diagram.plan import Group, Item, Link

LINKS = list(Link)

Exit = tuple[int, Link]
"""A value that leaves a group, and what it is read for."""


@dataclass(frozen=True, slots=True)
class Wire:
    """The node `value` of the graph, on its way between two keys of a net."""

    source: str
    target: str
    value: int
    link: Link


@dataclass(frozen=True)
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

    @cached_property
    def leaving(self) -> Mapping[str, list[Exit]]:
        """Of each key, the values that others read: the main one first, which is computed last."""
        found: defaultdict[str, dict[int, Wire]] = defaultdict(dict)
        for wire in self.wires:
            of = found[wire.source]
            of[wire.value] = min(of.get(wire.value, wire), wire, key=_rank)
        return defaultdict(list, {key: _by_rank(of.values()) for key, of in found.items()})


def entry(value: int) -> str:
    return f"in/{value}"


def leave(value: int) -> str:
    return f"out/{value}"


def is_port(key: str) -> bool:
    return key.startswith(("in/", "out/"))


def nets(items: Sequence[Item], result: str) -> dict[str, Net]:
    """The net of every group by its id, and of the whole by ""; `result` is the main output."""
    return dict(_nets("", items, (), result))


def _nets(
    id: str, items: Sequence[Item], exits: Sequence[Exit], result: str
) -> Iterator[tuple[str, Net]]:
    found = net(items, exits, result)
    yield id, found
    for item in items:
        if isinstance(item, Group):
            yield from _nets(item.id, item.items, found.leaving[item.id], "")


def net(items: Sequence[Item], exits: Sequence[Exit], result: str = "") -> Net:
    """The net of items that these values leave; without such, the main path ends at the result."""
    wires = tuple(_inner(items, exits))
    entering = [wire for wire in wires if wire.source == entry(wire.value)]
    entries = dict.fromkeys(wire.value for wire in sorted(entering, key=_rank))
    leaves = [leave(value) for value, _ in exits]
    keys = (*map(entry, entries), *(item.id for item in items), *leaves)
    ends = leaves[0] if leaves else result
    return Net(keys, tuple(entries), tuple(value for value, _ in exits), wires, ends)


def _inner(items: Sequence[Item], exits: Sequence[Exit]) -> Iterator[Wire]:
    """What the items read of each other and of what lies around them, and what leaves."""
    home = {node: item.id for item in items for node in item.nodes}
    for item in items:
        for value, link in item.reads:
            yield Wire(home.get(value, entry(value)), item.id, value, link)
    for value, link in exits:
        yield Wire(home[value], leave(value), value, link)


def _by_rank(wires: Iterable[Wire]) -> list[Exit]:
    """A value for training alone, or one that nobody reads any more, is never the main one."""
    exits = [(wire.value, wire.link) for wire in wires]
    return sorted(exits, key=lambda exit: (exit[1] in (Link.TRAIN, Link.REMOVED), -exit[0]))


def _rank(wire: Wire) -> int:
    return LINKS.index(wire.link)
