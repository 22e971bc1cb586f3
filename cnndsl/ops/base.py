"""What an op is: its arguments, shape rule, weights, cost, PyTorch call and looks, in one class."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from math import gcd
from typing import Any, ClassVar, dataclass_transform

from cnndsl.expr import show
from cnndsl.ops.kinds import Kind, Reject, Schema, kind_of
from cnndsl.ops.memory import INPUT, Kept
from cnndsl.ops.reading import WHOLE, Reading, pointwise
from cnndsl.ops.sums import Sum, product

__all__ = ["Arg", "Call", "Family", "Kind", "Op", "Reject", "Shape", "arg", "call", "registered"]


class Shape(tuple[int, ...]):
    """The sizes of one sample, without the batch: [channels, height, width], or [features]."""

    __slots__ = ()

    @property
    def channels(self) -> int:
        return self[0]

    @property
    def height(self) -> int:
        return self[1]

    @property
    def width(self) -> int:
        return self[2]

    @property
    def size(self) -> int:
        """The number of elements."""
        product = 1
        for side in self:
            product *= side
        return product

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self))}]"


class Family(Enum):
    """What sort of work an op does; diagrams colour by it."""

    INPUT = "input"
    CONVOLUTION = "convolution"
    LINEAR = "linear"
    POOLING = "pooling"
    NORMALIZATION = "normalization"
    ACTIVATION = "activation"
    REGULARIZATION = "regularization"
    RESHAPE = "reshape"
    MERGE = "merge"


@dataclass(frozen=True, slots=True)
class Call:
    """A call of PyTorch, as data; `target` is `nn.…`, `F.…`, `torch.…` or `package.module:name`."""

    target: str
    args: tuple[Any, ...] = ()
    kwargs: tuple[tuple[str, Any], ...] = ()


def call(target: str, *args: Any, **kwargs: Any) -> Call:
    return Call(target, args, tuple(kwargs.items()))


@dataclass(frozen=True)
class Arg:
    """An argument of an op, as its class declares it."""

    name: str
    doc: str
    kind: Kind
    default: Any
    primary: bool

    @property
    def required(self) -> bool:
        return self.default is dataclasses.MISSING

    def schema(self) -> Schema:
        shown = {} if self.required else {"default": _json(self.default)}
        words = self.kind.words()
        return {**self.kind.schema(), "description": f"{self.doc} Takes {words}.", **shown}


def _json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def arg(
    doc: str,
    *,
    default: Any = dataclasses.MISSING,
    min: float | None = None,
    max: float | None = None,
    primary: bool = False,
) -> Any:
    """Declare an argument: what it means, its default if it has one, and the bounds of its numbers.

    The annotation beside it gives the type: `int`, `float`, `bool`, `Literal[…]`, a tuple of one of
    them, or a union of these. One argument of an op may be `primary`: `linear: 10` is
    `linear: {out: 10}`.
    """
    metadata = {"doc": doc, "min": min, "max": max, "primary": primary}
    return dataclasses.field(default=default, metadata=metadata)


_REGISTRY: dict[str, type[Op]] = {}


def registered() -> Mapping[str, type[Op]]:
    """Every op class that was defined so far, by its name in specs."""
    return _REGISTRY


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(arg,))
class Op:
    """An operation on the values of a network.

    A subclass names itself (`class Conv2d(Op, name="conv")`), declares its arguments with `arg`,
    and overrides what differs. Shapes are of one sample, [channels, height, width] or [features].
    """

    name: ClassVar[str] = ""
    args: ClassVar[Mapping[str, Arg]] = {}
    family: ClassVar[Family] = Family.RESHAPE
    ranks: ClassVar[tuple[int, ...]] = (3,)
    """How many dimensions an input may have: 3 for an image, 1 for features.

    Like `inplace`, a property where the arguments decide.
    """
    arity: ClassVar[int | None] = 1
    """How many inputs, or None for any number: a merge."""
    inplace: ClassVar[bool] = False
    """Whether PyTorch's module and function take `inplace=True`."""
    overwritable: ClassVar[bool] = False
    """Whether the output is fresh memory that the op's own gradient does not read."""
    internal: ClassVar[bool] = False
    """Whether specs cannot name it, since the language writes it in words of its own."""

    def __init_subclass__(cls, name: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclass(frozen=True, kw_only=True)(cls)
        if not name:
            return
        if name in _REGISTRY and _REGISTRY[name].__qualname__ != cls.__qualname__:
            raise ValueError(f"two ops are named {name}: {_REGISTRY[name]} and {cls}")
        hints = typing.get_type_hints(cls)
        cls.name = name
        cls.args = {
            field.name: _arg_of(field, hints[field.name])
            for field in dataclasses.fields(cls)  # type: ignore[arg-type]
        }
        _REGISTRY[name] = cls

    @classmethod
    def create(cls, values: Mapping[str, Any]) -> Op:
        """The op with these argument values, each checked; Reject names the argument at fault."""
        checked: dict[str, Any] = {}
        for name, value in values.items():
            try:
                checked[name] = cls.args[name].kind.check(value)
            except Reject as e:
                raise Reject(f"{cls.name}.{name}: {e.message}", name, e.help, e.item) from None
        for required in cls.args.values():
            if required.required and required.name not in checked:
                raise Reject(f"{cls.name} needs `{required.name}`", "", _example(cls, values))
        return cls(**checked)

    def infer(self, inputs: tuple[Shape, ...]) -> Shape:
        """The output's shape; Reject says why these inputs do not fit."""
        (x,) = inputs
        if len(x) not in self.ranks:
            raise Reject(
                f"{self.name} needs {_ranks(self.ranks)}, found {x}", "", _rank_help(self, x)
            )
        return self.shape(x)

    def idle(self) -> Mapping[str, tuple[str, ...]]:
        """Arguments that change nothing on any input, whatever their value, each with the other
        arguments that are the reason; left away, the op is the same."""
        return {}

    def shape(self, x: Shape) -> Shape:
        """The output's shape for one input of an accepted rank."""
        return x

    def arithmetic(self, x: Shape, /) -> tuple[Sum, ...]:
        """How the sizes of the output come about, where they are computed; also of one too small.

        Merges take all their inputs' shapes here. Inputs are of an accepted rank.
        """
        return ()

    def weights(self, x: Shape) -> dict[str, tuple[int, ...]]:
        """Learned tensors by their name below the op's path; "" is the path itself."""
        return {}

    def macs(self, x: Shape) -> int:
        """Multiply-adds of convolutions and linear layers, for one sample."""
        return 0

    def shares(self, x: Shape, /, *, training: bool) -> bool:
        """Whether the output lies in the memory of the input: a view of it, or the input itself.

        Merges take all their inputs' shapes here and in the next two.
        """
        return False

    def kept(self, x: Shape, /, *, inplace: bool = False) -> Kept:
        """What autograd keeps in training, as PyTorch does on a processor; weights are left out."""
        return INPUT

    def scratch(self, x: Shape, /) -> int:
        """Bytes of the tensors that it makes for itself in inference, the most at any time."""
        return 0

    def reads(self, x: Shape, out: Shape) -> tuple[Reading, ...]:
        """How the values of an output read each dimension of an input: its receptive field.

        By default at their own place, or all of an input whose shape is another.
        """
        return pointwise(len(x)) if x == out else (WHOLE,) * len(x)

    def module(self, x: Shape) -> Call | None:
        """The `nn.Module` that computes this op; every op with weights has one.

        A weight at the op's own path is `call("nn.Parameter", …)`; `function` reads it as
        `{parameter}`.
        """
        return None

    def function(self, x: Shape, /) -> Call | str | None:
        """The same without a module: a call that takes the input first, or a text with {0}, {1} …

        Only for ops that hold no state and do not depend on training. Merges take all their inputs'
        shapes here.
        """
        return None

    def brief(self) -> str:
        """The arguments that a reader of a diagram needs, in a few characters."""
        given = [
            show(getattr(self, a.name)) if a.primary else f"{a.name} {show(getattr(self, a.name))}"
            for a in self.args.values()
            if getattr(self, a.name) != a.default
        ]
        return ", ".join(given)


def _arg_of(field: Any, annotation: Any) -> Arg:
    meta = field.metadata
    kind = kind_of(annotation, meta["min"], meta["max"])
    return Arg(field.name, meta["doc"], kind, field.default, meta["primary"])


def _ranks(ranks: tuple[int, ...]) -> str:
    words = {1: "features [F]", 2: "a sequence [L, F]", 3: "an image [C, H, W]"}
    return " or ".join(words.get(rank, f"{rank} dimensions") for rank in ranks)


def _rank_help(op: Op, x: Shape) -> str:
    if len(x) == 3 and op.ranks == (1,):
        sizes = f"{product(0, x)} or {x.channels} features"
        return f"put `flatten` or `global_avg_pool` before it, for {sizes}"
    return ""


def _example(cls: type[Op], values: Mapping[str, Any]) -> str:
    """How an op is written with the arguments that it needs, beside those that are given."""
    given = dict(values)
    for one in cls.args.values():
        if one.required and one.name not in given:
            given[one.name] = next(v for v in _EXAMPLES if one.kind.accepts(v))
            doc = one.doc
    (name, value), *more = given.items()
    short = not more and cls.args[name].primary
    whole = ", ".join(f"{name}: {show(value)}" for name, value in given.items())
    return f"{doc} As in `{cls.name}: {show(value) if short else f'{{{whole}}}'}`"


_EXAMPLES: tuple[Any, ...] = (2, 0.5, [0, 1, 2], [2, 2, 2])


def fewer_groups(groups: int, channels: int) -> str:
    """The remedy for groups that do not divide the channels: so many of them that do."""
    return f"write `{gcd(groups, channels)}`, or channels that are a multiple of {groups}"
