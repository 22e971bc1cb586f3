"""The arithmetic of sliding windows, shared by convolution and pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cnndsl.ops.base import Reject, Shape
from cnndsl.ops.sums import Sum, twice

Pair = int | tuple[int, int]
Sides = int | tuple[int, int] | tuple[int, int, int, int]
Padding = Sides | Literal["same"]


def pair(value: Pair) -> tuple[int, int]:
    """(vertical, horizontal) of one number for both, or two."""
    return value if isinstance(value, tuple) else (value, value)


def sides(value: Sides) -> tuple[int, int, int, int]:
    """(left, right, top, bottom) of one number for all, of (vertical, horizontal), or of four."""
    if isinstance(value, int):
        return (value, value, value, value)
    if len(value) == 2:
        return (value[1], value[1], value[0], value[0])
    return value


def steps(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil: bool = False
) -> int:
    """How many places a window takes along one side; `padding` is that of both ends together.

    The formula of PyTorch's pooling and convolution pages. With `ceil`, a last window that begins
    in the padding at the end is left out; the caller then gives equal padding at both ends.
    """
    room = size + padding - dilation * (kernel - 1) - 1
    if not ceil:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding // 2 else count


@dataclass(frozen=True, slots=True)
class Sliding:
    """A window that slides over an image; pairs are (vertical, horizontal).

    `padding` is (left, right, top, bottom); `ceil` keeps a last window that reaches over the edge.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    dilation: tuple[int, int] = (1, 1)
    ceil: bool = False

    def over(self, x: Shape) -> tuple[int, int]:
        """Height and width of what it makes of an image; Reject where it does not fit."""
        (kh, kw), (sh, sw), (dh, dw) = self.kernel, self.stride, self.dilation
        left, right, top, bottom = self.padding
        height = steps(x.height, kh, sh, top + bottom, dh, self.ceil)
        width = steps(x.width, kw, sw, left + right, dw, self.ceil)
        if height < 1 or width < 1:
            reach = f"{dh * (kh - 1) + 1}×{dw * (kw - 1) + 1}"
            room = f"{x.height + top + bottom}×{x.width + left + right}"
            what = f"the {x.height}×{x.width} image" + (
                f" ({room} with its padding)" if any(self.padding) else ""
            )
            raise Reject(f"a window of {reach} does not fit {what}", "kernel", self._smaller(x))
        return height, width

    def _smaller(self, x: Shape) -> str:
        """The remedy for a window that does not fit: the largest that does, no side longer."""
        left, right, top, bottom = self.padding
        rooms = (x.height + top + bottom, x.width + left + right)
        own = zip(self.kernel, rooms, self.dilation, strict=True)
        height, width = (min(kernel, (room - 1) // d + 1) for kernel, room, d in own)
        kernel = f"{height}" if height == width else f"[{height}, {width}]"
        return f"write `{kernel}`, or keep the image larger up to here: fewer pools and strides"

    def sums(self, x: Shape) -> tuple[Sum, Sum]:
        """How these come about, also where the window does not fit."""
        left, right, top, bottom = self.padding
        return (self._sum(1, x.height, top, bottom), self._sum(2, x.width, left, right))

    def _sum(self, axis: int, size: int, before: int, behind: int) -> Sum:
        own = (self.kernel, self.stride, self.dilation)
        kernel, stride, dilation = (value[axis - 1] for value in own)
        count = steps(size, kernel, stride, before + behind, dilation, self.ceil)
        reach = str(kernel) if dilation == 1 else f"{dilation}·({kernel} − 1) − 1"
        text = f"({size} + {twice(before, behind)} − {reach})/{stride}"
        room = size + before + behind - dilation * (kernel - 1) - 1
        if room % stride:
            text = f"⌈{text}⌉" if self.ceil else f"⌊{text}⌋"
        # With `ceil`, a last window that would begin in the padding behind is left out.
        left_out = " − 1" if self.ceil and count == -(-room // stride) else ""
        return Sum(axis, f"{text} + 1{left_out}", count)
