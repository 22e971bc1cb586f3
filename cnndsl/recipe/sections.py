"""The parts of a recipe: the data, the optimizer, its schedule, the augmentation and so on."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from cnndsl.ops.base import arg
from cnndsl.recipe.section import Clash, ReadBy, Rules, Section

DOWNLOADED = ("mnist", "fashion_mnist", "cifar10", "cifar100")


@dataclass(frozen=True, kw_only=True)
class Data(Section):
    """The images that are learned from, and those that the network is judged by."""

    name: Literal[
        "digits", "mnist", "fashion_mnist", "cifar10", "cifar100", "folder", "webdataset"
    ] = arg(
        "The data set; `digits` needs no download, `folder` is a folder of images for each class.",
        default="digits",
        primary=True,
    )
    root: str | None = arg("The folder, or for `webdataset` the URL, that holds it.", default=None)
    train: str | None = arg(
        "Shards to train on, below the root, as train-{0000..0127}.tar.", default=None
    )
    val: str | None = arg("Shards to validate on, below the root.", default=None)
    classes: int | None = arg("Count of the classes of the shards.", default=None, min=2)
    val_share: float = arg(
        "Share of a folder without train/ and val/ that validates; the seed chooses it.",
        default=0.2,
        min=0,
        max=1,
    )
    mean: tuple[float, ...] | None = arg(
        "Mean of each channel, from 0 to 1; null is that of the training images, for `folder` and "
        "`webdataset` ImageNet's.",
        default=None,
    )
    std: tuple[float, ...] | None = arg(
        "Standard deviation of each channel; null as for `mean`.", default=None, min=1e-6
    )
    workers: int | None = arg(
        "Processes on each device that read images; null is 0 for sets in memory, else as many as "
        "there are cores, at most 8.",
        default=None,
        min=0,
    )
    cache_gb: float = arg("Disk for shards that come over the network, in GB.", default=50, min=0)

    read_by: ClassVar[Rules] = {
        **dict.fromkeys(("train", "val", "classes", "cache_gb"), ReadBy("name", ("webdataset",))),
        "val_share": ReadBy("name", ("folder",)),
        "root": ReadBy("name", (*DOWNLOADED, "folder", "webdataset")),
    }

    def confirm(self) -> None:
        if (self.mean is None) != (self.std is None):
            raise Clash("`mean` and `std` go together", ("mean" if self.mean else "std",))
        if self.mean is not None and self.std is not None and len(self.mean) != len(self.std):
            raise Clash("`mean` and `std` need one number for each channel", ("std",))


@dataclass(frozen=True, kw_only=True)
class Optimizer(Section):
    """The optimizer; names and defaults as in torch.optim."""

    name: Literal["sgd", "adam", "adamw", "rmsprop"] = arg(
        "The optimizer.", default="sgd", primary=True
    )
    lr: float | None = arg(
        "Learning rate that the schedule begins with; null is 0.01 for `sgd` and `rmsprop`, 0.001 "
        "for the others.",
        default=None,
        min=0,
    )
    momentum: float = arg("Momentum of `sgd` and `rmsprop`.", default=0.0, min=0, max=1)
    nesterov: bool = arg("Nesterov's momentum for `sgd`.", default=False)
    weight_decay: float = arg("Pull of the weights towards 0.", default=0.0, min=0)
    norm_weight_decay: float | None = arg(
        "The same for normalization layers; null is `weight_decay`.", default=None, min=0
    )
    bias_weight_decay: float | None = arg(
        "The same for biases; null is `weight_decay`.", default=None, min=0
    )
    betas: tuple[float, float] = arg(
        "Decay of the averages of `adam` and `adamw`.", default=(0.9, 0.999), min=0, max=1
    )
    alpha: float = arg("Decay of the average of `rmsprop`.", default=0.99, min=0, max=1)
    eps: float | None = arg(
        "Added to the denominator of all but `sgd`; null is 1e-8.", default=None, min=0
    )

    read_by: ClassVar[Rules] = {
        "momentum": ReadBy("name", ("sgd", "rmsprop")),
        "nesterov": ReadBy("name", ("sgd",)),
        "betas": ReadBy("name", ("adam", "adamw")),
        "alpha": ReadBy("name", ("rmsprop",)),
        "eps": ReadBy("name", ("adam", "adamw", "rmsprop")),
    }

    @property
    def start(self) -> float:
        """The learning rate that the schedule begins with."""
        if self.lr is not None:
            return self.lr
        return 0.01 if self.name in ("sgd", "rmsprop") else 0.001

    def confirm(self) -> None:
        if self.nesterov and (self.name != "sgd" or self.momentum == 0):
            sgd = self.name == "sgd"
            help = "as in `momentum: 0.9`" if sgd else f"leave it away: `{self.name}` has none"
            raise Clash("needs `sgd` with a momentum", ("nesterov",), help)
        if max(self.betas) == 1:
            raise Clash("expected numbers below 1", ("betas",))


@dataclass(frozen=True, kw_only=True)
class Schedule(Section):
    """The course of the learning rate; names as in torch.optim.lr_scheduler."""

    name: Literal["constant", "step", "multistep", "cosine", "polynomial", "one_cycle"] = arg(
        "`step` falls by `gamma` every `step_size` epochs, `multistep` at each milestone, `cosine` "
        "to `min_lr` at the end, `polynomial` to 0; `one_cycle` rises to the learning rate and "
        "falls far below its beginning.",
        default="constant",
        primary=True,
    )
    warmup: float = arg(
        "Epochs that rise evenly to the learning rate; the schedule counts from their end.",
        default=0.0,
        min=0,
    )
    warmup_factor: float = arg(
        "Share of the learning rate that the warm-up begins with.", default=0.01, min=0, max=1
    )
    min_lr: float = arg("Learning rate at the end of `cosine`.", default=0.0, min=0)
    step_size: float = arg("Epochs between the falls of `step`.", default=30.0, min=0.001)
    milestones: tuple[float, ...] | None = arg(
        "Epochs after which `multistep` falls.", default=None, min=0
    )
    gamma: float = arg("Factor of each fall.", default=0.1, min=0, max=1)
    power: float = arg("Power of `polynomial`; 1 falls evenly.", default=1.0, min=0)
    pct_start: float = arg("Share of `one_cycle` that rises.", default=0.3, min=0, max=1)
    div_factor: float = arg("`one_cycle` begins at lr / this.", default=25.0, min=1)
    final_div_factor: float = arg("`one_cycle` ends at its beginning / this.", default=1e4, min=1)
    per: Literal["step", "epoch"] = arg(
        "Whether the rate changes at each step, or stays the same in an epoch.", default="step"
    )

    read_by: ClassVar[Rules] = {
        "min_lr": ReadBy("name", ("cosine",)),
        "step_size": ReadBy("name", ("step",)),
        "milestones": ReadBy("name", ("multistep",)),
        "gamma": ReadBy("name", ("step", "multistep")),
        "power": ReadBy("name", ("polynomial",)),
        **dict.fromkeys(
            ("pct_start", "div_factor", "final_div_factor"), ReadBy("name", ("one_cycle",))
        ),
        "warmup_factor": ReadBy("warmup"),
    }

    def confirm(self) -> None:
        if self.name == "multistep" and self.milestones is None:
            raise Clash("`multistep` needs them", ("milestones",), "as in `milestones: [30, 60]`")
        if self.warmup and self.name == "one_cycle":
            help = "see `pct_start`, and have `warmup: 0`"
            raise Clash("`one_cycle` has its own", ("warmup",), help)


@dataclass(frozen=True, kw_only=True)
class Augment(Section):
    """What is done to training images, in this order; seed, epoch and image decide each draw."""

    resize: int | tuple[int, int] | None = arg(
        "Length of the short side before a crop at a random place, or between two lengths; null "
        "resizes to the network's input.",
        default=None,
        min=1,
    )
    random_resized_crop: tuple[float, float] | None = arg(
        "Crop a share of the area between these, as [0.08, 1], and resize it.",
        default=None,
        min=0,
        max=1,
    )
    crop_ratio: tuple[float, float] = arg(
        "Width to height of such a crop, between these.", default=(3 / 4, 4 / 3), min=0.01
    )
    pad_crop: int = arg("Pad by so many pixels, then crop at random.", default=0, min=0)
    flip: float = arg("Probability of a mirror image.", default=0.0, min=0, max=1)
    vertical_flip: float = arg("Probability of turning upside down.", default=0.0, min=0, max=1)
    policy: Literal["autoaugment", "randaugment", "trivialaugment", "augmix"] | None = arg(
        "A learned or random policy, as torchvision has it.", default=None
    )
    magnitude: int = arg("Magnitude of `randaugment`.", default=9, min=0, max=30)
    ops: int = arg("Operations of `randaugment`.", default=2, min=1)
    color_jitter: float | tuple[float, float, float, float] = arg(
        "Change of brightness, contrast, saturation and hue; one number is for the first three.",
        default=0.0,
        min=0,
    )
    erase: float = arg("Probability that a rectangle is erased.", default=0.0, min=0, max=1)
    mixup: float = arg("α of mixup; 0 is none.", default=0.0, min=0)
    cutmix: float = arg(
        "α of cutmix; 0 is none. With mixup too, each step draws one.", default=0.0, min=0
    )
    repeats: int = arg(
        "Augmented copies of an image in an epoch, which then sees so many times fewer images.",
        default=1,
        min=1,
    )
    interpolation: Literal["nearest", "bilinear", "bicubic"] = arg(
        "How images are resized.", default="bilinear"
    )

    read_by: ClassVar[Rules] = {
        "crop_ratio": ReadBy("random_resized_crop"),
        "magnitude": ReadBy("policy", ("randaugment",)),
        "ops": ReadBy("policy", ("randaugment",)),
    }

    def confirm(self) -> None:
        for name in ("resize", "pad_crop"):
            if self.random_resized_crop and getattr(self, name):
                raise Clash("goes without `random_resized_crop`", (name,))
        for name in ("resize", "random_resized_crop", "crop_ratio"):
            value = getattr(self, name)
            if isinstance(value, tuple) and value[0] > value[1]:
                raise Clash("the first number is the smaller one", (name,))


@dataclass(frozen=True, kw_only=True)
class Validation(Section):
    """How images are seen in validation."""

    resize: int | None = arg(
        "Length of the short side before the crop; null is that of the crop, for `folder` and "
        "`webdataset` 8/7 of it.",
        default=None,
        min=1,
    )
    crop: int | None = arg(
        "Side of the square cut from the middle; null is the training size.", default=None, min=1
    )
    batch_size: int | None = arg("Images at a time; null is as in training.", default=None, min=1)


@dataclass(frozen=True, kw_only=True)
class Ema(Section):
    """A moving average of the weights, which validation and `best` use."""

    decay: float = arg("Share of the average that stays.", primary=True, min=0, max=1)
    every: int = arg("Steps between two updates.", default=1, min=1)


@dataclass(frozen=True, kw_only=True)
class EarlyStopping(Section):
    """End the run when the validation accuracy no longer rises."""

    patience: int = arg("Epochs without a rise.", primary=True, min=1)
    min_delta: float = arg("What counts as a rise, from 0 to 1.", default=0.0, min=0, max=1)


@dataclass(frozen=True, kw_only=True)
class Layerwise(Section):
    """Greedy training: stage after stage, each with a head of its own, the earlier ones frozen."""

    stages: tuple[str, ...] = arg("Names of scopes or values, from the input on.", primary=True)
    epochs: int = arg("Epochs of each stage.", default=1, min=1)
    rest: Literal["rest", "all"] = arg(
        "What the recipe's own epochs train then: the rest alone, or all.", default="rest"
    )


Scheme = Literal[
    "normal", "xavier_normal", "xavier_uniform", "kaiming_normal", "kaiming_uniform", "orthogonal"
]
Patterns = tuple[str, ...]
Factors = Mapping[str, float]

DATA_NAMES: tuple[str, ...] = typing.get_args(typing.get_type_hints(Data)["name"])
