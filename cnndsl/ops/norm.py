"""Normalization: values shifted and scaled to mean 0 and variance 1, over one group or another."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from cnndsl.ops.base import Call, Family, Op, Reject, Shape, arg, call, fewer_groups
from cnndsl.ops.kinds import MAX_ELEMENTS
from cnndsl.ops.memory import FLOAT, Kept
from cnndsl.ops.reading import Reading, normalized, pointwise, window

Weights = dict[str, tuple[int, ...]]
MOMENTS = 2
"""Mean and deviation."""


class BatchNorm(Op, name="bn"):
    """Normalize each channel over the batch in training, by running statistics in inference."""

    family = Family.NORMALIZATION
    ranks = (3, 1)
    overwritable = True

    eps: float = arg("Added to the variance.", default=1e-5, min=0)
    momentum: float | None = arg(
        "Weight of the newest batch in the running statistics; null for a plain mean over all.",
        default=0.1,
    )
    affine: bool = arg("Learn a scale and a shift for each channel.", default=True)
    track_running_stats: bool = arg(
        "Keep running statistics; without them inference uses the batch's own.", default=True
    )

    def idle(self) -> Mapping[str, tuple[str, ...]]:
        return {} if self.track_running_stats else {"momentum": ("track_running_stats",)}

    def shape(self, x: Shape) -> Shape:
        if self.eps == 0:
            raise Reject("eps is 0, and training may then divide by 0", "eps")
        return x

    def weights(self, x: Shape) -> Weights:
        return _affine(x.channels) if self.affine else {}

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return Kept(input=True, batch=FLOAT * MOMENTS * x.channels)

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        return _over_pixels(x) if not self.track_running_stats else pointwise(len(x))

    def module(self, x: Shape) -> Call:
        return call(
            "nn.BatchNorm2d" if len(x) == 3 else "nn.BatchNorm1d",
            x.channels,
            eps=self.eps,
            momentum=self.momentum,
            affine=self.affine,
            track_running_stats=self.track_running_stats,
        )


class LayerNorm(Op, name="layer_norm"):
    """Normalize each pixel of an image over its channels; other values over the last dimension."""

    family = Family.NORMALIZATION
    ranks = (3, 1, 2)
    overwritable = True

    dims: int | None = arg(
        "Normalize over this many last dimensions instead, as nn.LayerNorm does: 1 for the "
        "channels of [H, W, C], 3 for a whole image.",
        default=None,
        min=1,
        primary=True,
    )
    eps: float = arg("Added to the variance.", default=1e-5, min=0)
    elementwise_affine: bool = arg("Learn a scale and a shift for each element.", default=True)
    bias: bool = arg("Learn the shift too, not the scale alone.", default=True)

    def idle(self) -> Mapping[str, tuple[str, ...]]:
        return {} if self.elementwise_affine else {"bias": ("elementwise_affine",)}

    def shape(self, x: Shape) -> Shape:
        self._normalized(x)
        return x

    def _normalized(self, x: Shape) -> tuple[int, ...]:
        """The sizes of what is normalized together, which are those of the weights."""
        if self.dims is None:
            return (x.channels,) if len(x) == 3 else (x[-1],)
        if self.dims > len(x):
            raise Reject(f"dims {self.dims} is more than {x} has", "dims")
        return tuple(x[-self.dims :])

    def weights(self, x: Shape) -> Weights:
        shape = self._normalized(x)
        if not self.elementwise_affine:
            return {}
        return {"weight": shape, "bias": shape} if self.bias else {"weight": shape}

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return Kept(input=True, own=self.scratch(x))

    def scratch(self, x: Shape, /) -> int:
        return FLOAT * MOMENTS * x.size // prod(self._normalized(x))

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        if self.dims is None and len(x) == 3:
            return normalized(3, [0])
        return normalized(len(x), range(len(x) - (self.dims or 1), len(x)))

    def module(self, x: Shape) -> Call:
        shape = self._normalized(x)
        return call(
            "cnndsl.modules:LayerNorm2d" if self.dims is None and len(x) == 3 else "nn.LayerNorm",
            shape[0] if len(shape) == 1 else shape,
            eps=self.eps,
            elementwise_affine=self.elementwise_affine,
            bias=self.bias,
        )


class GroupNorm(Op, name="group_norm"):
    """Normalize each sample over the pixels and channels of each group."""

    family = Family.NORMALIZATION
    ranks = (3, 1)
    overwritable = True

    groups: int = arg("Groups of channels normalized apart.", min=1, primary=True)
    eps: float = arg("Added to the variance.", default=1e-5, min=0)
    affine: bool = arg("Learn a scale and a shift for each channel.", default=True)

    def shape(self, x: Shape) -> Shape:
        if x.channels % self.groups:
            told = f"{x.channels} channels do not split into {self.groups} groups"
            raise Reject(told, "groups", fewer_groups(self.groups, x.channels))
        return x

    def weights(self, x: Shape) -> Weights:
        return _affine(x.channels) if self.affine else {}

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return Kept(input=True, own=self.scratch(x))

    def scratch(self, x: Shape, /) -> int:
        return FLOAT * MOMENTS * self.groups

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        return normalized(len(x), range(len(x)))

    def module(self, x: Shape) -> Call:
        return call("nn.GroupNorm", self.groups, x.channels, eps=self.eps, affine=self.affine)


class InstanceNorm2d(Op, name="instance_norm"):
    """Normalize each channel of each sample over its pixels."""

    family = Family.NORMALIZATION
    overwritable = True

    eps: float = arg("Added to the variance.", default=1e-5, min=0)
    momentum: float = arg("Weight of the newest batch in the running statistics.", default=0.1)
    affine: bool = arg("Learn a scale and a shift for each channel.", default=False)
    track_running_stats: bool = arg("Keep running statistics for inference.", default=False)

    def idle(self) -> Mapping[str, tuple[str, ...]]:
        return {} if self.track_running_stats else {"momentum": ("track_running_stats",)}

    def shape(self, x: Shape) -> Shape:
        if x.height * x.width == 1:
            raise Reject(
                f"instance_norm needs more than one pixel, found {x}", "", "leave it out here"
            )
        return x

    def weights(self, x: Shape) -> Weights:
        return _affine(x.channels) if self.affine else {}

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        # It is a batch normalization of N * C channels, for which its statistics are repeated.
        per_channel = MOMENTS + self.affine + MOMENTS * self.track_running_stats
        return Kept(input=True, own=FLOAT * per_channel * x.channels)

    def scratch(self, x: Shape, /) -> int:
        return FLOAT * (MOMENTS + 2 * self.affine) * x.channels

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        return _over_pixels(x) if not self.track_running_stats else pointwise(len(x))

    def module(self, x: Shape) -> Call:
        return call(
            "nn.InstanceNorm2d",
            x.channels,
            eps=self.eps,
            momentum=self.momentum,
            affine=self.affine,
            track_running_stats=self.track_running_stats,
        )


class LocalResponseNorm(Op, name="lrn"):
    """Divide each value by the energy of its neighbour channels at the same pixel (AlexNet)."""

    family = Family.NORMALIZATION
    overwritable = True

    size: int = arg("Channels in the neighbourhood.", min=1, primary=True)
    alpha: float = arg("Weight of the energy.", default=1e-4, min=0)
    beta: float = arg("Exponent.", default=0.75)
    k: float = arg("Added to the energy.", default=1.0, min=0)

    def shape(self, x: Shape) -> Shape:
        if self._padded(x) > MAX_ELEMENTS:
            raise Reject(f"size {self.size} needs a tensor of more than 2**40 elements", "size")
        return x

    def idle(self) -> Mapping[str, tuple[str, ...]]:
        none: dict[str, tuple[str, ...]] = (
            {"alpha": ("beta",), "k": ("beta",)} if self.beta == 0 else {}
        )
        return {**none, "beta": ("alpha", "k")} if (self.alpha, self.k) == (0, 1) else none

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return Kept(input=True, own=FLOAT * (2 * x.size + self._padded(x)))

    def scratch(self, x: Shape, /) -> int:
        return FLOAT * max(2 * x.size, self._padded(x))

    def _padded(self, x: Shape) -> int:
        """Numbers of the squares with the channels of zeros around them."""
        return (x.channels + self.size - 1) * x.height * x.width

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        return (window(0, self.size, before=self.size // 2), *pointwise(3)[1:])

    def module(self, x: Shape) -> Call:
        return call("nn.LocalResponseNorm", self.size, alpha=self.alpha, beta=self.beta, k=self.k)

    def function(self, x: Shape) -> Call:
        return call("F.local_response_norm", self.size, alpha=self.alpha, beta=self.beta, k=self.k)


def _affine(channels: int) -> Weights:
    return {"weight": (channels,), "bias": (channels,)}


def _over_pixels(x: Shape) -> tuple[Reading, ...]:
    """The own pixel is read, and all of its channel, for their mean."""
    return normalized(len(x), range(1, len(x)))
