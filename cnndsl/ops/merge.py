"""Ops that join several values, and the share of one value that a branch of `split` gets.

The language writes them in words of its own (`concat:`, `residual:`, `split:`): they are internal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import reduce
from itertools import accumulate, pairwise

from cnndsl.ops.base import Family, Op, Reject, Shape, arg
from cnndsl.ops.memory import FLOAT, NOTHING, Kept
from cnndsl.ops.reading import WHOLE, Along, Reading, pointwise
from cnndsl.ops.sums import Sum, ratio

MANY = 100
"""From how many values on they are summed as a list: Python nests each operator in the next one."""
WIDE = 8
"""From how many shares on each is read for itself, not picked from all of them."""


MAX_ADDENDS = 20
"""Of how many branches a reader still follows the sum of their channels."""


class Merge(Op, ABC):
    """What merges share: any number of inputs, all of one rank."""

    family = Family.MERGE
    ranks = (1, 2, 3)
    arity = None
    internal = True
    overwritable = True

    def infer(self, inputs: tuple[Shape, ...]) -> Shape:
        if not inputs:
            raise Reject(f"{self.name} has no branches")
        return reduce(self._joined, inputs)

    def _joined(self, a: Shape, b: Shape) -> Shape:
        if not self.fits(a, b):
            raise Reject(f"{self.needs(a, b)}, found {a} and {b}")
        return self.join(a, b)

    def arithmetic(self, *xs: Shape) -> tuple[Sum, ...]:
        return ()

    def shares(self, *xs: Shape, training: bool) -> bool:
        return False

    def kept(self, *xs: Shape, inplace: bool = False) -> Kept:
        return NOTHING

    def scratch(self, *xs: Shape) -> int:
        return 0

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        """A dimension of 1 that is repeated to the other's size is read by all its places."""
        repeated = (x[dim] == 1 < out[dim] for dim in range(1, len(x)))
        return (Along(0), *(WHOLE if r else Along(1 + i) for i, r in enumerate(repeated)))

    @abstractmethod
    def fits(self, a: Shape, b: Shape) -> bool:
        """Whether two values can be joined."""

    @abstractmethod
    def needs(self, a: Shape, b: Shape) -> str:
        """What two values that do not fit must have in common, in words."""

    @abstractmethod
    def join(self, a: Shape, b: Shape) -> Shape:
        """The shape of two values joined, which fit."""


class Concat(Merge, name="concat"):
    """Stack the channels of all branches."""

    def fits(self, a: Shape, b: Shape) -> bool:
        return len(a) == len(b) and a[1:] == b[1:]

    def needs(self, a: Shape, b: Shape) -> str:
        images = len(a) == len(b) == 3
        what = "height and width" if images else "dimensions after the channels"
        return f"concat needs equal {what}"

    def join(self, a: Shape, b: Shape) -> Shape:
        return Shape((a.channels + b.channels, *a[1:]))

    def arithmetic(self, *xs: Shape) -> tuple[Sum, ...]:
        channels = [x.channels for x in xs]
        if len(xs) > MAX_ADDENDS:
            return ()
        return (Sum(0, " + ".join(map(str, channels)), sum(channels)),)

    def function(self, *xs: Shape) -> str:
        return f"torch.cat([{', '.join(_places(xs))}], dim=1)"


class Elementwise(Merge):
    """Value by value; a dimension of 1 is repeated to the other's size, as PyTorch does."""

    def fits(self, a: Shape, b: Shape) -> bool:
        return len(a) == len(b) and all(m == n or 1 in (m, n) for m, n in zip(a, b, strict=True))

    def needs(self, a: Shape, b: Shape) -> str:
        return f"{self.name} needs equal shapes (or sizes of 1)"

    def join(self, a: Shape, b: Shape) -> Shape:
        return Shape(max(m, n) for m, n in zip(a, b, strict=True))

    def shares(self, *xs: Shape, training: bool) -> bool:
        return len(xs) == 1

    def scratch(self, *xs: Shape) -> int:
        """Of three values and more, the result of the first ones is held for the next step."""
        results = [result.size for result in self._results(xs)]
        steps = pairwise(results)
        return FLOAT * max((held + made - results[-1] for held, made in steps), default=0)

    def _results(self, xs: tuple[Shape, ...]) -> list[Shape]:
        """The result of the first two, that with the third, and so on."""
        return list(accumulate(xs, self.join))[1:]


class Add(Elementwise, name="add"):
    """Add all branches."""

    def function(self, *xs: Shape) -> str:
        first, *others = _places(xs)
        if len(xs) > MANY:
            return f"sum([{', '.join(others)}], {first})"
        return " + ".join(_places(xs))


class Mul(Elementwise, name="mul"):
    """Multiply all branches."""

    def kept(self, *xs: Shape, inplace: bool = False) -> Kept:
        inner = self._results(xs)[:-1]
        return Kept(input=len(xs) > 1, own=FLOAT * sum(result.size for result in inner))

    def function(self, *xs: Shape) -> str:
        first, *others = _places(xs)
        if len(xs) > MANY:
            return f"math.prod([{', '.join(others)}], start={first})"
        return " * ".join(_places(xs))


class Share(Op, name="share"):
    """One of equal parts of the channels: what a branch of `split` gets."""

    ranks = (1, 2, 3)
    internal = True

    index: int = arg("Which part, from 0.", min=0)
    of: int = arg("Number of parts.", min=1)

    def shape(self, x: Shape) -> Shape:
        if x.channels % self.of:
            raise Reject(f"{x.channels} channels do not split into {self.of} equal parts")
        return Shape((x.channels // self.of, *x[1:]))

    def arithmetic(self, x: Shape, /) -> tuple[Sum, ...]:
        return (ratio(0, x.channels, (self.of,)),)

    def shares(self, x: Shape, /, *, training: bool) -> bool:
        return True

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return NOTHING

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        first = self.index * out.channels
        return (Along(0, 1, ((first, first),)), *pointwise(len(x))[1:])

    def function(self, x: Shape) -> str:
        if self.of > WIDE:
            return f"{{0}}.unflatten(1, ({self.of}, -1))[:, {self.index}]"
        return f"{{0}}.chunk({self.of}, dim=1)[{self.index}]"


def _places(xs: tuple[Shape, ...]) -> list[str]:
    return [f"{{{i}}}" for i in range(len(xs))]
