"""Ops that move, repeat, add or cut off values, and compute no new ones but by interpolation."""

from __future__ import annotations

from math import floor
from typing import Any, Literal

from cnndsl.ops.base import Call, Op, Reject, Shape, arg, call
from cnndsl.ops.conv import check_fill
from cnndsl.ops.windows import Pair, Sides, pair, sides


class Flatten(Op, name="flatten"):
    """Make one dimension of several: [C, H, W] becomes [C * H * W]."""

    ranks = (1, 2, 3)

    start: int = arg("The first dimension to join; 0 is the channels.", default=0, min=-1)
    end: int = arg("The last dimension to join; -1 is the last there is.", default=-1, min=-1)

    def shape(self, x: Shape) -> Shape:
        for name, dim in (("start", self.start), ("end", self.end)):
            if dim >= len(x):
                raise Reject(f"{x} has no dimension {dim}", name, f"the last is {len(x) - 1}")
        start, end = self.start % len(x), self.end % len(x)
        if start > end:
            raise Reject(f"start {self.start} is after end {self.end} in {x}", "start")
        return Shape((*x[:start], Shape(x[start : end + 1]).size, *x[end + 1 :]))

    def module(self, x: Shape) -> Call:
        dims = _batched(self.start, self.end)
        return call("nn.Flatten", *(() if dims == (1, -1) else dims))

    def function(self, x: Shape) -> Call:
        dims = _batched(self.start, self.end)
        return call("torch.flatten", *(dims[:1] if dims[1] == -1 else dims))


class Unflatten(Op, name="unflatten"):
    """Make several dimensions of one: [C * H * W] becomes [C, H, W]."""

    ranks = (1,)

    out: tuple[int, int, int] = arg("Channels, height and width.", min=1, primary=True)

    def shape(self, x: Shape) -> Shape:
        out = Shape(self.out)
        if out.size != x.size:
            raise Reject(f"{x} does not fill {out}, which has {out.size} values", "out")
        return out

    def module(self, x: Shape) -> Call:
        return call("nn.Unflatten", 1, self.out)

    def function(self, x: Shape) -> str:
        return f"{{0}}.unflatten(1, {self.out})"


class Permute(Op, name="permute"):
    """Put the dimensions in another order: `[1, 2, 0]` makes [H, W, C] of [C, H, W]."""

    ranks = (2, 3)

    dims: tuple[int, ...] = arg(
        "Where each dimension comes from; 0 is the channels.", min=0, primary=True
    )

    def shape(self, x: Shape) -> Shape:
        if sorted(self.dims) != list(range(len(x))):
            fact = f"dims {list(self.dims)} is not an order of the {len(x)} dimensions of {x}"
            raise Reject(fact, "dims", f"each of 0 to {len(x) - 1} stands there once")
        return Shape(x[dim] for dim in self.dims)

    def module(self, x: Shape) -> Call:
        return call("cnndsl.modules:Permute", 0, *_batched(*self.dims))

    def function(self, x: Shape) -> str:
        return f"{{0}}.permute{(0, *_batched(*self.dims))}"


class Upsample(Op, name="upsample"):
    """Resize the image, by a factor or to a size."""

    scale: float | tuple[float, float] | None = arg(
        "Factor of height and width; the result is rounded down.", default=None, min=0, primary=True
    )
    size: Pair | None = arg("Height and width of the output, instead.", default=None, min=1)
    mode: Literal["nearest", "nearest-exact", "bilinear", "bicubic", "area"] = arg(
        "How values in between are made.", default="nearest"
    )
    align_corners: bool | None = arg(
        "Put the corner pixels of input and output in the same place; bilinear and bicubic only.",
        default=None,
    )

    def shape(self, x: Shape) -> Shape:
        if (self.scale is None) == (self.size is None):
            found = "neither" if self.size is None else "both"
            raise Reject(
                f"upsample needs `scale` or `size`, found {found}", "size" if self.size else ""
            )
        if self.align_corners is not None and self.mode not in ("bilinear", "bicubic"):
            raise Reject(
                f"mode {self.mode} takes no align_corners", "align_corners", "leave it out"
            )
        if self.size is not None:
            return Shape((x.channels, *pair(self.size)))
        scale = self.scale if isinstance(self.scale, tuple) else (self.scale, self.scale)
        height, width = (floor(side * (f or 0)) for side, f in zip(x[1:], scale, strict=True))
        if height < 1 or width < 1:
            raise Reject(f"the output would be {height}×{width}", "scale")
        return Shape((x.channels, height, width))

    def module(self, x: Shape) -> Call:
        return call("nn.Upsample", **self._arguments())

    def function(self, x: Shape) -> Call:
        return call("F.interpolate", **self._arguments())

    def _arguments(self) -> dict[str, Any]:
        factor = {} if self.scale is None else {"scale_factor": self.scale}
        return {"size": self.size, **factor, "mode": self.mode, "align_corners": self.align_corners}


