"""Functions of tensors that no single op names as its own, as ops: sums, slices, reshapings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from cnndsl.importer.readings import op_of_function
from cnndsl.importer.signatures import Parameters
from cnndsl.importer.steps import merge
from cnndsl.importer.tracing import Event, Foreign, Value, Weight
from cnndsl.ops import registry
from cnndsl.ops.base import Op, Reject, Shape


class Unclear(Exception):  # noqa: N818 - it says what the call is
    """A call that no op expresses, and what about it."""


@dataclass(frozen=True)
class Made:
    """What a call is: an op of some values; without an op, the first value itself."""

    op: Op | None
    inputs: tuple[Value, ...]
    weights: tuple[Weight, ...] = ()


@dataclass(frozen=True)
class Arguments:
    """A call of a function with what is known of it."""

    event: Event
    parameters: Parameters | None
    """By name, where the function's signature is known, without the input."""
    sources: Mapping[int, Event]
    batch: int
    """The number of samples."""

    @property
    def values(self) -> tuple[Value, ...]:
        return self.event.inputs

    @property
    def value(self) -> Value:
        if not self.values:
            raise Unclear("of no value of the network")
        return self.values[0]

    @property
    def x(self) -> Shape:
        return Shape(self.value.shape[1:])

    @property
    def result(self) -> Value:
        return self.event.outputs[0]

    @property
    def out(self) -> Shape:
        return Shape(self.result.shape[1:])

    def get(self, name: str, place: int, default: Any = None) -> Any:
        """An argument by its name, or by its place in the call."""
        if name in self.event.kwargs:
            return self.event.kwargs[name]
        return self.event.args[place] if len(self.event.args) > place else default

    def pair(self) -> tuple[Any, Any]:
        """The two operands of a sum or a product."""
        return self.get("input", 0), self.get("other", 1)

    def dim(self, name: str, place: int, default: int, rank: int) -> int:
        """A dimension of the batch, counted from the first."""
        dim = self.get(name, place, default)
        if not isinstance(dim, int):
            raise Unclear(f"along {said(dim)}")
        return dim % rank


def make(name: str, **values: Any) -> Op:
    try:
        return registry()[name].create(values)
    except Reject as e:
        raise Unclear(e.message) from None


def same(call: Arguments) -> list[Made]:
    """A call that gives the value it takes."""
    return [Made(None, (call.value,))]


# --- sums and products ---


def add(call: Arguments) -> list[Made]:
    if call.get("alpha", 9, 1) != 1:
        raise Unclear("with alpha")
    first, second = call.pair()
    if isinstance(first, Value) and isinstance(second, Value):
        return [Made(merge("add"), (first, second))]
    if isinstance(second, int | float) and second == 0:
        return same(call)
    raise Unclear(f"of {said(second if isinstance(first, Value) else first)}")


def mul(call: Arguments) -> list[Made]:
    first, second = call.pair()
    if isinstance(first, Value) and isinstance(second, Value):
        return [Made(merge("mul"), (first, second))]
    value, other = (first, second) if isinstance(first, Value) else (second, first)
    if isinstance(other, Weight):
        return [layer_scale(value, other)]
    if isinstance(other, int | float) and not isinstance(other, bool):
        return [Made(make("scale", by=float(other)), (value,))]
    raise Unclear(f"of {said(other)}")


def layer_scale(value: Value, weight: Weight) -> Made:
    """A value times a weight that has a number for each channel."""
    if not weight.learned:
        raise Unclear(f"of the buffer `{weight.path}`")
    x = Shape(value.shape[1:])
    for last_dim in (False, True):
        op = make("layer_scale", last_dim=last_dim)
        try:
            if op.weights(op.infer((x,)))[""] == weight.shape:
                return Made(op, (value,), (weight,))
        except Reject:
            continue
    raise Unclear(f"of the weight `{weight.path}` {list(weight.shape)}")


def div(call: Arguments) -> list[Made]:
    value, by = call.pair()
    if not isinstance(value, Value):
        raise Unclear(f"of {said(value)} by a value")
    powers = {2.0**n for n in range(-10, 11)}
    if isinstance(by, int | float) and float(by) in powers and call.get("rounding_mode", 9) is None:
        return [Made(make("scale", by=1 / by), (value,))]  # exact for powers of two alone
    raise Unclear(f"by {said(by)}")


