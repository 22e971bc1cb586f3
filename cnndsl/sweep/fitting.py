"""A candidate → the network and the recipe that training would use, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cnndsl.diagnostics import SpecError
from cnndsl.recipe import plain
from cnndsl.sweep.space import Candidate
from cnndsl.training import target
from cnndsl.training.errors import TrainError
from cnndsl.training.target import Fitted


class UnfitError(Exception):
    """A candidate cannot be trained; `error` is all of it, where the spec is at fault."""

    def __init__(self, message: str, error: SpecError | None = None) -> None:
        super().__init__(message)
        self.error = error


@dataclass(frozen=True)
class Job:
    """What all candidates share: the spec, its input, the name of the recipe, and the device."""

    spec: str
    input: Sequence[int] | None = None
    recipe: str | None = None
    device: str = "auto"


def fit(job: Job, candidate: Candidate) -> Fitted:
    """Compile a candidate for the data of its recipe, as training does; raises UnfitError."""
    variant, params, settings = candidate.variant, candidate.params, candidate.settings
    try:
        return target.fit(job.spec, variant, params, job.input, job.recipe, settings)
    except TrainError as e:
        raise UnfitError(e.message) from e
    except SpecError as e:
        first = next(d.by_flag for d in e.diagnostics if d.severity == "error")
        places = "".join(f", {place.words} at {place.span}" for place in first.related)
        raise UnfitError(f"{first.span}: {first.message}{places}", e) from e


def id_of(fitted: Fitted) -> str:
    """Equal where the networks compute the same and are trained the same; its first eight digits
    where they are trained for another number of epochs."""
    graph, recipe = fitted.graph, plain(fitted.recipe)
    nodes = [(n.path, repr(n.op), n.inputs, tuple(n.shape)) for n in graph.nodes]
    outputs = [(o.name, o.node, o.train_only, o.loss_weight) for o in graph.outputs]
    epochs = recipe.pop("epochs")
    return _hash((nodes, outputs, sorted(graph.init.items()), recipe))[:8] + _hash(epochs)[:4]


def _hash(value: object) -> str:
    return sha256(repr(value).encode()).hexdigest()
