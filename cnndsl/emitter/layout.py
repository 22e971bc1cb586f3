"""Laying out calls as `ruff format` would: on one line if it fits, else one argument a line."""

from __future__ import annotations

from dataclasses import dataclass

WIDTH = 88


@dataclass(frozen=True)
class Group:
    """A bracketed list: `head(`, items, `)`."""

    head: str
    items: tuple[Doc, ...]
    close: str = ")"
    separator: str = ","
    """What stands between the items, and after each where it has a line of its own."""


Doc = str | Group


def flat(doc: Doc) -> str:
    if isinstance(doc, str):
        return doc
    return f"{doc.head}{_row(doc)}{doc.close}"


def _row(group: Group) -> str:
    return f"{group.separator} ".join(flat(item) for item in group.items)


def lay_out(doc: Doc, indent: int, before: str = "", after: str = "") -> list[str]:
    """The lines of `before` + doc + `after`, at an indentation in spaces."""
    space = " " * indent
    line = f"{space}{before}{flat(doc)}{after}"
    if isinstance(doc, str) or len(line) <= WIDTH or not doc.items:
        return [line]
    head, close = f"{space}{before}{doc.head}", f"{space}{doc.close}{after}"
    inner = " " * (indent + 4) + _row(doc)
    if len(inner) <= WIDTH:
        return [head, inner, close]
    lines = [line for item in doc.items for line in lay_out(item, indent + 4, "", doc.separator)]
    return [head, *lines, close]
