"""The ops of the language, built in and from other packages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from cnndsl.ops.base import Op, registered

ENTRY_POINTS = "cnndsl.ops"
_BUILT_IN = ("activation", "conv", "merge", "norm", "pool", "regular", "reshape", "resize", "scale")


@cache
def registry() -> Mapping[str, type[Op]]:
    """Every op by its name: the built-in ones, and those of installed packages' entry points."""
    for module in _BUILT_IN:
        import_module(f"cnndsl.ops.{module}")
    for entry_point in entry_points(group=ENTRY_POINTS):
        entry_point.load()
    return registered()
