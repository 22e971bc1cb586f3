"""Truth values as conditions: where a block changes the shape, or was given a value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cnndsl.importer.terms import ABSENT, Column, Term, channels, mapped, values, zipped
from cnndsl.importer.variables import Code, Variable, code, equal

if TYPE_CHECKING:
    from cnndsl.importer.rendering import Renderer


def condition(renderer: Renderer, wanted: Column, term: Term, own: list[Variable]) -> Code | None:
    """An expression that is true where the column is; `own` are variables that only it uses."""
    for variable in renderer.visible():
        if len(variable.column) != len(wanted):
            continue
        if variable.kind == "flag" and equal(wanted, variable.column):
            return code(variable)
        if variable.nullable and equal(wanted, given(variable)):
            return code(variable, " != null")
    for found, column in (*_before_last(renderer, wanted), *_changes(renderer, term)):
        if equal(wanted, column):
            return found
    for variable in own:
        if variable.absent and equal(wanted, given(variable)):
            variable.nullable = True
            return code(variable, " != null")
    return None


def _before_last(renderer: Renderer, wanted: Column) -> Iterator[tuple[Code, Column]]:
    """Whether a round is not the last, by the number that is in its name."""
    for variable in renderer.visible():
        if variable.hint == "stage" and len(variable.column) == len(wanted):
            last = max(values(variable.column))
            yield code(variable, f" < {last}"), tuple(mapped(lambda n: n < last, variable.column))


def given(variable: Variable) -> Column:
    return tuple(mapped(lambda value: value is not ABSENT, variable.column))


def _changes(renderer: Renderer, term: Term) -> Iterator[tuple[Code, Column]]:
    """Conditions on the stride and on the channels before and after, with their values."""
    visible = [v for v in renderer.visible() if len(v.column) == len(term.x)]
    strides = [variable for variable in visible if variable.hint == "stride"]
    outs = [v for v in visible if v.kind == "channels" and not v.absent]
    entries: list[tuple[Code, Column]] = [(code("x.channels"), mapped(channels, term.x))]
    if renderer.entry:
        entries.append((code(renderer.entered), renderer.entry))
    for word, known in entries:
        for out in outs:
            for factor in (1, 2, 4):
                told = code(f"{factor} * " if factor > 1 else "", out)
                changed = zipped(
                    lambda a, b, f=factor: ABSENT if ABSENT in (a, b) else a != b * f,
                    known,
                    out.column,
                )
                yield from _comparisons(word, told, changed, strides)
    for stride in strides:
        larger = tuple(mapped(lambda s: s != 1, stride.column))
        yield code(stride, " > 1"), larger
        yield code(stride, " == 1"), _negated(larger)


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
