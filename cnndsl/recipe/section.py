"""Sections of a recipe: dataclasses that are their own check and their own JSON Schema."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from cnndsl.diagnostics import suggest
from cnndsl.expr import show
from cnndsl.ops.base import Arg, Reject
from cnndsl.ops.kinds import EXPRESSION, Items, Kind, Schema, kind_of, union

Path = tuple[str, ...]
"""The keys that lead to a value, as ("optimizer", "lr")."""

MAX_ITEMS = 256


class Misfit(Reject):
    """A value does not fit its place in a recipe; `path` leads there."""

    def __init__(self, message: str, path: Path, help: str = "") -> None:
        super().__init__(message, ".".join(path), help)
        self.path = path

    def under(self, key: str) -> Misfit:
        """The same, seen from the mapping that holds the value under this key."""
        return type(self)(self.message, (key, *self.path), self.help)


class Clash(Misfit):
    """Values that are right alone do not fit together, or one is missing."""


@dataclass(frozen=True)
class ReadBy:
    """What must be chosen for a key to be read: of the key `choice` one of `kinds`, or where these
    are not named any value but null and 0."""

    choice: str
    kinds: tuple[str, ...] = ()

    @property
    def help(self) -> str:
        if not self.kinds:
            return f"it goes with `{self.choice}`"
        *most, last = (f"`{kind}`" for kind in self.kinds)
        return f"it is for {', '.join(most)} and {last}" if most else f"it is for {last}"


Rules = Mapping[str, ReadBy]


@dataclass(frozen=True, kw_only=True)
class Section:
    """Keys with their defaults, declared by `arg`; one may be primary: `optimizer: adam`."""

    read_by: ClassVar[Rules] = {}
    """The keys that not every choice reads."""

    @classmethod
    def create(cls, values: Mapping[str, Any]) -> Self:
        """The section with these values, each checked; raises Misfit."""
        known = args_of(cls)
        checked: dict[str, Any] = {}
        for name, value in values.items():
            if name not in known:
                raise Misfit("there is no such key", (name,), suggest(name, list(known)))
            try:
                checked[name] = known[name].kind.check(value)
            except Misfit as e:
                raise e.under(name) from None
            except Reject as e:
                raise Misfit(e.message, (name,), e.help) from None
        for name, arg in known.items():
            if arg.required and name not in checked:
                raise Clash("needs a value", (name,), arg.doc)
        made = cls(**checked)
        made.confirm()
        return made

    def confirm(self) -> None:
        """Raise Clash where values that are right alone do not fit together."""

    @classmethod
    def primary(cls) -> str:
        """The key that a value without keys is for; empty where there is none."""
        return next((arg.name for arg in args_of(cls).values() if arg.primary), "")

    @classmethod
    def schema(cls) -> Schema:
        """The JSON Schema of the section; each value may be an expression."""
        properties = {name: arg.schema() for name, arg in args_of(cls).items()}
        return {"type": "object", "properties": properties, "additionalProperties": False}


@dataclass(frozen=True)
class Nested(Kind):
    """A section within a section: a mapping, or its primary value alone; or null."""

    section: type[Section]
    optional: bool

    def check(self, value: Any) -> Any:
        if value is None and self.optional:
            return None
        primary = self.section.primary()
        if not isinstance(value, Mapping) and not primary:
            raise Reject(f"expected {self.words()}, found {show(value)}")
        values = value if isinstance(value, Mapping) else {primary: value}
        return self.section.create(values)

    def schema(self) -> Schema:
        primary = self.section.primary()
        alone = args_of(self.section)[primary].kind.schema() if primary else {"type": []}
        types_ = ["object", *(["null"] if self.optional else []), *alone["type"]]
        return {**alone, **self.section.schema(), "type": list(dict.fromkeys(types_))}

    def words(self) -> str:
        primary = self.section.primary()
        alone = f"{args_of(self.section)[primary].kind.words()} for `{primary}`" if primary else ""
        options = [alone, "a mapping", "null" if self.optional else ""]
        *most, last = [option for option in options if option]
        return f"{', '.join(most)}, or {last}" if most else last


@dataclass(frozen=True)
class Text(Kind):
    """Any text, not empty."""

    def check(self, value: Any) -> Any:
        return value if isinstance(value, str) and value.strip() else super().check(value)

    def schema(self) -> Schema:
        return {"type": ["string"], "pattern": r"\S"}

    def words(self) -> str:
        return "text"


@dataclass(frozen=True)
class Plain(Kind):
    """A number, text, truth value, list or null."""

    def check(self, value: Any) -> Any:
        return super().check(value) if isinstance(value, Mapping) else value

    def schema(self) -> Schema:
        return {"$ref": "#/$defs/value"}

    def words(self) -> str:
        return "a value"


@dataclass(frozen=True)
class Table(Kind):
    """A mapping from names to values of one kind."""

    value: Kind

    def check(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return super().check(value)
        return {str(name): self._one(str(name), item) for name, item in value.items()}

    def _one(self, name: str, item: Any) -> Any:
        try:
            return self.value.check(item)
        except Reject as e:
            raise Misfit(e.message, (name, *getattr(e, "path", ())), e.help) from None

    def schema(self) -> Schema:
        of = self.value.schema()
        return {"type": ["object"], "pattern": EXPRESSION, "additionalProperties": of}

    def words(self) -> str:
        return f"a mapping from name to {self.value.words()}"


def section(doc: str, of: type[Section]) -> Any:
    """A key whose value is a section with its defaults."""
    metadata = {"doc": doc, "min": None, "max": None, "primary": False}
    return dataclasses.field(default_factory=of, metadata=metadata)


_KNOWN: dict[Any, dict[str, Arg]] = {}


def args_of(section: type[Section]) -> dict[str, Arg]:
    """The keys of a section, by name."""
    if section not in _KNOWN:
        hints = typing.get_type_hints(section)
        _KNOWN[section] = {
            field.name: _arg(field, hints[field.name])
            for field in dataclasses.fields(section)
            if field.metadata
        }
    return _KNOWN[section]


def _arg(field: dataclasses.Field[Any], annotation: Any) -> Arg:
    data = field.metadata
    kind = _kind(annotation, data["min"], data["max"])
    default = field.default
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    if isinstance(default, Section):
        primary = type(default).primary()
        default = getattr(default, primary) if primary else {}
    return Arg(field.name, data["doc"], kind, default, primary=data["primary"])


def _kind(annotation: Any, low: float | None, high: float | None) -> Kind:
    inner = typing.get_args(annotation)
    if annotation is str:
        return Text()
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        sections = [option for option in inner if _is_section(option)]
        if sections:
            return Nested(sections[0], optional=type(None) in inner)
        return union([_kind(option, low, high) for option in inner])
    if _is_section(annotation):
        return Nested(annotation, optional=False)
    if typing.get_origin(annotation) is Mapping or annotation is Mapping:
        return Table(Plain() if inner[1] is Any else _kind(inner[1], low, high))
    if typing.get_origin(annotation) is tuple and inner[-1] is ...:
        return Items(_kind(inner[0], low, high), most=MAX_ITEMS)
    return kind_of(annotation, low, high)


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)


def misfits(
    section: type[Section], values: Mapping[str, Any], lost: Iterable[Path] = ()
) -> Iterator[Misfit]:
    """All that is wrong with a section's values, each fact told once.

    The values at the paths of `lost` are not known: whether others fit to them is not told.
    """
    unknown = list(lost)
    while True:
        try:
            section.create(values)
            return
        except Misfit as e:
            clash, around = isinstance(e, Clash), e.path[:-1]
            if not clash or not any(path[: len(around)] == around for path in unknown):
                yield e
            wrong = around or e.path if clash else e.path
            if wrong[0] not in values:
                return
            unknown.append(wrong)
            values = _without(values, wrong)


def _without(values: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The values but for the one at the path, or the nearest one around it."""
    key, *rest = path
    inner = values[key]
    others = {name: value for name, value in values.items() if name != key}
    if rest and isinstance(inner, Mapping) and rest[0] in inner:
        return others | {key: _without(inner, tuple(rest))}
    return others


def spread(section: type[Section], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with every section written as a mapping: `optimizer: {name: adam}`."""
    result = dict(values)
    for name, arg in args_of(section).items():
        if name not in result or not isinstance(arg.kind, Nested) or result[name] is None:
            continue
        inner, value = arg.kind.section, result[name]
        if isinstance(value, Mapping):
            result[name] = spread(inner, value)
        elif inner.primary():
            result[name] = {inner.primary(): value}
    return result


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two nested mappings as one; where both have a value, that of `above`."""
    result = dict(below)
    for name, value in above.items():
        own = result.get(name)
        both = isinstance(own, Mapping) and isinstance(value, Mapping)
        result[name] = merge(own, value) if both else value  # type: ignore[arg-type]
    return result


def plain(section: Section) -> dict[str, Any]:
    """A section as values that YAML and JSON hold."""
    return {name: _plain(getattr(section, name)) for name in args_of(type(section))}


def _plain(value: Any) -> Any:
    if isinstance(value, Section):
        return plain(value)
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
