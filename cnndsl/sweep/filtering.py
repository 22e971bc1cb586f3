"""Candidates → trials: those that check, keep to the limits, and differ from one another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from cnndsl.costs import cost
from cnndsl.diagnostics import SpecError
from cnndsl.sweep.fitting import Job, UnfitError, fit, id_of
from cnndsl.sweep.naming import folder_name
from cnndsl.sweep.space import Candidate

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}

DRAWS = 50
"""So many candidates are drawn at most for each one that is asked for."""


@dataclass(frozen=True)
class Limits:
    """What a network may cost at most: multiply-adds of one sample, and parameters."""

    macs: int | None = None
    params: int | None = None

    def exceeded(self, macs: int, params: int) -> str:
        """Which limits a network does not keep to, in words; empty where it keeps to all."""
        pairs = ((macs, self.macs, "multiply-adds"), (params, self.params, "parameters"))
        return "; ".join(
            f"{count:,} {what}, more than {limit:,}"
            for count, limit, what in pairs
            if limit is not None and count > limit
        )


@dataclass(frozen=True)
class Judged:
    """A candidate with what it costs; `reason` says why it is left out, empty where it is not."""

    candidate: Candidate
    name: str
    reason: str = ""
    params: int | None = None
    macs: int | None = None
    id: str = ""
    epochs: int = 0
    data: str = ""
    error: SpecError | None = None
    """All that is wrong with it, where the spec is at fault."""


@dataclass
class Filter:
    """What candidates are judged by, and the networks that it has let through by their ids."""

    job: Job
    limits: Limits
    varying: Sequence[str]
    kept: dict[str, str] = field(default_factory=dict)

    def judge(self, candidate: Candidate) -> Judged:
        """Whether a candidate is to be trained."""
        name = folder_name(candidate, self.varying)
        try:
            fitted = fit(self.job, candidate)
        except UnfitError as e:
            return Judged(candidate, name, str(e), error=e.error)
        whole, recipe, id = cost(fitted.graph), fitted.recipe, id_of(fitted)
        reason = self.limits.exceeded(whole.macs, whole.params)
        if not reason and id in self.kept:
            reason = f"the same network and recipe as {self.kept[id]}"
        if not reason:
            name = f"{name}-{id[:6]}" if name in self.kept.values() else name
            self.kept[id] = name
        figures = (whole.params, whole.macs, id, recipe.epochs, recipe.data.name)
        return Judged(candidate, name, reason, *figures)


def judged(candidates: Iterable[Candidate], filter: Filter, wanted: int | None) -> Iterator[Judged]:
    """The candidates one by one, until as many as are wanted are kept."""
    for number, candidate in enumerate(candidates):
        if wanted is not None and (len(filter.kept) == wanted or number == wanted * DRAWS):
            return
        yield filter.judge(candidate)


def read_amount(text: str) -> int | None:
    """The number that `500M` stands for; None where it is none."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?(?:[eE][0-9]+)?)([KMG]?)", text.strip().upper())
    return round(float(match[1]) * UNITS[match[2]]) if match else None
