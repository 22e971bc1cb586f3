"""What a network must be compiled for, given what its spec says and what the data set holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from cnndsl.checker import check
from cnndsl.costs import replay
from cnndsl.diagnostics import SpecError, suggest
from cnndsl.graph import Graph
from cnndsl.ops.base import Shape
from cnndsl.recipe import Misfit, Recipe, merge, spread, unread
from cnndsl.training.errors import TrainError
from cnndsl.training.facts import Facts, find_facts


@dataclass(frozen=True)
class Target:
    """The input [channels, height, width] and the parameters of the network to be trained."""

    input: tuple[int, int, int]
    params: Mapping[str, Any]

    @property
    def size(self) -> tuple[int, int]:
        return self.input[1:]


class Fitted(NamedTuple):
    """A network and a recipe that go together, found out without torch."""

    written: Graph
    """The network as the spec has it."""
    graph: Graph
    """The network for the data."""
    recipe: Recipe
    facts: Facts
    size: tuple[int, int]


def fit(
    spec: str | Path,
    variant: str | None,
    params: Mapping[str, Any] | None,
    input: Sequence[int] | None,
    recipe: str | None,
    train: Mapping[str, Any],
) -> Fitted:
    """Compile a spec for the data of its recipe; raises SpecError or TrainError."""
    written = check(spec, variant, params, input)
    made = make_recipe(written, recipe, train)
    facts = find_facts(made.data)
    aimed = aim(written, params or {}, made, facts, fixed=input is not None)
    graph = _recheck(spec, variant, aimed, facts)
    check_outputs(graph, facts)
    check_sizes(graph, made)
    return Fitted(written, graph, made, facts, aimed.size)


def make_recipe(graph: Graph, name: str | None, given: Mapping[str, Any]) -> Recipe:
    """One of the spec's recipes with what the command line gives put over it."""
    own: Mapping[str, Any] = graph.train
    if name is not None:
        if name not in graph.recipes:
            help = suggest(name, list(graph.recipes)) or "it has none"
            raise TrainError(f"{graph.name} has no recipe `{name}`", help)
        own = graph.recipes[name]
    above = spread(Recipe, given)
    try:
        made = Recipe.create(merge(own, above))
    except Misfit as e:
        raise TrainError(e.message, e.help) from e
    for _, misfit in unread(Recipe, (own, above), first=1):
        raise TrainError(f"train.{'.'.join(misfit.path)}: {misfit.message}", misfit.help)
    return made


def _recheck(spec: str | Path, variant: str | None, aimed: Target, facts: Facts) -> Graph:
    """The network for the data set; what does not fit is a matter of the size, not of the spec."""
    try:
        return check(spec, variant, aimed.params, aimed.input)
    except SpecError as e:
        sides = "×".join(map(str, aimed.input))
        first = next(d for d in e.diagnostics if d.severity == "error")
        larger = ",".join(map(str, (aimed.input[0], *(2 * side for side in aimed.size))))
        help = f"another size, as in `--input {larger}`, or `size:` under `train:`, may fit"
        given = first.span.source.text.partition("=")[0] if first.span.source.flag else ""
        if given in aimed.params:
            help = f"`{given}` is {aimed.params[given]!r}, from `params:` of `train:` or the data"
        raise TrainError(
            f"the network cannot be compiled for {facts.name} at {sides}: "
            f"{first.span}: {first.message}",
            help,
        ) from e


def aim(
    graph: Graph, params: Mapping[str, Any], recipe: Recipe, facts: Facts, fixed: bool
) -> Target:
    """Fit input and classes to the data; `fixed` is an input that the command line gave.

    `params` are those of the command line, which win over the data set's classes.
    """
    channels, height, width = _image(graph)
    if fixed and channels != facts.channels:
        raise TrainError(
            f"the images of {facts.name} have {facts.channels} channels, the input has {channels}",
            f"use `--input {facts.channels},{height},{width}`",
        )
    if recipe.size is not None and not fixed:
        height = width = recipe.size
    own = {"classes": len(facts.classes)} if "classes" in graph.params else {}
    recommended = recipe.params or {}
    return Target((facts.channels, height, width), {**recommended, **own, **params})


def _image(graph: Graph) -> tuple[int, int, int]:
    """The shape of the one image that the network takes."""
    shapes = [node.shape for node in graph.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 3:
        found = ", ".join(map(str, shapes))
        raise TrainError(f"training needs a network of one image, {graph.name} takes {found}")
    channels, height, width = shapes[0]
    return channels, height, width


def training_sizes(recipe: Recipe, size: tuple[int, int]) -> list[tuple[int, int]]:
    """The heights and widths that training draws from."""
    return [(side, side) for side in recipe.sizes] if recipe.sizes else [size]


def validation_size(recipe: Recipe, size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of validation."""
    return (recipe.val.crop, recipe.val.crop) if recipe.val.crop else size


def check_sizes(graph: Graph, recipe: Recipe) -> None:
    """Every size that images come in must fit the network's weights."""
    channels, *size = graph.inputs[0].shape
    sizes = [("sizes", side) for side in recipe.sizes or ()]
    sizes += [("val.crop", recipe.val.crop)] if recipe.val.crop else []
    for key, side in sizes:
        if [side, side] != size and not all(replay(graph, Shape((channels, side, side)))):
            raise TrainError(
                f"train.{key}: the weights of {graph.name} do not fit images of {side}×{side}",
                "only networks that end in global pooling take several sizes",
            )


def check_outputs(graph: Graph, facts: Facts) -> None:
    """Every output must be one number for each class."""
    wanted = (len(facts.classes),)
    for output in graph.outputs:
        shape = graph.nodes[output.node].shape
        if tuple(shape) != wanted:
            raise TrainError(
                f"output `{output.name}` of {graph.name} is {shape}, but {facts.name} has "
                f"{wanted[0]} classes, which needs [{wanted[0]}]",
                _remedy(graph, wanted[0], len(shape)),
            )


def _remedy(graph: Graph, classes: int, rank: int) -> str:
    if rank != 1:
        return "only classifiers train: end it in `global_avg_pool` and `linear: $classes`"
    if "classes" in graph.params:
        return f"use `--set classes={classes}`"
    return f"declare `params: {{classes: {classes}}}` and end it in `linear: $classes`"


def describe(before: Graph, after: Graph, facts: Facts) -> str:
    """What was changed for the data, in one line; empty where nothing was."""
    changes = []
    if before.inputs[0].shape != after.inputs[0].shape:
        changes.append(f"{_sides(before)} → {_sides(after)}")
    was, now = before.params.get("classes"), after.params.get("classes")
    if was != now:
        changes.append(f"{was} → {now} classes")
    return f"{title(after)}: {', '.join(changes)}, for {facts.name}" if changes else ""


def _sides(graph: Graph) -> str:
    return "×".join(map(str, graph.inputs[0].shape))


def title(graph: Graph) -> str:
    """The network's name with that of its variant, said once: resnet50, googlenet-paper."""
    if graph.variant.startswith(graph.name):
        return graph.variant
    return "-".join(filter(None, (graph.name, graph.variant)))
