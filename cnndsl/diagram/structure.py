"""Net → what stands in sequence, what side by side, and which way each wire takes.

A sequence is cut where all paths pass: between two such places lie branches, and each of them is a
sequence again. What is no sequence and falls into no branches stands in rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate, pairwise

from cnndsl.diagram.plan import Link
from cnndsl.diagram.rows import Rows, Web
from cnndsl.diagram.wiring import Net, is_port

MAX_DEPTH = 40
"""How deep branches may lie within branches; what lies deeper stands in rows."""


class Way(Enum):
    """How a wire is led: where it leaves the straight line."""

    STRAIGHT = "straight"
    OUT = "out"
    """It turns below its source, towards the line of its target."""
    IN = "in"
    """It turns above its target, from the line of its source."""
    SIDE = "side"
    """As IN, from a branch beside the main one: it ends at its target's side."""
    LANE = "lane"
    """It goes past what lies between its ends, and ends at its target's side."""
    WEB = "web"
    """It crosses others, between rows."""


@dataclass(frozen=True, slots=True)
class Fork:
    """Branches side by side, and wires, by number, that pass them.

    `spine` is the branch that goes on straight; without it they are centred.
    """

    branches: tuple[Parts, ...]
    lanes: tuple[int, ...] = ()
    spine: int | None = None


Parts = tuple["str | Fork | Web", ...]
"""Parts, one after the other: a string is the key of an item or of a port."""


@dataclass(frozen=True, slots=True)
class Head:
    """What hangs on an item of the main sequence and leads nowhere else."""

    source: str
    parts: Parts


@dataclass(frozen=True, slots=True)
class Structure:
    """The main sequence of a net, what hangs on it, and for each wire its way.

    `vias` are the places of wires in rows that they pass, by the number of the wire.
    """

    parts: Parts
    heads: tuple[Head, ...]
    ways: tuple[Way, ...]
    vias: Mapping[int, tuple[str, ...]]


def structure(net: Net) -> Structure:
    """The structure of one net."""
    ends = [key for key in net.keys if key.startswith("out/")]
    ahead = _Builder(net, net.keys).leading_to(net.result, *ends)
    loose = [key for key in net.keys if key not in ahead]
    main = _Builder(net, [key for key in net.keys if key in ahead])
    parts = main.series(main.keys, direct=())
    cuts = {part for part in parts if isinstance(part, str) and not is_port(part)}
    ways, vias, heads = dict(main.ways), dict(main.vias), list[Head]()
    for component in _Builder(net, loose).components(loose):
        own = set(component)
        entering = [n for n, w in enumerate(net.wires) if w.target in own and w.source not in own]
        sources = {net.wires[n].source for n in entering}
        if len(sources) != 1 or not sources <= cuts:
            everything = _Builder(net, net.keys)
            parts = everything.series(net.keys, ())
            return _structure(net, parts, (), everything.ways, everything.vias)
        head = _Builder(net, component)
        heads.append(Head(sources.pop(), head.series(component, direct=())))
        ways |= head.ways | dict.fromkeys(entering, Way.OUT)
        vias |= head.vias
    return _structure(net, parts, tuple(heads), ways, vias)


def _structure(
    net: Net,
    parts: Parts,
    heads: tuple[Head, ...],
    ways: Mapping[int, Way],
    vias: Mapping[int, tuple[str, ...]],
) -> Structure:
    all_ways = tuple(ways.get(number, Way.STRAIGHT) for number in range(len(net.wires)))
    return Structure(parts, heads, all_ways, vias)


