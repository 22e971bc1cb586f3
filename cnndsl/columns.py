"""Text in columns, as a terminal shows it."""

from __future__ import annotations

from unicodedata import combining, east_asian_width


def breadth(text: str) -> int:
    """How many columns a text takes: ideographs take two, marks upon letters none."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def left(text: str, width: int) -> str:
    """The text, filled up behind."""
    return text + " " * (width - breadth(text))


def right(text: str, width: int) -> str:
    """The text, filled up in front."""
    return " " * (width - breadth(text)) + text
