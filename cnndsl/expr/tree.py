"""Expressions as data, their bounds, and what can be wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MAX_NUMBER = 10**15
MAX_LIST = 1_000
MAX_LEVELS = 8
MAX_TEXT = 1_000
MAX_SOURCE = 2_000
MAX_NESTING = 25
MAX_DEPTH = 100
MAX_WORK = 300_000

Value = Any
"""None, bool, int, float, str, a list of values, or a mapping whose keys are read as attributes."""


class ExprError(Exception):
    """An expression is at fault between two offsets of its text."""

    def __init__(self, message: str, start: int, end: int, help: str = "") -> None:
        super().__init__(message)
        self.message, self.start, self.end, self.help = message, start, end, help


class UnknownName(ExprError):  # noqa: N818 - named for what it says
    """A name that is not among those in scope."""

    def __init__(self, name: str, start: int, end: int) -> None:
        super().__init__(f"unknown name `{name}`", start, end)
        self.name = name


class Outside(ExprError):  # noqa: N818 - named for what it says
    """An index is not within its list."""


class UnknownFunction(ExprError):  # noqa: N818 - named for what it says
    """A function that is called is not among FUNCTIONS."""

    def __init__(self, name: str, start: int, end: int) -> None:
        super().__init__(f"unknown function `{name}`", start, end)
        self.name = name


class UnknownAttribute(ExprError):  # noqa: N818 - named for what it says
    """A value is read by a name that it does not have; `known` are those that it has."""

    def __init__(self, name: str, known: Iterable[str], end: int) -> None:
        self.name, self.known = name, list(known)
        help = f"it has {', '.join(self.known)}"
        super().__init__(f"no `{name}` in it", end - len(name), end, help)


class Exhausted(Exception):  # noqa: N818 - named for what it says
    """The computations of a spec are more than a Meter allows."""


@dataclass
class Meter:
    """What may still be computed: an operation takes one, and so does each item of a list in it."""

    left: float = MAX_WORK
    share: float = 1.0
    """What part of the work counts: less where the same is done again and again."""
    again: float = 0.0
    """The work of which a part alone counted."""

    def spend(self, work: float) -> None:
        if self.share < 1:
            self.again += work
        self.spend_in_full(work * self.share)

    def spend_in_full(self, work: float) -> None:
        self.left -= work
        if self.left < 0:
            raise Exhausted

    def recount(self, since: float, most: float) -> None:
        """Of the work that was done again since then, what is beyond the most counts in full."""
        beyond = max(0.0, self.again - since - most)
        self.again -= beyond
        self.left -= beyond * (1 - self.share)


class Unknown(Exception):  # noqa: N818 - named for what it says
    """The value cannot be known, since what it reads failed before."""


class Missing:
    """Stands for a value that cannot be known; reading it raises Unknown."""


@dataclass(frozen=True, slots=True)
class Expr:
    """A parsed expression: an operation on operands, written at text[start:end]."""

    kind: str  # constant, name, list, call, named, index, attribute, unary, binary, if, and, or
    start: int
    end: int
    value: Value = None
    operands: tuple[Expr, ...] = ()
    depth: int = 1
    """How many operations wait for each other, this one included."""


def names(expr: Expr) -> list[Expr]:
    """The names that an expression reads."""
    own = [expr] if expr.kind == "name" else []
    return own + [name for operand in expr.operands for name in names(operand)]


def items_read(expr: Expr) -> Iterator[tuple[str, int | None]]:
    """The names that an expression reads, each with the one item of it that is read, or None."""
    item = expr.operands[1].value if expr.kind == "index" else None
    if expr.kind == "name":
        yield str(expr.value), None
    elif type(item) is int and expr.operands[0].kind == "name":
        yield str(expr.operands[0].value), item
    else:
        for operand in expr.operands:
            yield from items_read(operand)


def attributes(expr: Expr, of: str) -> list[tuple[str, int]]:
    """The names by which an expression reads parts of a name, and where they begin."""
    inner = [found for operand in expr.operands for found in attributes(operand, of)]
    is_own = expr.kind == "attribute" and expr.operands[0].value == of
    return [*inner, (expr.value, expr.end - len(expr.value))] if is_own else inner


def show(value: Value, depth: int = 2) -> str:
    """A value as it would be written in a spec, shortened."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        if depth == 0:
            return "[…]"
        inner = ", ".join(show(item, depth - 1) for item in value[:8])
        return f"[{inner}{', …' if len(value) > 8 else ''}]"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key}: {show(item, depth - 1)}" for key, item in value.items())
        return f"{{{inner}}}" if depth > 0 else "{…}"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "…"
