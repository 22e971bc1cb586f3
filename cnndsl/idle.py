"""What stands in a file and cannot act: sections that nothing reads there, and empty mappings."""

from __future__ import annotations

from collections.abc import Iterator

from cnndsl.diagnostics import Diagnostic, Report
from cnndsl.source import Entry, Located, Mapping, Scalar

OF_NETWORKS = ("variants", "input", "inputs", "outputs", "init", "expect", "published", "train")
"""Sections of a network, which those who import a file do not take with its blocks."""


def idle(root: Mapping) -> tuple[Diagnostic, ...]:
    """Warnings of what cannot act in a file, whatever it holds."""
    report = Report()
    for entry in root.entries if root.get("body") is None else ():
        if entry.name in OF_NETWORKS:
            message = f"nothing reads `{entry.name}` of a file without a `body`"
            help = "it is there for its blocks: those who import it have their own"
            report.warn("unused", message, entry.key.span, help)
    for entry in _void(root):
        report.warn("unused", f"`{entry.name}` says nothing", entry.key.span, "leave it away")
    return tuple(report.diagnostics)


def _void(root: Mapping) -> Iterator[Entry]:
    """Entries of sections that are there to say something, and are empty."""
    for section in ("defaults", "init", "expect", "published"):
        for entry in _entries(root.get(section)):
            if _is_empty(entry.value):
                yield entry
            yield from (inner for inner in _entries(entry.value) if _is_empty(inner.value, False))


def _is_empty(value: Located, null: bool = True) -> bool:
    if isinstance(value, Scalar):
        return null and value.value is None
    return isinstance(value, Mapping) and not value.entries


def _entries(value: Located | None) -> tuple[Entry, ...]:
    return value.entries if isinstance(value, Mapping) else ()
