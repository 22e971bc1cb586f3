"""Pooling: windows summed up in one number each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnndsl.ops.base import Call, Family, Op, Reject, Shape, arg, call
from cnndsl.ops.conv import brief_window
from cnndsl.ops.memory import FLOAT, INDEX, INPUT, NOTHING, Kept
from cnndsl.ops.reading import WHOLE, Reading, pointwise, shares_of, window
from cnndsl.ops.sums import Sum
from cnndsl.ops.windows import Pair, Sliding, pair, sides

MAX_STEP = 2**31 - 1
"""PyTorch's pools count steps and taps in numbers of 32 bits; its convolutions do not."""


class Pool(Op):
    """What the sliding pools share; the window's step is its own size unless given."""

    family = Family.POOLING

    kernel: Pair = arg("Height and width of the window.", min=1, primary=True)
    stride: Pair | None = arg(
        "Steps of the window; those of its size if null.", default=None, min=1
    )
    ceil: bool = arg("Keep a last window that reaches over the edge (`ceil_mode`).", default=False)

    def shape(self, x: Shape) -> Shape:
        sliding = self._sliding()
        for name, own in (("stride", sliding.stride), ("dilation", sliding.dilation)):
            if max(own) > MAX_STEP:
                raise Reject(f"{name} {max(own)} is more than {MAX_STEP}", name)
        left, _, top, _ = sliding.padding
        for kernel, around in zip(sliding.kernel, (top, left), strict=True):
            if around > kernel // 2:  # as PyTorch has it
                fact = f"padding {around} is more than half of kernel {kernel}"
                raise Reject(fact, "padding", "put `pad` before it for a wider border")
        return Shape((x.channels, *sliding.over(x)))

    def arithmetic(self, x: Shape, /) -> tuple[Sum, ...]:
        return self._sliding().sums(x)

    def _sliding(self) -> Sliding:
        stride = pair(self.kernel if self.stride is None else self.stride)
        padding, dilation = getattr(self, "padding", 0), getattr(self, "dilation", 1)
        return Sliding(pair(self.kernel), stride, sides(padding), pair(dilation), self.ceil)

    def idle(self) -> Mapping[str, tuple[str, ...]]:
        # A last window over the edge is kept where it begins before the padding there.
        own = self._sliding()
        left, _, top, _ = own.padding
        axes = zip(own.kernel, own.stride, (top, left), own.dilation, strict=True)
        none = all(s == 1 or d * (k - 1) <= p for k, s, p, d in axes)
        names = ("kernel", "stride", "padding", "dilation")
        return {"ceil": tuple(filter(self.args.get, names))} if none else {}

    def _window(self) -> dict[str, Any]:
        return {"stride": self.stride} | ({"ceil_mode": True} if self.ceil else {})

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        stride = self.kernel if self.stride is None else self.stride
        own = (self.kernel, stride, getattr(self, "padding", 0), getattr(self, "dilation", 1))
        sizes = zip(*map(pair, own), strict=True)
        return (*pointwise(1), *(window(1 + axis, *size) for axis, size in enumerate(sizes)))

    def brief(self) -> str:
        stride = self.kernel if self.stride is None else self.stride
        return brief_window(self.kernel, stride, None, 1, getattr(self, "dilation", 1))


class MaxPool2d(Pool, name="max_pool"):
    """Keep the largest value of each window."""

    padding: Pair = arg("Rows and columns added around, never the largest.", default=0, min=0)
    dilation: Pair = arg("Distance between the taps of the window.", default=1, min=1)

    def idle(self) -> Mapping[str, tuple[str, ...]]:
        alone = {"dilation": ("kernel",)} if pair(self.kernel) == (1, 1) else {}
        return {**super().idle(), **alone}

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return Kept(input=True, own=self.scratch(x))

    def scratch(self, x: Shape, /) -> int:
        return INDEX * self.shape(x).size

    def module(self, x: Shape) -> Call:
        return call("nn.MaxPool2d", self.kernel, **self._arguments())

    def function(self, x: Shape) -> Call:
        return call("F.max_pool2d", self.kernel, **self._arguments())

    def _arguments(self) -> dict[str, Any]:
        return {"padding": self.padding, "dilation": self.dilation} | self._window()


class AvgPool2d(Pool, name="avg_pool"):
    """Take the mean of each window."""

    padding: Pair = arg("Rows and columns of zeros added around.", default=0, min=0)
    count_include_pad: bool = arg("Count the zeros around in the mean.", default=True)

    def idle(self) -> Mapping[str, tuple[str, ...]]:
        none = {} if any(pair(self.padding)) else {"count_include_pad": ("padding",)}
        return {**super().idle(), **none}

    def module(self, x: Shape) -> Call:
        return call("nn.AvgPool2d", self.kernel, **self._arguments())

    def function(self, x: Shape) -> Call:
        return call("F.avg_pool2d", self.kernel, **self._arguments())

    def _arguments(self) -> dict[str, Any]:
        own = {"padding": self.padding, "count_include_pad": self.count_include_pad}
        return own | self._window()


