"""Convolutions and the linear layer: the ops that cost multiply-adds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import gcd
from typing import Literal

from cnndsl.ops.base import Call, Family, Op, Reject, Shape, arg, call, fewer_groups
from cnndsl.ops.memory import FLOAT, INPUT, Kept
from cnndsl.ops.reading import WHOLE, Reading, pointwise, spread_window, window
from cnndsl.ops.sums import Sum
from cnndsl.ops.windows import Padding, Pair, Sliding, pair, sides

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]


class Conv2d(Op, name="conv"):
    """Slide `out` learned filters over the image."""

    family = Family.CONVOLUTION
    overwritable = True

    out: int = arg("Output channels.", min=1, primary=True)
    kernel: Pair = arg("Height and width of the window.", default=1, min=1)
    stride: Pair = arg("Steps of the window.", default=1, min=1)
    padding: Padding = arg(
        "Rows and columns added around: all sides, [vertical, horizontal], "
        "[left, right, top, bottom], or `same` for an output of the input's size.",
        default=0,
        min=0,
    )
    dilation: Pair = arg("Distance between the taps of the window.", default=1, min=1)
    groups: int = arg("Groups of channels convolved apart.", default=1, min=1)
    bias: bool = arg("Add a learned number to each output channel.", default=True)
    padding_mode: PaddingMode = arg("What the padding is filled with.", default="zeros")

    def shape(self, x: Shape) -> Shape:
        check_groups(self.groups, x.channels, self.out)
        if self.padding == "same" and pair(self.stride) != (1, 1):
            raise Reject("padding `same` needs stride 1", "padding", self._as_same(x))
        sliding = self._sliding()
        check_fill(self.padding_mode, x, sliding.padding)
        return Shape((self.out, *sliding.over(x)))

    def arithmetic(self, x: Shape, /) -> tuple[Sum, ...]:
        return self._sliding().sums(x)

    def _sliding(self) -> Sliding:
        kernel, stride, dilation = map(pair, (self.kernel, self.stride, self.dilation))
        return Sliding(kernel, stride, self._sides(), dilation)

    def idle(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        if pair(self.kernel) == (1, 1):
            found["dilation"] = ("kernel",)
        if not any(self._sides()):
            own = ("padding", "kernel") if self.padding == "same" else ("padding",)
            found["padding_mode"] = own
        return found

    def _as_same(self, x: Shape) -> str:
        """The padding in numbers by which the window has one place for each step of the image."""
        reach = [d * (k - 1) for d, k in zip(pair(self.dilation), pair(self.kernel), strict=True)]
        if not any(rest % 2 for rest in reach):
            around = [rest // 2 for rest in reach]
            return f"write `{around[0] if around[0] == around[1] else around}`"
        short = [
            max(0, (-(-side // step) - 1) * step + rest + 1 - side)
            for side, step, rest in zip(x[1:], pair(self.stride), reach, strict=True)
        ]
        left, top = short[1] // 2, short[0] // 2
        return f"write `[{left}, {short[1] - left}, {top}, {short[0] - top}]`, for this image"

    def _sides(self) -> tuple[int, int, int, int]:
        if self.padding != "same":
            return sides(self.padding)
        height, width = (
            d * (k - 1) for d, k in zip(pair(self.dilation), pair(self.kernel), strict=True)
        )
        return (width // 2, width - width // 2, height // 2, height - height // 2)

    def weights(self, x: Shape) -> dict[str, tuple[int, ...]]:
        weight = (self.out, x.channels // self.groups, *pair(self.kernel))
        return {"weight": weight, "bias": (self.out,)} if self.bias else {"weight": weight}

    def macs(self, x: Shape) -> int:
        height, width = pair(self.kernel)
        return self.shape(x).size * (x.channels // self.groups) * height * width

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        padded = self._padded(x)
        if padded is None:
            return INPUT
        # The gradient of these two modes reads the size off the image itself.
        read = self.padding_mode in ("reflect", "replicate")
        return Kept(learning_input=read, own=FLOAT * padded.size)

    def scratch(self, x: Shape, /) -> int:
        padded = self._padded(x)
        return FLOAT * padded.size if padded else 0

    def _padded(self, x: Shape) -> Shape | None:
        """The shape of the padded copy that is made of an image, where one is."""
        left, right, top, bottom = self._sides()
        if self._four_sides or self.padding_mode != "zeros":
            return Shape((x.channels, x.height + top + bottom, x.width + left + right))
        if left == right and top == bottom:
            return None
        return Shape((x.channels, x.height + bottom - top, x.width + right - left))

    @property
    def _four_sides(self) -> bool:
        return isinstance(self.padding, tuple) and len(self.padding) == 4

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        left, _, top, _ = self._sides()
        sizes = zip(
            *map(pair, (self.kernel, self.stride)), (top, left), pair(self.dilation), strict=True
        )
        return (WHOLE, *(window(1 + axis, *size) for axis, size in enumerate(sizes)))

    def module(self, x: Shape) -> Call:
        return call(
            "cnndsl.modules:PaddedConv2d" if self._four_sides else "nn.Conv2d",
            x.channels,
            self.out,
            kernel_size=self.kernel,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            bias=self.bias,
            padding_mode=self.padding_mode,
        )

    def brief(self) -> str:
        return brief_window(self.kernel, self.stride, self.out, self.groups, self.dilation)


class ConvTranspose2d(Op, name="conv_transpose"):
    """Spread each pixel over a window of the output by learned filters; enlarges the image."""

    family = Family.CONVOLUTION
    overwritable = True

    out: int = arg("Output channels.", min=1, primary=True)
    kernel: Pair = arg("Height and width of the window.", default=1, min=1)
    stride: Pair = arg("Steps of the window in the output.", default=1, min=1)
    padding: Pair = arg("Rows and columns cut off around the output.", default=0, min=0)
    output_padding: Pair = arg("Rows and columns added at the bottom and right.", default=0, min=0)
    dilation: Pair = arg("Distance between the taps of the window.", default=1, min=1)
    groups: int = arg("Groups of channels convolved apart.", default=1, min=1)
    bias: bool = arg("Add a learned number to each output channel.", default=True)

    def idle(self) -> Mapping[str, tuple[str, ...]]:
        extra = zip(pair(self.output_padding), pair(self.stride), strict=True)
        if pair(self.kernel) == (1, 1) and all(more < stride for more, stride in extra):
            return {"dilation": ("kernel", "output_padding", "stride")}
        return {}

    def shape(self, x: Shape) -> Shape:
        check_groups(self.groups, x.channels, self.out)
        lengths: list[int] = []
        for size, (kernel, stride, padding, extra, dilation) in self._along(x):
            if extra >= max(stride, dilation):
                limit = f"the stride {stride} or the dilation {dilation}"
                raise Reject(f"output_padding {extra} is not less than {limit}", "output_padding")
            lengths.append(_length(size, kernel, stride, padding, extra, dilation))
        if min(lengths) < 1:
            raise Reject(f"the output would be {lengths[0]}×{lengths[1]}", "padding")
        return Shape((self.out, *lengths))

    def arithmetic(self, x: Shape, /) -> tuple[Sum, ...]:
        return tuple(
            _spread(axis, size, *own) for axis, (size, own) in enumerate(self._along(x), 1)
        )

    def _along(self, x: Shape) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Of height and width the size, and of the window the arguments there."""
        own = (self.kernel, self.stride, self.padding, self.output_padding, self.dilation)
        return zip(x[1:], zip(*map(pair, own), strict=True), strict=True)

    def weights(self, x: Shape) -> dict[str, tuple[int, ...]]:
        weight = (x.channels, self.out // self.groups, *pair(self.kernel))
        return {"weight": weight, "bias": (self.out,)} if self.bias else {"weight": weight}

    def macs(self, x: Shape) -> int:
        height, width = pair(self.kernel)
        return x.size * (self.out // self.groups) * height * width

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        own = (self.kernel, self.stride, self.padding, self.dilation)
        sizes = zip(*map(pair, own), strict=True)
        return (WHOLE, *(spread_window(1 + axis, *size) for axis, size in enumerate(sizes)))

    def module(self, x: Shape) -> Call:
        return call(
            "nn.ConvTranspose2d",
            x.channels,
            self.out,
            kernel_size=self.kernel,
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
            dilation=self.dilation,
            groups=self.groups,
            bias=self.bias,
        )

    def brief(self) -> str:
        return brief_window(self.kernel, self.stride, self.out, self.groups, self.dilation)


class Linear(Op, name="linear"):
    """Multiply the features by a learned matrix."""

    family = Family.LINEAR
    overwritable = True

    out: int = arg("Output features.", min=1, primary=True)
    bias: bool = arg("Add a learned number to each output feature.", default=True)
    last_dim: bool = arg(
        "Apply to the last dimension of an input that has several, as after `permute`.",
        default=False,
    )

    @property
    def ranks(self) -> tuple[int, ...]:  # type: ignore[override]
        return (1, 2, 3) if self.last_dim else (1,)

    def shape(self, x: Shape) -> Shape:
        return Shape((*x[:-1], self.out))

    def weights(self, x: Shape) -> dict[str, tuple[int, ...]]:
        weight = (self.out, x[-1])
        return {"weight": weight, "bias": (self.out,)} if self.bias else {"weight": weight}

    def macs(self, x: Shape) -> int:
        return x.size * self.out

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        return (*pointwise(len(x) - 1), WHOLE)

    def module(self, x: Shape) -> Call:
        return call("nn.Linear", x[-1], self.out, bias=self.bias)


def _length(size: int, kernel: int, stride: int, padding: int, extra: int, dilation: int) -> int:
    """What a transposed convolution makes of a side."""
    return (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1 + extra


def _spread(
    axis: int, size: int, kernel: int, stride: int, padding: int, extra: int, dilation: int
) -> Sum:
    reach = str(kernel) if dilation == 1 else f"{dilation}·({kernel} − 1) + 1"
    text = f"({size} − 1)·{stride} − 2·{padding} + {reach}" + (f" + {extra}" if extra else "")
    return Sum(axis, text, _length(size, kernel, stride, padding, extra, dilation))


def check_groups(groups: int, inputs: int, outputs: int) -> None:
    """Reject groups that do not divide the channels."""
    for channels, which in ((inputs, "input"), (outputs, "output")):
        if channels % groups:
            told = f"{channels} {which} channels do not split into {groups} groups"
            raise Reject(told, "groups", fewer_groups(groups, gcd(inputs, outputs)))


def check_fill(mode: str, x: Shape, around: tuple[int, int, int, int]) -> None:
    """Reject padding wider than what the mode can take from the image."""
    left, right, top, bottom = around
    for side, padding in ((x.width, max(left, right)), (x.height, max(top, bottom))):
        limit = {"reflect": side - 1, "circular": side}.get(mode, padding)
        if padding > limit:
            raise Reject(f"{mode} padding of {padding} is more than {limit}", "padding")


def brief_window(kernel: Pair, stride: Pair, out: int | None, groups: int, dilation: Pair) -> str:
    """`3×3, 64, /2` for diagrams, with `g32` for groups and `d2` for dilation."""
    height, width = pair(kernel)
    parts = [
        f"{height}×{width}",
        str(out) if out else "",
        f"/{_sides(stride)}" if pair(stride) != (1, 1) else "",
        f"g{groups}" if groups > 1 else "",
        f"d{_sides(dilation)}" if pair(dilation) != (1, 1) else "",
    ]
    return ", ".join(part for part in parts if part)


def _sides(value: Pair) -> str:
    """One number where both sides have the same."""
    height, width = pair(value)
    return f"{height}" if height == width else f"{height}×{width}"
