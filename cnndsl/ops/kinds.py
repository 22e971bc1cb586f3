"""The kinds of value that an op's argument takes: one source for its check and its JSON Schema."""

from __future__ import annotations

import sys
import types
import typing
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

from cnndsl.expr import show

Schema = dict[str, Any]

MAX_FLOAT = sys.float_info.max

EXPRESSION = r"\$"
"""The pattern of a text that may hold an expression."""


MAX_ELEMENTS = 2**40
"""How many elements a tensor has at the most."""


class Reject(Exception):  # noqa: N818 - it reads as the verb it is
    """An op does not take these arguments or this input; `arg` names the argument at fault.

    `item` is what of it is at fault: its index, and those in lists within.
    """

    def __init__(
        self, message: str, arg: str = "", help: str = "", item: tuple[int, ...] = ()
    ) -> None:
        super().__init__(message)
        self.message, self.arg, self.help, self.item = message, arg, help, item


class Kind(ABC):
    """What values are taken: `check` gives the value as the op keeps it, or raises Reject."""

    def check(self, value: Any) -> Any:
        raise Reject(f"expected {self.words()}, found {show(value)}")

    def accepts(self, value: Any) -> bool:
        try:
            self.check(value)
        except Reject:
            return False
        return True

    @abstractmethod
    def schema(self) -> Schema:
        """The JSON Schema of a value, or of an expression for it."""

    @abstractmethod
    def words(self) -> str:
        """The kind in words, as messages and the reference say it."""


@dataclass(frozen=True)
class Number(Kind):
    """An integer (`whole`) or any finite number, between bounds, both inclusive."""

    whole: bool
    min: float | None = None
    max: float | None = None

    def check(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return super().check(value)
        if value != value or abs(value) > MAX_FLOAT or (self.whole and value != int(value)):
            return super().check(value)
        if (self.min is not None and value < self.min) or (
            self.max is not None and value > self.max
        ):
            percent = f"write `{value / 100:g}`" if self.max == 1 and 10 <= value <= 100 else ""
            message = f"expected {self.words()}, found {show(value)}"
            raise Reject(message, help=percent)
        return int(value) if self.whole else float(value)

    def schema(self) -> Schema:
        bounds: Schema = {} if self.min is None else {"minimum": self.min}
        if self.max is not None:
            bounds["maximum"] = self.max
        types = ["integer" if self.whole else "number", "string"]
        return {"type": types, "pattern": EXPRESSION, **bounds}

    def words(self) -> str:
        noun = "an integer" if self.whole else "a number"
        if self.min is not None and self.max is not None:
            return f"{noun} from {self.min:g} to {self.max:g}"
        if self.min is not None:
            return f"{noun} of at least {self.min:g}"
        return noun if self.max is None else f"{noun} of at most {self.max:g}"


@dataclass(frozen=True)
class Truth(Kind):
    def check(self, value: Any) -> Any:
        return value if isinstance(value, bool) else super().check(value)

    def schema(self) -> Schema:
        return {"type": ["boolean", "string"], "pattern": EXPRESSION}

    def words(self) -> str:
        return "true or false"


@dataclass(frozen=True)
class Choice(Kind):
    words_: tuple[str, ...]

    def check(self, value: Any) -> Any:
        return value if value in self.words_ and isinstance(value, str) else super().check(value)

    def schema(self) -> Schema:
        return {"type": ["string"], "pattern": rf"^({'|'.join(self.words_)})$|{EXPRESSION}"}

    def words(self) -> str:
        return " or ".join(f"`{word}`" for word in self.words_)


@dataclass(frozen=True)
class Nothing(Kind):
    def check(self, value: Any) -> Any:
        return None if value is None else super().check(value)

    def schema(self) -> Schema:
        return {"type": ["null", "string"], "pattern": EXPRESSION}

    def words(self) -> str:
        return "null"


@dataclass(frozen=True)
class Items(Kind):
    """A list of one kind, of one of the given lengths; of 1 to `most` where none is given."""

    item: Kind
    lengths: tuple[int, ...] = ()
    most: int = 8

    def check(self, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return super().check(value)
        if len(value) not in (self.lengths or range(1, self.most + 1)):
            return super().check(value)
        return tuple(self._item(index, item) for index, item in enumerate(value))

    def _item(self, index: int, item: Any) -> Any:
        try:
            return self.item.check(item)
        except Reject as e:
            raise Reject(e.message, e.arg, e.help, (index, *e.item)) from None

    def schema(self) -> Schema:
        least, most = (min(self.lengths), max(self.lengths)) if self.lengths else (1, self.most)
        own: Schema = {"items": self.item.schema(), "minItems": least, "maxItems": most}
        return {"type": ["array", "string"], "pattern": EXPRESSION, **own}

    def words(self) -> str:
        count = " or ".join(str(n) for n in self.lengths)
        nouns = self.item.words().replace("an integer", "integers").replace("a number", "numbers")
        return f"a list of {count} {nouns}" if count else f"a list of {nouns}"


@dataclass(frozen=True)
class Either(Kind):
    """One of several kinds, of different JSON types."""

    kinds: tuple[Kind, ...]

    def check(self, value: Any) -> Any:
        for kind in self.kinds:
            try:
                return kind.check(value)
            except Reject as e:
                if e.arg or e.item:  # the value is of this kind, but not what is in it
                    raise
        return super().check(value)

    def schema(self) -> Schema:
        merged: Schema = {}
        types: list[str] = []
        patterns: list[str] = []
        for schema in (kind.schema() for kind in self.kinds):
            types += [t for t in schema["type"] if t not in types]
            patterns += [p for p in [schema["pattern"]] if p not in patterns]
            merged |= schema
        return {**merged, "type": types, "pattern": "|".join(patterns)}

    def words(self) -> str:
        *most, last = (kind.words() for kind in self.kinds)
        return f"{', '.join(most)} or {last}"


def kind_of(annotation: Any, low: float | None, high: float | None) -> Kind:
    """The kind that a type annotation stands for; the bounds hold for each number in it."""
    if annotation in (int, float):
        return Number(annotation is int, low, high)
    if annotation is bool:
        return Truth()
    if annotation is type(None):
        return Nothing()
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return Choice(tuple(inner))
    if origin is tuple and inner[-1] is ...:
        return Items(kind_of(inner[0], low, high))
    if origin is tuple:
        return Items(kind_of(inner[0], low, high), (len(inner),))
    if origin in (typing.Union, types.UnionType):
        return union([kind_of(option, low, high) for option in inner])
    raise TypeError(f"an argument cannot be annotated {annotation}")


def union(kinds: list[Kind]) -> Kind:
    """Lists of different lengths become one kind, since both are arrays."""
    lists = [kind for kind in kinds if isinstance(kind, Items)]
    others = [kind for kind in kinds if not isinstance(kind, Items)]
    if lists:
        lengths = tuple(n for kind in lists for n in kind.lengths)
        others.append(lists[0] if len(lists) == 1 else Items(lists[0].item, lengths))
    return others[0] if len(others) == 1 else Either(tuple(others))
