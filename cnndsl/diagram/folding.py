"""Members of a scope → runs of equal repetitions, each of which is drawn once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from cnndsl.diagram.changes import NOTHING, Changes
from cnndsl.graph import Graph, Node, Scope
from cnndsl.ops.base import Family

Member = Node | Scope

MAX_PERIOD = 6
"""How many members one repetition may have: a dense layer has two, itself and its concat."""
LONG = 100
"""How many members a sequence has at the least for repetitions of mere nodes to be drawn once."""
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
    all: tuple[Member, ...] = ()
    """The members of all repetitions."""

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """The scopes of the first repetition."""
        return tuple(m for m in self.members if isinstance(m, Scope))

    @property
    def head(self) -> Member:
        """What gives its name to a repetition: its first scope, or its first node."""
        return (*self.scopes, *self.members)[0]

    @property
    def last_head(self) -> Member:
        """The last scope of all, or the last node that has a number, or the last."""
        numbered = (m for m in self.last if isinstance(m, Node) and m.numbered)
        return (*self.last, *numbered, *(m for m in self.last if isinstance(m, Scope)))[-1]


@dataclass
class Folder:
    """Finds repetitions in one graph. The nodes of a member have consecutive ids."""

    graph: Graph
    changes: Changes = NOTHING
    _outlines: dict[str, str] = field(default_factory=dict)
    _ops: dict[int, str] = field(default_factory=dict)
    """What ops look like, by their identity."""

    @cached_property
    def last_reader(self) -> Mapping[int, int]:
        """The last node that reads each node; outputs are read after the end."""
        last = {i: node.id for node in self.graph.nodes for i in node.inputs}
        return last | {output.node: len(self.graph.nodes) for output in self.graph.outputs}

    def runs(self, members: Sequence[Member]) -> Iterator[Run]:
        """The members in order, repetitions of scopes together and all else one by one."""
        filled = [m for m in members if isinstance(m, Node) or any(m.nodes())]
        place = 0
        while place < len(filled):
            period, times = self.repetition(filled, place)
            first = tuple(filled[place : place + period])
            run = tuple(filled[place : place + period * times])
            place += len(run)
            yield Run(first, run[-period:], times, len(list(nodes(first))), run)

    def repetition(self, members: Sequence[Member], place: int) -> tuple[int, int]:
        """The length of a repetition that begins here and how many there are: the widest wins."""
        best = (1, 1)
        for period in range(1, min(MAX_PERIOD, (len(members) - place) // 2) + 1):
            unit = members[place : place + period]
            if len(members) < LONG and not any(isinstance(m, Scope) for m in unit):
                continue
            if self.outline(unit[0]) != self.outline(members[place + period]):
                continue
            times = self.count(members, place, period, exact=False)
            if 1 < times < MIN_GROWING:
                times = self.count(members, place, period, exact=True)
            if times > 1 and period * times > best[0] * best[1]:
                best = (period, times)
        return best

    def count(self, members: Sequence[Member], place: int, period: int, exact: bool) -> int:
        """How many units of so many members repeat the one that begins here."""
        first = members[place : place + period]
        outline = [self.outline(m) for m in first]
        start, size = _first(first[0]).id, len(list(nodes(first)))
        times = 1
        for here in range(place + period, len(members) - period + 1, period):
            unit = members[here : here + period]
            same = all(self.outline(m) == own for m, own in zip(unit, outline, strict=True))
            begin = start + size * times
            if not same or not self.wired_alike(start, begin, size, exact):
                break
            if self.is_read_elsewhere(begin - size, size):
                break
            times += 1
        return times

    def change(self, node: Node) -> str:
        """What became of a node: repetitions are drawn once where the same became of all."""
        mark = self.changes.marks.get(node.id)
        if not mark:
            return ""
        was = self.changes.was.get(node.id)
        links = [self.changes.edges.get((source, node.id)) for source in node.inputs]
        return f" {mark} {was.op if was else None} {links}"

    def wired_alike(self, first: int, begin: int, size: int, exact: bool) -> bool:
        """Whether the unit at `begin` is wired as the one before; `first` starts the run.

        The second unit reads of the first what that reads of one or more values ahead of the run.
        """
        before, sources = begin - size, dict[int, int]()
        for offset in range(size):
            a, b = self.graph.nodes[before + offset], self.graph.nodes[begin + offset]
            if not self.alike(a, b, exact):
                return False
            for mine, yours in zip(a.inputs, b.inputs, strict=True):
                if yours < before:
                    same = mine == yours
                elif yours < begin and before == first:
                    same = mine < first and sources.setdefault(yours, mine) == mine
                else:
                    same = mine + size == yours
                if not same:
                    return False
        return True

    def alike(self, a: Node, b: Node, exact: bool) -> bool:
        """Whether nodes of one op have equal shapes, or shapes that differ in channels alone."""
        phases = {node.id in self.graph.train_only for node in (a, b)}
        if len(phases) > 1 or len(a.inputs) != len(b.inputs):
            return False
        if exact:
            return (a.shape, a.input_shapes) == (b.shape, b.input_shapes)
        return len(a.shape) == len(b.shape) and a.shape[1:] == b.shape[1:]

    def is_read_elsewhere(self, begin: int, size: int) -> bool:
        """Whether something behind the unit after the one that begins here reads a value of it."""
        own = range(begin, begin + size)
        return any(self.last_reader.get(node, 0) >= begin + 2 * size for node in own)

    def outline(self, member: Member) -> str:
        """Ops and blocks in order, with the names below the member but without its own."""
        if isinstance(member, Node):
            # How much noise there is in training often grows from block to block.
            if id(member.op) not in self._ops:
                noise = member.op.family is Family.REGULARIZATION
                self._ops[id(member.op)] = member.op.name if noise else repr(member.op)
            return self._ops[id(member.op)] + self.change(member)
        if member.path not in self._outlines:
            inner = ", ".join(f"{_segment(m)}: {self.outline(m)}" for m in member.members)
            self._outlines[member.path] = f"{member.block}{{{inner}}}"
        return self._outlines[member.path]


def one_by_one(members: Sequence[Member]) -> list[Run]:
    """The members that hold nodes, each for itself."""
    filled = [m for m in members if isinstance(m, Node) or any(m.nodes())]
    return [Run((member,), (member,), 1, 0, (member,)) for member in filled]


def nodes(members: Sequence[Member]) -> Iterator[Node]:
    for member in members:
        if isinstance(member, Node):
            yield member
        else:
            yield from member.nodes()


def scopes(members: Sequence[Member]) -> Iterator[Scope]:
    """The scopes among the members, and all in them."""
    for member in members:
        if isinstance(member, Scope):
            yield member
            yield from scopes(member.members)


def _first(member: Member) -> Node:
    return next(nodes((member,)))


def _segment(member: Member) -> str:
    return member.path.rpartition(".")[2]
