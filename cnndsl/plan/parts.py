"""What a module is made of, before it is text or cost: leaves, chains and classes.

Every constant in a leaf is a hole. Parts with equal keys differ in their holes' values alone, so
one class serves them all, and the holes that differ become its parameters.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cnndsl.ops.base import Call


@dataclass(frozen=True)
class Hole:
    """A constant at one place, and what a parameter for it would be called."""

    hint: str
    value: Any


@dataclass(frozen=True)
class Leaf:
    """A call of PyTorch; `defaults` are the values at which a keyword is left out."""

    call: Call
    defaults: Mapping[str, Any]
    hints: tuple[str, ...]

    @property
    def inplace(self) -> bool:
        """Whether it writes its result over its input."""
        return ("inplace", True) in self.call.kwargs

    @cached_property
    def key(self) -> Hashable:
        return ("leaf", _call_key(self.call))

    @cached_property
    def holes(self) -> tuple[Hole, ...]:
        return tuple(_call_holes(self.call, self.hints))


@dataclass(frozen=True)
class Chain:
    """Modules that run one after the other: nn.Sequential."""

    children: tuple[tuple[str, Part], ...]

    @cached_property
    def key(self) -> Hashable:
        return ("chain", tuple((name, part.key) for name, part in self.children))

    @cached_property
    def holes(self) -> tuple[Hole, ...]:
        return tuple(hole for _, part in self.children for hole in part.holes)


@dataclass(frozen=True)
class Line:
    """A statement of a forward pass: `targets = value`, or with `sign` `target sign value`.

    It computes the node or the scope at `path` from the variables `reads`.
    """

    path: str
    reads: tuple[str, ...]
    targets: tuple[str, ...]
    value: str
    sign: str = "="
    inplace: bool = False
    """Whether the node writes its result over its first input."""
    train_only: bool = False
    shape: str = ""

    @property
    def target(self) -> str:
        return ", ".join(self.targets)


@dataclass(frozen=True)
class Class:
    """A module with a forward pass of its own, or a chain that is a block."""

    name: str
    chain: bool
    fields: tuple[tuple[str, Part], ...]
    inputs: tuple[str, ...]
    lines: tuple[Line, ...]
    outputs: tuple[str, ...]
    absent: tuple[tuple[bool, ...], tuple[bool, ...]]
    """Which of the inputs and of the outputs are None in inference."""
    args: Mapping[str, Any]
    defaults: Mapping[str, Any]

    @cached_property
    def key(self) -> Hashable:
        fields = tuple((name, part.key) for name, part in self.fields)
        lines = tuple((line.target, line.sign, line.value, line.train_only) for line in self.lines)
        ends = (self.inputs, self.outputs, self.absent)
        return ("class", self.name, self.chain, fields, lines, ends)

    @cached_property
    def holes(self) -> tuple[Hole, ...]:
        return tuple(hole for _, part in self.fields for hole in part.holes)


Part = Leaf | Chain | Class


def _call_key(call: Call) -> Hashable:
    inner = [call.args, *((name, value) for name, value in call.kwargs)]
    return (call.target, len(call.args), tuple(name for name, _ in call.kwargs), _nested(inner))


def _nested(values: Any) -> Hashable:
    """The calls among the values, by place."""
    flat = [v for value in values for v in (value if isinstance(value, tuple) else (value,))]
    return tuple((i, _call_key(v)) for i, v in enumerate(flat) if isinstance(v, Call))


def _call_holes(call: Call, hints: tuple[str, ...]) -> Iterator[Hole]:
    named = [(hints[i] if i < len(hints) else "value", value) for i, value in enumerate(call.args)]
    for hint, value in [*named, *call.kwargs]:
        if isinstance(value, Call):
            yield from _call_holes(value, (hint,))
        else:
            yield Hole(hint, value)


def classes(part: Part) -> Iterator[Class]:
    """The classes in a part, inner ones first."""
    inner = (
        part.children if isinstance(part, Chain) else part.fields if isinstance(part, Class) else ()
    )
    for _, child in inner:
        yield from classes(child)
    if isinstance(part, Class):
        yield part


def leaves(part: Part) -> Iterator[Leaf]:
    """The leaves in a part."""
    if isinstance(part, Leaf):
        yield part
        return
    for _, child in part.children if isinstance(part, Chain) else part.fields:
        yield from leaves(child)
