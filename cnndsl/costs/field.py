"""What part of the image each value sees: receptive fields, by the ops' own rules.

The rows and the columns of the first input are followed apart, through every layer. Places that
slide over the image see a window; a global pooling or a linear layer sees them all at once. A gate
or a normalization over the image sees both: a window around its own place, and by a statistic all.
Padding counts as part of a window, so that a window may be larger than the image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from math import gcd, lcm

from cnndsl.graph import Graph
from cnndsl.ops.base import Shape
from cnndsl.ops.reading import LONGEST, LOOSE, Along, Reading, Span

Sides = tuple[int, int]


@dataclass(frozen=True)
class Field:
    """What a value sees of an image, as [height, width].

    `size` is the receptive field. `window` is the part of it around the value's own place, and
    `stride` how far the windows of neighbours lie apart; both are None where values have no place.
    The two differ where something reads the whole image beside it, as squeeze-and-excitation and
    group norm do.
    """

    size: Sides
    window: Sides | None
    stride: tuple[Fraction, Fraction] | None


FARTHEST = 10**15
"""How far the windows of neighbours lie apart at the most: strides of many layers multiply."""
POINT: tuple[Span | None, ...] = ((0, 0),)
"""Each place sees itself alone."""


@dataclass(frozen=True, slots=True)
class Moving:
    """The window of each of `count` places along dimension `dim`, as `Along` has it.

    `dim` is None where no dimension of the value follows the image, as after `flatten`.
    """

    dim: int | None
    count: int
    step: int
    reads: tuple[Span | None, ...]

    @property
    def rate(self) -> Fraction:
        return Fraction(self.step, len(self.reads))

    def at(self, place: int) -> Span | None:
        """What a place sees; also of places in the padding."""
        group, index = divmod(place, len(self.reads))
        span = self.reads[index]
        return None if span is None else (span[0] + group * self.step, span[1] + group * self.step)

    def over(self, first: int, last: int) -> Span | None:
        """What places see together; those in between the ends of a long row see no more."""
        if len(self.reads) == 1:
            return joined(self.at(first), self.at(last))
        ends = {*range(first, min(last, first + len(self.reads)) + 1)}
        ends |= {*range(max(first, last - len(self.reads)), last + 1)}
        return joined(*map(self.at, ends))

    @property
    def whole(self) -> Span | None:
        """What all places see together."""
        return self.over(0, self.count - 1)


@dataclass(frozen=True, slots=True)
class Sight:
    """What the values of a layer see along one side of the image: by place, and all of them."""

    moving: Moving | None
    fixed: Span | None = None


Sights = tuple[Sight, Sight]
"""Along the height and the width."""


def sights(graph: Graph) -> Mapping[int, Sights]:
    """What the values of each node see of the first input, by its id; none if that is no image."""
    image = graph.inputs[0]
    if len(image.shape) != 3:
        return {}
    height, width = (Moving(dim, image.shape[dim], 1, POINT) for dim in (1, 2))
    found: dict[int, Sights] = {image.id: (Sight(height), Sight(width))}
    for node in graph.layers:
        read = [
            (found[i], node.op.reads(x, node.shape))
            for i, x in zip(node.inputs, node.input_shapes, strict=True)
            if i in found
        ]
        if read:
            found[node.id] = (
                reduce(merged, [through(own[0], rules, node.shape) for own, rules in read]),
                reduce(merged, [through(own[1], rules, node.shape) for own, rules in read]),
            )
    return found


def last_map(graph: Graph, found: Mapping[int, Sights]) -> int | None:
    """The id of the last node before the first output whose values have a place in the image."""
    ahead = {graph.output.node}
    while ahead:
        node = max(ahead)
        if node in found and len(placed(found[node])) == 2:
            return node
        ahead = ahead - {node} | set(graph.nodes[node].inputs)
    return None


def through(sight: Sight, rules: Sequence[Reading], out: Shape) -> Sight:
    """What the values of an output see, by how they read the input."""
    moving = sight.moving
    if moving is None:
        return sight
    if moving.dim is None:
        apart = all(rule is LOOSE or (isinstance(rule, Along) and rule.pointwise) for rule in rules)
        return sight if apart else stopped(sight, moving)
    rule = rules[moving.dim]
    if rule is LOOSE:
        return Sight(replace(moving, dim=None), sight.fixed)
    if not isinstance(rule, Along):
        return stopped(sight, moving)
    after = composed(moving, rule, out[rule.to])
    if after is None:
        return stopped(sight, moving)
    return Sight(after, joined(sight.fixed, moving.whole) if rule.whole else sight.fixed)


def stopped(sight: Sight, moving: Moving) -> Sight:
    """Every value sees what all places see together."""
    return Sight(None, joined(sight.fixed, moving.whole))


def composed(moving: Moving, rule: Along, count: int) -> Moving | None:
    """The windows of an output's places; None where they are too many or too far apart to tell."""
    if rule.step == 1 and rule.reads == POINT:
        return Moving(rule.to, count, moving.step, moving.reads)
    period, group = len(moving.reads), len(rule.reads)
    rounds = period // gcd(rule.step, period)
    step = moving.step * rounds * rule.step // period
    if rounds * group > LONGEST or step > FARTHEST:
        return None
    reads = tuple(
        None
        if span is None
        else moving.over(span[0] + round * rule.step, span[1] + round * rule.step)
        for round in range(rounds)
        for span in rule.reads
    )
    return shortest(Moving(rule.to, count, step, reads))


