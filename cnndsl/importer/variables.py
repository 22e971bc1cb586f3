"""Names for what varies: parameters of blocks and columns of loops, and expressions of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from cnndsl.importer.terms import ABSENT, Column, Rows, values

Kind = Literal["channels", "window", "flag", "other"]

CHANNELS = frozenset({"out", "groups"})
WINDOW = frozenset({"kernel", "stride", "padding", "dilation"})
WORDS = frozenset({"and", "or", "not", "in", "if", "else", "true", "false", "null", "x", *"ijklmn"})
"""Names that expressions or counters use."""


@dataclass(eq=False)
class Variable:
    """A parameter or a column; it gets its name when all of its scope are known."""

    hint: str
    kind: Kind
    column: Column
    label: str = ""
    """The names of the nodes around where it is used first."""
    block: str = ""
    """The block that it is handed on to, if it is."""
    nullable: bool = False
    name: str = ""

    @property
    def absent(self) -> bool:
        return any(value is ABSENT for value in everything(self.column))


@dataclass(frozen=True)
class Code:
    """An expression: texts and variables, put together when these have names."""

    parts: tuple[str | Variable, ...]
    column: Column = ()
    """Its values."""

    def text(self) -> str:
        return "".join(p if isinstance(p, str) else p.name for p in self.parts)

    def written(self) -> str:
        """As a value of a spec: `$name`, `$x.channels`, or `$(…)`."""
        text = self.text()
        return f"${text}" if re.fullmatch(r"[A-Za-z_]\w*(\.[a-z]+)?", text) else f"$({text})"


@dataclass(frozen=True)
class Mix:
    """A text with expressions in it: `layer$stage`."""

    parts: tuple[str | Code, ...]

    def written(self) -> str:
        return "".join(p if isinstance(p, str) else p.written() for p in self.parts)


def code(*parts: str | Variable | Code, column: Column = ()) -> Code:
    flat: list[str | Variable] = []
    for part in parts:
        flat += part.parts if isinstance(part, Code) else [part]
    return Code(tuple(flat), column)


def even_growth(found: Sequence[Any]) -> tuple[float, int] | None:
    """(most, last) where the nth number is exactly most * n / last, as far as there are numbers."""
    given = [(n, value) for n, value in enumerate(found) if value is not ABSENT]
    if len(given) < 3 or not all(type(value) is float for _, value in given):
        return None
    for last in (len(found), len(found) - 1):
        place, value = given[-1]
        most = round(value * last / max(place, 1), 6)
        if most and all(most * n / last == value for n, value in given):
            return most, last
    return None


def kind_of(hint: str) -> Kind:
    return "channels" if hint in CHANNELS else "window" if hint in WINDOW else "other"


def pairs(column: Any, other: Any) -> Iterator[tuple[Any, Any]]:
    """Each value of a column with the other's, which may be the same for all rounds of a loop."""
    for index, item in enumerate(column):
        yield from _pair(item, other[index])


def _pair(item: Any, other: Any) -> Iterator[tuple[Any, Any]]:
    if not isinstance(item, Rows):
        yield item, other
    elif isinstance(other, Rows):
        for one, two in zip(item, other, strict=True):
            yield from _pair(one, two)
    else:
        for one in item:
            yield from _pair(one, other)


def equal(column: Column, other: Column) -> bool:
    """Whether the columns agree wherever the first has a value."""
    return all(same(a, b) for a, b in pairs(column, other) if a is not ABSENT)


def compatible(column: Column, other: Column) -> bool:
    """Whether the columns agree wherever both have a value."""
    return all(same(a, b) for a, b in pairs(column, other) if ABSENT not in (a, b))


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Rows) or isinstance(other, Rows):
        return False
    whole = isinstance(one, int) and isinstance(other, int)
    return (
        bool(one == other)
        and (whole or type(one) is type(other))
        and (isinstance(one, bool) == isinstance(other, bool))
    )


def uniform(column: Column) -> bool:
    found = list(values(column))
    return all(same(value, found[0]) and type(value) is type(found[0]) for value in found)


def everything(column: Iterable[Any]) -> Iterator[Any]:
    """All values of a column, the absent too."""
    for item in column:
        if isinstance(item, Rows):
            yield from everything(item)
        else:
            yield item


@dataclass
class Names:
    """The names of a block or of the network, loops included; none is given twice."""

    taken: set[str] = field(default_factory=lambda: set(WORDS))

    def give(self, variables: Sequence[Variable], result: Column) -> None:
        """Name variables by what they are for; `result` are the channels that a block gives."""
        for variable in variables:
            if (
                variable.hint == "out"
                and not variable.name
                and same_column(variable.column, result)
            ):
                variable.name = self.free(["out"])
        rest = [variable for variable in variables if not variable.name]
        for variable in rest:
            alike = [v for v in rest if v.hint == variable.hint]
            word = "width" if variable.hint == "out" and result else variable.hint
            told = [self.label(variable, rest), snake(variable.block)]
            words = [*told, word] if len(alike) > 1 else [word, *told]
            variable.name = self.free([w for w in words if w])

    def label(self, variable: Variable, others: Sequence[Variable]) -> str:
        """The label of a variable, numbered where several have it."""
        alike = [v for v in others if v.label == variable.label and v.hint == variable.hint]
        place = f"_{alike.index(variable) + 1}" if len(alike) > 1 else ""
        return f"{variable.label}{place}" if variable.label else ""

    def free(self, words: Sequence[str]) -> str:
        known = [re.sub(r"\W", "_", word) for word in words]
        known = [word if re.match(r"[A-Za-z_]", word) else f"n{word}" for word in known]
        numbered = (f"{known[-1]}{n}" for n in range(2, 10_000))
        name = next(word for word in (*known, *numbered) if word not in self.taken)
        self.taken.add(name)
        return name


def same_column(one: Column, other: Column) -> bool:
    return bool(other) and len(one) == len(other) and equal(one, other)


def snake(word: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).lower()