def said(item: Any) -> str:
    """Something that stands in a call, as its author would write it."""
    match item:
        case Weight():
            return f"the weight `{item.path}`" if item.learned else f"the buffer `{item.path}`"
        case Foreign():
            return item.why
        case Value():
            return "a value"
        case slice():
            ends = ["" if end is None else said(end) for end in (item.start, item.stop)]
            return ":".join(ends if item.step is None else [*ends, said(item.step)])
        case tuple() | list():
            return ", ".join(map(said, item))
        case _ if item is Ellipsis:
            return "..."
        case None | bool() | int() | float() | str():
            return str(item)
    return f"a {type(item).__name__}"


# --- channels ---


def cat(call: Arguments) -> list[Made]:
    parts = call.get("tensors", 0)
    others = [part for part in parts if not isinstance(part, Value)]
    if others:
        raise Unclear(f"with {said(others[0])}")
    if call.dim("dim", 1, 0, len(parts[0].shape)) != 1:
        raise Unclear(f"along dimension {said(call.get('dim', 1, 0))}")
    return same(call) if len(parts) == 1 else [Made(merge("concat"), tuple(parts))]


def chunk(call: Arguments) -> list[Made]:
    """Equal parts of the channels, of `chunk`, `split` or `tensor_split`."""
    if call.dim("dim", 2, 0, len(call.value.shape)) != 1:
        raise Unclear(f"along dimension {said(call.get('dim', 2, 0))}")
    count = len(call.event.outputs)
    if len({value.shape for value in call.event.outputs}) != 1:
        raise Unclear("into unequal parts")
    return [Made(make("share", index=i, of=count), (call.value,)) for i in range(count)]


