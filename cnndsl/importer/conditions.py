"""Truth values as conditions: where a block changes the shape, or was given a value."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from cnndsl.importer.terms import ABSENT, Column, Term, channels, mapped, values, zipped
from cnndsl.importer.variables import Code, Variable, code, equal

if TYPE_CHECKING:
    from cnndsl.importer.choosing import Chooser


def condition(chooser: Chooser, wanted: Column, term: Term, own: list[Variable]) -> Code | None:
    """An expression that is true where the column is; `own` are variables that only it uses."""
    for variable in chooser.visible():
        if len(variable.column) != len(wanted):
            continue
        if variable.kind == "flag" and equal(wanted, variable.column):
            return code(variable)
        if variable.nullable and equal(wanted, given(variable)):
            return code(variable, " != null")
    for found, column in (*_before_last(chooser, wanted), *_changes(chooser, term)):
        if equal(wanted, column):
            return found
    for variable in own:
        if variable.absent and equal(wanted, given(variable)):
            variable.nullable = True
            return code(variable, " != null")
    return None


def _before_last(chooser: Chooser, wanted: Column) -> Iterator[tuple[Code, Column]]:
    """Whether a round is not the last, by the number that is in its name."""
    for variable in chooser.visible():
        if variable.hint == "stage" and len(variable.column) == len(wanted):
            last = max(values(variable.column))
            before = zipped(_less, variable.column, (last,) * len(wanted))
            yield code(variable, f" < {last}"), before


def given(variable: Variable) -> Column:
    return tuple(mapped(lambda value: value is not ABSENT, variable.column))


def _changes(chooser: Chooser, term: Term) -> Iterator[tuple[Code, Column]]:
    """Conditions on the stride and on the channels before and after, with their values."""
    visible = [v for v in chooser.visible() if len(v.column) == len(term.x)]
    strides = [variable for variable in visible if variable.hint == "stride"]
    outs = [v for v in visible if v.kind == "channels" and not v.absent]
    entries: list[tuple[Code, Column]] = [(code("x.channels"), mapped(channels, term.x))]
    if chooser.entry:
        entries.append((code(chooser.entered), chooser.entry))
    for word, known in entries:
        for out in outs:
            for factor in (1, 2, 4):
                told = code(f"{factor} * " if factor > 1 else "", out)
                changed = zipped(partial(_differs, factor), known, out.column)
                yield from _comparisons(word, told, changed, strides)
    for stride in strides:
        larger = tuple(mapped(lambda s: s != 1, stride.column))
        yield code(stride, " > 1"), larger
        yield code(stride, " == 1"), _negated(larger)


def _less(number: Any, other: int) -> bool:
    return number is not ABSENT and number < other


def _differs(factor: int, before: Any, after: Any) -> Any:
    return ABSENT if ABSENT in (before, after) else before != factor * after


def _comparisons(
    before: Code, after: Code, changed: Column, strides: list[Variable]
) -> Iterator[tuple[Code, Column]]:
    """Conditions on a change of the channels, alone and with the stride."""
    for stride in strides:
        either = zipped(
            lambda c, s: ABSENT if ABSENT in (c, s) else c or s != 1, changed, stride.column
        )
        yield code(stride, " != 1 or ", before, " != ", after), either
        yield code(stride, " == 1 and ", before, " == ", after), _negated(either)
    yield code(before, " != ", after), changed
    yield code(before, " == ", after), _negated(changed)


def _negated(column: Column) -> Column:
    return tuple(mapped(lambda value: value if value is ABSENT else not value, column))
