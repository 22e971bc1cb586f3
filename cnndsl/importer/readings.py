"""Calls of PyTorch → ops, found by asking every op which call it makes.

An op tells its call of PyTorch (`Op.module`, `Op.function`). Made with sample arguments, it shows
which of its arguments arrives at which parameter; with that, a given module's parameters become the
op's arguments. The op so found must make a call with exactly the parameters of the module.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from cnndsl.importer.signatures import Parameters, bound, held, plain, resolve, signature_of
from cnndsl.ops import registry
from cnndsl.ops.base import Call, Op, Reject, Shape
from cnndsl.ops.kinds import Choice, Either, Items, Kind, Nothing, Number, Truth

SHAPES = (Shape((48,)), Shape((30, 48)), Shape((48, 30, 36)))
"""Inputs that sample calls are made for."""

Side = Literal["module", "function"]

TRIED = (1, 2, 3)
"""Values tried for an integer that no parameter of PyTorch shows, beside those of the others."""

TWINS = {
    "torchvision.ops.stochastic_depth:StochasticDepth": "cnndsl.modules:StochasticDepth",
    "torchvision.models.convnext:LayerNorm2d": "cnndsl.modules:LayerNorm2d",
}
"""Modules of torchvision, and ours that do the same with the same parameters."""


@dataclass(frozen=True)
class Reading:
    """How an op is read off a call: `fixed` chooses the call, `names` maps arguments to parameters.

    With each parameter stands what PyTorch's value has more: 1 for a dimension, since the batch is
    one more.
    """

    op: type[Op]
    side: Side
    target: str
    fixed: Mapping[str, Any]
    names: Mapping[str, tuple[str, int]]

    @property
    def complete(self) -> bool:
        """Whether each argument that an op needs is known, or can be tried."""
        known = {*self.fixed, *self.names}
        args = self.op.args.items()
        return all(arg in known or _single(d.kind) for arg, d in args if d.required)

    def candidates(self, parameters: Parameters) -> Iterator[Op]:
        """The ops that may make a call with these parameters."""
        given = dict(self.fixed)
        for arg, (name, more) in self.names.items():
            if name not in parameters:
                return
            value = parameters[name]
            shifted = more and isinstance(value, int) and value > 0
            given[arg] = value - more if shifted else value
        kinds = {a: d.kind for a, d in self.op.args.items() if a not in given and _number(d.kind)}
        numbers = sorted({*TRIED, *_whole(parameters)})
        for values in itertools.product(*(_tries(kind, numbers) for kind in kinds.values())):
            tried = {a: v for a, v in zip(kinds, values, strict=True) if v is not None}
            try:
                yield self.op.create({**given, **tried})
            except Reject:
                continue


def _whole(parameters: Parameters) -> set[int]:
    """The integers that a call is given."""
    return {value for value in tree_leaves(list(parameters.values())) if type(value) is int}


def _tries(kind: Kind, numbers: Sequence[int]) -> list[Any]:
    """Values for an argument that arrives at several parameters, or computed: none, one or two."""
    pairs = list(itertools.permutations(numbers, 2)) if _takes(kind, 2) else []
    return [None, *numbers, *pairs]


# --- reading ---


def op_of_module(module: nn.Module, x: Shape) -> Op | None:
    """The op that this module computes for an input of this shape."""
    target = target_of(module)
    signature = signature_of(resolve(target)) if target else None
    if signature is None:
        return None
    names = {n: p.default for n, p in signature.parameters.items()}
    state = _state(module)
    ops = _matches(module_readings().get(target, ()), held(module, names), x)
    return next((op for op in ops if _state_of(op, x) == state), None)


def op_of_function(name: str, parameters: Parameters, x: Shape) -> Op | None:
    """The op that a function of this name computes, given its parameters without the input."""
    return next(_matches(function_readings().get(name, ()), parameters, x), None)


def _state(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def _state_of(op: Op, x: Shape) -> dict[str, tuple[int, ...]]:
    """What the op's own module holds, by name and shape."""
    call = op.module(x)
    assert call is not None
    with torch.device("meta"):
        return _state(resolve(call.target)(*call.args, **dict(call.kwargs)))


def target_of(module: nn.Module) -> str:
    """The target of ops that a module's class has, or a base class whose forward pass it keeps."""
    for cls in type(module).__mro__:
        if getattr(cls, "forward", None) is not type(module).forward:
            break
        own = f"{cls.__module__}:{cls.__qualname__}"
        target = TWINS.get(own) or _targets().get(cls)
        if target:
            return target
    return ""


def _matches(readings: tuple[Reading, ...], found: Parameters, x: Shape) -> Iterator[Op]:
    """The ops that take the input and make a call with these very parameters."""
    for reading in readings:
        for op in reading.candidates(found):
            told = _made(op, reading.side, x)
            if told is None or told[0] != reading.target:
                continue
            if all(value == found[name] for name, value in told[1].items() if name in found):
                yield op


# --- what the ops tell ---


@cache
def module_readings() -> Mapping[str, tuple[Reading, ...]]:
    """Readings by the module's target, as `nn.Conv2d`."""
    found: dict[str, list[Reading]] = {}
    for op in _ops():
        for reading in _readings(op, "module"):
            found.setdefault(reading.target, []).append(reading)
    return {target: tuple(readings) for target, readings in found.items()}


@cache
def _targets() -> Mapping[Any, str]:
    return {resolve(target): target for target in module_readings()}


