"""The tree of modules → terms: what follows what, what runs side by side, and what is merged."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field, replace

from cnndsl.importer.confirming import confirm
from cnndsl.importer.modes import Heads
from cnndsl.importer.scopes import Group, Member
from cnndsl.importer.steps import Network, Step, needed
from cnndsl.importer.terms import Body, Channels, Head, Outline, Term
from cnndsl.ops.base import Shape

MERGES = ("concat", "add", "mul")
LONG = 2
"""What a skip connection passes by is nested in it if it is no longer than this."""


def outline(network: Network, root: Group, heads: Heads) -> Outline:
    """The network as terms; ModelError where its flow of values cannot be written as such."""
    shapes = {network.input: network.shape} | {s.id: s.shape for s in network.steps}
    level = _Level(root, shapes, {network.input})
    main = _main(network, heads)
    body = level.chain(network.input, network.outputs[main])
    given: list[Head] = []
    for name in [*heads.lasting, *heads.train_only]:
        if name != main:
            end = network.outputs[name]
            source = level.branching(end)
            tail = level.chain(source, end)
            given.append(Head(name, source, tail, name in heads.train_only))
    ordered = [next(h for h in given if h.name == n) for n in network.outputs if n != main]
    found = Outline(body, main if given else "", tuple(ordered), list(network.outputs).index(main))
    confirm(network, found, main, given)
    return found


def _main(network: Network, heads: Heads) -> str:
    """The output that the body ends with: the one whose way leads over most of the others."""
    ends = [network.outputs[name] for name in heads.lasting]

    def passed(name: str) -> int:
        on_the_way = needed(network.steps, [network.outputs[name]])
        return sum(end in on_the_way for end in ends)

    return max(heads.lasting, key=passed)


@dataclass
class _Level:
    """The members of one scope as a graph, and the terms made of them so far."""

    group: Group
    shapes: dict[int, Shape]
    entries: set[int]
    """Values from outside that are there when the scope begins."""
    emitted: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.producer: dict[int, Member] = {}
        for member in self.group.members:
            for step in [member] if isinstance(member, Step) else member.steps():
                self.producer[step.id] = member
        self.order = {id: i for i, id in enumerate(self.producer)}
        self.dominators: dict[int, frozenset[int]] = {}
        for member in self.group.members:
            main = self.result(member)
            inner = [self.dominating(i) for i in self.reads(member)]
            above = frozenset.intersection(*inner) if inner else frozenset[int]()
            for id in self.ids(member):
                self.dominators[id] = above | {id} if id == main else above | {main, id}

    def ids(self, member: Member) -> list[int]:
        return [member.id] if isinstance(member, Step) else [step.id for step in member.steps()]

    def reads(self, member: Member) -> list[int]:
        """The values from outside the member that it reads, in order."""
        if isinstance(member, Step):
            return list(dict.fromkeys(member.inputs))
        own = set(self.ids(member))
        return list(dict.fromkeys(i for s in member.steps() for i in s.inputs if i not in own))

    def result(self, member: Member) -> int:
        """The value that a member ends with."""
        return member.id if isinstance(member, Step) else list(member.steps())[-1].id

    def dominating(self, value: int) -> frozenset[int]:
        """The values that every way to a value leads over, itself included."""
        return self.dominators.get(value, frozenset({value}))

    def fork(self, inputs: tuple[int, ...]) -> int | None:
        """The last value that every way to all the inputs leads over."""
        common = frozenset.intersection(*map(self.dominating, inputs))
        return max(common, key=lambda id: self.order.get(id, -1), default=None)

    def branching(self, end: int) -> int:
        """The last value on the way to an output that is there already."""
        on_the_way = [id for id in self.dominating(end) if id in self.emitted]
        return max(on_the_way, key=lambda id: self.order.get(id, -1), default=min(self.entries))

    # --- chains ---

    def chain(self, start: int, end: int) -> Body:
        """The nodes that lead from one value to another."""
        if end == start:
            return ()
        member = self.producer.get(end)
        if member is None or end in self.emitted or self.result(member) != end:
            if member is not None and end not in self.emitted:
                inner = self.chain(start, self.result(member))
                return (*inner, self.take(end))
            return (self.take(end),)
        if isinstance(member, Step) and member.kind in MERGES:
            return self.merge(start, member)
        reads = self.reads(member)
        before = self.chain(start, reads[0])
        term = self.leaf(member) if isinstance(member, Step) else self.scope(member, reads)
        self.emitted.update(self.ids(member))
        return (*before, term)

    def take(self, value: int) -> Term:
        shape = self.shapes[value]
        return Term("take", ("",), (shape,), (shape,), source=value)

    def leaf(self, step: Step) -> Term:
        assert step.op is not None
        args = {f.name: (getattr(step.op, f.name),) for f in dataclasses.fields(step.op)}  # type: ignore[arg-type]
        if args.get("groups") == (step.x.channels,) and step.x.channels > 1:
            args["groups"] = (Channels(step.x.channels),)
        segment = step.path.rpartition(".")[2] if step.named else None
        head = (step.kind,)
        return Term(
            "op",
            head,
            (step.x,),
            (step.shape,),
            args=args,
            source=step.id,
            segment=segment,
            path=step.path,
        )

    def scope(self, group: Group, reads: list[int]) -> Term:
        inner = _Level(group, self.shapes, set(reads))
        start, end = reads[0], self.result(group)
        body = inner.chain(start, end)
        segment = group.path.rpartition(".")[2]
        x, out = (self.shapes[start],), (self.shapes[end],)
        return Term(
            "seq", ("",), x, out, bodies=(body,), segment=segment, path=group.path, cls=group.cls
        )

    # --- merges ---

    def merge(self, start: int, step: Step) -> Body:
        fork = self.fork(step.inputs)
        if fork is None or (fork not in self.producer and fork != start):
            fork = start
        before = self.chain(start, fork)
        x, out = (self.shapes[fork],), (step.shape,)
        if self.passes_by(fork, step):
            return self.skip(before, fork, step)
        bodies = tuple(self.chain(fork, i) for i in step.inputs)
        self.emitted.add(step.id)
        term = Term(step.kind, (step.kind,), x, out, bodies=bodies, source=step.id)
        return (*before, _split(term) or _residual(term) or term)

    def passes_by(self, fork: int, step: Step) -> bool:
        """Whether a merge joins an early value with a late one, as in a U-Net."""
        if step.kind != "concat" or len(step.inputs) != 2 or fork not in step.inputs:
            return False
        other = next((i for i in step.inputs if i != fork), fork)
        between = [m for m in self.group.members if fork in self.dominating(self.result(m))]
        count = sum(1 for m in between if self.order[self.result(m)] <= self.order.get(other, -1))
        return fork in self.producer and count > LONG

    def skip(self, before: Body, fork: int, step: Step) -> Body:
        other = next(i for i in step.inputs if i != fork)
        main = self.chain(fork, other)
        bodies = tuple((self.take(fork),) if i == fork else () for i in step.inputs)
        x, out = (self.shapes[other],), (step.shape,)
        self.emitted.add(step.id)
        merged = Term(step.kind, (step.kind,), x, out, bodies=bodies, source=step.id)
        return (*before, *main, merged)


def _split(term: Term) -> Term | None:
    """Branches that begin with the shares of one value, in order, are those of `split`."""
    heads = [body[0] if body else None for body in term.bodies]
    if term.kind != "concat" or len(heads) < 2:
        return None
    for index, head in enumerate(heads):
        if head is None or head.head != ("share",):
            return None
        if head.args["index"] != (index,) or head.args["of"] != (len(heads),):
            return None
    return replace(term, kind="split", bodies=tuple(body[1:] for body in term.bodies))


def _residual(term: Term) -> Term | None:
    """The sum of two branches: the shorter is the shortcut."""
    if term.kind != "add" or len(term.bodies) != 2:
        return None
    sizes = [sum(t.leaves() for t in body) for body in term.bodies]
    body, shortcut = term.bodies if sizes[0] >= sizes[1] else term.bodies[::-1]
    if body and any(t.out != term.out for t in body[-1:]):
        return None
    side = shortcut[-1].out if shortcut else term.x
    if not body or side != term.out:  # `residual` takes equal shapes alone; `add` broadcasts
        return None
    return replace(term, kind="residual", bodies=(body, shortcut))
