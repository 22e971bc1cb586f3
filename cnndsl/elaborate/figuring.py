"""How sizes came about, in the words of messages about them."""

from __future__ import annotations

from collections.abc import Sequence

from cnndsl.graph import Node
from cnndsl.ops.base import Op, Shape
from cnndsl.ops.sums import Sum, worded


def arithmetic(op: Op, inputs: Sequence[Shape]) -> tuple[Sum, ...]:
    """How the sizes of an op's output come about; nothing where it takes no such inputs."""
    taken = all(len(x) in op.ranks for x in inputs)
    return op.arithmetic(*inputs) if taken else ()


def too_small(op: Op, inputs: Sequence[Shape]) -> tuple[str, ...]:
    """The sums of an op that does not take its inputs, if it is for one of them."""
    sums = arithmetic(op, inputs)
    return worded(sums, [one for one in sums if not one.fits])


def other_than(node: Node, expected: Shape) -> tuple[str, ...]:
    """The sums of a node that come to other sizes than those that are expected."""
    if len(node.shape) != len(expected):
        return ()
    sums = arithmetic(node.op, node.input_shapes)
    return worded(sums, [one for one in sums if one.value != expected[one.axis]])


def beside(sums: Sequence[str]) -> str:
    """What sums add to a message."""
    return f": {', '.join(sums)}" if sums else ""
