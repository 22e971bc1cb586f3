"""Classes of one structure → one class with parameters for what differs between its instances."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from cnndsl.plan.parts import Class, classes
from cnndsl.plan.variables import Variables
from cnndsl.plan.words import is_identifier, literal


@dataclass(frozen=True)
class Parameter:
    """A parameter of a class's constructor, and the first of the holes that it fills."""

    name: str
    type: str
    hole: int
    default: str
    """Its default as source text, empty where it has none."""


@dataclass(frozen=True)
class Unified:
    """A class for all instances of one structure.

    `fill` says for each hole what stands there: the parameter that fills it, or None for a
    constant, which the sample has.
    """

    name: str
    sample: Class
    parameters: tuple[Parameter, ...]
    fill: tuple[Parameter | None, ...]
    count: int


def unify(root: Class, foreign: Collection[str]) -> dict[Hashable, Unified]:
    """The classes to write, by key, inner ones first; `foreign` names stand for something else."""
    groups: dict[Hashable, list[Class]] = {}
    for found in classes(root):
        groups.setdefault(found.key, []).append(found)
    taken = {"F", "Tensor", "NamedTuple", "OrderedDict", "Module", *foreign}
    names = _names(groups, root.key, taken)
    taken |= {*names.values()}
    return {key: _unified(names[key], group, taken) for key, group in groups.items()}


def _unified(name: str, group: list[Class], taken: set[str]) -> Unified:
    columns = list(zip(*([hole.value for hole in c.holes] for c in group), strict=True))
    hints = [hole.hint for hole in group[0].holes]
    declared = _declared(group)
    own = Variables(taken)
    by_column: dict[tuple[Any, ...], Parameter] = {}
    fill: list[Parameter | None] = []
    for index, column in enumerate(columns):
        typed = tuple((type(value), value) for value in column)
        if all(value == typed[0] for value in typed):
            fill.append(None)
            continue
        if typed not in by_column:
            wanted = declared.get(typed, hints[index])
            chosen = own.new(wanted)
            default = _default(group[0], chosen, column)
            by_column[typed] = Parameter(chosen, _type(column), index, default)
        fill.append(by_column[typed])
    parameters = sorted(by_column.values(), key=lambda parameter: bool(parameter.default))
    return Unified(name, group[0], tuple(parameters), tuple(fill), len(group))


def _default(sample: Class, name: str, column: tuple[Any, ...]) -> str:
    """The default that the block declares for the parameter, if an instance has it."""
    default = sample.defaults.get(name)
    used = any(type(value) is type(default) and value == default for value in column)
    return literal(default) if default is not None and used else ""


def _declared(group: list[Class]) -> dict[tuple[Any, ...], str]:
    """Names for columns of values: the block's own parameters, and the items of its lists."""
    names: dict[tuple[Any, ...], str] = {}
    flat = [_flatten(c.args) for c in group]
    for name in flat[0]:
        if all(name in args for args in flat) and is_identifier(name):
            column = tuple((type(args[name]), args[name]) for args in flat)
            names.setdefault(column, name)
    return names


def _flatten(args: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in args.items() if isinstance(value, int | float | str)}
    lists = {n: v for n, v in args.items() if isinstance(v, list)}
    pairs = {n: tuple(v) for n, v in lists.items() if all(isinstance(i, int) for i in v)}
    items = {
        f"{name}_{index}": item
        for name, value in lists.items()
        for index, item in enumerate(value)
        if isinstance(item, int | float | str)
    }
    return own | pairs | items


def _type(column: tuple[Any, ...]) -> str:
    types = list(dict.fromkeys(_type_name(value) for value in column))
    return " | ".join(sorted(types, key=lambda t: t == "None"))


def _type_name(value: Any) -> str:
    if isinstance(value, tuple):
        return f"tuple[{', '.join(_type_name(item) for item in value)}]"
    return "None" if value is None else type(value).__name__


def _names(
    groups: Mapping[Hashable, list[Class]], root: Hashable, foreign: set[str]
) -> dict[Hashable, str]:
    """Each class's name; of a block's structures the smallest and commonest bears it alone."""
    samples = {key: group[0] for key, group in groups.items()}
    order = sorted(groups, key=lambda key: (len(samples[key].fields), -len(groups[key])))
    own = Variables(foreign)
    names = {root: own.new(samples[root].name)}
    own.hold(f"{names[root]}Outputs")
    fields: dict[str, set[str]] = {}  # of the classes of a block that have a name by now
    for key in order:
        sample = samples[key]
        if key != root:
            taken = sample.name in own.live or sample.name in foreign
            added = _added(sample, fields.get(sample.name, set())) if taken else ""
            names[key] = own.new(sample.name + added)
        fields.setdefault(sample.name, set()).update(name for name, _ in sample.fields)
    return names


def _added(sample: Class, known: Collection[str]) -> str:
    """The first field that a class has beside those of smaller ones of its block, in CamelCase."""
    added = [name for name, _ in sample.fields if name not in known and name.isalpha()]
    return "".join(name[:1].upper() + name[1:] for name in added[:1])
