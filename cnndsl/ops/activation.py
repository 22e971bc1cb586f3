"""Activations: every module of PyTorch that maps values one by one, or along a dimension."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from cnndsl.ops.base import Call, Family, Op, Reject, Shape, arg, call
from cnndsl.ops.memory import FLOAT, INPUT, OUTPUT, Kept
from cnndsl.ops.reading import Along, Reading, normalized, pointwise

LEAST = 1e-15
"""What is less is too near to 0 to divide by: the result would be past the bound of numbers."""


class Activation(Op):
    """What activations share: `nn` is PyTorch's module, `functional` its function or F.{name}.

    The arguments carry PyTorch's names, so both take them as they are.
    """

    family = Family.ACTIVATION
    ranks: ClassVar[tuple[int, ...]] = (1, 2, 3)
    nn: ClassVar[str] = ""
    functional: ClassVar[str | None] = None
    by_output: ClassVar[bool] = False
    """Whether the gradient is computed from the output, not from the input."""
    copied: ClassVar[bool] = False
    """Whether autograd keeps a copy of the input where the op works in place."""

    def __init_subclass__(cls, name: str = "", nn: str = "", functional: str | None = "") -> None:
        super().__init_subclass__(name=name)
        cls.nn, cls.functional = nn, f"F.{name}" if functional == "" else functional

    def module(self, x: Shape) -> Call:
        return call(f"nn.{self.nn}", **self._arguments())

    def function(self, x: Shape) -> Call | None:
        return call(self.functional, **self._arguments()) if self.functional else None

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        if inplace and self.copied:
            return Kept(own=FLOAT * x.size)
        return OUTPUT if self.by_output else INPUT

    def _arguments(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.args}


class Doubled(Activation):
    """Activations that make a second tensor of the input's size on the way, and keep both."""

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return Kept(input=True, own=self.scratch(x))

    def scratch(self, x: Shape, /) -> int:
        return FLOAT * x.size


class ReLU(Activation, name="relu", nn="ReLU"):
    """max(0, x)."""

    inplace = True
    by_output = True


class ReLU6(Activation, name="relu6", nn="ReLU6"):
    """min(max(0, x), 6)."""

    inplace = True
    copied = True


class LeakyReLU(Activation, name="leaky_relu", nn="LeakyReLU"):
    """x where it is positive, else a fraction of it."""

    negative_slope: float = arg("Slope below zero.", default=0.01, primary=True)

    @property
    def inplace(self) -> bool:  # type: ignore[override]  # the gradient reads the sign off the output
        return self.negative_slope >= 0


class PReLU(Activation, name="prelu", nn="PReLU", functional=None):
    """x where it is positive, else a learned fraction of it."""

    per_channel: bool = arg("Learn a slope for each channel, not one for all.", default=False)
    init: float = arg("The slope to begin with.", default=0.25)

    def weights(self, x: Shape) -> dict[str, tuple[int, ...]]:
        return {"weight": (x.channels if self.per_channel else 1,)}

    def module(self, x: Shape) -> Call:
        return call("nn.PReLU", *((x.channels,) if self.per_channel else ()), init=self.init)


class RReLU(Doubled, name="rrelu", nn="RReLU", functional=None):
    """x where it is positive, else a fraction of it that is random in training."""

    lower: float = arg("The least slope below zero.", default=1 / 8)
    upper: float = arg("The greatest slope below zero.", default=1 / 3)

    def shape(self, x: Shape) -> Shape:
        if self.lower > self.upper:
            raise Reject(f"lower {self.lower:g} is more than upper {self.upper:g}", "lower")
        return x

    @property
    def inplace(self) -> bool:  # type: ignore[override]  # the gradient reads the sign off the output
        return self.lower >= 0


class ELU(Activation, name="elu", nn="ELU"):
    """x where it is positive, else alpha * (exp(x) - 1)."""

    alpha: float = arg("Minus the limit below zero.", default=1.0, primary=True)

    @property
    def inplace(self) -> bool:  # type: ignore[override]  # the gradient reads the sign off the output
        return self.alpha >= 0


class SELU(Activation, name="selu", nn="SELU"):
    """The ELU that keeps mean 0 and variance 1 from layer to layer."""

    inplace = True


class CELU(Activation, name="celu", nn="CELU"):
    """x where it is positive, else alpha * (exp(x / alpha) - 1)."""

    alpha: float = arg("Minus the limit below zero; not 0.", default=1.0, primary=True)

    def shape(self, x: Shape) -> Shape:
        if abs(self.alpha) < LEAST:
            raise Reject(f"alpha is {self.alpha:g}, and celu divides by it", "alpha", "use `relu`")
        return x

    @property
    def inplace(self) -> bool:  # type: ignore[override]  # the gradient reads the sign off the output
        return self.alpha >= 0


class GELU(Activation, name="gelu", nn="GELU"):
    """x times the probability that a normal variable is below x."""

    approximate: Literal["none", "tanh"] = arg("Which formula computes it.", default="none")


