"""That a spec's network equals the original, by running both on numbers.

The original is the judge: with the same weights, by name, both give the same bits in inference and
in training, the same gradients, and leave the same buffers behind.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cnndsl.builder import build_module
from cnndsl.graph import Graph
from cnndsl.importer.errors import ModelError, Problem
from cnndsl.importer.guarding import on_numbers, said
from cnndsl.importer.losses import listed

SEED = 3
SAMPLES = 2
ROUNDING = 1e-3
"""What gradients may differ by, of the largest: sums in another order, amplified by the layers.

Where they all but cancel out, it is the square of it, of the largest of all weights.
"""


@dataclass(frozen=True)
class Proof:
    """What differs, and what holds with a reservation, as notes."""

    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Run:
    """What one pass gave; the gradients by name, None where a parameter has none."""

    outputs: list[Tensor]
    gradients: dict[str, Tensor | None]
    buffers: dict[str, Tensor]


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
    theirs = _filled(original)
    ours.to_empty(device="cpu").load_state_dict(theirs.state_dict(), strict=True)
    frozen = {name for name, p in theirs.named_parameters() if not p.requires_grad}
    _freeze(ours, frozen)
    notes: list[str] = []
    cheapest = min(shapes, key=prod)
    for shape in shapes:
        x = torch.randn(SAMPLES, *shape, generator=torch.Generator().manual_seed(SEED))
        proof = _compared(ours, theirs, x, gradients=shape == cheapest)
        notes += proof.notes
        if proof.problems:
            return Proof(proof.problems, tuple(notes))
    return Proof((), tuple(dict.fromkeys(notes)))


def _compared(ours: nn.Module, theirs: nn.Module, x: Tensor, gradients: bool) -> Proof:
    notes: list[str] = []
    for training in (False, True):
        with on_numbers():
            wanted = _run(theirs, x, training, gradients)
        try:
            found, problems = _held(ours, wanted, x, training)
            if problems and training and _equal_when_still(ours, theirs, x):
                notes.append("its random numbers are drawn in another order than the network's")
                continue
        except Exception as e:  # the spec's network fails in as many ways as there are
            return Proof((Problem("", f"the spec's network cannot be run: {said(e)}"),))
        if problems:
            _refuse_unsteady(theirs, x, training)
            return Proof(tuple(problems))
        if training:
            notes += _reservations(found, wanted)
    return Proof((), tuple(notes))


def _held(ours: nn.Module, wanted: _Run, x: Tensor, training: bool) -> tuple[_Run, list[Problem]]:
    """Our pass, and what of it differs from the original's."""
    lost = {name for name, gradient in wanted.gradients.items() if gradient is None}
    with _frozen(ours, lost):
        found = _run(ours, x, training, bool(wanted.gradients))
    mode = "training" if training else "inference"
    if len(found.outputs) != len(wanted.outputs):
        told = f"{len(found.outputs)} outputs in the spec, {len(wanted.outputs)} there"
        return found, [Problem("", f"{told}, in {mode}, {_of(x)}")]
    differing = [
        index
        for index, pair in enumerate(zip(found.outputs, wanted.outputs, strict=True))
        if not _same(*pair)
    ]
    problems = [Problem("", f"output {index} differs in {mode}, {_of(x)}") for index in differing]
    for name, buffer in found.buffers.items():
        if not _same(buffer, wanted.buffers[name]):
            problems.append(Problem(name, f"is another after {mode}, {_of(x)}"))
    if not problems:
        problems += _gradients(found, wanted)
    return found, problems


def _of(x: Tensor) -> str:
    return f"of samples {list(x.shape[1:])}"


def _gradients(found: _Run, wanted: _Run) -> Iterator[Problem]:
    known = {name: gradient for name, gradient in wanted.gradients.items() if gradient is not None}
    largest = max((float(gradient.abs().max()) for gradient in known.values()), default=0.0)
    for name, gradient in known.items():
        mine = found.gradients[name]
        if mine is None or not _near(mine, gradient, ROUNDING**2 * largest):
            yield Problem(name, "has another gradient")


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


def _reservations(found: _Run, wanted: _Run) -> Iterator[str]:
    """What is true of equal networks, and a user should know."""
    lost = [name for name, gradient in wanted.gradients.items() if gradient is None]
    if lost:
        yield f"these get no gradient in the network, and learn in the spec: {listed(lost)}"
    pairs = [(found.gradients.get(name), g) for name, g in wanted.gradients.items()]
    if any(g is not None and mine is not None and not _same(mine, g) for mine, g in pairs):
        yield "gradients are equal but for rounding: their sums are taken in another order"
    if not all(output.isfinite().all() for output in wanted.outputs):
        yield "with random weights outputs are not finite, so that less is proven of them"


def _refuse_unsteady(theirs: nn.Module, x: Tensor, training: bool) -> None:
    """Raise ModelError where the original does not give the same twice, and so is no judge."""
    first, second = (_run(theirs, x, training).outputs for _ in range(2))
    if len(first) != len(second) or not all(map(_same, first, second)):
        fact = "the network gives two results for one input, one weight and one seed"
        raise ModelError(fact, "a spec's network has no memory and no random numbers of its own")


# --- weights ---


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


def _filled(model: nn.Module) -> nn.Module:
    """The network on the CPU with weights by which no two of its values are alike."""
    model.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if not tensor.is_floating_point():
                tensor.zero_()
            elif tensor.ndim > 1:
                scale = (2 / max(1, tensor[0].numel())) ** 0.5
                tensor.uniform_(-scale, scale, generator=generator)
            elif name.endswith("bias") or name.endswith("running_mean"):
                tensor.uniform_(-0.1, 0.1, generator=generator)
            else:
                tensor.uniform_(0.5, 1.5, generator=generator)
    return model


def _freeze(model: nn.Module, names: set[str], freeze: bool = True) -> None:
    for name, parameter in model.named_parameters():
        if name in names:
            parameter.requires_grad_(not freeze)


@contextlib.contextmanager
def _frozen(model: nn.Module, names: set[str]) -> Iterator[None]:
    _freeze(model, names)
    yield
    _freeze(model, names, freeze=False)


# --- running ---


def _run(model: nn.Module, x: Tensor, training: bool, gradients: bool = True) -> _Run:
    """A pass from the same state: buffers are put back after it."""
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model.train(training).zero_grad()
    torch.manual_seed(SEED)
    gradients = gradients and training
    with torch.set_grad_enabled(gradients):
        outputs = [t for t in tree_leaves(model(x.clone())) if isinstance(t, Tensor)]
    learned = [output for output in outputs if output.requires_grad]
    if gradients and learned:
        torch.autograd.backward([output.square().mean() for output in learned])
    found = {
        name: parameter.grad
        for name, parameter in model.named_parameters()
        if gradients and parameter.requires_grad
    }
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(before[name])
    return _Run([output.detach() for output in outputs], found, buffers)


def _equal_when_still(ours: nn.Module, theirs: nn.Module, x: Tensor) -> bool:
    """Whether the two train alike where nothing is random."""
    with _Still():  # type: ignore[no-untyped-call]
        wanted = _run(theirs, x, True)
        return not _held(ours, wanted, x, True)[1]


class _Still(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Gives what random functions give when chance keeps everything."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name == "bernoulli_":
            return args[0].fill_(1)
        if name == "native_dropout":
            return args[0].clone(), torch.ones_like(args[0], dtype=torch.bool)
        return func(*args, **(kwargs or {}))
