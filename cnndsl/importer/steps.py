"""A traced network as ops of cnndsl: steps in the order they run, each with one value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cnndsl.ops import registry
from cnndsl.ops.base import Op, Shape


@dataclass(frozen=True)
class Step:
    """One op at one place; the id is that of its value.

    `path` is the module that computes it, or, with `named` false, the one whose forward pass does.
    Where no op expresses the call, `op` is None and `fault` says what was called.
    """

    id: int
    path: str
    named: bool
    op: Op | None
    inputs: tuple[int, ...]
    shapes: tuple[Shape, ...]
    shape: Shape
    fault: str = ""
    active: bool | None = None
    """Whether what differs in training runs as in training."""
    weights: tuple[str, ...] = ()
    """The paths of the weights that a function reads itself."""

    @property
    def kind(self) -> str:
        """The op's name."""
        return self.op.name if self.op else ""

    @property
    def x(self) -> Shape:
        """The shape of the first input."""
        return self.shapes[0] if self.shapes else self.shape


@dataclass(frozen=True)
class Network:
    """The steps, the id of the input, and the values that the network returns."""

    input: int
    shape: Shape
    steps: tuple[Step, ...]
    outputs: Mapping[str, int]

    @property
    def by_id(self) -> dict[int, Step]:
        return {step.id: step for step in self.steps}


def merge(kind: str) -> Op:
    """The op of a merge, which specs write in words of their own."""
    return registry()[kind]()


def needed(steps: Iterable[Step], outputs: Iterable[int]) -> set[int]:
    """The ids of the steps that the outputs come from."""
    by_id = {step.id: step for step in steps}
    ahead, found = list(outputs), set[int]()
    while ahead:
        id = ahead.pop()
        if id in by_id and id not in found:
            found.add(id)
            ahead += by_id[id].inputs
    return found
