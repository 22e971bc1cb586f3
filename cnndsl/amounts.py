"""Amounts as people read them: 25.6 M, 10.9 MB, 224×224."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

UNITS = ((10**12, " T"), (10**9, " G"), (10**6, " M"), (10**3, " k"))


def amount(number: float) -> str:
    """Three digits and a unit: 4089184256 is `4.09 G`; small numbers as they are."""
    exact = float(f"{number:.2e}")  # rounded before it is divided, and so once
    for size, unit in UNITS:
        if exact >= size:
            return _digits(exact / size) + unit
    return f"{number:g}"


def rounded(number: float) -> str:
    """An amount without the digits that say nothing: 10 million is `10 M`."""
    digits, space, unit = amount(number).partition(" ")
    return f"{float(digits):g}{space}{unit}"


def size(bytes: float) -> str:
    """Bytes, in units of a thousand: `10.9 MB`."""
    told = amount(bytes)
    return f"{told}B" if told[-1].isalpha() else f"{told} B"


def _digits(number: float) -> str:
    """Three digits that count: 4.09, 40.9, 409."""
    return f"{number:.{2 if number < 10 else 1 if number < 100 else 0}f}"


def sides(pair: Sequence[float | Fraction]) -> str:
    """Height and width: `224` where they are equal, else `7×1`."""
    height, width = pair
    return str(height) if height == width else f"{height}×{width}"


def seen(window: Sequence[int], size: Sequence[int]) -> str:
    """A receptive field: the window, and whether all is seen beside it, `9` or `9 and all`."""
    return sides(window) + ("" if tuple(window) == tuple(size) else " and all")
