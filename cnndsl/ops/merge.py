"""Ops that join several values, and the share of one value that a branch of `split` gets.

The language writes them in words of its own (`concat:`, `residual:`, `split:`): they are internal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import reduce

from cnndsl.ops.base import Family, Op, Reject, Shape, arg


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
        return reduce(self.join, inputs)

    @abstractmethod
    def join(self, a: Shape, b: Shape) -> Shape:
        """The shape of two values joined."""


class Concat(Merge, name="concat"):
    """Stack the channels of all branches."""

    def join(self, a: Shape, b: Shape) -> Shape:
        if len(a) != len(b) or a[1:] != b[1:]:
            what = "height and width" if len(a) == len(b) == 3 else "dimensions after the channels"
            raise Reject(f"concat needs equal {what}, found {a} and {b}")
        return Shape((a.channels + b.channels, *a[1:]))

    def function(self, *xs: Shape) -> str:
        return f"torch.cat([{', '.join(_places(xs))}], dim=1)"


class Elementwise(Merge):
    """Value by value; a dimension of 1 is repeated to the other's size, as PyTorch does."""

    def join(self, a: Shape, b: Shape) -> Shape:
        if len(a) != len(b) or any(m != n and 1 not in (m, n) for m, n in zip(a, b, strict=True)):
            raise Reject(f"{self.name} needs equal shapes (or sizes of 1), found {a} and {b}")
        return Shape(max(m, n) for m, n in zip(a, b, strict=True))


class Add(Elementwise, name="add"):
    """Add all branches."""

    def function(self, *xs: Shape) -> str:
        return " + ".join(_places(xs))


class Mul(Elementwise, name="mul"):
    """Multiply all branches."""

    def function(self, *xs: Shape) -> str:
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

    def function(self, x: Shape) -> str:
        return f"{{0}}.chunk({self.of}, dim=1)[{self.index}]"


def _places(xs: tuple[Shape, ...]) -> list[str]:
    return [f"{{{i}}}" for i in range(len(xs))]
