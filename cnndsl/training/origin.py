"""Where weights are from, and what that tells: their classes, and how they see images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import yaml

from cnndsl.files import read_regular
from cnndsl.graph import Graph
from cnndsl.recipe import Recipe, plain
from cnndsl.training.checkpoint import RUN
from cnndsl.training.errors import TrainError
from cnndsl.weights import DEVIATING, TORCHVISION, find_published


@dataclass(frozen=True)
class Origin:
    """What is known of weights that were trained."""

    classes: tuple[str, ...]
    data: str
    """The data set; its kind decides how images are brought to the network's size."""
    settings: Mapping[str, Any]
    """Keys of a recipe that say how images are seen."""

    def notes(self) -> dict[str, str]:
        """The same as texts, for the metadata of a file."""
        return {
            "classes": json.dumps(self.classes, ensure_ascii=False),
            "data": self.data,
            "images": json.dumps(self.settings),
        }


def seen_by(recipe: Recipe) -> dict[str, Any]:
    """The keys of a recipe that say how images are seen."""
    whole = plain(recipe)
    return {
        "data": {name: whole["data"][name] for name in ("mean", "std")},
        "val": {name: whole["val"][name] for name in ("resize", "crop")},
        "augment": {"interpolation": recipe.augment.interpolation},
    }


def of_run(folder: Path) -> Origin:
    """What a run noted in its `run.yaml`."""
    path = folder / RUN
    try:
        noted = yaml.safe_load(read_regular(path))["run"]
        normal = {name: [float(number) for number in noted[name]] for name in ("mean", "std")}
        classes = tuple(str(name) for name in noted["classes"])
        return Origin(classes, str(noted["data"]), {"data": normal})
    except OSError as e:
        raise TrainError(f"{path} cannot be read: {e.strerror}") from e
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as e:
        raise TrainError(
            f"{path} does not say what the run noted of its data, under `run:`",
            "use it as a spec, with `--weights`; or begin the run anew",
        ) from e


def of_weights(source: str, graph: Graph) -> Origin | None:
    """What torchvision publishes with weights, or an exported file says of itself."""
    if source.startswith(TORCHVISION):
        return _published(find_published(source.removeprefix(TORCHVISION), graph))
    path = Path(source)
    return _noted(path) if path.suffix == ".safetensors" and path.is_file() else None


def _published(weights: Any) -> Origin:
    view = weights.transforms()
    mean, std = list(view.mean), list(view.std)
    if type(weights).__name__ in DEVIATING:  # transform_input of torchvision's networks
        mean = std = [0.5] * 3
    settings = {
        "data": {"mean": mean, "std": std},
        "val": {"resize": view.resize_size[0], "crop": view.crop_size[0]},
        "augment": {"interpolation": view.interpolation.value},
    }
    return Origin(tuple(weights.meta["categories"]), "folder", settings)


def _noted(path: Path) -> Origin | None:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            notes = file.metadata() or {}
        classes = tuple(str(name) for name in json.loads(notes["classes"]))
        return Origin(classes, notes["data"], dict(json.loads(notes["images"])))
    except (OSError, safetensors.SafetensorError, KeyError, TypeError, ValueError):
        return None  # what is wrong with the file is told when its tensors are read
