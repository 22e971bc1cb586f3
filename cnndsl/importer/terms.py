"""What a spec's nodes are before they are text, for one instance or several at once.

Each field that may differ between instances is a column: a tuple with the value of each instance.
Two terms of one form are merged by putting their columns one after the other (`merging`); what
differs in a column becomes a parameter of a block, or a column of a loop (`rendering`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

Column = tuple[Any, ...]
Body = tuple["Term", ...]


class Absent(Enum):
    """What a column holds for an instance that lacks the node."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent.ABSENT


class Rows(tuple[Any, ...]):
    """The values of the rounds of a loop, within one instance."""

    __slots__ = ()


class Channels(int):
    """A number that is that of the channels of the node's input."""

    __slots__ = ()


@dataclass(frozen=True)
class Term:
    """A node; `kind` says which, and with it what `bodies` are.

    `op`, `call` (of a block), `take` (an earlier value): none. `seq`, `loop`: one. `residual`: the
    body and the shortcut. `concat`, `add`, `mul`, `split`: the branches.
    """

    kind: str
    head: Column
    """The op's or block's name; for `take` the path of the value."""
    x: Column
    """The shape of the input."""
    out: Column
    """The shape of the result."""
    name: Column = (None,)
    """The name that is written, None where the number serves."""
    args: Mapping[str, Column] = field(default_factory=dict)
    """All arguments of an op or block, defaults too."""
    bodies: tuple[Body, ...] = ()
    skip: Column = (True,)
    """For a residual, whether the input is added."""
    count: Column = (1,)
    """For a loop, its rounds."""
    source: int | None = None
    """The value, while names are not yet known."""
    segment: str | None = None
    """The name that the module's path asks for."""
    auto: bool = False
    """Whether a block call in its place gets its name as a number."""
    path: str = ""
    cls: str = ""
    """For a module, its class."""

    @property
    def width(self) -> int:
        return len(self.x)

    @property
    def present(self) -> Column:
        """For each instance whether it has the node; within loops for each round."""
        return tuple(mapped(lambda value: value is not ABSENT, self.head))

    @property
    def head_text(self) -> str:
        """The one op or block that all instances have."""
        return str(next(values(self.head)))

    def leaves(self) -> int:
        """How many ops and calls it holds."""
        if self.kind in ("op", "call", "take"):
            return 1
        return sum(term.leaves() for body in self.bodies for term in body)

    def walk(self) -> Iterator[Term]:
        yield self
        for body in self.bodies:
            for term in body:
                yield from term.walk()


@dataclass(frozen=True)
class Head:
    """An output beside the main one: the value it starts from, and what follows."""

    name: str
    source: int
    body: Body
    train_only: bool
    path: str = ""
    """The path of that value, once it has one."""


@dataclass(frozen=True)
class Outline:
    """The network as terms, without names yet."""

    body: Body
    main: str
    """The name of the main output, empty where it is the only one."""
    heads: tuple[Head, ...]
    place: int = 0
    """How many of the heads come before the main output."""


def mapped(function: Callable[[Any], Any], column: Any) -> Any:
    """The column with each value replaced, also within the rounds of loops."""
    if isinstance(column, Rows):
        return Rows(mapped(function, item) for item in column)
    if type(column) is tuple:
        return tuple(
            mapped(function, item) if isinstance(item, Rows) else function(item) for item in column
        )
    return function(column)


def values(column: Any) -> Iterator[Any]:
    """All values of a column, those within loops too, without the absent."""
    for item in column:
        if isinstance(item, Rows):
            yield from values(item)
        elif item is not ABSENT:
            yield item


def over_columns(term: Term, function: Callable[[Column], Column]) -> Term:
    """The term with each of its columns replaced, in all its depth."""
    return replace(
        term,
        head=function(term.head),
        x=function(term.x),
        out=function(term.out),
        name=function(term.name),
        args={arg: function(column) for arg, column in term.args.items()},
        bodies=tuple(tuple(over_columns(t, function) for t in body) for body in term.bodies),
        skip=function(term.skip),
        count=function(term.count),
    )


def instance(term: Term, index: int) -> Term:
    """One instance of a term of several."""
    return over_columns(term, lambda column: (column[index],))


def filled(column: Column, other: Column) -> Column:
    """The column with the other's values where it has none."""

    def fill(one: Any, two: Any) -> Any:
        if isinstance(one, Rows):
            return Rows(
                fill(a, two[i] if isinstance(two, Rows) else two) for i, a in enumerate(one)
            )
        return two if one is ABSENT else one

    return tuple(fill(a, b) for a, b in zip(column, other, strict=True))


def zipped(function: Callable[[Any, Any], Any], one: Column, other: Column) -> Column:
    """A column of two; the second may hold one value for all rounds of a loop."""

    def both(a: Any, b: Any) -> Any:
        if isinstance(a, Rows):
            return Rows(both(x, b[i] if isinstance(b, Rows) else b) for i, x in enumerate(a))
        return function(a, b)

    return tuple(both(a, b) for a, b in zip(one, other, strict=True))


def channels(shape: Any) -> Any:
    return ABSENT if shape is ABSENT else shape[0]


def absent(term: Term, width: int, *, before: bool) -> Term:
    """The term with more instances that lack it."""
    more = (ABSENT,) * width
    return over_columns(term, lambda column: more + column if before else column + more)
