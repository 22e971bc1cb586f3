"""Multiplication by a constant, and by learned numbers."""

from __future__ import annotations

from cnndsl.ops.base import Call, Family, Op, Shape, arg, call
from cnndsl.ops.memory import FLOAT, NOTHING, Kept


class Scale(Op, name="scale"):
    """Multiply by a constant, and add another."""

    family = Family.NORMALIZATION
    ranks = (1, 2, 3)
    overwritable = True

    by: float = arg("The factor.", primary=True)
    shift: float = arg("What is added then.", default=0.0)

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return NOTHING

    def scratch(self, x: Shape, /) -> int:
        return FLOAT * x.size if self.shift else 0

    def module(self, x: Shape) -> Call:
        return call("cnndsl.modules:Scale", self.by, shift=self.shift)

    def function(self, x: Shape) -> str:
        shift = f" + {self.shift!r}" if self.shift else ""
        return f"{{0}} * {self.by!r}{shift}"


class LayerScale(Op, name="layer_scale"):
    """Multiply each channel by a learned number (ConvNeXt, CaiT)."""

    family = Family.NORMALIZATION
    ranks = (3, 1, 2)
    overwritable = True

    init: float = arg("The number to begin with.", default=1e-6, primary=True)
    last_dim: bool = arg("The channels are the last dimension, as after `permute`.", default=False)

    def weights(self, x: Shape) -> dict[str, tuple[int, ...]]:
        return {"": self._shape(x)}

    def _shape(self, x: Shape) -> tuple[int, ...]:
        """The parameter's shape, which PyTorch lines up with the last dimensions of the batch."""
        return (x.channels, 1, 1) if len(x) == 3 and not self.last_dim else (x[-1],)

    def module(self, x: Shape) -> Call:
        return call("nn.Parameter", call("torch.full", self._shape(x), self.init))

    def function(self, x: Shape) -> str:
        return "{parameter} * {0}"