def shortest(moving: Moving) -> Moving:
    """The same windows, by the least number of them that repeats."""
    every = len(moving.reads)
    for period in range(1, every):
        if every % period or moving.step * period % every:
            continue
        part = replace(moving, step=moving.step * period // every, reads=moving.reads[:period])
        if all(part.at(place) == moving.reads[place] for place in range(every)):
            return part
    return moving


def merged(a: Sight, b: Sight) -> Sight:
    """What values see that are made of two others, place by place."""
    fixed = joined(a.fixed, b.fixed)
    if a.moving is None or b.moving is None:
        return Sight(a.moving or b.moving, fixed)
    one, other = a.moving, b.moving
    if (one.dim, one.count) != (other.dim, other.count):
        return Sight(one, joined(fixed, other.whole))
    period = lcm(len(one.reads), len(other.reads))
    if one.rate != other.rate:  # the windows drift apart: each place has one of its own
        period = -(-one.count // one.rate.denominator) * one.rate.denominator
        if period > LONGEST:
            return Sight(one, joined(fixed, other.whole))
    reads = tuple(joined(one.at(place), other.at(place)) for place in range(period))
    step = int(one.rate * period)
    return Sight(shortest(Moving(one.dim, one.count, step, reads)), fixed)


def joined(*spans: Span | None) -> Span | None:
    """The span from the first place to the last of all."""
    known = [span for span in spans if span is not None]
    if not known:
        return None
    return min(first for first, _ in known), max(last for _, last in known)


def placed(own: Sights) -> list[Moving]:
    """The sides along which the values have a place."""
    return [s.moving for s in own if s.moving is not None and s.moving.dim is not None]


def field_of(own: Sights, image: Shape) -> Field:
    size = size_of(own[0], image.height), size_of(own[1], image.width)
    places = placed(own)
    if len(places) < 2:
        return Field(size, None, None)
    rows, columns = places
    return Field(size, (widest(rows), widest(columns)), (rows.rate, columns.rate))


def size_of(sight: Sight, side: int) -> int:
    """The length of what is seen: of the windows, or of the part of the image that all see."""
    if sight.fixed is None:
        return widest(sight.moving) if sight.moving else 0
    return max(0, min(sight.fixed[1], side - 1) - max(sight.fixed[0], 0) + 1)


def widest(moving: Moving) -> int:
    return max((span[1] - span[0] + 1 for span in moving.reads if span is not None), default=0)
