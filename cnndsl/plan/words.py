"""What things are called in Python: variables, fields, classes, and constants as text."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Collection
from unicodedata import normalize

from cnndsl.words import MAX_WORD


def access(segment: str) -> str:
    """How a child is read: `self.conv1`, or by getattr where its name is no identifier."""
    return f"self.{segment}" if is_identifier(segment) else f'getattr(self, "{segment}")'


def is_identifier(word: str) -> bool:
    return word.isidentifier() and not keyword.iskeyword(word)


def variable(segment: str) -> str:
    """A variable's name for a path segment, empty where it is a number."""
    word = field_name(re.sub(r"^_+", "_", re.sub("[-.]", "_", segment)))
    return f"{word}_" if word in RESERVED else word


def field_name(word: str) -> str:
    """The name of a named tuple's field, likewise."""
    word = normalize("NFKC", word.lower())
    if not word or word.isdigit():
        return ""
    return word if is_identifier(word) else f"{word}_".lstrip("0123456789")


RESERVED = {"self", "nn", "torch", "math", "tensor", "probe", "_", *dir(builtins)}
"""What the source reads itself: its variables, imports and builtins."""


def distinct(word: str, taken: Collection[str]) -> str:
    """`word`, or with a number behind it, whatever is not taken."""
    n, candidate = 1, word
    while candidate in taken:
        n += 1
        candidate = f"{word}{n}"
    return candidate


def class_name(word: str) -> str:
    """A class's name for a block or segment: `ConvBN` stays, `denseblock1` → `Denseblock1`.

    Any text gives one; of a long text it is the beginning.
    """
    text = normalize("NFKC", word[:MAX_WORD])
    parts = "".join(c if c != "_" and f"_{c}".isidentifier() else " " for c in text).split()
    name = ""
    for part in parts:
        digits = name[-1:].isdigit() and part[:1].isdigit()
        name += f"{'_' * digits}{part[:1].upper()}{part[1:]}"
    return name if is_identifier(name) else f"Net{name}"


def literal(value: object) -> str:
    """A constant as source text."""
    if isinstance(value, tuple) and len(value) == 1:
        return f"({value[0]!r},)"
    if isinstance(value, str):
        plain = value.isprintable() and not set(value) & set('"\\')
        return f'"{value}"' if plain else repr(value)
    return (
        f'float("{value}")'
        if isinstance(value, float) and value in (float("inf"), float("-inf"))
        else repr(value)
    )


def function_name(target: str) -> str:
    return target.rpartition(":")[2]
