"""The values of `train:`: the file's own recipe under "", and its other ones by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Any

from cnndsl import syntax
from cnndsl.diagnostics import Report, Span, suggest
from cnndsl.expr import Exhausted, Meter
from cnndsl.graph import Graph
from cnndsl.recipe import Recipe, merge, misfits, spread, unread
from cnndsl.recipe.patterns import (
    all_frozen,
    frozen_twice,
    patterns_of,
    unfitting,
    whereabouts,
    without_effect,
)
from cnndsl.values import Env, Evaluator, Poison, public

Recipes = dict[str, dict[str, Any]]
Settings = tuple[syntax.Setting, ...]


def recipes_of(
    settings: Settings,
    variant: str,
    evaluator: Evaluator,
    env: Env,
    report: Report,
) -> Recipes:
    """Each recipe with what differs in the variant, evaluated and checked."""
    return {
        name: _recipe(
            chosen(settings, name, variant), others(settings, name), evaluator, env, report
        )
        for name in ("", *names_of(settings))
    }


def names_of(settings: Settings) -> list[str]:
    """The names of a file's other recipes, in the order they are written."""
    named = (s.path[1] for s in settings if s.path[0] == "recipes" and s.path[1:])
    return [*dict.fromkeys(named)]


def chosen(settings: Settings, name: str, variant: str) -> list[syntax.Setting]:
    """The settings of one recipe, then those of the variant, with the paths within a recipe."""
    own = _of(settings, name)
    base = [setting for setting in own if setting.path[:1] != ("variants",)]
    special = [s.within(2) for s in own if s.path[:2] == ("variants", variant)]
    return [s for s in (*base, *special) if s.path and s.path != ("about",)]


def others(settings: Settings, name: str) -> list[dict[str, Any]]:
    """What the variants of a recipe put over it, as far as it is known without computing it."""
    special = [s.within(2) for s in _of(settings, name) if s.path[:1] == ("variants",)]
    return [
        spread(Recipe, _nested(setting.path, setting.value.value))
        for setting in special
        if setting.path and isinstance(setting.value, syntax.Const)
    ]


def tell_unfitting(settings: Settings, graph: Graph, report: Report) -> None:
    """Warn of the patterns and stages of each recipe that mean nothing in the network.

    A recipe that trains the network with other parameters of the file is left to the training, and
    so are those that are beyond a bound.
    """
    names = [name for node in graph.layers for name in node.weights]
    meter = Meter()
    for recipe, values in {"": graph.train, **graph.recipes}.items():
        own = chosen(settings, recipe, graph.variant)
        patterns = [] if values.get("params") else [*patterns_of(values)]
        with suppress(Exhausted):
            meter.spend(len(patterns) ** 2 * len(names))
            strange = [*unfitting(patterns, names)]
            for key, pattern in strange:
                if pattern.split(".")[0] not in graph.dropped:
                    message = f"{key}: no parameter fits `{pattern}`"
                    place = _written(own, (key,), pattern)
                    report.warn("unused", message, place, whereabouts(names))
            if names and all_frozen(values, names):
                message = "freeze: no parameter is left to train"
                report.warn("unused", message, _written(own, ("freeze",), ""), "name fewer of them")
                continue
            for pattern in frozen_twice(values, names) if patterns else ():
                message = f"freeze: `{pattern}` means only parameters that others freeze"
                place = _written(own, ("freeze",), pattern)
                report.warn("unused", message, place, "leave it away")
            for pattern in without_effect(values, names) if patterns else ():
                if ("lr_scale", pattern) not in strange:
                    message = f"lr_scale: the factor of `{pattern}` holds for no parameter"
                    help = "a later pattern has its own, or they are frozen: leave it away"
                    report.warn("unused", message, _written(own, ("lr_scale",), pattern), help)
        if not any(
            counts_ticks(v.get("schedule") or {}) for v in (values, *others(settings, recipe))
        ):
            for setting in own:
                if setting.path == ("schedule", "per"):
                    message = "schedule.per: nothing reads it where the rate never changes"
                    report.warn("unused", message, setting.keys[-1], "leave it away")
        stages = () if values.get("params") else (values.get("layerwise") or {}).get("stages") or ()
        for stage in stages:
            if stage not in graph.values:
                place = _written(own, ("layerwise", "stages"), stage)
                help = suggest(stage, [path for path in graph.values if "." not in path])
                report.warn("unused", f"stages: no scope or value `{stage}`", place, help)


