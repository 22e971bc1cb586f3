"""What a sweep tries: the values written for each name → candidates, all of them or at random."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, permutations, product
from random import Random
from typing import Any

from cnndsl import source, syntax
from cnndsl.diagnostics import Report, Source, Span, suggest
from cnndsl.recipe import Recipe, merge, misfits, spread, unread_beside
from cnndsl.recipe.section import Clash
from cnndsl.sweep.ranges import RangeError, drawn, ends, read_range, size, spelled

TRAIN = "train."
VARIANT = "variant"

MAX_CANDIDATES = 10_000
REPEATS = 1_000
"""So many draws in a row that bring nothing new end the drawing."""


@dataclass(frozen=True)
class Option:
    """One of the values that a name may take; ranges may stand in it."""

    value: Any
    span: Span


@dataclass(frozen=True)
class Axis:
    """A parameter of the spec, or as `train.…` a key of the recipe, and what it may be."""

    name: str
    span: Span
    options: tuple[Option, ...]

    @property
    def varies(self) -> bool:
        return len(self.options) > 1 or next(iter(self.sizes), 1) != 1

    @property
    def sizes(self) -> list[int | None]:
        return [size(option.value) for option in self.options]


@dataclass(frozen=True)
class Candidate:
    """One choice of a value for each name; `variant` is the spec's."""

    variant: str | None
    values: Mapping[str, Any]

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of the spec."""
        return {name: v for name, v in self.values.items() if not name.startswith(TRAIN)}

    @property
    def settings(self) -> dict[str, Any]:
        """The keys of the recipe, nested."""
        nested: dict[str, Any] = {}
        for name in sorted(self.values):  # `optimizer` before `optimizer.lr`
            if name.startswith(TRAIN):
                own = spread(Recipe, _nested(name, self.values[name]))
                nested = merge(spread(Recipe, nested), own)
        for misfit in [*unread_beside(Recipe, nested)]:  # of a grid over kinds, as sgd and adam
            section, key = misfit.path
            nested[section] = {k: v for k, v in nested[section].items() if k != key}
        return nested


@dataclass(frozen=True)
class Space:
    """All that is to be tried."""

    axes: tuple[Axis, ...]
    variants: tuple[str | None, ...] = (None,)

    @property
    def varying(self) -> tuple[str, ...]:
        """The names that differ between candidates."""
        names = tuple(axis.name for axis in self.axes if axis.varies)
        return (VARIANT, *names) if len(self.variants) > 1 else names

    def grid(self) -> Iterator[Candidate]:
        """Every choice, the last name fastest; raises SpecError where they are too many."""
        report = Report()
        self._check_grid(report)
        report.raise_errors()
        options = [[v for o in axis.options for v in spelled(o.value)] for axis in self.axes]
        for variant, *values in product(self.variants, *options):
            names = (axis.name for axis in self.axes)
            yield Candidate(variant, dict(zip(names, values, strict=True)))

    def draws(self, seed: int) -> Iterator[Candidate]:
        """Choices at random, no two of them alike, until no new one is found.

        The first ones are the same however many are asked for.
        """
        seen: set[str] = set()
        repeats = 0
        for number in count():
            random = Random(f"{seed}/{number}")
            variant = random.choice(self.variants)
            values = {a.name: drawn(random.choice(a.options).value, random) for a in self.axes}
            key = repr((variant, values))
            repeats = repeats + 1 if key in seen else 0
            if repeats > REPEATS:
                return
            if key not in seen:
                seen.add(key)
                yield Candidate(variant, values)

    def _check_grid(self, report: Report) -> None:
        counts = [len(self.variants)]
        for axis in self.axes:
            for option in axis.options:
                if size(option.value) is None:
                    help = "draw from it with `--samples N`, or give a step, as in 0.1..0.5:0.1"
                    report.error("value", "a grid needs values, not a range", option.span, help)
            counts.append(sum(filter(None, axis.sizes)))
        total = math.prod(counts)
        if total > MAX_CANDIDATES and self.axes:
            message = f"the grid has {total:,} candidates, more than {MAX_CANDIDATES:,}"
            report.error("bound", message, self.axes[-1].span, "draw some with `--samples N`")


def read_axes(texts: Sequence[str]) -> tuple[Axis, ...]:
    """The values of several `--set NAME=VALUE,VALUE…`; raises SpecError."""
    report = Report()
    axes: dict[str, Axis] = {}
    for text in texts:
        axis = _axis(text, report)
        if axis.name in axes:
            help = f"write all its values in one: {axis.name}=1,2"
            report.error("duplicate", f"`{axis.name}` is given twice", axis.span, help)
        axes[axis.name] = axis
    report.raise_errors()
    return tuple(axes.values())


def fixed_axis(name: str, value: Any, flag: str) -> Axis:
    """A value that a flag of its own gives to every candidate."""
    span = Span(Source(flag, str(value)), 1, 1, 1, len(str(value)) + 1)
    return Axis(name, span, (Option(value, span),))


def _axis(text: str, report: Report) -> Axis:
    name, equals, written = text.partition("=")
    own = Source("--set", text)
    span = Span(own, 1, 1, 1, len(name) + 1)
    if not equals or not name:
        help = "as in --set width=32,64"
        report.error("argument", f"`{text}` is not NAME=VALUE,VALUE…", span, help)
        return Axis(name, span, ())
    # The values are a list whose first bracket stands at the equals sign: they keep their columns.
    inner = Report()
    located = source.read(Source("--set", f"{' ' * len(name)}[{written}]"), inner)
    for diagnostic in inner.diagnostics:
        first = max(diagnostic.span.column, len(name) + 2)
        place = replace(diagnostic.span, source=own, column=first)
        report.add(replace(diagnostic, span=place))
    if not isinstance(located, source.Sequence):
        return Axis(name, span, ())
    if not located.items:
        report.error("argument", f"`{name}` is given no value", span, f"as in {name}=null")
    return Axis(name, span, tuple(_option(item, own, report) for item in located.items))


def _option(located: source.Located, own: Source, report: Report) -> Option:
    span = replace(located.span, source=own)
    return Option(_value(located, span, report), span)


def _value(located: source.Located, span: Span, report: Report) -> Any:
    """The value without its places; a range where a plain word has the form of one."""
    if isinstance(located, source.Sequence):
        return [_value(item, span, report) for item in located.items]
    if isinstance(located, source.Scalar) and located.flow and isinstance(located.value, str):
        try:
            return read_range(located.value) or located.value
        except RangeError as e:
            report.error("value", str(e), span, e.help)
    return source.plain(located)


def check_axes(axes: Sequence[Axis], spec: syntax.Spec) -> None:
    """Report names that neither the spec nor the recipe has, and values no recipe takes."""
    report = Report()
    known = [param.name for param in spec.params]
    for axis in axes:
        if axis.name.startswith(TRAIN):
            _check_setting(axis, report)
        elif axis.name not in known:
            help = suggest(axis.name, known) or "it has no parameters"
            report.error("name", f"{spec.name} has no parameter `{axis.name}`", axis.span, help)
    report.raise_errors()
    for axis, other in permutations([axis for axis in axes if axis.name.startswith(TRAIN)], 2):
        _check_read(axis, other, report)
    report.raise_errors()


def check_variants(names: Sequence[str | None], spec: syntax.Spec) -> None:
    """Report variants that the spec does not have."""
    report = Report()
    for name in names:
        if name is not None and name not in spec.variants:
            span = Span(Source("--variant", name), 1, 1, 1, len(name) + 1)
            help = suggest(name, list(spec.variants)) or "it has no variants"
            report.error("name", f"{spec.name} has no variant `{name}`", span, help)
    report.raise_errors()


def _check_read(axis: Axis, other: Axis, report: Report) -> None:
    """Report a key that is read by none of the choices that are varied beside it."""
    key = tuple(axis.name.removeprefix(TRAIN).split("."))
    first = spread(Recipe, _nested(axis.name, next(ends(axis.options[0].value))))
    chosen = [spread(Recipe, _nested(other.name, v)) for o in other.options for v in ends(o.value)]
    misfits = [{m.path: m for m in unread_beside(Recipe, merge(c, first))} for c in chosen]
    if all(key in found for found in misfits):
        misfit = misfits[0][key]
        report.error("unused", f"{axis.name}: {misfit.message}", axis.span, misfit.help)


def _check_setting(axis: Axis, report: Report) -> None:
    """What is wrong with values of a key of the recipe by themselves."""
    for option in axis.options:
        for value in ends(option.value):
            values = spread(Recipe, _nested(axis.name, value))
            for misfit in misfits(Recipe, values):
                if not isinstance(misfit, Clash):
                    key = ".".join(("train", *misfit.path))
                    place = option.span if key.startswith(axis.name) else axis.span
                    report.error("value", misfit.message, place, misfit.help)
            for misfit in unread_beside(Recipe, values):
                told = f"{'.'.join(misfit.path)}: {misfit.message}"
                report.error("unused", told, option.span, misfit.help)


def _nested(name: str, value: Any) -> dict[str, Any]:
    for key in reversed(name.removeprefix(TRAIN).split(".")):
        value = {key: value}
    assert isinstance(value, dict)
    return value
