"""The recipe of a run: a spec's `train:` mapping, its checks and its JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from cnndsl.ops.base import arg
from cnndsl.ops.kinds import Schema
from cnndsl.recipe.schedule import factor_at
from cnndsl.recipe.section import (
    Clash,
    Misfit,
    Section,
    args_of,
    merge,
    misfits,
    plain,
    section,
    spread,
)
from cnndsl.recipe.sections import (
    DATA_NAMES,
    Augment,
    Data,
    EarlyStopping,
    Ema,
    Factors,
    Layerwise,
    Optimizer,
    Patterns,
    Schedule,
    Scheme,
    Validation,
)
from cnndsl.recipe.unread import unread, unread_beside, without_unread
from cnndsl.words import VARIANT

__all__ = [
    "DATA_NAMES",
    "Misfit",
    "Recipe",
    "merge",
    "misfits",
    "plain",
    "recipe_schema",
    "recipe_schemas",
    "spread",
    "unread",
    "unread_beside",
    "without_unread",
]


@dataclass(frozen=True, kw_only=True)
class Recipe(Section):
    """How a network is trained: nothing but this, the spec and the data decides the result."""

    data: Data = section("The data.", Data)
    epochs: int = arg("Passes over the training images.", default=10, min=1)
    batch_size: int = arg("Images in a step, over all devices together.", default=64, min=1)
    accumulate: int = arg(
        "Parts that a step's images are computed in, one after the other.", default=1, min=1
    )
    size: int | None = arg(
        "Height and width that the network is compiled for; null is the spec's own.",
        default=None,
        min=1,
    )
    sizes: tuple[int, ...] | None = arg(
        "Multi-scale training: each step draws one of these sides.", default=None, min=1
    )
    optimizer: Optimizer = section("The optimizer.", Optimizer)
    schedule: Schedule = section("The course of the learning rate.", Schedule)
    label_smoothing: float = arg(
        "Share of a label that is spread over all classes.", default=0.0, min=0, max=1
    )
    augment: Augment = section("What is done to training images.", Augment)
    val: Validation = section("How images are seen in validation.", Validation)
    ema: Ema | None = arg("A moving average of the weights.", default=None)
    clip_norm: float | None = arg(
        "Largest norm of all gradients together.", default=None, min=1e-12
    )
    clip_value: float | None = arg("Largest value in a gradient.", default=None, min=1e-12)
    precision: Literal["fp32", "bf16", "fp16"] = arg(
        "`bf16` and `fp16` compute in autocast; `fp16` scales the loss.", default="fp32"
    )
    channels_last: bool = arg("Keep images and weights channels-last in memory.", default=True)
    compile: bool = arg("Run the network through torch.compile.", default=False)
    deterministic: bool = arg("Use deterministic algorithms alone.", default=False)
    sync_bn: bool = arg("Batch normalization over all devices together.", default=False)
    weights: str | None = arg(
        "Weights to begin with: a file, or torchvision:NAME; those that fit are loaded.",
        default=None,
    )
    init: Scheme | None = arg(
        "How convolutions and linear layers begin; null is as the spec or PyTorch has it.",
        default=None,
    )
    freeze: Patterns | None = arg(
        "Parameters that stay as they are, by patterns as features.*", default=None
    )
    lr_scale: Factors | None = arg(
        "Factor of the learning rate by pattern of names; the last that fits holds.",
        default=None,
        min=0,
    )
    layerwise: Layerwise | None = arg("Greedy training, stage after stage.", default=None)
    early_stopping: EarlyStopping | None = arg("When to end early.", default=None)
    save_every: int | None = arg(
        "Steps after which `last` is written anew; null is at each epoch's end.",
        default=None,
        min=1,
    )
    seed: int = arg("Decides everything that is drawn.", default=0, min=0)
    params: Mapping[str, Any] | None = arg(
        "Parameters of the spec while it is trained.", default=None
    )

    @classmethod
    def create(cls, values: Mapping[str, Any]) -> Self:
        """The recipe with these values, each checked; a Misfit's message begins with its key."""
        try:
            return super().create(values)
        except Misfit as e:
            key = ".".join(("train", *e.path))
            raise type(e)(f"{key}: {e.message}", e.path, e.help) from None

    def confirm(self) -> None:
        if self.accumulate > self.batch_size:
            raise Clash("a step has fewer images than parts", ("accumulate",))
        if self.schedule.warmup > self.epochs:
            raise Clash(f"longer than the run of {self.epochs} epochs", ("schedule", "warmup"))
        if self.layerwise and self.sizes:
            raise Clash("goes without `layerwise`", ("sizes",))

    def lr_at(self, step: int, steps: int) -> float:
        """The learning rate of one step, counted from 0 over the run, in epochs of `steps`."""
        lr = self.optimizer.start
        return lr * factor_at(self.schedule, step, steps, self.epochs, lr)


def recipe_schemas() -> dict[str, Schema]:
    """The JSON Schema of each key of a recipe, by its name among the definitions."""
    return {f"recipe.{name}": argument.schema() for name, argument in args_of(Recipe).items()}


def recipe_schema() -> Schema:
    """The JSON Schema of a spec's `train:`; each value may be an expression."""
    own = {name: {"$ref": f"#/$defs/recipe.{name}"} for name in args_of(Recipe)}
    part = {"type": "object", "properties": own, "additionalProperties": False}
    variants = {
        "type": "object",
        "description": "What differs in a variant. Takes a mapping from variant to keys.",
        "additionalProperties": {**part, "description": "Keys of the recipe. Takes a mapping."},
    }
    recipes = {
        "type": "object",
        "description": "Other recipes, for --recipe. Takes a mapping from name to recipe.",
        "propertyNames": {"pattern": VARIANT.pattern},
        "additionalProperties": {
            "type": "object",
            "description": "A recipe. Takes a mapping.",
            "properties": own | {"variants": variants, "about": _ABOUT},
            "additionalProperties": False,
        },
    }
    return {
        "type": "object",
        "description": "How `cnndsl train` trains the network; the command line has the last word. "
        "Takes a mapping.",
        "properties": own | {"variants": variants, "recipes": recipes, "about": _ABOUT},
        "additionalProperties": False,
    }


_ABOUT: Schema = {"type": "string", "description": "Where the recipe is from. Takes text."}
