"""How sizes came about, in the words of messages about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnndsl.graph import Node
from cnndsl.ops.base import Op, Shape
from cnndsl.ops.sums import Sum, worded


def arithmetic(op: Op, inputs: Sequence[Shape]) -> tuple[Sum, ...]:
    """How the sizes of an op's output come about; nothing where it takes no such inputs."""
    taken = all(len(x) in op.ranks for x in inputs)
    try:
        return op.arithmetic(*inputs) if inputs and taken else ()
    except OverflowError:  # a number is beyond all bounds, which is told instead
        return ()


@dataclass(frozen=True)
class Figured:
    """The sums of an output's sizes, if some are at fault: all of them, and those."""

    sums: tuple[Sum, ...] = ()
    wrong: tuple[Sum, ...] = ()

    @property
    def whole(self) -> tuple[str, ...]:
        return worded(self.sums) if self.wrong else ()

    @property
    def beside(self) -> str:
        """What it adds to a message."""
        return f": {', '.join(worded(self.sums, self.wrong))}" if self.wrong else ""


def too_small(op: Op, inputs: Sequence[Shape]) -> Figured:
    """Of an op that does not take its inputs."""
    sums = arithmetic(op, inputs)
    return Figured(sums, tuple(one for one in sums if not one.fits))


def other_than(node: Node, expected: Shape) -> Figured:
    """Of a node that has not the shape that is expected."""
    sums = arithmetic(node.op, node.input_shapes)
    if len(node.shape) != len(expected):
        return Figured(sums)
    return Figured(sums, tuple(one for one in sums if one.value != expected[one.axis]))
