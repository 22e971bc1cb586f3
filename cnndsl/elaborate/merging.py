"""Merges of branches, and what is told where they do not fit together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from cnndsl import syntax
from cnndsl.diagnostics import Related, Span
from cnndsl.elaborate.adding import Adding
from cnndsl.elaborate.asking import Place, Ref
from cnndsl.elaborate.parting import Part, Parting, clash, parting
from cnndsl.elaborate.remedies import channels_first, divided, joined, project, varied
from cnndsl.expr import Meter
from cnndsl.graph import Node
from cnndsl.ops import registry
from cnndsl.ops.base import Shape
from cnndsl.ops.merge import Merge
from cnndsl.values import Home
from cnndsl.words import skeleton

MAX_REPLAYED = 50_000
"""How many ops the searches for an input that divides evenly compute at the most."""


@dataclass
class Merging(Adding):
    """The merges of the network, each of branches that have their values."""

    home: Home = field(kw_only=True)
    confirmed: int = 0
    replays: Meter = field(default_factory=lambda: Meter(MAX_REPLAYED))

    def labels(self, node: syntax.Merge, place: Place) -> Place:
        """Where the branches have their names; labels that are taken are told, as one mistake."""
        named = {b.label: b.span for b in node.branches if b.label}
        known = {label: place.scope.taken.get(skeleton(label), ("", None)) for label in named}
        taken = [label for label, (word, _) in known.items() if word == label]
        if not taken:
            return place
        span, first = named[taken[0]], known[taken[0]][1] or node.at.span
        path = self.free(place.scope, node.op)
        told = " and ".join(f"`{label}`" for label in taken)
        message = f"the name {told} is taken" if len(taken) == 1 else f"the names {told} are taken"
        help = f"give the {node.op} a name, `name: {path}`, and its labels lie within it"
        if place.repeated:
            help = f"labels lie within the name of their {node.op}: " + varied(
                node.op, place.variables
            )
        related = (Related("first used", first),)
        self.report.error("name", message, span, help, place.env.frames, related)
        return replace(place, scope=self.open(path, node.at.span, place))

    def merge(
        self,
        op: str,
        branches: Sequence[syntax.Branch],
        refs: Sequence[Ref],
        place: Place,
        span: Span,
    ) -> Ref:
        """The value that joins those of the branches; of one alone, it is that one."""
        if len(refs) == 1:
            return refs[0]
        made = merging(op)
        values = [self.nodes[ref] for ref in refs if ref is not None]
        if len(values) == len(refs) and (pair := clash(made, [node.shape for node in values])):
            names = self.names_of({node.id for node in values})
            parts = [_part(branches, i, node, names) for i, node in enumerate(values)]
            self.unfit(made, parts, (parts[pair[0]], parts[pair[1]]), place, span)
            self.unjoined(made, refs, place, span)
            refs = [None]
        return self.add_value(made, tuple(refs), place, span)

    def names_of(self, refs: set[int]) -> dict[int, str]:
        """The shortest path of each value that a name stands for."""
        named = [
            (path, ref)
            for path, ref in self.values.items()
            if ref is not None and ref in refs and not path.rpartition(".")[2].isdigit()
        ]
        return {ref: path for path, ref in sorted(named, key=lambda item: -len(item[0]))}

    def unfit(
        self, op: Merge, parts: list[Part], pair: tuple[Part, Part], place: Place, span: Span
    ) -> None:
        """Report two branches that do not fit, with what joins them."""
        ours, theirs = pair
        message = f"{op.needs(ours.shape, theirs.shape)}, found {ours} and {theirs}"
        found = self.parted(*pair, repeats=op.name != "concat")
        ends = joined(op, parts, scaled=not found.one_scale)
        even = self.evenly(op, pair, found)
        # A size in numbers holds for one call of a block, an input for all.
        both = (even, ends) if place.env.frames else (ends, even)
        help = ", or ".join(remedy for remedy in both if remedy)
        help = help or channels_first(self.nodes[0].shape)
        self.tell_parted(message, pair, found, help, place, span)

    def unlike(
        self, body: syntax.Body, values: tuple[int, int], x: Shape, place: Place, span: Span
    ) -> None:
        """Report the two sides of a residual whose shapes differ; `x` is what it begins with."""
        pair = Part("the body", self.nodes[values[0]]), Part("the shortcut", self.nodes[values[1]])
        ours, theirs = (part.shape for part in pair)
        message = f"residual: the body gives {ours}, the shortcut {theirs}"
        help = project(body, ours, x, place.env)
        found = self.parted(*pair, repeats=False)
        self.tell_parted(message, pair, found, help, place, span)

    def tell_parted(
        self,
        message: str,
        pair: tuple[Part, Part],
        found: Parting,
        help: str,
        place: Place,
        span: Span,
    ) -> None:
        """Report two sides of different shapes, with the ways on which the sizes parted."""
        story = found.told(*(part.words for part in pair))
        message = f"{message}: {story}" if story else message
        self.report.error("shape", message, span, help, place.env.frames, found.places)

    def parted(self, ours: Part, theirs: Part, repeats: bool) -> Parting:
        """How the sides that differ came to their sizes; `repeats` if one of 1 fits any other."""
        images = len(ours.shape) == len(theirs.shape) == 3
        sides = [(dim, {ours.shape[dim], theirs.shape[dim]}) for dim in (1, 2) if images]
        dims = [dim for dim, both in sides if len(both) > 1 and not (repeats and 1 in both)]
        return parting(self.nodes, ours.node, theirs.node, dims)

    def evenly(self, op: Merge, pair: tuple[Part, Part], found: Parting) -> str:
        """The nearest input at which nothing parts two branches of one scale."""
        stated = self.confirmed or (self.contracts and self.home.spec.expect)
        if not found.ways or not found.one_scale or stated:
            return ""
        refs = [part.node.id for part in pair]
        shape = divided(self.nodes, op, refs, found.ways, self.replays)
        if shape is None:
            return ""
        given = ",".join(map(str, shape))
        remedy = f"input: {shape}" if self.contracts else f"--input {given}"
        return f"take an input that divides evenly: `{remedy}`"


def _part(
    branches: Sequence[syntax.Branch], index: int, node: Node, names: Mapping[int, str]
) -> Part:
    """The value of a branch, as messages call it."""
    branch, name = branches[index], names.get(node.id, "")
    if branch.implied:
        return Part("the input", node, fixed=True)
    if any(other.implied for other in branches):
        return Part("the body", node, name)
    if branch.label:
        return Part(
            f"branch `{branch.label}`",
            node,
            name if name.rpartition(".")[2] != branch.label else "",
        )
    return Part(f"branch {index + 1}", node, name)


@cache
def merging(op: str) -> Merge:
    made = registry()[op]()
    assert isinstance(made, Merge)
    return made