def counts_ticks(schedule: Mapping[str, Any]) -> bool:
    """Whether the rate changes in the course of a run, in steps or in epochs."""
    return schedule.get("name", "constant") != "constant" or bool(schedule.get("warmup"))


def _written(settings: Sequence[syntax.Setting], path: tuple[str, ...], word: str) -> Span:
    """Where a word of the list or the mapping at a path is written, else all of it."""
    found = [setting for setting in settings if setting.path[: len(path)] == path][::-1]
    for setting in found:
        if setting.path == (*path, word):
            return setting.keys[-1]
        for item in setting.value.items if isinstance(setting.value, syntax.Terms) else ():
            if isinstance(item, syntax.Const) and item.value == word:
                return item.span
    return found[0].value.span if found else _place(list(settings), path)


def _of(settings: Settings, name: str) -> list[syntax.Setting]:
    return [
        setting.within(2 if name else 0)
        for setting in settings
        if (setting.path[:2] == ("recipes", name) if name else setting.path[0] != "recipes")
    ]


def _recipe(
    settings: list[syntax.Setting],
    others: list[dict[str, Any]],
    evaluator: Evaluator,
    env: Env,
    report: Report,
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    places: dict[Span, dict[str, Any]] = {}  # by the key of the section
    lost = []
    for setting in settings:
        try:
            value = _value(setting, evaluator, env)
        except Poison:
            lost.append(setting.path)
            continue
        own = spread(Recipe, _nested(setting.path, value))
        values = merge(values, own)
        places[setting.keys[0]] = merge(places.get(setting.keys[0], {}), own)
    values = _public(values)
    wrong = [*misfits(Recipe, values, lost)]
    for misfit in wrong:
        span = _place(settings, misfit.path)
        value = next((s.value for s in settings if s.value.span == span), syntax.Broken(span))
        with suppress(Poison):
            evaluator.wrong("value", misfit.message, value, env, misfit.help)
    unsure = {path[0] for path in lost}  # their choice may be among what is lost
    anywhere = any(suggest(word, ["variants"]).startswith("did") for word in unsure)
    for place, misfit in unread(Recipe, list(places.values()), choices=others):
        told_so = any(misfit.path == one.path for one in wrong)
        if not anywhere and not told_so and misfit.path[0] not in unsure:
            told = f"{'.'.join(misfit.path)}: {misfit.message}"
            at = _key(settings, list(places)[place], misfit.path)
            report.error("unused", told, at, misfit.help)
    return values


def _value(setting: syntax.Setting, evaluator: Evaluator, env: Env) -> Any:
    """The value of a setting; one for a parameter of the file has that one's type."""
    types = {param.name: param.type for param in env.home.spec.params}
    if setting.path[0] == "params" and setting.path[1:] and setting.path[1] in types:
        name = setting.path[1]
        evaluator.typed(setting.value, env, types[name], f"`{name}`")
    return evaluator.value(setting.value, env)


def _nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    for key in reversed(path):
        value = {key: value}
    assert isinstance(value, dict)
    return value


def _public(values: dict[str, Any]) -> dict[str, Any]:
    nested = {name: _public(value) for name, value in values.items() if isinstance(value, dict)}
    return public({n: v for n, v in values.items() if n not in nested}) | nested


def _key(settings: list[syntax.Setting], section: Span, path: tuple[str, ...]) -> Span:
    """Where the key at a path is written, within the section whose key stands at a place."""
    own = (s for s in settings if s.keys[0] == section and s.path[: len(path)] == path)
    return next(own).keys[len(path) - 1]


def _place(settings: list[syntax.Setting], path: tuple[str, ...]) -> Span:
    """Where the value at a path is written, else the key of the mapping that would hold it."""

    def shared(setting: syntax.Setting) -> int:
        pairs = zip(setting.path, path, strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    nearest = max(reversed(settings), key=shared)
    depth = shared(nearest)
    return nearest.keys[depth - 1] if 0 < depth < len(nearest.path) else nearest.value.span
