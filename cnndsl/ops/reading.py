"""How the values of an op's output read its input, dimension by dimension."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from math import ceil, floor, gcd

Span = tuple[int, int]
"""The first and the last of neighbouring places."""
LONGEST = 4096
"""How many places of different reading a dimension has at the most, to be told apart."""


@dataclass(frozen=True, slots=True)
class Along:
    """A dimension of the input that dimension `to` of the output follows.

    The places of the output come in groups of `len(reads)`. Place i of group g reads the input's
    places from `first + g * step` to `last + g * step`, where (first, last) is `reads[i]`; these
    may lie in the padding. None reads nothing. With `whole`, each reads all places of the input
    beside these: what is at its own place, and a statistic of all.
    """

    to: int
    step: int = 1
    reads: tuple[Span | None, ...] = ((0, 0),)
    whole: bool = False

    @property
    def pointwise(self) -> bool:
        """Whether no place reads more than one."""
        return not self.whole and all(span is None or span[0] == span[1] for span in self.reads)


class Spread(Enum):
    """A dimension of the input that no dimension of the output follows."""

    WHOLE = "each value of the output reads all its places"
    LOOSE = "each value of the output reads one of its places, or a group that has moved"


WHOLE, LOOSE = Spread.WHOLE, Spread.LOOSE
Reading = Along | Spread


def pointwise(rank: int) -> tuple[Reading, ...]:
    """Each value reads the one at its own place."""
    return tuple(Along(dim) for dim in range(rank))


def normalized(rank: int, dims: Iterable[int]) -> tuple[Reading, ...]:
    """Each value reads the one at its own place, and a statistic over all places of `dims`."""
    over = set(dims)
    return tuple(Along(dim, whole=dim in over) for dim in range(rank))


def window(to: int, kernel: int, stride: int = 1, before: int = 0, dilation: int = 1) -> Along:
    """A window that slides, and begins `before` places before the input."""
    return Along(to, stride, ((-before, dilation * (kernel - 1) - before),))


def spread_window(to: int, kernel: int, stride: int, cut: int, dilation: int) -> Reading:
    """A transposed window: input i goes to outputs i * stride - cut + tap * dilation."""
    if stride > LONGEST:
        return WHOLE
    every = stride // gcd(stride, dilation)  # taps that go to one output are so far apart
    reads: list[Span | None] = []
    for place in range(stride):
        ends = (place + cut - tap * dilation for tap in range(min(kernel, every)))
        last = next((end // stride for end in ends if end % stride == 0), None)
        if last is None:
            reads.append(None)
            continue
        first_tap = (place + cut - last * stride) // dilation
        taps = (kernel - 1 - first_tap) // every
        reads.append((last - taps * every * dilation // stride, last))
    return Along(to, 1, tuple(reads))


def shares_of(to: int, size: int, parts: int) -> Reading:
    """The windows of adaptive pooling, which share `size` places out to `parts`."""
    scale = Fraction(size, parts)
    return resampled(to, scale, lambda i: (floor(i * scale), ceil((i + 1) * scale) - 1))


def resampled(to: int, scale: Fraction, read: Callable[[int], Span]) -> Reading:
    """Places `scale` of the input's apart, read as the function says for each."""
    if scale.denominator > LONGEST:
        return WHOLE
    return Along(to, scale.numerator, tuple(map(read, range(scale.denominator))))
