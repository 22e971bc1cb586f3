"""Columns and the loops that they lie in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnndsl.importer.terms import ABSENT, Column, Rows


def depth(column: Any) -> int:
    """How many loops a column lies in."""
    inner = [depth(item) for item in column if isinstance(item, Rows)]
    return 1 + max(inner) if inner else 0


def innermost(column: Any) -> Iterator[Rows]:
    for item in column:
        if isinstance(item, Rows):
            if any(isinstance(inner, Rows) for inner in item):
                yield from innermost(item)
            else:
                yield item


def collapsed(column: Any) -> Any:
    """The first value of each innermost loop in place of its rounds."""

    def collapse(item: Any) -> Any:
        if not isinstance(item, Rows):
            return item
        if any(isinstance(inner, Rows) for inner in item):
            return Rows(collapse(inner) for inner in item)
        return next((v for v in item if v is not ABSENT), ABSENT)

    return tuple(collapse(item) for item in column)


def listed(column: Column) -> Column:
    """A column of a loop as one list for each place around it."""

    def listed(item: Any) -> Any:
        if not isinstance(item, Rows):
            return item
        if any(isinstance(inner, Rows) for inner in item):
            return Rows(listed(inner) for inner in item)
        return tuple(None if v is ABSENT else plain(v) for v in item)

    return tuple(listed(item) for item in column)


def prefix(names: list[str]) -> str:
    """What all names begin with before their number."""
    first = names[0].rstrip("0123456789")
    return first


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def literal(value: Any) -> str:
    words = {True: "true", False: "false", None: "null"}
    if isinstance(value, bool) or value is None:
        return words[value]
    return repr(list(value) if isinstance(value, tuple) else value)
