"""Truth values as conditions: where a block changes the shape, or was given a value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cnndsl.importer.terms import ABSENT, Column, Term, mapped
from cnndsl.importer.variables import Code, Variable, code, equal, pairs

if TYPE_CHECKING:
    from cnndsl.importer.rendering import Renderer


def condition(
    renderer: Renderer, wanted: Column, term: Term, own: list[Variable]
) -> Code | None:
    """An expression that is true where the column is; `own` are variables that only it uses."""
    for variable in renderer.visible():
        if len(variable.column) != len(wanted):
            continue
        if variable.kind == "flag" and equal(wanted, variable.column):
            return code(variable)
        if variable.nullable and equal(wanted, given(variable)):
            return code(variable, " != null")
    for found, column in _changes(renderer, term):
        if equal(wanted, column):
            return found
    for variable in own:
        if variable.absent and equal(wanted, given(variable)):
            variable.nullable = True
            return code(variable, " != null")
    return None


def given(variable: Variable) -> Column:
    return mapped(lambda value: value is not ABSENT, variable.column)  # type: ignore[no-any-return]


def _changes(renderer: Renderer, term: Term) -> Iterator[tuple[Code, Column]]:
    """Conditions on the stride and on the channels before and after, with their values."""
    strides = [v for v in renderer.visible() if v.hint == "stride" and len(v.column) == len(term.x)]
    outs = [
        v
        for v in renderer.visible()
        if v.kind == "channels" and not v.absent and len(v.column) == len(term.x)
    ]
    entries: list[tuple[str | None, Column]] = [("x.channels", mapped(_channels, term.x))]
    if renderer.entry:
        entries.append((None, renderer.entry))
    for stride in strides:
        yield code(stride, " > 1"), mapped(lambda s: s != 1, stride.column)
        yield code(stride, " == 1"), mapped(lambda s: s == 1, stride.column)
    for word, known in entries:
        for out in outs:
            for factor in (1, 2, 4):
                told = code(f"{factor} * " if factor > 1 else "", out)
                after = mapped(lambda n, f=factor: n * f if isinstance(n, int) else n, out.column)
                yield from _comparisons(renderer, word, known, told, after, strides)


def _comparisons(
    renderer: Renderer,
    word: str | None,
    known: Column,
    told: Code,
    after: Column,
    strides: list[Variable],
) -> Iterator[tuple[Code, Column]]:
    changed = _zipped(lambda a, b: ABSENT if ABSENT in (a, b) else a != b, known, after)
    unchanged = mapped(lambda c: c if c is ABSENT else not c, changed)
    if all(value is not True for value in _leaves(changed)):
        return

    def base() -> str | Variable:
        return renderer.entering() if word is None else word

    yield from _lazily(lambda: code(base(), " != ", told), changed)
    yield from _lazily(lambda: code(base(), " == ", told), unchanged)
    for stride in strides:
        either = _zipped(lambda c, s: ABSENT if ABSENT in (c, s) else c or s != 1, changed, stride.column)
        neither = mapped(lambda c: c if c is ABSENT else not c, either)
        yield from _lazily(
            lambda stride=stride: code(stride, " != 1 or ", base(), " != ", told), either
        )
        yield from _lazily(
            lambda stride=stride: code(stride, " == 1 and ", base(), " == ", told), neither
        )


def _lazily(make: Any, column: Column) -> Iterator[tuple[Code, Column]]:
    yield make(), column


def _zipped(function: Any, one: Column, other: Column) -> Column:
    """A column from two, the second of which may be the same for all rounds."""
    from cnndsl.importer.terms import Rows

    def zip_item(a: Any, b: Any) -> Any:
        if isinstance(a, Rows):
            return Rows(zip_item(x, b[i] if isinstance(b, Rows) else b) for i, x in enumerate(a))
        return function(a, b)

    return tuple(zip_item(a, b) for a, b in zip(one, other, strict=True))


def _leaves(column: Column) -> list[Any]:
    return [a for a, _ in pairs(column, column)]


def _channels(shape: Any) -> Any:
    return ABSENT if shape is ABSENT else shape[0]
