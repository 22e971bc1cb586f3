"""Ops that give values another order or other dimensions, and compute no new ones."""

from __future__ import annotations

from collections.abc import Mapping

from cnndsl.ops.base import Call, Op, Reject, Shape, arg, call, fewer_groups
from cnndsl.ops.memory import NOTHING, Kept
from cnndsl.ops.reading import LOOSE, WHOLE, Along, Reading, pointwise, window
from cnndsl.ops.sums import Sum, product, ratio


class Flatten(Op, name="flatten"):
    """Make one dimension of several: [C, H, W] becomes [C * H * W]."""

    ranks = (1, 2, 3)

    start: int = arg("The first dimension to join; 0 is the channels.", default=0, min=-1)
    end: int = arg("The last dimension to join; -1 is the last there is.", default=-1, min=-1)

    def idle(self) -> Mapping[str, tuple[str, ...]]:
        first: dict[str, tuple[str, ...]] = {"start": ("end",)} if self.end == 0 else {}
        last = self.start in (-1, max(self.ranks) - 1)
        return {**first, "end": ("start",)} if last else first

    def shape(self, x: Shape) -> Shape:
        for name, dim in (("start", self.start), ("end", self.end)):
            if dim >= len(x):
                raise Reject(f"{x} has no dimension {dim}", name, f"the last is {len(x) - 1}")
        start, end = self.start % len(x), self.end % len(x)
        if start > end:
            raise Reject(f"start {self.start} is after end {self.end} in {x}", "start")
        return Shape((*x[:start], Shape(x[start : end + 1]).size, *x[end + 1 :]))

    def arithmetic(self, x: Shape, /) -> tuple[Sum, ...]:
        start, end = self.start % len(x), self.end % len(x)
        joined = x[start : end + 1]
        return (product(start, joined),) if len(joined) > 1 else ()

    def shares(self, x: Shape, /, *, training: bool) -> bool:
        return True

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return NOTHING

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        start, end = self.start % len(x), self.end % len(x)
        alone = sum(side > 1 for side in x[start : end + 1]) <= 1
        inner = (Along(start) if x[d] > 1 else WHOLE for d in range(start, end + 1))
        joined = tuple(inner) if alone else (LOOSE,) * (end + 1 - start)
        after = (Along(dim - end + start) for dim in range(end + 1, len(x)))
        return (*pointwise(start), *joined, *after)

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
            raise Reject(f"{x} does not fill {out}, which has {product(0, out)} values", "out")
        return out

    def shares(self, x: Shape, /, *, training: bool) -> bool:
        return True

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return NOTHING

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        return (LOOSE,)

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

    def shares(self, x: Shape, /, *, training: bool) -> bool:
        return True

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return NOTHING

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        return tuple(Along(self.dims.index(dim)) for dim in range(len(x)))

    def module(self, x: Shape) -> Call:
        return call("cnndsl.modules:Permute", 0, *_batched(*self.dims))

    def function(self, x: Shape) -> str:
        return f"{{0}}.permute{(0, *_batched(*self.dims))}"


class ChannelShuffle(Op, name="channel_shuffle"):
    """Deal the channels of each group out over all groups (ShuffleNet)."""

    groups: int = arg("Groups of channels.", min=1, primary=True)

    def shape(self, x: Shape) -> Shape:
        if x.channels % self.groups:
            told = f"{x.channels} channels do not split into {self.groups} groups"
            raise Reject(told, "groups", fewer_groups(self.groups, x.channels))
        return x

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return NOTHING

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        return (LOOSE, *pointwise(3)[1:])

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

    def arithmetic(self, x: Shape, /) -> tuple[Sum, ...]:
        r = self.factor
        return (ratio(0, x.channels, (r, r)), *(product(axis, (x[axis], r)) for axis in (1, 2)))

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return NOTHING

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        repeated = ((0, 0),) * self.factor
        return (LOOSE, *(Along(dim, 1, repeated) for dim in (1, 2)))

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

    def arithmetic(self, x: Shape, /) -> tuple[Sum, ...]:
        r = self.factor
        return (product(0, (x.channels, r, r)), *(ratio(axis, x[axis], (r,)) for axis in (1, 2)))

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        return NOTHING

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        return (LOOSE, *(window(dim, self.factor, self.factor) for dim in (1, 2)))

    def module(self, x: Shape) -> Call:
        return call("nn.PixelUnshuffle", self.factor)

    def function(self, x: Shape) -> Call:
        return call("F.pixel_unshuffle", self.factor)


def _batched(*dims: int) -> tuple[int, ...]:
    """Dimensions of a sample as dimensions of a batch; those from the end stay."""
    return tuple(dim if dim < 0 else dim + 1 for dim in dims)
