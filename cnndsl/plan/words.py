"""What things are called in Python: variables, fields, classes, and constants as text."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable


def access(segment: str) -> str:
    """How a child is read: `self.conv1`, or by getattr where its name is no identifier."""
    return f"self.{segment}" if is_identifier(segment) else f'getattr(self, "{segment}")'


def is_identifier(word: str) -> bool:
    return word.isidentifier() and not keyword.iskeyword(word)


def variable(segment: str) -> str:
    """A variable's name for a path segment, empty where it is a number."""
    word = segment.replace("-", "_").replace(".", "_").lower()
    if not word or word.isdigit():
        return ""
    return word if is_identifier(word) and word not in RESERVED else f"{word}_".lstrip("0123456789")


RESERVED = {"self", "nn", "torch", "tensor", "probe", "super", "getattr"}


def free(word: str, taken: Iterable[str]) -> str:
    """`word`, or with a number behind it, whatever is not taken."""
    word = word or "out"
    used = set(taken)
    n, candidate = 1, word
    while candidate in used or candidate in RESERVED:
        n += 1
        candidate = f"{word}{n}"
    return candidate


def class_name(word: str) -> str:
    """A class's name for a block or segment: `ConvBN` stays, `denseblock1` → `Denseblock1`."""
    parts = re.split(r"[^A-Za-z0-9]+", word)
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