class SiLU(Activation, name="silu", nn="SiLU"):
    """x * sigmoid(x), also called swish."""

    inplace = True
    copied = True


class Mish(Activation, name="mish", nn="Mish"):
    """x * tanh(softplus(x))."""

    inplace = True
    copied = True


class Hardswish(Activation, name="hardswish", nn="Hardswish"):
    """x * relu6(x + 3) / 6, a cheap silu."""

    inplace = True
    copied = True


class Hardsigmoid(Activation, name="hardsigmoid", nn="Hardsigmoid"):
    """relu6(x + 3) / 6, a cheap sigmoid."""

    inplace = True
    copied = True


class Hardtanh(Activation, name="hardtanh", nn="Hardtanh"):
    """x, cut off at two bounds."""

    inplace = True
    copied = True

    min_val: float = arg("The lower bound.", default=-1.0)
    max_val: float = arg("The upper bound.", default=1.0)

    def shape(self, x: Shape) -> Shape:
        if self.max_val <= self.min_val:
            fact = f"max_val {self.max_val:g} is not above min_val {self.min_val:g}"
            raise Reject(fact, "max_val" if self.max_val != 1 else "min_val")
        return x


class Sigmoid(Activation, name="sigmoid", nn="Sigmoid", functional="torch.sigmoid"):
    """1 / (1 + exp(-x))."""

    by_output = True


class Tanh(Activation, name="tanh", nn="Tanh", functional="torch.tanh"):
    """The hyperbolic tangent."""

    by_output = True


class LogSigmoid(Doubled, name="logsigmoid", nn="LogSigmoid"):
    """log(sigmoid(x))."""


class Softplus(Activation, name="softplus", nn="Softplus"):
    """log(1 + exp(beta * x)) / beta, a smooth relu."""

    beta: float = arg("How sharp the bend is.", default=1.0, min=LEAST)
    threshold: float = arg("Above this beta * x it is x itself.", default=20.0)


class Softshrink(Activation, name="softshrink", nn="Softshrink"):
    """x moved towards zero by lambd, and zero within it."""

    lambd: float = arg("How far x is moved.", default=0.5, min=0, primary=True)


class Hardshrink(Activation, name="hardshrink", nn="Hardshrink"):
    """x, or zero where it is within lambd of zero."""

    lambd: float = arg("The half width of the zero part.", default=0.5, primary=True)


class Softsign(Doubled, name="softsign", nn="Softsign"):
    """x / (1 + |x|)."""


class Tanhshrink(Doubled, name="tanhshrink", nn="Tanhshrink"):
    """x - tanh(x)."""

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return Kept(own=self.scratch(x))


class Threshold(Activation, name="threshold", nn="Threshold"):
    """x where it is above the threshold, else a fixed value."""

    inplace = True
    copied = True

    threshold: float = arg("Where x is kept from.")
    value: float = arg("What stands in for x below.")


class Directed(Activation):
    """Activations along one dimension; `dim` counts in the sample, PyTorch's in the batch."""

    dim: int = arg("Dimension: 0 is the channels, -1 the last.", default=0, min=-1, primary=True)

    def shape(self, x: Shape) -> Shape:
        if self.dim >= len(x):
            raise Reject(f"{x} has no dimension {self.dim}", "dim", f"the last is {len(x) - 1}")
        return x

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        return normalized(len(x), [self.dim % len(x)])

    def _arguments(self) -> dict[str, Any]:
        return {"dim": self.dim if self.dim < 0 else self.dim + 1}


class GLU(Directed, name="glu", nn="GLU"):
    """The first half of a dimension times the sigmoid of its second half."""

    def shape(self, x: Shape) -> Shape:
        size = super().shape(x)[self.dim]
        if size % 2:
            raise Reject(f"dimension {self.dim} of {x} does not split into two halves", "dim")
        return Shape(size // 2 if i == self.dim % len(x) else side for i, side in enumerate(x))

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        dim = self.dim % len(x)
        halves = Along(dim, 1, ((0, out[dim]),))
        return tuple(halves if i == dim else own for i, own in enumerate(pointwise(len(x))))


class Softmax(Directed, name="softmax", nn="Softmax"):
    """exp(x), divided by its sum along a dimension."""

    by_output = True


class Softmin(Directed, name="softmin", nn="Softmin"):
    """exp(-x), divided by its sum along a dimension."""

    by_output = True

    def scratch(self, x: Shape, /) -> int:
        return FLOAT * x.size


class LogSoftmax(Directed, name="log_softmax", nn="LogSoftmax"):
    """The logarithm of softmax."""

    by_output = True


class Softmax2d(Activation, name="softmax2d", nn="Softmax2d", functional="F.softmax"):
    """Softmax over the channels of each pixel."""

    by_output = True

    ranks = (3,)

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        return normalized(3, [0])

    def function(self, x: Shape) -> Call:
        return call("F.softmax", dim=1)