class Pad(Op, name="pad"):
    """Add rows and columns around the image, or channels to it."""

    padding: Sides = arg(
        "How many: all sides, [vertical, horizontal], or [left, right, top, bottom].",
        default=0,
        min=0,
        primary=True,
    )
    channels: Pair = arg(
        "Channels of the constant: in front and behind, or [front, behind].", default=0, min=0
    )
    mode: Literal["constant", "reflect", "replicate", "circular"] = arg(
        "What they are filled with.", default="constant"
    )
    value: float = arg("The constant.", default=0.0)

    def shape(self, x: Shape) -> Shape:
        if self.value != 0 and self.mode != "constant":
            raise Reject(f"mode {self.mode} takes no value", "value", "leave it out")
        front, behind = pair(self.channels)
        if front + behind and self.mode != "constant":
            raise Reject(f"mode {self.mode} adds no channels", "channels", "leave it out")
        around = left, right, top, bottom = sides(self.padding)
        check_fill(self.mode, x, around)
        height, width = x.height + top + bottom, x.width + left + right
        return Shape((x.channels + front + behind, height, width))

    def module(self, x: Shape) -> Call:
        names = {"reflect": "Reflection", "replicate": "Replication", "circular": "Circular"}
        padding: int | tuple[int, ...] = (
            self.padding if isinstance(self.padding, int) else sides(self.padding)
        )
        if self.mode in names:
            return call(f"nn.{names[self.mode]}Pad2d", padding)
        dims = 2
        if any(pair(self.channels)):
            padding, dims = self._all_sides(), 3
        if self.value == 0:
            return call(f"nn.ZeroPad{dims}d", padding)
        return call(f"nn.ConstantPad{dims}d", padding, self.value)

    def function(self, x: Shape) -> Call:
        return call("F.pad", self._all_sides(), mode=self.mode, value=self.value)

    def _all_sides(self) -> tuple[int, ...]:
        """From the last dimension to the first, as PyTorch counts them; channels only if padded."""
        channels = pair(self.channels)
        return (*sides(self.padding), *channels) if any(channels) else sides(self.padding)


class Crop(Op, name="crop"):
    """Keep the middle of the image."""

    size: Pair = arg("Height and width that are kept.", min=1, primary=True)

    def shape(self, x: Shape) -> Shape:
        height, width = pair(self.size)
        if height > x.height or width > x.width:
            raise Reject(
                f"a crop of {height}×{width} is more than the {x.height}×{x.width} image", "size"
            )
        return Shape((x.channels, height, width))

    def module(self, x: Shape) -> Call:
        return call("cnndsl.modules:CenterCrop", *pair(self.size))

    def function(self, x: Shape) -> str:
        (height, width), (top, left) = (
            pair(self.size),
            ((side - kept) // 2 for side, kept in zip(x[1:], pair(self.size), strict=True)),
        )
        return f"{{0}}[:, :, {top}:{top + height}, {left}:{left + width}]"


class ChannelShuffle(Op, name="channel_shuffle"):
    """Deal the channels of each group out over all groups (ShuffleNet)."""

    groups: int = arg("Groups of channels.", min=1, primary=True)

    def shape(self, x: Shape) -> Shape:
        if x.channels % self.groups:
            raise Reject(f"{x.channels} channels do not split into {self.groups} groups", "groups")
        return x

    def module(self, x: Shape) -> Call:
        return call("nn.ChannelShuffle", self.groups)

    def function(self, x: Shape) -> Call:
        return call("F.channel_shuffle", self.groups)


class PixelShuffle(Op, name="pixel_shuffle"):
    """Make an image r times as high and wide of r * r times as many channels."""

    factor: int = arg("The r.", min=1, primary=True)

    def shape(self, x: Shape) -> Shape:
        area = self.factor**2
        if x.channels % area:
            raise Reject(f"{x.channels} channels do not split into groups of {area}", "factor")
        return Shape((x.channels // area, x.height * self.factor, x.width * self.factor))

    def module(self, x: Shape) -> Call:
        return call("nn.PixelShuffle", self.factor)

    def function(self, x: Shape) -> Call:
        return call("F.pixel_shuffle", self.factor)


class PixelUnshuffle(Op, name="pixel_unshuffle"):
    """Make r * r times as many channels of an image r times as high and wide."""

    factor: int = arg("The r.", min=1, primary=True)

    def shape(self, x: Shape) -> Shape:
        r = self.factor
        if x.height % r or x.width % r:
            raise Reject(
                f"the {x.height}×{x.width} image does not split into {r}×{r} squares", "factor"
            )
        return Shape((x.channels * r * r, x.height // r, x.width // r))

    def module(self, x: Shape) -> Call:
        return call("nn.PixelUnshuffle", self.factor)

    def function(self, x: Shape) -> Call:
        return call("F.pixel_unshuffle", self.factor)


def _batched(*dims: int) -> tuple[int, ...]:
    """Dimensions of a sample as dimensions of a batch; those from the end stay."""
    return tuple(dim if dim < 0 else dim + 1 for dim in dims)
