"""The arithmetic of sliding windows, shared by convolution and pooling."""

from __future__ import annotations

from typing import Literal

from cnndsl.ops.base import Reject, Shape

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


def strided(
    x: Shape,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int] = (1, 1),
    ceil: bool = False,
) -> tuple[int, int]:
    """Height and width after a window has slid over an image; Reject where it does not fit."""
    left, right, top, bottom = padding
    height = steps(x.height, kernel[0], stride[0], top + bottom, dilation[0], ceil)
    width = steps(x.width, kernel[1], stride[1], left + right, dilation[1], ceil)
    if height < 1 or width < 1:
        reach = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True))
        room = f"{x.height + top + bottom}×{x.width + left + right}"
        what = f"the {x.height}×{x.width} image" + (
            f" ({room} with its padding)" if any(padding) else ""
        )
        raise Reject(f"a window of {reach[0]}×{reach[1]} does not fit {what}", "kernel")
    return height, width
