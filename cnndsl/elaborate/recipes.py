"""The values of `train:`: the file's own recipe under "", and its other ones by their names."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

from cnndsl import syntax
from cnndsl.diagnostics import Report, Span
from cnndsl.recipe import Recipe, merge, misfits, spread
from cnndsl.values import Env, Evaluator, Poison, public

Recipes = dict[str, dict[str, Any]]


def recipes_of(
    settings: tuple[syntax.Setting, ...],
    variant: str,
    evaluator: Evaluator,
    env: Env,
    report: Report,
) -> Recipes:
    """Each recipe with what differs in the variant, evaluated and checked."""
    named = {s.path[1]: None for s in settings if s.path[0] == "recipes" and s.path[1:]}
    return {
        name: _recipe(chosen(settings, name, variant), evaluator, env, report)
        for name in ("", *named)
    }


def chosen(settings: tuple[syntax.Setting, ...], name: str, variant: str) -> list[syntax.Setting]:
    """The settings of one recipe, then those of the variant, with the paths within a recipe."""
    own = [
        setting.within(2 if name else 0)
        for setting in settings
        if (setting.path[:2] == ("recipes", name) if name else setting.path[0] != "recipes")
    ]
    base = [setting for setting in own if setting.path[:1] != ("variants",)]
    special = [s.within(2) for s in own if s.path[:2] == ("variants", variant)]
    return [s for s in (*base, *special) if s.path and s.path != ("about",)]


def _recipe(
    settings: list[syntax.Setting], evaluator: Evaluator, env: Env, report: Report
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    lost = []
    for setting in settings:
        try:
            value = evaluator.value(setting.value, env)
        except Poison:
            lost.append(setting.path)
            continue
        values = merge(values, spread(Recipe, _nested(setting.path, value)))
    values = _public(values)
    for misfit in misfits(Recipe, values, lost):
        report.error("value", misfit.message, _place(settings, misfit.path), misfit.help)
    return values


def _nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    for key in reversed(path):
        value = {key: value}
    assert isinstance(value, dict)
    return value


def _public(values: dict[str, Any]) -> dict[str, Any]:
    nested = {name: _public(value) for name, value in values.items() if isinstance(value, dict)}
    return public({n: v for n, v in values.items() if n not in nested}) | nested


def _place(settings: list[syntax.Setting], path: tuple[str, ...]) -> Span:
    """Where the value at a path is written, else the key of the mapping that would hold it."""

    def shared(setting: syntax.Setting) -> int:
        pairs = zip(setting.path, path, strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    nearest = max(reversed(settings), key=shared)
    depth = shared(nearest)
    return nearest.keys[depth - 1] if 0 < depth < len(nearest.path) else nearest.value.span
