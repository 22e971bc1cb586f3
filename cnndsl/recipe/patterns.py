"""Which parameters the patterns of `freeze` and `lr_scale` mean, and which of them mean none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

KEYS = ("freeze", "lr_scale")


def fits(pattern: str, name: str) -> bool:
    """Whether a pattern is the name of a parameter, or of a scope around it."""
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def patterns_of(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(key, pattern) of each pattern of a recipe."""
    for key in KEYS:
        yield from ((key, pattern) for pattern in values.get(key) or ())


def unfitting(
    patterns: Iterable[tuple[str, str]], names: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """The patterns that fit none of the parameters."""
    for key, pattern in patterns:
        if not any(fits(pattern, name) for name in names):
            yield key, pattern


def all_frozen(values: Mapping[str, Any], names: Iterable[str]) -> bool:
    """Whether `freeze` leaves no parameter to train."""
    frozen = values.get("freeze") or ()
    return all(any(fits(pattern, name) for pattern in frozen) for name in names)


def frozen_twice(values: Mapping[str, Any], names: Sequence[str]) -> Iterator[str]:
    """The patterns of `freeze` that can all be left away: those of fewer parameters first."""
    kept = list(values.get("freeze") or ())
    own = {pattern: {name for name in names if fits(pattern, name)} for pattern in kept}
    for pattern in sorted(own, key=lambda pattern: len(own[pattern])):
        kept.remove(pattern)
        if own[pattern] and own[pattern] <= {name for other in kept for name in own[other]}:
            yield pattern
        else:
            kept.append(pattern)


def without_effect(values: Mapping[str, Any], names: Sequence[str]) -> Iterator[str]:
    """The patterns of `lr_scale` of which no factor holds: a later one does, or all is frozen."""
    frozen = values.get("freeze") or ()
    moving = [name for name in names if not any(fits(pattern, name) for pattern in frozen)]
    factors = list(values.get("lr_scale") or ())
    for index, pattern in enumerate(factors):
        own = [name for name in moving if fits(pattern, name)]
        later = factors[index + 1 :]
        if all(any(fits(other, name) for other in later) for name in own):
            yield pattern


def whereabouts(names: Iterable[str]) -> str:
    """Where parameters lie, as a help for patterns."""
    scopes = sorted({name.rpartition(".")[0] for name in names})
    return f"parameters lie in {', '.join(scopes[:12])}{', …' if len(scopes) > 12 else ''}"