class LPPool2d(Pool, name="lp_pool"):
    """Take the p-norm of each window: the p-th root of the sum of the p-th powers."""

    norm: float = arg("The p: 1 is the sum of a window.", default=2.0, min=1)

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return Kept(input=True, own=FLOAT * (x.size + 4 * self.shape(x).size))

    def scratch(self, x: Shape, /) -> int:
        return FLOAT * max(x.size, 3 * self.shape(x).size)

    def module(self, x: Shape) -> Call:
        return call("nn.LPPool2d", self.norm, self.kernel, **self._window())

    def function(self, x: Shape) -> Call:
        return call("F.lp_pool2d", self.norm, self.kernel, **self._window())


class AdaptiveAvgPool2d(Op, name="adaptive_avg_pool"):
    """Take means over windows chosen so that the output has a given size."""

    family = Family.POOLING

    out: Pair = arg("Height and width of the output.", min=1, primary=True)

    def shape(self, x: Shape) -> Shape:
        return Shape((x.channels, *pair(self.out)))

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return mean_kept(pair(self.out))

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        return shared_out(x, out)

    def module(self, x: Shape) -> Call:
        return call("nn.AdaptiveAvgPool2d", self.out)

    def function(self, x: Shape) -> Call:
        return call("F.adaptive_avg_pool2d", self.out)


class AdaptiveMaxPool2d(Op, name="adaptive_max_pool"):
    """Take the largest values of windows chosen so that the output has a given size."""

    family = Family.POOLING

    out: Pair = arg("Height and width of the output.", min=1, primary=True)

    def shape(self, x: Shape) -> Shape:
        return Shape((x.channels, *pair(self.out)))

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return Kept(input=True, own=self.scratch(x))

    def scratch(self, x: Shape, /) -> int:
        return INDEX * self.shape(x).size

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        return shared_out(x, out)

    def module(self, x: Shape) -> Call:
        return call("nn.AdaptiveMaxPool2d", self.out)

    def function(self, x: Shape) -> Call:
        return call("F.adaptive_max_pool2d", self.out)


class GlobalAvgPool2d(Op, name="global_avg_pool"):
    """Take the mean of each channel over the image: [C, H, W] becomes [C]."""

    family = Family.POOLING

    keepdim: bool = arg("Give [C, 1, 1] instead.", default=False)

    def shape(self, x: Shape) -> Shape:
        return Shape((x.channels, 1, 1) if self.keepdim else (x.channels,))

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return NOTHING

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        return (*pointwise(1), WHOLE, WHOLE)

    def module(self, x: Shape) -> Call:
        if self.keepdim:
            return call("nn.AdaptiveAvgPool2d", 1)
        return call("cnndsl.modules:GlobalAvgPool2d")

    def function(self, x: Shape) -> Call | str:
        if self.keepdim:
            return call("F.adaptive_avg_pool2d", 1)
        return "torch.flatten(F.adaptive_avg_pool2d({0}, 1), 1)"


class GlobalMaxPool2d(Op, name="global_max_pool"):
    """Take the largest value of each channel over the image: [C, H, W] becomes [C]."""

    family = Family.POOLING

    keepdim: bool = arg("Give [C, 1, 1] instead.", default=False)

    def shape(self, x: Shape) -> Shape:
        return Shape((x.channels, 1, 1) if self.keepdim else (x.channels,))

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return Kept(input=True, own=self.scratch(x))

    def scratch(self, x: Shape, /) -> int:
        return INDEX * self.shape(x).size

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        return (*pointwise(1), WHOLE, WHOLE)

    def module(self, x: Shape) -> Call:
        if self.keepdim:
            return call("nn.AdaptiveMaxPool2d", 1)
        return call("cnndsl.modules:GlobalMaxPool2d")

    def function(self, x: Shape) -> Call | str:
        if self.keepdim:
            return call("F.adaptive_max_pool2d", 1)
        return "torch.flatten(F.adaptive_max_pool2d({0}, 1), 1)"


def mean_kept(size: tuple[int, int]) -> Kept:
    """What adaptive means keep: nothing where there is one window, the image."""
    return NOTHING if size == (1, 1) else INPUT


def shared_out(x: Shape, out: Shape) -> tuple[Reading, ...]:
    """How the windows of adaptive pooling lie over an image."""
    return (*pointwise(1), *(shares_of(dim, x[dim], out[dim]) for dim in (1, 2)))
