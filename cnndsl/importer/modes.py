"""Training and inference: which of a network's outputs exist in which, and that they agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cnndsl.importer.errors import Problem
from cnndsl.importer.steps import Network, Step, needed


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
    """What of a network no op expresses."""
    return [Problem(step.path, step.fault) for step in network.steps if _is_fault(step)]


def _is_fault(step: Step) -> bool:
    return step.op is None
