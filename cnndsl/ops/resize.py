"""Ops that give the image another size: values repeated, put in between, added or cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from math import floor, inf
from typing import Any, Literal

from cnndsl.ops.base import Call, Op, Reject, Shape, arg, call
from cnndsl.ops.conv import check_fill
from cnndsl.ops.memory import INPUT, NOTHING, Kept
from cnndsl.ops.pool import mean_kept, shared_out
from cnndsl.ops.reading import Reading, Span, pointwise, resampled, window
from cnndsl.ops.sums import Sum, twice
from cnndsl.ops.windows import Pair, Sides, pair, sides


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
            told = f"upsample needs `scale` or `size`, found {found}"
            help = "leave one of them away" if self.size else "as in `upsample: {scale: 2}`"
            raise Reject(told, "size" if self.size else "", help)
        if self.align_corners is not None and self.mode not in ("bilinear", "bicubic"):
            raise Reject(
                f"mode {self.mode} takes no align_corners", "align_corners", "leave it out"
            )
        if self.size is not None:
            return Shape((x.channels, *pair(self.size)))
        height, width = (floor(side * factor) for side, factor in self._scaled(x))
        if height < 1 or width < 1:
            raise Reject(f"the output would be {height}×{width}", "scale")
        return Shape((x.channels, height, width))

    def arithmetic(self, x: Shape, /) -> tuple[Sum, ...]:
        return tuple(_scaled(axis, *own) for axis, own in enumerate(self._scaled(x), 1))

    def _scaled(self, x: Shape) -> Iterator[tuple[int, float]]:
        """Height and width with their factors, where there are such."""
        if self.scale is not None:
            scale = self.scale if isinstance(self.scale, tuple) else (self.scale, self.scale)
            yield from zip(x[1:], scale, strict=True)

    def idle(self) -> Mapping[str, tuple[str, ...]]:
        same = self.scale in (1, (1, 1))
        return {"mode": ("scale",), "align_corners": ("scale",)} if same else {}

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        _, height, width = self.shape(x)
        return mean_kept((height, width)) if self.mode == "area" else NOTHING

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        if self.mode == "area":
            return shared_out(x, out)
        scales = (self._scale(axis, x[axis], out[axis]) for axis in (1, 2))
        rules = (
            resampled(axis, scale, self._reader(scale)) for axis, scale in enumerate(scales, 1)
        )
        return (*pointwise(1), *rules)

    def _scale(self, axis: int, size: int, out: int) -> Fraction:
        """How many places of the input one of the output is."""
        if self.align_corners:
            return Fraction(size - 1, max(1, out - 1))
        if self.scale is None:
            return Fraction(size, out)
        factor = self.scale[axis - 1] if isinstance(self.scale, tuple) else self.scale
        return 1 / Fraction(str(factor))

    def _reader(self, scale: Fraction) -> Callable[[int], Span]:
        """What a place reads: the nearest, or the neighbours that its value lies between."""
        before, behind = {"bilinear": (0, 1), "bicubic": (-1, 2)}.get(self.mode, (0, 0))
        half = Fraction(0) if self.align_corners or self.mode == "nearest" else Fraction(1, 2)
        back = half if before or behind else 0

        def read(place: int) -> Span:
            at = (place + half) * scale - back
            low = floor(at)
            return (low, low) if at == low else (low + before, low + behind)

        return read

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

    @classmethod
    def create(cls, values: Mapping[str, Any]) -> Op:
        try:
            return super().create(values)
        except Reject as e:
            if e.arg == "value" and values["value"] == -inf:
                e.help = "a max_pool finds the same with `mode: replicate` in place of `value`"
            raise

    def idle(self) -> Mapping[str, tuple[str, ...]]:
        own = ("padding", "channels")
        none = not any((*sides(self.padding), *pair(self.channels)))
        return {"mode": own, "value": own} if none else {}

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

    def arithmetic(self, x: Shape, /) -> tuple[Sum, ...]:
        left, right, top, bottom = sides(self.padding)
        added = enumerate((pair(self.channels), (top, bottom), (left, right)))
        return tuple(
            Sum(axis, f"{x[axis]} + {twice(*ends)}", x[axis] + sum(ends))
            for axis, ends in added
            if any(ends)
        )

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return INPUT if self.mode in ("reflect", "replicate") else NOTHING

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        left, _, top, _ = sides(self.padding)
        before = (pair(self.channels)[0], top, left)
        return tuple(window(dim, 1, before=count) for dim, count in enumerate(before))

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

    def shares(self, x: Shape, /, *, training: bool) -> bool:
        return True

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return NOTHING

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        before = ((side - kept) // 2 for side, kept in zip(x, out, strict=True))
        return tuple(window(dim, 1, before=-count) for dim, count in enumerate(before))

    def module(self, x: Shape) -> Call:
        return call("cnndsl.modules:CenterCrop", *pair(self.size))

    def function(self, x: Shape) -> str:
        (height, width), (top, left) = (
            pair(self.size),
            ((side - kept) // 2 for side, kept in zip(x[1:], pair(self.size), strict=True)),
        )
        return f"{{0}}[:, :, {top}:{top + height}, {left}:{left + width}]"


def _scaled(axis: int, size: int, factor: float) -> Sum:
    """A side times a factor, rounded down."""
    found = size * factor
    text = f"{size}·{int(factor) if factor == int(factor) else factor}"
    exact = size * Fraction(str(factor))
    if floor(found) != floor(exact):  # PyTorch takes the product in floating point
        text += "" if found == floor(found) else f" = ⌊{found}⌋"
    elif floor(found) != exact:
        text = f"⌊{text}⌋"
    return Sum(axis, text, floor(found))
