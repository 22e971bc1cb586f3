"""What a user means by a run, or by a spec with weights: a network that was trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

import cnndsl
from cnndsl.diagnostics import Report
from cnndsl.graph import Graph
from cnndsl.load import find
from cnndsl.recipe import Recipe, merge, spread
from cnndsl.training import checkpoint, session, target
from cnndsl.training.data.view import FROM_FILES
from cnndsl.training.device import Request
from cnndsl.training.errors import TrainError
from cnndsl.training.origin import Origin, of_run, of_weights, seen_by
from cnndsl.weights import WeightsError, listed, load_weights

Echo = Callable[[str], None]

OWN = {"best": checkpoint.WEIGHTS, "last": checkpoint.LAST}
"""What `--weights` may call the files of a run."""


@dataclass(frozen=True)
class Asked:
    """What a user names: a run or a spec, and the choices that go with it."""

    source: str
    weights: str | None = None
    variant: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    input: Sequence[int] | None = None
    recipe: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the recipe, nested."""


@dataclass(frozen=True)
class Trained:
    """A network with its weights; `recipe` says how it sees images."""

    graph: Graph
    module: nn.Module
    recipe: Recipe
    weights: str
    """Where they are from; empty where they are as they begin."""
    origin: Origin | None = None
    folder: Path | None = None
    """Of the run, if it is of one."""

    @property
    def title(self) -> str:
        return self.folder.resolve().name if self.folder else target.title(self.graph)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; their numbers where the names are not known."""
        if self.origin:
            return self.origin.classes
        return tuple(map(str, range(self.graph.nodes[self.graph.output.node].shape[0])))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that the network was compiled for."""
        _, height, width = self.graph.inputs[0].shape
        return height, width

    def notes(self) -> dict[str, str]:
        """What a file of the network says of it, as texts."""
        about = {"spec": target.title(self.graph)}
        if self.origin is None:
            return about
        return about | replace(self.origin, settings=seen_by(self.recipe)).notes()


def run_folder(source: str) -> Path | None:
    """The folder of the run that is meant, where it is not a spec."""
    path = Path(source)
    if path.name == checkpoint.RUN and path.is_file():
        return path.parent
    if not path.is_dir() or find(source, Report()):
        return path if (path / checkpoint.RUN).is_file() else None
    if not (path / checkpoint.RUN).is_file():
        raise TrainError(
            f"{source} is not the folder of a run: it has no {checkpoint.RUN}",
            "name a folder that `cnndsl train` wrote, as in runs/lenet-digits, or a spec",
        )
    return path


def find_trained(asked: Asked, echo: Echo, for_data: bool = False) -> Trained:
    """The network that a user names, with its weights.

    With `for_data`, a spec of whose weights nothing is known is compiled for the data of the
    recipe, as for training. Raises SpecError or TrainError.
    """
    folder = run_folder(asked.source)
    try:
        if folder is not None:
            return _of_run(asked, folder, echo)
        return _of_spec(asked, for_data, echo)
    except WeightsError as e:
        raise TrainError(e.message, e.help) from e


def _of_run(asked: Asked, folder: Path, echo: Echo) -> Trained:
    origin = of_run(folder)
    graph = cnndsl.check(folder / checkpoint.RUN, asked.variant, asked.params, asked.input)
    chosen = spread(Recipe, asked.settings).get("data", {}).get("name")
    if chosen not in (None, origin.data):  # the folders of another data set are not those of this
        graph = replace(graph, train={k: v for k, v in graph.train.items() if k != "data"})
    recipe = _for_files(_recipe(graph, asked, origin), graph, origin)
    name = OWN.get(asked.weights or "best")
    weights = str(folder / name) if name else str(asked.weights)
    if name and not (folder / name).exists():
        raise TrainError(f"{folder} has no {name}: no epoch of the run is over")
    if name == checkpoint.LAST:
        checkpoint.load(folder / name)  # which finds every damage
    module = _with_weights(graph, weights, echo)
    return Trained(graph, module, recipe, weights, origin, folder)


def _of_spec(asked: Asked, for_data: bool, echo: Echo) -> Trained:
    graph = cnndsl.check(asked.source, asked.variant, asked.params, asked.input)
    origin = of_weights(asked.weights, graph) if asked.weights else None
    if origin is None and for_data:
        plan = session.plan(
            *(asked.source, asked.variant, asked.params, asked.input, Request("cpu")),
            *(asked.recipe, asked.settings, None, False),
        )
        module = _with_weights(plan.graph, asked.weights, echo)
        known = Origin(plan.facts.classes, plan.facts.name, {})
        return Trained(plan.graph, module, plan.recipe, asked.weights or "", known)
    if origin and "classes" in graph.params and "classes" not in asked.params:
        params = {**asked.params, "classes": len(origin.classes)}
        graph = cnndsl.check(asked.source, asked.variant, params, asked.input)
    recipe = _recipe(graph, asked, origin)
    return Trained(
        graph, _with_weights(graph, asked.weights, echo), recipe, asked.weights or "", origin
    )


def _recipe(graph: Graph, asked: Asked, origin: Origin | None) -> Recipe:
    """The recipe with what is known of how images are seen, and what the user asks for over it."""
    known = dict(origin.settings) if origin else {}
    if asked.input:  # another size than the one that is known
        known.pop("val", None)
    return target.make_recipe(graph, asked.recipe, merge(known, spread(Recipe, asked.settings)))


def _for_files(recipe: Recipe, graph: Graph, origin: Origin) -> Recipe:
    """The recipe for images in files, of which a network sees as much as of those it learned."""
    if origin.data in FROM_FILES or recipe.data.name not in FROM_FILES or recipe.val.resize:
        return recipe
    side = recipe.val.crop or min(graph.inputs[0].shape[1:])
    return replace(recipe, val=replace(recipe.val, resize=side))


def _with_weights(graph: Graph, source: str | None, echo: Echo) -> nn.Module:
    """The network in inference, with all of its weights; as it begins where none are named."""
    torch.manual_seed(0)
    module = cnndsl.build(graph).eval()
    if source is None:
        return module
    loaded = load_weights(module, graph, source, partial=True, echo=echo)
    if loaded.left:
        lines = [f"{source} does not fit {target.title(graph)}:", *listed(loaded.left)]
        sides = "×".join(map(str, graph.inputs[0].shape))
        raise TrainError(
            "\n".join(lines),
            f"name the network that they are of, by its variant, `--set` and `--input`; this one "
            f"is for {sides}" + _classes(graph),
        )
    return module


def _classes(graph: Graph) -> str:
    count = graph.params.get("classes")
    return f" and {count} classes" if count is not None else ""
