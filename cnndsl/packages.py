"""The packages that a file says its ops need."""

from __future__ import annotations

from collections.abc import Iterable

from cnndsl.diagnostics import Diagnostic, Report
from cnndsl.ops import installed, lacking, offers
from cnndsl.source import Located, Mapping, Scalar, Sequence

MAX_TOLD = 3


def required(root: Located) -> list[Scalar]:
    """The packages that a file requires, each where it is written."""
    listed = root.get("requires") if isinstance(root, Mapping) else None
    items = listed.items if isinstance(listed, Sequence) else ()
    return [item for item in items if isinstance(item, Scalar) and isinstance(item.value, str)]


def unfit(root: Located) -> tuple[Diagnostic, ...]:
    """Warnings of required packages that are not installed, or from which no op can come."""
    report = Report()
    for item in required(root):
        package = str(item.value)
        if not installed(package):
            message, _, help = lacking("", package).partition(": ")
            report.warn("import", message, item.span, help)
        elif fault := lacking("", package):
            report.warn("import", fault, item.span)
    return tuple(report.diagnostics)


def or_of_package(word: str, near: str, packages: Iterable[str]) -> str:
    """The remedy for an unknown op that a package may have; `near` is for a misspelt one."""
    failed = next((offer for offer in offers() if offer.op == word and offer.failure), None)
    if failed:
        return lacking(word, failed.package)
    is_near = near.startswith(("did", "the op"))
    told = [lacking(word, name) for name in packages if not (is_near and installed(name))]
    return "; or ".join([*([near] if is_near or not told else []), *told[:MAX_TOLD]])
