"""The recipe of a run: a spec's `train:` mapping, its checks and its JSON Schema."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from cnndsl.diagnostics import suggest
from cnndsl.ops.base import Arg, Reject, arg
from cnndsl.ops.kinds import Schema, kind_of


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained: the data, the optimizer and its schedule."""

    data: Literal["digits", "mnist", "fashion_mnist", "cifar10", "folder"] = arg(
        "The data set; `digits` needs no download, `folder` is a folder of images for each class.",
        default="digits",
    )
    epochs: int = arg("Passes over the training images.", default=10, min=1)
    batch_size: int = arg("Images in a step.", default=64, min=1)
    optimizer: Literal["sgd", "adam", "adamw"] = arg("The optimizer.", default="sgd")
    lr: float | None = arg(
        "Learning rate at the start; null is 0.01 for `sgd`, 0.001 for the others.",
        default=None,
        min=0,
    )
    momentum: float = arg("Momentum of `sgd`.", default=0.9, min=0, max=1)
    nesterov: bool = arg("Nesterov's momentum for `sgd`.", default=False)
    weight_decay: float = arg("Pull of the weights towards 0.", default=0.0, min=0)
    schedule: Literal["constant", "cosine"] = arg(
        "Course of the learning rate; `cosine` falls to 0 at the end.", default="constant"
    )
    label_smoothing: float = arg(
        "Share of a label that is spread over all classes.", default=0.0, min=0, max=1
    )
    size: int | None = arg(
        "Height and width that the network is compiled for; null is the spec's own.",
        default=None,
        min=1,
    )
    seed: int = arg(
        "Fixes the weights at the start, the order of the images and dropout.", default=0, min=0
    )

    @classmethod
    def create(cls, values: Mapping[str, Any]) -> Recipe:
        """The recipe with these values, each checked; Reject names the key at fault."""
        checked: dict[str, Any] = {}
        for name, value in values.items():
            if name not in _args():
                raise Reject(f"train has no key `{name}`", name, suggest(name, list(_args())))
            try:
                checked[name] = _args()[name].kind.check(value)
            except Reject as e:
                raise Reject(f"train.{name}: {e.message}", name, e.help) from None
        recipe = cls(**checked)
        if recipe.nesterov and (recipe.optimizer != "sgd" or recipe.momentum == 0):
            raise Reject("train.nesterov needs optimizer `sgd` with a momentum", "nesterov")
        return recipe

    def lr_at(self, step: int, steps: int) -> float:
        """The learning rate of one step, counted from 0, in a run of `steps`."""
        start = (0.01 if self.optimizer == "sgd" else 0.001) if self.lr is None else self.lr
        if self.schedule == "constant":
            return start
        return start * (1 + math.cos(math.pi * step / steps)) / 2


DATA_NAMES: tuple[str, ...] = typing.get_args(typing.get_type_hints(Recipe)["data"])


@cache
def _args() -> dict[str, Arg]:
    hints = typing.get_type_hints(Recipe)
    return {field.name: _arg_of(field, hints[field.name]) for field in dataclasses.fields(Recipe)}


def _arg_of(field: dataclasses.Field[Any], annotation: Any) -> Arg:
    kind = kind_of(annotation, field.metadata["min"], field.metadata["max"])
    return Arg(field.name, field.metadata["doc"], kind, field.default, primary=False)


def recipe_schema() -> Schema:
    """The JSON Schema of a spec's `train:`; each value may be an expression."""
    return {
        "type": "object",
        "description": "How `cnndsl train` trains the network; the command line has the last word.",
        "properties": {name: argument.schema() for name, argument in _args().items()}
        | {
            "params": {
                "type": "object",
                "description": "Parameters of the spec while it is trained. Takes a mapping.",
                "additionalProperties": {"$ref": "#/$defs/value"},
            }
        },
        "additionalProperties": False,
    }
