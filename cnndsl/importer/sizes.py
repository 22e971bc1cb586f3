"""The network on samples of other sizes: what a spec takes for a constant, and is none."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from math import prod

import torch

from cnndsl.builder import build_module
from cnndsl.graph import Graph
from cnndsl.importer.errors import Problem
from cnndsl.importer.functions import said
from cnndsl.importer.guarding import said as told_of
from cnndsl.importer.steps import Network, Step
from cnndsl.importer.tracing import BATCH
from cnndsl.ops.base import Shape

MANY_SAMPLES = 8
"""Another number of samples than is traced else, and even."""

Side = Callable[[int], int]

KINDS: tuple[tuple[tuple[Side, ...], ...], ...] = (
    ((lambda n: n // 2,), (lambda n: 2 * n,), (lambda n: n - 32,), (lambda n: n + 32,)),
    (
        (lambda n: n + 1, lambda n: n + 3),
        (lambda n: n - 1, lambda n: n - 3),
        (lambda n: n + 32, lambda n: n + 64),
    ),
    ((lambda n: n + 6, lambda n: n + 1), (lambda n: n + 64, lambda n: n + 32)),
    ((lambda n: 4 * n,), (lambda n: 3 * n,)),
)
"""What each side becomes, in turn: half of it, others of another parity, higher ones, large ones.

Of each kind the first that the network takes is looked at.
"""


@dataclasses.dataclass(frozen=True)
class Modes:
    """The network for one shape of samples and one number of them, in training and inference."""

    shape: tuple[int, ...]
    training: Network
    inference: Network

    def of(self) -> tuple[Network, Network]:
        return self.training, self.inference


def other_sizes(shape: Sequence[int]) -> Iterator[Iterator[tuple[int, ...]]]:
    """Shapes to try beside this one, by kind; features have no other size."""
    channels, *sides = shape
    for kind in KINDS if sides else ():
        yield (
            (channels, *changed)
            for changes in kind
            if min(changed := [f(n) for f, n in zip(cycle(changes), sides, strict=False)]) > 0
        )


def alike(one: Network, other: Network) -> bool:
    """Whether the ops and their arguments are the same."""
    return _ways(one) == _ways(other) and not _constants(one, other)


def parted(here: Modes, others: Sequence[Modes]) -> list[str]:
    """What the calls for other sizes of the input differ in, in words."""
    mine = f"{Shape(here.shape)}"
    ways = [other for other in others if _other_way(here, other)]
    notes = []
    if ways:
        there = ", ".join(f"{Shape(other.shape)}" for other in ways)
        notes.append(
            f"the forward pass takes another way for {there}; the spec holds that for {mine}"
        )
    found = dict.fromkeys(
        f"in {_where(step)}, {field} comes from the size of its input: it is {value}"
        for other in others
        if other not in ways
        for a, b in zip(here.of(), other.of(), strict=True)
        for step, field, value in _constants(a, b)
    )
    return [
        *notes,
        *(f"{text} for {mine}, and stays so for every input of the spec" for text in found),
    ]


def _other_way(here: Modes, other: Modes) -> bool:
    return any(_ways(a) != _ways(b) for a, b in zip(here.of(), other.of(), strict=True))


def to_run(here: Modes, others: Sequence[Modes]) -> list[tuple[int, ...]]:
    """The shapes to prove a spec for: those not much larger than its own that it holds for."""
    most = 1.5 * prod(here.shape)
    found = [
        other.shape
        for other in others
        if prod(other.shape) < most and all(map(alike, here.of(), other.of()))
    ]
    return [here.shape, *found[:2]]


def of_the_batch(here: Modes, other: Modes) -> list[Problem]:
    """What comes from the number of samples, which no op knows."""
    if not _other_way(here, other):
        found = [
            Problem(
                step.path, f"{field} comes from the number of samples: it is {value} for {BATCH}"
            )
            for a, b in zip(here.of(), other.of(), strict=True)
            for step, field, value in _constants(a, b)
        ]
        return list(dict.fromkeys(found))
    fact = f"the forward pass takes another way for {MANY_SAMPLES} samples than for {BATCH}"
    return [Problem("", fact)]


def misshapen(graph: Graph, others: Sequence[Modes]) -> list[str]:
    """A note on the first of the sizes for which the spec gives outputs of other shapes."""
    with torch.device("meta"):
        module = build_module(graph).eval()
    for other in others:
        wanted = [_shape_of(other.inference, id) for id in other.inference.outputs.values()]
        there = f"{Shape(other.shape)}"
        try:
            with torch.no_grad():
                result = module(torch.empty(BATCH, *other.shape, device="meta"))
        except Exception as e:  # an op fails on sizes in as many ways as there are
            return [f"the spec's network does not take {there}, as the network does: {told_of(e)}"]
        outputs = [result] if isinstance(result, torch.Tensor) else list(result)
        found = [Shape(output.shape[1:]) for output in outputs]
        for mine, its in zip(found, wanted, strict=True):
            if mine != its:
                return [f"for {there} the spec's network gives {mine}, and the network {its}"]
    return []


def _shape_of(network: Network, id: int) -> Shape:
    return network.shape if id == network.input else network.by_id[id].shape


def _ways(network: Network) -> list[tuple[object, ...]]:
    """Which op runs where on which values, without its arguments."""
    number = {network.input: 0} | {step.id: i for i, step in enumerate(network.steps, 1)}
    return [
        *((s.path, s.kind, *(number[i] for i in s.inputs)) for s in network.steps),
        *((name, number[id]) for name, id in network.outputs.items()),
    ]


def _where(step: Step) -> str:
    return f"`{step.path}`" if step.path else "the network itself"


def _constants(here: Network, other: Network) -> list[tuple[Step, str, str]]:
    """The arguments that differ, and what they are here."""
    return [
        (one, f"{one.kind}.{field.name}", said(value))
        for one, two in zip(here.steps, other.steps, strict=True)
        for field in (dataclasses.fields(one.op) if one.op else ())  # type: ignore[arg-type]
        if (value := getattr(one.op, field.name)) != getattr(two.op, field.name)
    ]
