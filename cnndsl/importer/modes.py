"""Training and inference: which of a network's outputs exist in which, and that they agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from torch import nn

from cnndsl.importer.errors import Problem
from cnndsl.importer.steps import Network, needed


@dataclass(frozen=True)
class Heads:
    """The outputs of a network by name: those of inference, and those that training adds."""

    lasting: tuple[str, ...]
    train_only: tuple[str, ...]


def compare(training: Network, inference: Network) -> tuple[Heads, list[Problem]]:
    """Find inference's outputs among those of training, and where they are computed otherwise."""
    problems = [
        Problem(step.path, f"{step.kind} is active in inference too")
        for step in inference.steps
        if step.active
    ]
    problems += [
        Problem(step.path, f"{step.kind} stays as in inference while the network trains")
        for step in training.steps
        if step.active is False
    ]
    lasting: list[str] = []
    for name, id in inference.outputs.items():
        wanted = _signature(inference, id)
        names = [n for n in training.outputs if n not in lasting]
        equal = [n for n in names if _signature(training, training.outputs[n]) == wanted]
        if equal:
            lasting.append(equal[0])
            continue
        likely = name if name in names else names[0] if names else next(iter(training.outputs))
        found = _signature(training, training.outputs[likely])
        problems += _differences(found, wanted)
        lasting.append(likely)
    rest = tuple(name for name in training.outputs if name not in lasting)
    return Heads(tuple(lasting), rest), problems


Signature = tuple[tuple[str, object, tuple[int, ...]], ...]


def _signature(network: Network, output: int) -> Signature:
    """What an output is computed by, with values numbered in order."""
    kept = needed(network.steps, [output])
    steps = [step for step in network.steps if step.id in kept]
    number = {network.input: 0} | {step.id: i for i, step in enumerate(steps, 1)}
    return tuple(
        (step.path, step.op or step.fault, tuple(number[i] for i in step.inputs)) for step in steps
    )


def _differences(training: Signature, inference: Signature) -> Iterator[Problem]:
    """The first place where the two part."""
    for ours, theirs in zip(training, inference, strict=False):
        if ours != theirs:
            yield Problem(theirs[0], "computes otherwise in inference than in training")
            return
    longer = max(training, inference, key=len)
    if len(training) != len(inference):
        shorter = min(len(training), len(inference))
        when = "inference" if longer is training else "training"
        yield Problem(longer[shorter][0], f"is left out in {when}")


def faults(network: Network) -> list[Problem]:
    """What of a network no op expresses; what reads such a value stays silent."""
    failed = {step.id for step in network.steps if step.op is None}
    return [
        Problem(step.path, step.fault)
        for step in network.steps
        if step.id in failed and not failed & set(step.inputs)
    ]


def misfits(
    model: nn.Module,
    is_leaf: Callable[[nn.Module], bool],
    called: Mapping[str, int],
    whole: Network,
) -> Iterator[Problem]:
    """Modules with weights that the forward pass uses several times, or that no output needs."""
    used = {step.path for step in whole.steps}
    read = {path for step in whole.steps for path in step.weights}
    leaves = tuple(f"{path}." for path, m in model.named_modules() if path and is_leaf(m))
    for path, module in model.named_modules():
        if path.startswith(leaves):
            continue  # what a module of PyTorch holds is its own affair
        kind, times = type(module).__name__, called.get(path, 0)
        names = [f"{path}.{n}" if path else n for n in (*module._parameters, *module._buffers)]
        names = [name for name in names if name in model.state_dict()]
        if names and times > 1:
            yield Problem(path, f"{kind} is used {times} times with one weight")
        elif names and is_leaf(module) and path not in used:
            yield Problem(path, f"{kind} has weights that no output needs")
        elif names and not is_leaf(module):
            unread = [name for name in names if name not in read]
            yield from (Problem(name, "is a weight that no output needs") for name in unread)
