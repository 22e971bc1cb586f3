"""That a spec's network equals the original, by running both on numbers.

The original is the judge: with the same weights, by name, both give the same bits in inference and
in training, module by module, the same gradients, and leave the same buffers behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from cnndsl.builder import build_module
from cnndsl.graph import Graph
from cnndsl.importer.errors import ModelError, Problem
from cnndsl.importer.guarding import on_numbers, said
from cnndsl.importer.losses import listed
from cnndsl.importer.running import SEED, Pass, Run, filled, run, run_like, still

SAMPLES = 2
WIDE = 10
"""What samples are multiplied by once, for the thresholds that lie far from 0."""
ROUNDING = 1e-3
"""What gradients may differ by, of the largest: sums in another order, amplified by the layers.

Where they all but cancel out, it is the square of it, of the largest of all weights.
"""


OTHER_GRADIENT = "has another gradient"


@dataclass(frozen=True)
class Proof:
    """What differs, and what holds with a reservation, as notes."""

    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def of_gradients(self) -> bool:
        """Whether all values are equal, and only what the network learns by differs."""
        return all(problem.fact == OTHER_GRADIENT for problem in self.problems)


def prove(graph: Graph, original: nn.Module, shapes: Sequence[Sequence[int]]) -> Proof:
    """Hold a spec's network against the original, which is filled with numbers and run.

    `shapes` are those of the samples to run both on; gradients are compared on the smallest.
    Raises ModelError where the original cannot be run, or gives two results for one input.
    """
    with torch.device("meta"):
        ours = build_module(graph)
    problems = tuple(_weights(ours, original))
    if problems:
        return Proof(problems)
    theirs = filled(original)
    ours.to_empty(device="cpu").load_state_dict(theirs.state_dict(), strict=True)
    learning = {name for name, p in theirs.named_parameters() if p.requires_grad}
    for name, parameter in ours.named_parameters():
        parameter.requires_grad_(name in learning)
    notes: list[str] = []
    for pass_ in _passes(shapes):
        proof = _compared(ours, theirs, pass_)
        notes += proof.notes
        if proof.problems:
            return Proof(proof.problems, tuple(notes))
    return Proof((), tuple(dict.fromkeys(notes)))


def _passes(shapes: Sequence[Sequence[int]]) -> Iterator[Pass]:
    smallest = min(shapes, key=prod)
    for shape in shapes:
        x = torch.randn(SAMPLES, *shape, generator=torch.Generator().manual_seed(SEED))
        yield Pass(x, training=False, backward=False)
        yield Pass(x, training=True, backward=shape == smallest)
        if shape == smallest:
            yield Pass(WIDE * x, training=False, backward=False)


def _compared(ours: nn.Module, theirs: nn.Module, pass_: Pass) -> Proof:
    with on_numbers():
        wanted = run(theirs, pass_)
    try:
        found = run_like(ours, pass_, wanted)
        problems = list(_differences(found, wanted, pass_))
        if problems and pass_.training and _alike_when_still(ours, theirs, pass_):
            return Proof((), ("its random numbers are drawn in another order than the network's",))
    except Exception as e:  # the spec's network fails in as many ways as there are
        return Proof((Problem("", f"the spec's network cannot be run: {said(e)}"),))
    if problems:
        _refuse_unsteady(theirs, pass_)
        return Proof(tuple(problems))
    return Proof((), tuple(_reservations(found, wanted)))


def _alike_when_still(ours: nn.Module, theirs: nn.Module, pass_: Pass) -> bool:
    with still():
        wanted = run(theirs, pass_)
        return not list(_differences(run_like(ours, pass_, wanted), wanted, pass_))


def _differences(found: Run, wanted: Run, pass_: Pass) -> Iterator[Problem]:
    """What differs between two runs: the outputs, or what leads to them; else the gradients."""
    if len(found.outputs) != len(wanted.outputs):
        told = f"{len(found.outputs)} outputs in the spec, {len(wanted.outputs)} there"
        yield Problem("", f"{told}, in {pass_}")
        return
    differ = False
    for index, pair in enumerate(zip(found.outputs, wanted.outputs, strict=True)):
        if not _same(*pair):
            differ = True
            yield Problem("", f"output {index} differs in {pass_}")
    for path, value in wanted.values.items():
        if path in found.values and not _same(found.values[path], value):
            yield Problem(path, f"gives another value in {pass_}")
            return  # what comes after it differs too
    for name, buffer in found.buffers.items():
        if not _same(buffer, wanted.buffers[name]):
            differ = True
            yield Problem(name, f"is another after {pass_}")
    if not differ:
        yield from _gradients(found, wanted)


def _gradients(found: Run, wanted: Run) -> Iterator[Problem]:
    known = {name: gradient for name, gradient in wanted.gradients.items() if gradient is not None}
    largest = max((float(gradient.abs().max()) for gradient in known.values()), default=0.0)
    for name, gradient in known.items():
        mine = found.gradients.get(name)
        if mine is None or not _near(mine, gradient, ROUNDING**2 * largest):
            yield Problem(name, OTHER_GRADIENT)


def _same(one: Tensor, other: Tensor) -> bool:
    """Equal bits; what is no number in both is equal too."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return torch.equal(one, other) or bool(((one == other) | (one.isnan() & other.isnan())).all())


def _near(one: Tensor, other: Tensor, least: float) -> bool:
    """Equal but for rounding, relative to the largest; `least` is what all gradients may have."""
    if _same(one, other):
        return True
    far = float((one - other).abs().max())
    return far <= max(ROUNDING * float(other.abs().max()), least)


def _reservations(found: Run, wanted: Run) -> Iterator[str]:
    """What is true of equal networks, and a user should know."""
    lost = [name for name, gradient in wanted.gradients.items() if gradient is None]
    if lost:
        yield f"these get no gradient in the network, and learn in the spec: {listed(lost)}"
    pairs = [(found.gradients.get(name), g) for name, g in wanted.gradients.items()]
    if any(g is not None and mine is not None and not _same(mine, g) for mine, g in pairs):
        yield "gradients are equal but for rounding: their sums are taken in another order"
    if not all(output.isfinite().all() for output in wanted.outputs):
        yield "with random weights outputs are not finite, so that less is proven of them"


def _refuse_unsteady(theirs: nn.Module, pass_: Pass) -> None:
    """Raise ModelError where the original does not give the same twice, and so is no judge."""
    first, second = (run(theirs, pass_).outputs for _ in range(2))
    if len(first) != len(second) or not all(map(_same, first, second)):
        fact = "the network gives two results for one input, one weight and one seed"
        raise ModelError(fact, "a spec's network has no memory and no random numbers of its own")


def _weights(ours: nn.Module, theirs: nn.Module) -> Iterator[Problem]:
    """Weights that one has and the other lacks, or has in another shape, or that do not learn."""
    mine, other = ({n: tuple(t.shape) for n, t in m.state_dict().items()} for m in (ours, theirs))
    for name in [*other, *(n for n in mine if n not in other)]:
        if mine.get(name) != other.get(name):
            there = other.get(name, "missing")
            yield Problem(name, f"{mine.get(name, 'missing')} in the spec, {there} there")
    learned = [{name for name, _ in model.named_parameters()} for model in (ours, theirs)]
    for name in sorted(learned[0] ^ learned[1]):
        where = "in the spec" if name in learned[0] else "there"
        yield Problem(name, f"is a parameter {where} alone")
