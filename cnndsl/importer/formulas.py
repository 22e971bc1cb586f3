"""Numbers of channels as formulas: of those that come in, or of another variable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cnndsl.importer.terms import ABSENT, Column, Term, channels, mapped
from cnndsl.importer.variables import Code, Variable, code, equal, pairs

if TYPE_CHECKING:
    from cnndsl.importer.choosing import Chooser

FACTORS = range(2, 9)


def channels_formula(chooser: Chooser, column: Column, term: Term) -> Code | None:
    """The column as a formula that holds for every instance and round, the plainest first."""
    bases = list(_bases(chooser, term))
    for base, known, _ in bases:
        if equal(column, known):
            return code(base, column=column)
    for base, known, around in bases:
        ratio = _ratio(column, known)
        if ratio:
            before, after = ratio
            return code(before, base, after, column=column)
        if around and equal(column, mapped(_quarter, known)):
            return code("divisible(", base, " // 4)", column=column)
    return None


def _bases(chooser: Chooser, term: Term) -> Iterator[tuple[str | Variable, Column, bool]]:
    """What formulas are made of, with its values; last, whether it is a value and no parameter."""
    for variable in chooser.visible():
        whole = variable.kind == "channels" and len(variable.column) == len(term.x)
        if whole and not variable.nullable and not variable.absent:
            yield variable, variable.column, False
    yield "x.channels", mapped(channels, term.x), True
    if chooser.entry:
        yield chooser.entered, chooser.entry, True


def _ratio(column: Column, known: Column) -> tuple[str, str] | None:
    """(before, after) of a formula with one factor or divisor for all."""
    found = [(a, b) for a, b in pairs(column, known) if a is not ABSENT]
    if not all(isinstance(a, int) and isinstance(b, int) and a > 0 and b > 0 for a, b in found):
        return None
    for factor in FACTORS:
        if all(a == factor * b for a, b in found):
            return f"{factor} * ", ""
    for factor in FACTORS:
        if all(a == b // factor for a, b in found):
            return "", f" // {factor}"
    return None


def _quarter(channels: Any) -> Any:
    """What squeeze-and-excitation squeezes to: the multiple of 8 nearest to a quarter."""
    if not isinstance(channels, int):
        return ABSENT
    quarter = channels // 4
    nearest = max(8, (quarter + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * quarter else nearest
