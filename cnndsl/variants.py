"""The static check of variants: each that a file names must be among those that it declares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cnndsl import syntax
from cnndsl.declared import Unknown, Written, tell_unknown
from cnndsl.diagnostics import Report, Span, suggest
from cnndsl.schema import SHARED
from cnndsl.source import Entry, Located, Mapping

_SECTIONS = {
    "expect": ("fact", {*SHARED["facts"]["properties"]}),
    "published": ("figure", {*SHARED["figures"]["properties"]}),
}
"""What takes variants beside words of its own, and what those are called."""


@dataclass(frozen=True)
class _Named:
    """A key that names a variant."""

    key: Entry
    beside: frozenset[str]
    """The keys that stand beside it."""
    words: frozenset[str]
    """What else may stand there."""
    told: str
    """What is told of a key that is neither."""

    def unknown(self, declared: dict[str, Span]) -> Unknown:
        known, span = {*declared, *self.words}, self.key.key.span
        free = sorted(known - self.beside or known)
        return Unknown("name", self.told, span, self.key.name, free, declared)

    def taken(self, declared: dict[str, Span]) -> str:
        """The remedy where what is meant stands beside it already."""
        known = {*declared, *self.words}
        near = suggest(self.key.name, sorted(known & self.beside))
        free = suggest(self.key.name, sorted(known - self.beside))
        misspelt = near.startswith("did") and not free.startswith("did")
        return f"`{near.split('`')[1]}` stands here already" if misspelt else ""


def check_variants(
    root: Mapping, spec: syntax.Spec, bad: frozenset[Span], report: Report
) -> syntax.Spec:
    """Report variants that a file names and does not have; `bad` was told by the schema.

    Returns the file with the one that was misspelt where it is declared as it is named.
    """
    declared = {entry.name: entry.key.span for entry in _entries(root.get("variants"))}
    if _is_unsure(root, bad):
        return spec
    named = [
        one
        for one in _named(root, spec.name)
        if bad.isdisjoint((one.key.key.span, one.key.value.span))
    ]
    read = {one.key.name for one in named}
    written = [
        Written(f"the variant `{name}`", span, "", read=name in read)
        for name, span in declared.items()
    ]
    unknown = []
    for one in named:
        if one.key.name in declared:
            continue
        if help := one.taken(declared):
            report.error("name", one.told, one.key.key.span, help)
        else:
            unknown.append(one.unknown(declared))
    misspelt = tell_unknown(unknown, written, report)
    names = {name: misspelt.get(span, name) for name, span in declared.items()}
    return replace(spec, variants={names[name]: args for name, args in spec.variants.items()})


def _is_unsure(root: Mapping, bad: frozenset[Span]) -> bool:
    """Whether variants may stand under keys that have the wrong form."""
    variants = root.index.get("variants")
    held = [variants.value.span] if variants else []
    held += [entry.key.span for entry in _entries(variants.value if variants else None)]
    strange = [entry for entry in root.entries if entry.key.span in bad]
    near = any(suggest(entry.name, ["variants"]).startswith("did") for entry in strange)
    return near or not bad.isdisjoint(held)


def _named(root: Mapping, owner: str) -> Iterator[_Named]:
    for section, (kind, words) in _SECTIONS.items():
        entries = _entries(root.get(section))
        beside = frozenset(entry.name for entry in entries)
        for entry in entries:
            if entry.name not in words:
                told = f"`{entry.name}` is neither a {kind} nor a variant"
                yield _Named(entry, beside, frozenset(words), told)
    train = root.get("train")
    recipes = [entry.value for entry in _entries(_within(train, "recipes"))]
    for recipe in (train, *recipes):
        entries = _entries(_within(recipe, "variants"))
        beside = frozenset(entry.name for entry in entries)
        for entry in entries:
            told = f"{owner} has no variant `{entry.name}`"
            yield _Named(entry, beside, frozenset(), told)


def _within(value: Located | None, key: str) -> Located | None:
    return value.get(key) if isinstance(value, Mapping) else None


def _entries(value: Located | None) -> tuple[Entry, ...]:
    return value.entries if isinstance(value, Mapping) else ()
