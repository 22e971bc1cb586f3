"""Branches that do not fit together: where their sizes parted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor, prod

from cnndsl.diagnostics import Related
from cnndsl.graph import Node
from cnndsl.ops.base import Shape
from cnndsl.ops.merge import Merge
from cnndsl.ops.reading import Along

MAX_WAY = 300
"""How many nodes a size is followed back through."""
MAX_SHOWN = 8
"""How many sizes of a way are shown, and those that were rounded beside."""
MAX_PLACES = 3


@dataclass(frozen=True, slots=True)
class Part:
    """What a merge reads: a value, and the words for the branch that gives it."""

    words: str
    node: Node
    name: str = ""
    """The path of the value, where it has a name."""
    fixed: bool = False
    """Whether no node can stand at its end: it is what `dense` joins its body to."""

    @property
    def shape(self) -> Shape:
        return self.node.shape

    def __str__(self) -> str:
        return f"{self.shape} in {self.words}" + (f" (`{self.name}`)" if self.name else "")


@dataclass(frozen=True, slots=True)
class Change:
    """A node that scales a dimension by `factor`, or gives it another size."""

    node: Node
    before: int
    after: int
    factor: Fraction

    @property
    def rest(self) -> Fraction:
        """How far the size is from that of the scale."""
        return self.after - self.before * self.factor

    @property
    def how(self) -> str:
        """`7/2 rounded down`."""
        exact = self.before * self.factor
        more = f"{abs(float(self.rest)):g} {'more' if self.rest > 0 else 'less'}"
        if self.factor == 1:
            return more
        up, down = self.factor.numerator, self.factor.denominator
        whole = f"{self.before}{f'·{up}' if up > 1 else ''}{f'/{down}' if down > 1 else ''}"
        rounded = {floor(exact): "rounded down", ceil(exact): "rounded up"}.get(self.after)
        return f"{whole} {rounded}" if rounded else f"{whole}, {more}"

    def __str__(self) -> str:
        place = f"{self.how} at {self.node.op.name} `{self.node.path}`"
        return f"{self.after} ({place})" if self.rest else str(self.after)


@dataclass(frozen=True, slots=True)
class Way:
    """How a dimension came to its size, from the value that both branches begin with."""

    start: int
    changes: tuple[Change, ...]

    @property
    def scale(self) -> Fraction:
        return prod((change.factor for change in self.changes), start=Fraction(1))

    @property
    def rounded(self) -> list[Change]:
        return [change for change in self.changes if change.rest]

    def told(self, words: str) -> str:
        """`28 → 14 → 7 in branch 1`."""
        shown = [str(change) for change in self.changes if change.before != change.after]
        if not shown:
            return f"stays {self.start} in {words}"
        if len(shown) > MAX_SHOWN:
            rounded = [text for text in shown[1:-3] if "(" in text][:MAX_SHOWN]
            shown = [shown[0], "…", *(f"{text} → …" for text in rounded), *shown[-3:]]
        return f"goes {' → '.join([str(self.start), *shown])} in {words}"


@dataclass(frozen=True)
class Parting:
    """The ways of two branches to sizes that differ, by dimension."""

    ways: dict[int, tuple[Way, Way]]

    @property
    def one_scale(self) -> bool:
        """Whether the sizes would be equal if nothing were rounded, added or cut off."""
        return all(ours.scale == theirs.scale for ours, theirs in self.ways.values())

    @property
    def places(self) -> tuple[Related, ...]:
        """Where sizes were rounded, added to or cut off; of many, those that scale first."""
        both = [change for ways in self.ways.values() for way in ways for change in way.rounded]
        both.sort(key=lambda change: change.factor == 1)
        by_span = {change.node.span: change for change in reversed(both)}
        places = [c for c in both if by_span.get(c.node.span) is c][:MAX_PLACES]
        return tuple(
            Related(f"{c.before} → {c.after}, {c.how}", c.node.span)
            for c in sorted(places, key=lambda change: change.node.id)
        )

    def told(self, ours: str, theirs: str) -> str:
        """`the height goes 7 → 3 (…) → 6 in branch 1, and stays 7 in branch 2`."""
        stories = {
            dim: f"{a.told(ours)}, and {b.told(theirs)}"
            for dim, (a, b) in self.ways.items()
            if a.changes or b.changes
        }
        if not stories:
            return ""
        names = {1: "the height", 2: "the width"}
        dim, first = next(iter(stories.items()))
        if len(stories) == 2 and len(set(stories.values())) == 1:
            return f"each side {first}"
        return f"{names[dim]} {first}"


def clash(op: Merge, shapes: Sequence[Shape]) -> tuple[int, int] | None:
    """The places of two shapes that the merge cannot join, if there are such."""
    joined = shapes[0]
    for place, shape in enumerate(shapes[1:], 1):
        if not op.fits(joined, shape):
            return next(i for i, other in enumerate(shapes) if not op.fits(other, shape)), place
        joined = op.join(joined, shape)
    return None


def parting(nodes: Sequence[Node], ours: Node, theirs: Node, dims: Iterable[int]) -> Parting:
    """How two values came to sizes that differ in these dimensions."""
    return Parting({dim: _ways(_back(nodes, ours, dim), _back(nodes, theirs, dim)) for dim in dims})


@dataclass(frozen=True, slots=True)
class _Stop:
    """A dimension of a value on its way, which `factor` brings to the next stop."""

    node: Node
    dim: int
    factor: Fraction = Fraction(1)

    @property
    def size(self) -> int:
        return self.node.shape[self.dim]

    @property
    def place(self) -> tuple[int, int]:
        return self.node.id, self.dim


def _back(nodes: Sequence[Node], node: Node, dim: int) -> list[_Stop]:
    """The values that a dimension came through, from the last one back."""
    stops = [_Stop(node, dim)]
    while len(stops) < MAX_WAY and (before := _before(nodes, stops[-1])):
        stops.append(before)
    return stops


def rounded(node: Node, x: Shape, out: Shape, dim: int) -> Fraction | None:
    """What a node that scales a dimension of its first input gives beside its scale, if it does."""
    for at, rule in enumerate(node.op.reads(x, out)):
        if isinstance(rule, Along) and rule.to == dim and len(rule.reads) != rule.step:
            return out[dim] - x[at] * Fraction(len(rule.reads), rule.step)
    return None


def _before(nodes: Sequence[Node], stop: _Stop) -> _Stop | None:
    """The dimension of an input that this one follows; of several inputs, the earliest."""
    node = stop.node
    for ref in sorted(set(node.inputs)):
        for dim, rule in enumerate(node.op.reads(nodes[ref].shape, node.shape)):
            if isinstance(rule, Along) and rule.to == stop.dim:
                return _Stop(nodes[ref], dim, Fraction(len(rule.reads), rule.step))
    return None


def _ways(ours: list[_Stop], theirs: list[_Stop]) -> tuple[Way, Way]:
    """The ways from the last value that both came through, else from their first ones."""
    common = {stop.place for stop in ours} & {stop.place for stop in theirs}
    return _way(ours, common), _way(theirs, common)


def _way(stops: list[_Stop], common: set[tuple[int, int]]) -> Way:
    end = next((i for i, stop in enumerate(stops) if stop.place in common), len(stops) - 1)
    steps = pairwise(reversed(stops[: end + 1]))
    changes = (Change(to.node, at.size, to.size, at.factor) for at, to in steps)
    changed = tuple(c for c in changes if c.factor != 1 or c.before != c.after)
    return Way(stops[end].size, changed)
