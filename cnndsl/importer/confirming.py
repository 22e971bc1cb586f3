"""That terms say what the network does: they are followed from value to value, and held to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from cnndsl.importer.errors import ModelError, Problem
from cnndsl.importer.functions import make
from cnndsl.importer.steps import Network, Step
from cnndsl.importer.terms import Body, Head, Outline, Term
from cnndsl.ops import registry


def confirm(network: Network, outline: Outline, main: str, heads: Sequence[Head]) -> None:
    """Raise ModelError unless each step stands in the outline once and reads its own values.

    `heads` are those of the outline in the order in which they run.
    """
    follower = _Follower(network)
    follower.ends(outline.body, network.input, network.outputs[main])
    for head in heads:
        follower.ends(head.body, head.source, network.outputs[head.name])
    follower.complete()
    if follower.problems:
        problems = list(dict.fromkeys(follower.problems))
        raise ModelError("the flow of values cannot be written as a spec", HELP, problems)


HELP = "docs/import.md tells which ways of values a spec has words for"


class _Follower:
    def __init__(self, network: Network) -> None:
        self.network = network
        self.steps = network.by_id
        self.shares = {(s.inputs[0], s.op): s.id for s in network.steps if s.kind == "share"}
        self.found: Counter[int] = Counter({network.input: 1})
        self.problems: list[Problem] = []
        self.known: set[int] = set()
        """The steps that a problem was told of."""

    def ends(self, body: Body, start: int, end: int) -> None:
        """Follow a body that leads from one value to another."""
        self.begin(start)
        if self.body(body, start) != end:
            step = self.steps.get(end)
            self.told(step, "gives an output that cannot be written where it is")

    def begin(self, value: int) -> None:
        """A value is taken up by its name, and so stands before."""
        if not self.found[value]:
            self.told(self.steps.get(value), "is read where the spec has no name for it yet")

    def told(self, step: Step | None, fact: str) -> None:
        path, kind = (step.path, step.kind) if step else ("", "the input")
        self.known |= {step.id} if step else set()
        self.problems.append(Problem(path, f"{kind} {fact}"))

    def body(self, body: Body, value: int) -> int:
        for term in body:
            value = self.term(term, value)
        return value

    def term(self, term: Term, value: int) -> int:
        if term.kind == "take":
            assert term.source is not None
            self.begin(term.source)
            return term.source
        if term.kind == "seq":
            return self.body(term.bodies[0], value)
        assert term.source is not None
        step = self.steps[term.source]
        self.internal(term, step)
        inputs = self.inputs(term, value)
        if inputs != step.inputs and not (term.kind == "residual" and inputs[::-1] == step.inputs):
            self.told(step, "reads values that lie on no way to it")
        self.found[step.id] += 1
        return step.id

    def inputs(self, term: Term, value: int) -> tuple[int, ...]:
        """The values that a node reads when it starts from this one."""
        if term.kind == "op":
            return (value,)
        starts = [value] * len(term.bodies)
        if term.kind == "split":
            parts = [make("share", index=i, of=len(starts)) for i in range(len(starts))]
            starts = [self.shares.get((value, part), value) for part in parts]
        return tuple(self.body(b, s) for b, s in zip(term.bodies, starts, strict=True))

    def internal(self, term: Term, step: Step) -> None:
        if term.kind == "op" and registry()[step.kind].internal:
            fact = "a part of the channels goes on to something else than one concat of all parts"
            self.problems.append(Problem(step.path, fact))

    def complete(self) -> None:
        for step in self.network.steps:
            if step.kind != "share" and self.found[step.id] != 1 and step.id not in self.known:
                self.told(step, "has no place in the spec")
