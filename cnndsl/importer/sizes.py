"""The network on images of another size: what a spec takes for a constant, and is none."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from cnndsl.importer.functions import said
from cnndsl.importer.steps import Network, Step
from cnndsl.ops.base import Shape


def other_sizes(shape: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Shapes to try beside this one, the cheapest first; features have no other size."""
    if len(shape) < 2:
        return
    channels, *sides = shape
    for change in (lambda n: n // 2, lambda n: 2 * n, lambda n: n - 32, lambda n: n + 32):
        changed = (channels, *map(change, sides))
        if min(changed) > 0:
            yield changed


def parted(network: Network, other: Network) -> list[str]:
    """What the calls for two sizes of the input differ in, in words."""
    here, there = (f"{Shape(n.shape)}" for n in (network, other))
    if _ways(network) != _ways(other):
        return [
            f"the forward pass takes another way for {there}; the spec holds that for {here}",
        ]
    pairs = zip(network.steps, other.steps, strict=True)
    found = [text for one, two in pairs for text in _constants(one, two)]
    return [f"{text} for {here}, and stays so for every input of the spec" for text in found]


def _ways(network: Network) -> list[tuple[object, ...]]:
    """Which op runs where on which values, without its arguments."""
    number = {network.input: 0} | {step.id: i for i, step in enumerate(network.steps, 1)}
    return [
        *((s.path, s.kind, *(number[i] for i in s.inputs)) for s in network.steps),
        *((name, number[id]) for name, id in network.outputs.items()),
    ]


def _constants(one: Step, other: Step) -> Iterator[str]:
    """The arguments that the network computes from the size of its input."""
    assert one.op is not None
    where = f"`{one.path}`" if one.path else "the network itself"
    for field in dataclasses.fields(one.op):  # type: ignore[arg-type]
        here, there = (getattr(step.op, field.name) for step in (one, other))
        if here != there:
            kind = f"{one.kind}.{field.name}"
            yield f"in {where}, {kind} comes from the size of its input: it is {said(here)}"
