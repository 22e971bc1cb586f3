"""Regularization: noise in training, nothing in inference; and the op that does nothing at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from cnndsl.ops.base import Call, Family, Op, Shape, arg, call
from cnndsl.ops.memory import FLOAT, NOTHING, Kept


class Noise(Op):
    """What the dropouts share; `nn` is PyTorch's module."""

    family = Family.REGULARIZATION
    ranks: ClassVar[tuple[int, ...]] = (1, 2, 3)
    inplace = True
    nn: ClassVar[str] = ""

    p: float = arg("Probability of dropping.", default=0.5, min=0, max=1, primary=True)

    def __init_subclass__(cls, name: str = "", nn: str = "") -> None:
        super().__init_subclass__(name=name)
        cls.nn = nn

    def shares(self, x: Shape, /, *, training: bool) -> bool:
        return not training or self.p == 0

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        """The factors as numbers; CUDA's dropout keeps them as single bytes."""
        if self.p == 1:
            return Kept(batch=FLOAT)
        return Kept(own=FLOAT * self.decisions(x)) if self.p else NOTHING

    def decisions(self, x: Shape) -> int:
        """How many random decisions are made for a sample."""
        return x.size

    def module(self, x: Shape) -> Call:
        return call(f"nn.{self.nn}", p=self.p)


class Dropout(Noise, name="dropout", nn="Dropout"):
    """Set random values to zero in training, and scale the others up."""


class Dropout2d(Noise, name="dropout2d", nn="Dropout2d"):
    """Set random channels to zero in training, and scale the others up."""

    ranks = (3,)

    def decisions(self, x: Shape) -> int:
        return x.channels


class AlphaDropout(Noise, name="alpha_dropout", nn="AlphaDropout"):
    """Dropout that keeps mean 0 and variance 1, for use with `selu`."""

    inplace = False  # PyTorch's module takes the argument, and does not heed it


class FeatureAlphaDropout(Noise, name="feature_alpha_dropout", nn="FeatureAlphaDropout"):
    """Alpha dropout of whole channels."""

    inplace = False

    def decisions(self, x: Shape) -> int:
        return x.channels


class StochasticDepth(Op, name="stochastic_depth"):
    """Set a branch to zero for random samples in training, and scale it up for the others."""

    family = Family.REGULARIZATION
    ranks = (1, 2, 3)

    p: float = arg("Probability of dropping.", min=0, max=1, primary=True)
    mode: Literal["row", "batch"] = arg("Decide for each sample, or once a batch.", default="row")

    def idle(self) -> Mapping[str, tuple[str, ...]]:
        return {"mode": ("p",)} if self.p in (0, 1) else {}

    def shares(self, x: Shape, /, *, training: bool) -> bool:
        return not training or self.p == 0

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        if self.p == 0:
            return NOTHING
        return Kept(own=FLOAT) if self.mode == "row" else Kept(batch=FLOAT)

    def module(self, x: Shape) -> Call:
        return call("cnndsl.modules:StochasticDepth", self.p, mode=self.mode)


class Identity(Op, name="identity"):
    """Do nothing."""

    ranks = (1, 2, 3)

    def shares(self, x: Shape, /, *, training: bool) -> bool:
        return True

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return NOTHING

    def module(self, x: Shape) -> Call:
        return call("nn.Identity")

    def function(self, x: Shape) -> str:
        return "{0}"
