"""Members of a scope → runs of equal repetitions, each of which is drawn once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from cnndsl.graph import Graph, Node, Scope

Member = Node | Scope

MAX_PERIOD = 6
"""How many members one repetition may have: a dense layer has two, itself and its concat."""
MIN_GROWING = 3
"""How many repetitions there must be where the channels differ from one to the next."""


@dataclass(frozen=True, slots=True)
class Run:
    """`times` repetitions; `members` are those of the first one, `last` those of the last."""

    members: tuple[Member, ...]
    last: tuple[Member, ...]
    times: int
    size: int
    """How many nodes one repetition has; those of the next one have ids higher by this."""

    @property
    def scope(self) -> Scope:
        """The first scope of the first repetition."""
        return next(m for m in self.members if isinstance(m, Scope))

    @property
    def last_scope(self) -> Scope:
        return next(m for m in self.last if isinstance(m, Scope))


@dataclass
class Folder:
    """Finds repetitions in one graph. The nodes of a member have consecutive ids."""

    graph: Graph
    _outlines: dict[str, str] = field(default_factory=dict)

    @cached_property
    def last_reader(self) -> Mapping[int, int]:
        """The last node that reads each node; outputs are read after the end."""
        last = {i: node.id for node in self.graph.nodes for i in node.inputs}
        return last | {output.node: len(self.graph.nodes) for output in self.graph.outputs}

    def runs(self, members: Sequence[Member]) -> Iterator[Run]:
        """The members in order, repetitions of scopes together and all else one by one."""
        filled = [m for m in members if isinstance(m, Node) or any(m.nodes())]
        starts = [_first(m).id for m in filled]
        ends = [start + sum(1 for _ in nodes((m,))) for start, m in zip(starts, filled, strict=True)]
        place = 0
        while place < len(filled):
            period, times = self.repetition(filled, starts, ends, place)
            first = tuple(filled[place : place + period])
            stop = place + period * times
            size = ends[place + period - 1] - starts[place]
            yield Run(first, tuple(filled[stop - period : stop]), times, size)
            place = stop

    def repetition(
        self, members: Sequence[Member], starts: list[int], ends: list[int], place: int
    ) -> tuple[int, int]:
        """The length of a repetition that begins here and how many there are: the widest wins."""
        best = (1, 1)
        for period in range(1, min(MAX_PERIOD, (len(members) - place) // 2) + 1):
            unit = members[place : place + period]
            if not any(isinstance(m, Scope) for m in unit):
                continue
            size = ends[place + period - 1] - starts[place]
            for exact in (True, False):
                times = 1
                while self.follows(members, place, period, times, starts[place], size, exact):
                    times += 1
                times = self.until_read_elsewhere(starts[place], size, times)
                enough = 2 if exact else MIN_GROWING
                if times >= enough and period * times > best[0] * best[1]:
                    best = (period, times)
        return best

    def follows(
        self, members: Sequence[Member], place: int, period: int, times: int, start: int, size: int, exact: bool
    ) -> bool:
        """Whether repetition number `times` (from 0) is there and equals the first."""
        here = place + period * times
        if here + period > len(members):
            return False
        first, unit = members[place : place + period], members[here : here + period]
        if [self.outline(m) for m in first] != [self.outline(m) for m in unit]:
            return False
        return self.wired_alike(start, start + size * times, size, exact)

    def wired_alike(self, first: int, begin: int, size: int, exact: bool) -> bool:
        """Whether both units read and give the same, where `begin` reads the unit before it."""
        outside: dict[int, int] = {}
        train_only = self.graph.train_only
        for offset in range(size):
            a, b = self.graph.nodes[first + offset], self.graph.nodes[begin + offset]
            if not _shaped_alike(a, b, exact) or (a.id in train_only) != (b.id in train_only):
                return False
            for mine, yours in zip(a.inputs, b.inputs, strict=True):
                if yours >= begin or mine >= first:
                    alike = mine - first == yours - begin
                elif yours >= begin - size:  # from the repetition before, as the first reads its source
                    alike = outside.setdefault(yours - begin, mine) == mine
                    alike = alike and (begin == first + size or self.steady(first, begin, size, offset))
                else:
                    alike = mine == yours
                if not alike:
                    return False
        return True

    def steady(self, first: int, begin: int, size: int, offset: int) -> bool:
        """Whether the node reads the repetition before it just as the second repetition's does."""
        second = self.graph.nodes[first + size + offset].inputs
        return [i - first - size for i in second if i >= first] == [
            i - begin for i in self.graph.nodes[begin + offset].inputs if i >= begin - size
        ]

    def until_read_elsewhere(self, start: int, size: int, times: int) -> int:
        """How many repetitions there are before one that something behind the next one reads."""
        for index in range(times - 1):
            begin = start + index * size
            if any(self.last_reader.get(i, 0) >= begin + 2 * size for i in range(begin, begin + size)):
                return index + 1
        return times

    def outline(self, member: Member) -> str:
        """Ops and blocks in order, with the names below the member but without its own."""
        if isinstance(member, Node):
            return repr(member.op)
        if member.path not in self._outlines:
            inner = ", ".join(f"{_segment(m)}: {self.outline(m)}" for m in member.members)
            self._outlines[member.path] = f"{member.block}{{{inner}}}"
        return self._outlines[member.path]


def nodes(members: Sequence[Member]) -> Iterator[Node]:
    for member in members:
        if isinstance(member, Node):
            yield member
        else:
            yield from member.nodes()


def _first(member: Member) -> Node:
    return next(nodes((member,)))


def _segment(member: Member) -> str:
    return member.path.rpartition(".")[2]


def _shaped_alike(a: Node, b: Node, exact: bool) -> bool:
    """Whether two nodes have equal shapes, or else shapes that differ in their channels alone."""
    if exact:
        return a.shape == b.shape and a.input_shapes == b.input_shapes
    return a.shape[1:] == b.shape[1:] and len(a.shape) == len(b.shape)
