"""How wide text is in Helvetica, and so in Arial and Liberation Sans: the same on all machines."""

from __future__ import annotations

from unicodedata import east_asian_width

FONTS = "Helvetica, Arial, 'Liberation Sans', Arimo, sans-serif"

# The widths of " " to "~", in thousandths of the font's size.
_PLAIN = """
278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556
556 556 278 278 584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778
667 778 722 667 611 722 667 944 667 667 611 278 278 278 469 556 333 556 556 500 556 556 278 556
556 222 222 500 222 833 556 556 556 556 333 500 278 556 500 722 500 500 500 334 260 334 584
"""
_BOLD = """
278 333 474 556 556 889 722 238 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556
556 556 333 333 584 584 584 611 975 722 722 722 722 667 611 778 722 278 556 722 611 833 722 778
667 778 722 667 611 722 667 944 667 667 611 333 278 333 584 556 333 556 611 556 611 556 333 611
611 278 278 556 278 889 611 611 611 611 389 556 333 611 556 778 556 556 500 389 280 389 584
"""
_OTHERS = {"×": 584, "…": 1000, "·": 278, "–": 556, "—": 1000}
UNKNOWN, WIDE = 700, 1000


def _table(widths: str) -> dict[str, int]:
    return {chr(32 + i): int(width) for i, width in enumerate(widths.split())} | _OTHERS


_TABLES = {False: _table(_PLAIN), True: _table(_BOLD)}


def tables() -> list[dict[str, int]]:
    """The widths of the plain and of the bold letters, in thousandths of the size."""
    return [_TABLES[False], _TABLES[True]]


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Points that a text is wide."""
    table = _TABLES[bold]
    return sum(table.get(c) or _unknown(c) for c in text) * size / 1000


def _unknown(character: str) -> int:
    return WIDE if east_asian_width(character) in "WF" else UNKNOWN
