"""The ops of the language, built in and from other packages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution, entry_points

from cnndsl.ops.base import Op, registered

ENTRY_POINTS = "cnndsl.ops"
_BUILT_IN = ("activation", "conv", "merge", "norm", "pool", "regular", "reshape", "resize", "scale")


@dataclass(frozen=True)
class Offer:
    """An entry point of an installed package: its op's name, and why it fails to load, if so."""

    package: str
    op: str
    failure: str = ""


@cache
def registry() -> Mapping[str, type[Op]]:
    """Every op by its name: the built-in ones, and those of installed packages' entry points."""
    offers()
    return registered()


@cache
def offers() -> tuple[Offer, ...]:
    """What installed packages offer; what fails to load is among it, and not in the registry."""
    for module in _BUILT_IN:
        import_module(f"cnndsl.ops.{module}")
    found = []
    for entry_point in entry_points(group=ENTRY_POINTS):
        package = entry_point.dist.name if entry_point.dist else entry_point.module
        try:
            op, failure = getattr(entry_point.load(), "name", entry_point.name), ""
        except Exception as e:  # what another package's code raises may be anything
            op, failure = entry_point.name, f"{type(e).__name__}: {e}"
        found.append(Offer(package, op, failure))
    return tuple(found)


def installed(package: str) -> str:
    """The package's own name, if it is installed."""
    try:
        return distribution(package).name
    except (PackageNotFoundError, ValueError):
        return ""


def lacking(op: str, package: str) -> str:
    """Why a package does not give the op, or how it is installed.

    Without an op: why the package gives none, or not all of its own; nothing if it does.
    """
    own = installed(package)
    if not own:
        return f"`{package}` is not installed: `pip install {package}`"
    given = [offer for offer in offers() if offer.package == own]
    failed = next((o for o in sorted(given, key=lambda o: o.op != op) if o.failure), None)
    if failed:
        return f"`{failed.op}` of `{package}` fails to load: {failed.failure}"
    if given and not op:
        return ""
    listed = ", ".join(f"`{offer.op}`" for offer in given) or "no op"
    return f"`{package}` is installed, and offers {listed}"