class _Builder:
    """The parts of some keys of a net, as if there were no others."""

    def __init__(self, net: Net, keys: Sequence[str]) -> None:
        self.net = net
        self.keys = keys
        self.ways: dict[int, Way] = {}
        self.vias: dict[int, tuple[str, ...]] = {}
        self.before: dict[str, dict[str, list[int]]] = {key: {} for key in keys}
        """For each key what it reads, with the numbers of the wires."""
        self.behind: dict[str, dict[str, list[int]]] = {key: {} for key in keys}
        for number, wire in enumerate(net.wires):
            if wire.source in self.behind and wire.target in self.before:
                self.before[wire.target].setdefault(wire.source, []).append(number)
                self.behind[wire.source].setdefault(wire.target, []).append(number)

    def lead(self, wires: Iterable[int], way: Way) -> None:
        self.ways.update(dict.fromkeys(wires, way))

    def leading_to(self, *ends: str) -> set[str]:
        found, ahead = set(ends), list(ends)
        while ahead:
            for source in self.before[ahead.pop()]:
                if source not in found:
                    found.add(source)
                    ahead.append(source)
        return found

    def components(self, keys: Sequence[str]) -> list[list[str]]:
        """The keys in parts between which no wire leads, each in order, by their first ones."""
        own = set(keys)
        part: dict[str, int] = {}
        for key in keys:
            if key in part:
                continue
            ahead = [key]
            part[key] = len(part)
            while ahead:
                here = ahead.pop()
                for near in (*self.before[here], *self.behind[here]):
                    if near in own and near not in part:
                        part[near] = part[key]
                        ahead.append(near)
        found: dict[int, list[str]] = {}
        for key in keys:
            found.setdefault(part[key], []).append(key)
        return list(found.values())

    # --- sequences ---

    def series(self, keys: Sequence[str], direct: Sequence[int], depth: int = 0) -> Parts:
        """The parts of what lies between two places; `direct` wires lead past all of it."""
        components = self.components(keys)
        if direct or len(components) > 1:
            return (self.fork(components, direct, depth),)
        cuts = self.cuts(keys)
        if not cuts or depth > MAX_DEPTH:
            rows = Rows(self.net, keys, self.before, self.behind)
            self.vias |= rows.vias
            self.lead(rows.vias, Way.WEB)
            return (rows.web(),)
        parts: list[str | Fork | Web] = []
        for start, end in pairwise([-1, *cuts, len(keys)]):
            inner = keys[start + 1 : end]
            if inner:
                wires = self.turn(keys, start, end)
                parts += self.series(inner, wires, depth + 1)
            if end < len(keys):
                parts.append(keys[end])
        return tuple(parts)

    def cuts(self, keys: Sequence[str]) -> list[int]:
        """The places that all paths pass, of those from before the keys to behind them."""
        number = {key: index for index, key in enumerate(keys)}
        passing = [0] * (len(keys) + 2)
        for index, key in enumerate(keys):
            starts = [number.get(source, -1) for source in self.before[key]] or [-1]
            for start in starts:
                passing[start + 1] += 1
                passing[index] -= 1
            if any(target not in number for target in self.behind[key]) or not self.behind[key]:
                passing[index + 1] += 1
        return [index for index, count in enumerate(accumulate(passing[: len(keys)])) if not count]

    def turn(self, keys: Sequence[str], start: int, end: int) -> list[int]:
        """Note the ways of wires between two cuts; the numbers of those that pass what is there."""
        inner = set(keys[start + 1 : end])
        direct: list[int] = []
        for key in inner:
            for source, wires in self.before[key].items():
                if source not in inner:
                    self.lead(wires, Way.OUT)
            for target, wires in self.behind[key].items():
                if target not in inner:
                    self.lead(wires, Way.IN)
        if end < len(keys):
            first = {keys[start]} if start >= 0 else set(self.before) - set(keys)
            for source, wires in self.before[keys[end]].items():
                if source in first:
                    direct += wires
        elif start >= 0:
            for target, wires in self.behind[keys[start]].items():
                if target not in set(keys):
                    direct += wires
        self.lead(direct, Way.LANE)
        return direct

    # --- branches ---

    def fork(self, components: Sequence[list[str]], direct: Sequence[int], depth: int) -> Fork:
        """The components side by side, those beside the main path last."""
        ports = {key for key in (*self.net.keys[:1], self.net.result) if is_port(key)}
        beside = [self.is_beside(component) for component in components]
        ordered = sorted(zip(components, beside, strict=True), key=lambda entry: entry[1])
        main = [i for i, (keys, _) in enumerate(ordered) if ports & set(keys)]
        if not main and (direct or any(beside)):
            main = [i for i, (_, aside) in enumerate(ordered) if not aside]
        branches = tuple(self.series(keys, (), depth + 1) for keys, _ in ordered)
        spine = main[0] if len(main) == 1 else None
        if spine is not None:
            for index, (keys, _) in enumerate(ordered):
                if index != spine:
                    self.end_at_side(keys)
        return Fork(branches, tuple(direct), spine)

    def end_at_side(self, component: Sequence[str]) -> None:
        for key in component:
            for target, wires in self.behind[key].items():
                if target not in component:
                    self.lead([n for n in wires if self.ways.get(n) is Way.IN], Way.SIDE)

    def is_beside(self, component: Sequence[str]) -> bool:
        """Whether the component is off the main path: a projection, or for training alone."""
        own = set(component)
        entering = [
            self.net.wires[number].link
            for key in component
            for source, wires in self.before[key].items()
            if source not in own
            for number in wires
        ]
        return bool(entering) and all(link in (Link.PROJECTION, Link.TRAIN) for link in entering)
