"""A candidate → the network and the recipe that training would use, without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cnndsl.checker import check
from cnndsl.diagnostics import SpecError, suggest
from cnndsl.graph import Graph
from cnndsl.recipe import Misfit, Recipe, merge, plain, spread
from cnndsl.recipe.sections import Data
from cnndsl.sweep.space import Candidate

KNOWN = {
    "digits": (1, 10),
    "mnist": (1, 10),
    "fashion_mnist": (1, 10),
    "cifar10": (3, 10),
    "cifar100": (3, 100),
}
"""Channels and classes of the data sets that are always the same."""


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


@dataclass(frozen=True)
class Fitted:
    """The network for the data, and how it is trained."""

    graph: Graph
    recipe: Recipe

    @property
    def id(self) -> str:
        """Equal where the networks compute the same and are trained the same."""
        graph = self.graph
        nodes = [(n.path, repr(n.op), n.inputs, tuple(n.shape)) for n in graph.nodes]
        outputs = [(o.name, o.node, o.train_only, o.loss_weight) for o in graph.outputs]
        whole = (nodes, outputs, sorted(graph.init.items()), plain(self.recipe))
        return sha256(repr(whole).encode()).hexdigest()[:12]


def fit(job: Job, candidate: Candidate) -> Fitted:
    """Compile a candidate for the data of its recipe, as training does; raises UnfitError."""
    try:
        written = check(job.spec, candidate.variant, candidate.params, job.input)
        recipe = _recipe(written, job.recipe, candidate.settings)
        channels, classes = images_of(recipe.data)
        params, input = _aimed(written, recipe, candidate.params, job.input, (channels, classes))
        graph = check(job.spec, candidate.variant, params, input)
    except SpecError as e:
        first = next(d for d in e.diagnostics if d.severity == "error")
        raise UnfitError(f"{first.span}: {first.message}", e) from e
    for output in graph.outputs:
        shape = graph.nodes[output.node].shape
        if tuple(shape) != (classes,):
            raise UnfitError(
                f"output `{output.name}` is {shape}, {recipe.data.name} needs [{classes}]"
            )
    return Fitted(graph, recipe)


def _recipe(graph: Graph, name: str | None, settings: Mapping[str, Any]) -> Recipe:
    if name is not None and name not in graph.recipes:
        help = suggest(name, list(graph.recipes)) or "it has none"
        raise UnfitError(f"{graph.name} has no recipe `{name}`; {help}")
    own = graph.train if name is None else graph.recipes[name]
    try:
        return Recipe.create(merge(own, spread(Recipe, settings)))
    except Misfit as e:
        raise UnfitError(e.message) from e


def images_of(data: Data) -> tuple[int, int]:
    """Channels and classes of a data set; a folder is listed."""
    if data.name in KNOWN:
        return KNOWN[data.name]
    from cnndsl.training import TrainError
    from cnndsl.training.data import find_facts

    try:
        facts = find_facts(data)
    except TrainError as e:
        raise UnfitError(e.message) from e
    return facts.channels, len(facts.classes)


def _aimed(
    graph: Graph,
    recipe: Recipe,
    params: Mapping[str, Any],
    input: Sequence[int] | None,
    images: tuple[int, int],
) -> tuple[dict[str, Any], list[int]]:
    """The parameters and the input for images of these channels and classes."""
    shapes = [tuple(node.shape) for node in graph.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 3:
        raise UnfitError(f"training needs a network of one image, {graph.name} takes other inputs")
    channels, classes = images
    if input is not None and shapes[0][0] != channels:
        raise UnfitError(f"{recipe.data.name} has {channels} channels, the input {shapes[0][0]}")
    size = list(shapes[0][1:])
    if recipe.size is not None and input is None:
        size = [recipe.size, recipe.size]
    own = {"classes": classes} if "classes" in graph.params else {}
    return {**(recipe.params or {}), **own, **params}, [channels, *size]
