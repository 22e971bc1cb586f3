"""Blocks of a spec, and what the calls of their instances give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cnndsl.importer.columns import plain
from cnndsl.importer.terms import ABSENT, Channels, Column
from cnndsl.importer.variables import Kind, Variable

Defaults = Mapping[str, Mapping[str, Any]]
"""The file's `defaults:`, by op and argument."""


@dataclass
class Block:
    """A block of the spec: how its call is written, and its parameters by name."""

    name: str
    parameters: list[Variable]
    body: list[Any]
    lets: dict[str, Any] = field(default_factory=dict)

    def default(self, parameter: Variable) -> Any:
        """The value that a call may leave out; a type's name where it may not."""
        return _default(parameter)

    def kind(self, name: str) -> Kind:
        return next(p.kind for p in self.parameters if p.name == name)

    def args(self, index: int, entry: int) -> dict[str, Column]:
        """What the call for an instance gives; `entry` are the channels that enter there."""
        return {p.name: (_given(p.column[index], entry),) for p in self.parameters}


def _given(value: Any, entry: int) -> Any:
    if isinstance(value, Channels):
        return value if value == entry else int(value)
    return value


REQUIRED = ("int", "float", "str", "list", "bool")


def _default(parameter: Variable) -> Any:
    found = [v for v in parameter.column if v is not ABSENT]
    if parameter.nullable or parameter.absent:
        return None
    if len({_type(value) for value in found}) > 1:
        return None
    usual = {"kernel": 1, "stride": 1, "padding": 0, "groups": 1, "dilation": 1}.get(parameter.hint)
    if usual is not None and any(value == usual and _type(value) == "int" for value in found):
        return usual
    if isinstance(found[0], bool):
        return max((True, False), key=found.count)
    common = max(found, key=found.count)
    most = parameter.kind == "window" and 2 * found.count(common) > len(found)
    return plain(common) if most else _type(found[0])


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, list | tuple):
        return "list"
    return {int: "int", Channels: "int", float: "float", str: "str"}[type(value)]
