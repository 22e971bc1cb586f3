"""Regularization: noise in training, nothing in inference; and the op that does nothing at all."""

from __future__ import annotations

from typing import ClassVar, Literal

from cnndsl.ops.base import Call, Family, Op, Shape, arg, call


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

    def module(self, x: Shape) -> Call:
        return call(f"nn.{self.nn}", p=self.p)


class Dropout(Noise, name="dropout", nn="Dropout"):
    """Set random values to zero in training, and scale the others up."""


class Dropout2d(Noise, name="dropout2d", nn="Dropout2d"):
    """Set random channels to zero in training, and scale the others up."""

    ranks = (3,)


class AlphaDropout(Noise, name="alpha_dropout", nn="AlphaDropout"):
    """Dropout that keeps mean 0 and variance 1, for use with `selu`."""


class FeatureAlphaDropout(Noise, name="feature_alpha_dropout", nn="FeatureAlphaDropout"):
    """Alpha dropout of whole channels."""


class StochasticDepth(Op, name="stochastic_depth"):
    """Set a branch to zero for random samples in training, and scale it up for the others."""

    family = Family.REGULARIZATION
    ranks = (1, 2, 3)

    p: float = arg("Probability of dropping.", min=0, max=1, primary=True)
    mode: Literal["row", "batch"] = arg("Decide for each sample, or once a batch.", default="row")

    def module(self, x: Shape) -> Call:
        return call("cnndsl.modules:StochasticDepth", self.p, mode=self.mode)


class Identity(Op, name="identity"):
    """Do nothing."""

    ranks = (1, 2, 3)

    def module(self, x: Shape) -> Call:
        return call("nn.Identity")

    def function(self, x: Shape) -> str:
        return "{0}"