@cache
def function_readings() -> Mapping[str, tuple[Reading, ...]]:
    """Readings by the function's bare name, `max_pool2d`; else by the op's own."""
    found: dict[str, list[Reading]] = {}
    for op in _ops():
        readings = list(_readings(op, "function"))
        for reading in readings:
            found.setdefault(reading.target.rpartition(".")[2], []).append(reading)
        if not readings:
            found.setdefault(op.name, []).extend(_readings(op, "module"))
    return {name: tuple(readings) for name, readings in found.items()}


def _ops() -> list[type[Op]]:
    return [op for op in registry().values() if not op.internal]


def _readings(op: type[Op], side: Side) -> Iterator[Reading]:
    """One for each choice of the arguments that are no numbers, and each rank of the input."""
    choices = {arg: _discrete(a.kind, a.default) for arg, a in op.args.items()}
    discrete = {arg: values for arg, values in choices.items() if values}
    pairs = {a: _samples(d.kind) for a, d in op.args.items() if a not in discrete}
    seen: list[Reading] = []
    for combination in itertools.product(*discrete.values()):
        fixed = dict(zip(discrete, combination, strict=True))
        for x, given in itertools.product(SHAPES, _given(op, tuple(pairs))):
            sampled = {arg: pairs[arg][0] for arg in given}
            reading = _reading(op, side, fixed, {**fixed, **sampled}, pairs, x)
            if reading and reading.complete and reading not in seen:
                seen.append(reading)
                yield reading


def _given(op: type[Op], args: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Which arguments to give in samples: all, all but one, and no more than needed."""
    yield args
    required = tuple(arg for arg in args if op.args[arg].required)
    for left in args:
        if left not in required:
            yield tuple(arg for arg in args if arg != left)
    yield required


def _reading(
    op: type[Op],
    side: Side,
    fixed: Mapping[str, Any],
    base: Mapping[str, Any],
    pairs: Mapping[str, tuple[Any, Any]],
    x: Shape,
) -> Reading | None:
    """The reading for one choice, by changing each number and looking what changes in the call."""
    first = _sample(op, side, base, x)
    if first is None:
        return None
    names: dict[str, tuple[str, int]] = {}
    for arg, (one, other) in pairs.items():
        before = _sample(op, side, {**base, arg: one}, x)
        after = _sample(op, side, {**base, arg: other}, x)
        if before and after and before[0] == after[0] == first[0]:
            found = _arrives(one, other, before[1], after[1])
            names |= {arg: found} if found else {}
    return Reading(op, side, first[0], fixed, names)


def _arrives(one: Any, other: Any, before: Parameters, after: Parameters) -> tuple[str, int] | None:
    """The parameter at which two values of an argument arrive, and what is added on the way."""
    changed = [name for name in before if before[name] != after.get(name)]
    if len(changed) != 1:
        return None
    first, second = before[changed[0]], after[changed[0]]
    if (plain(one), plain(other)) == (first, second):
        return changed[0], 0
    whole = all(isinstance(value, int) for value in (one, other, first, second))
    return (changed[0], 1) if whole and (one + 1, other + 1) == (first, second) else None


def _sample(
    op: type[Op], side: Side, values: Mapping[str, Any], x: Shape
) -> tuple[str, Parameters] | None:
    try:
        return _called(op.create(values), side, x)
    except Reject:
        return None


def _made(op: Op, side: Side, x: Shape) -> tuple[str, Parameters] | None:
    """The call that an op makes for an input, if it takes it."""
    try:
        op.infer((x,))
    except Reject:
        return None
    return _called(op, side, x)


def _called(op: Op, side: Side, x: Shape) -> tuple[str, Parameters] | None:
    """(target, parameters) of the call that an op makes for an input of this shape."""
    try:
        call = op.module(x) if side == "module" else op.function(x)
    except (Reject, IndexError, TypeError, ValueError, ZeroDivisionError):
        return None
    target = resolve(call.target) if isinstance(call, Call) else None
    if target is None or not isinstance(call, Call):
        return None
    before = () if side == "module" else ("input",)
    told = bound(target, (*before, *call.args), dict(call.kwargs))
    return None if told is None else (call.target, told)


def _discrete(kind: Kind, default: Any) -> tuple[Any, ...]:
    """All values of a kind that has few, the default first; nothing for numbers."""
    values = _choices(kind)
    return tuple(sorted(values, key=lambda value: value != default))


def _choices(kind: Kind) -> tuple[Any, ...]:
    if isinstance(kind, Truth):
        return (True, False)
    if isinstance(kind, Choice):
        return kind.words_
    if isinstance(kind, Nothing):
        return (None,)
    if isinstance(kind, Either) and not _number(kind):
        return tuple(value for inner in kind.kinds for value in _choices(inner))
    return ()


def _samples(kind: Kind) -> tuple[Any, Any]:
    """Two values of a kind of numbers."""
    if isinstance(kind, Either):
        return _samples(next(inner for inner in kind.kinds if _number(inner)))
    if isinstance(kind, Items):
        length = kind.lengths[-1] if kind.lengths else 3
        return tuple(range(5, 5 + length)), tuple(range(9, 9 + length))
    if isinstance(kind, Number) and kind.whole:
        return 5, 7
    least = kind.min if isinstance(kind, Number) and kind.min else 0
    return least + 0.25, least + 0.5


def _number(kind: Kind) -> bool:
    if isinstance(kind, Either):
        return any(_number(inner) for inner in kind.kinds)
    return isinstance(kind, Number | Items)


def _takes(kind: Kind, length: int) -> bool:
    """Whether so many numbers are a value."""
    if isinstance(kind, Either):
        return any(_takes(inner, length) for inner in kind.kinds)
    return isinstance(kind, Items) and length in kind.lengths


def _single(kind: Kind) -> bool:
    """Whether one number is a value."""
    if isinstance(kind, Either):
        return any(map(_single, kind.kinds))
    return isinstance(kind, Number)