def getitem(call: Arguments) -> list[Made]:
    index = call.event.args[1]
    slices = index if isinstance(index, tuple) else (index,)
    whole = len(call.value.shape) - len(slices)
    numbers = (end for s in slices if isinstance(s, slice) for end in (s.start, s.stop, s.step))
    known = all(end is None or isinstance(end, int) for end in numbers)
    if not all(isinstance(s, slice) for s in slices) or not known or whole < 0:
        raise Unclear(f"[{said(index)}]")
    ranges = [
        range(size)[s]
        for size, s in zip(call.value.shape, (*slices, *[slice(None)] * whole), strict=True)
    ]
    if any(r.step != 1 for r in ranges):
        raise Unclear(f"[{said(index)}]")
    cut = [
        i for i, (r, size) in enumerate(zip(ranges, call.value.shape, strict=True)) if len(r) < size
    ]
    if not cut:
        return same(call)
    if cut == [1] and len(ranges[1]):
        return [Made(_share(ranges[1], call.x.channels), (call.value,))]
    if set(cut) <= {2, 3} and len(ranges) == 4:
        size = (len(ranges[2]), len(ranges[3]))
        middle = [(side - kept) // 2 for side, kept in zip(call.x[1:], size, strict=True)]
        if [ranges[2].start, ranges[3].start] == middle:
            return [Made(make("crop", size=size[0] if size[0] == size[1] else size), (call.value,))]
    raise Unclear(f"of {call.x} to {call.out}")


def _share(taken: range, channels: int) -> Op:
    """An equal part of the channels."""
    if channels % len(taken) or taken.start % len(taken):
        raise Unclear(f"at the channels {taken.start} to {taken.stop} of {channels}")
    return make("share", index=taken.start // len(taken), of=channels // len(taken))


# --- means ---


def mean(call: Arguments) -> list[Made]:
    """The mean or maximum over height and width; `global_avg_pool` and its like."""
    dims = call.get("dim", 1)
    listed = list(dims) if isinstance(dims, list | tuple) else [dims]
    image = len(call.value.shape) == 4
    if not image or sorted(d % 4 for d in listed if isinstance(d, int)) != [2, 3]:
        raise Unclear(f"over {'all' if dims is None else said(dims)}")
    name = (
        "global_max_pool"
        if "max" in str(getattr(call.event.target, "__name__", ""))
        else "global_avg_pool"
    )
    keepdim = bool(call.get("keepdim", 2, False))
    return [Made(make(name, keepdim=keepdim), (call.value,))]


# --- reshaping ---


def reshape(call: Arguments) -> list[Made]:
    """`view`, `reshape`, `squeeze` and the like, by what they make of the shape."""
    before, after = call.value.shape, call.result.shape
    if before == after and not isinstance(call.get("dtype", 1), torch.dtype):
        return same(call)
    shuffled = _shuffle(call)
    if shuffled:
        return [shuffled]
    if after[:1] != (call.batch,) or before[:1] != (call.batch,):
        raise Unclear("across the samples of a batch")
    if len(after) == 2 and after[1] == call.x.size:
        return [Made(make("flatten"), (call.value,))]
    if len(before) == 2 and len(after) == 4:
        return [Made(make("unflatten", out=list(call.out)), (call.value,))]
    raise Unclear(f"of {call.x} to {call.out}")


def _shuffle(call: Arguments) -> Made | None:
    """`channel_shuffle`, written as a view, a transposition of two dimensions, and a view back."""
    if len(call.value.shape) != 5 or len(call.result.shape) != 4:
        return None
    event = call.sources.get(call.value.id)
    while event and getattr(event.target, "__name__", "") in ("contiguous", "clone"):
        event = call.sources.get(event.inputs[0].id)
    if not event or getattr(event.target, "__name__", "") not in (
        "transpose",
        "permute",
        "swapaxes",
    ):
        return None
    turned, viewed = event.outputs[0].shape, event.inputs[0]
    groups = viewed.shape[1]
    first = call.sources.get(viewed.id)
    if first is None or turned != (viewed.shape[0], *viewed.shape[2:0:-1], *viewed.shape[3:]):
        return None
    source = first.inputs[0]
    if source.shape != call.result.shape or viewed.shape[0] != call.batch:
        return None
    return Made(make("channel_shuffle", groups=groups), (source,))


def flatten(call: Arguments) -> list[Made]:
    if call.parameters is None:
        return reshape(call)
    op = op_of_function("flatten", call.parameters, call.x)
    whole = len(call.result.shape) == 2 and call.result.shape[0] == call.batch
    return [Made(op, (call.value,))] if op and not whole else reshape(call)


def permute(call: Arguments) -> list[Made]:
    rank = len(call.value.shape)
    if getattr(call.event.target, "__name__", "") == "permute":
        given = call.event.args[1:] or (call.get("dims", 1, ()),)
        order = list(given[0]) if isinstance(given[0], list | tuple) else list(given)
    else:
        one, other = call.dim("dim0", 1, 0, rank), call.dim("dim1", 2, 0, rank)
        order = list(range(rank))
        order[one], order[other] = other, one
    order = [dim % rank for dim in order]
    if order == list(range(rank)):
        return same(call)
    if order[:1] != [0] or rank > 4:
        raise Unclear(f"to {said(order)}")
    return [Made(make("permute", dims=[dim - 1 for dim in order[1:]]), (call.value,))]


def pad(call: Arguments) -> list[Made]:
    given = dict(call.parameters or {})
    given["value"] = given.get("value") or 0.0
    op = op_of_function("pad", given, call.x)
    if op is None:
        raise Unclear(f"by {said(given.get('pad'))}")
    return [Made(op, (call.value,))]


Handler = Callable[[Arguments], list[Made]]

HANDLERS: Mapping[str, Handler] = {
    **dict.fromkeys(("add", "__add__", "__radd__", "__iadd__"), add),
    **dict.fromkeys(("mul", "multiply", "__mul__", "__rmul__", "__imul__"), mul),
    **dict.fromkeys(("div", "divide", "true_divide", "__truediv__", "__itruediv__"), div),
    **dict.fromkeys(("cat", "concat", "concatenate"), cat),
    **dict.fromkeys(("chunk", "split", "tensor_split"), chunk),
    "__getitem__": getitem,
    **dict.fromkeys(("mean", "amax"), mean),
    **dict.fromkeys(("view", "reshape", "squeeze", "unsqueeze", "unflatten", "view_as"), reshape),
    "flatten": flatten,
    **dict.fromkeys(("permute", "transpose", "swapaxes"), permute),
    **dict.fromkeys(("contiguous", "clone"), same),
    "pad": pad,
}
