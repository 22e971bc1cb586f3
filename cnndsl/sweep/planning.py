"""What a sweep will do: the candidates judged, the folder, and which trials are left to run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from cnndsl.sweep.filtering import Filter, Judged, Limits, judged
from cnndsl.sweep.fitting import Job
from cnndsl.sweep.results import TABLE, Results, Row, TableError, read_rows, row_of
from cnndsl.sweep.space import Space
from cnndsl.sweep.trial import Trial
from cnndsl.training.errors import TrainError


@dataclass(frozen=True)
class Request:
    """What is asked for: `samples` random draws that keep to the limits, or None for the grid."""

    job: Job
    space: Space
    limits: Limits
    samples: int | None
    seed: int


def judge_all(request: Request) -> list[Judged]:
    """Every candidate with what it costs; raises SpecError where none can be trained.

    The error is that of the first candidate, as `cnndsl train` would tell it.
    """
    space, samples = request.space, request.samples
    candidates = space.grid() if samples is None else space.draws(request.seed)
    found = list(judged(candidates, Filter(request.job, request.limits, space.varying), samples))
    errors = [one.error for one in found if one.error]
    if errors and len(errors) == len(found):
        raise errors[0]
    return found


def open_results(folder: Path | None, name: str, found: Sequence[Judged], resume: bool) -> Results:
    """The table of a new sweep, or of one that goes on with what it has; raises TrainError."""
    earlier: list[Row] = []
    if folder is None:
        folder = _free(re.sub(r"[^\w.-]+", "-", name).strip(".-"))
    elif (folder / TABLE).exists():
        if not resume:
            raise TrainError(
                f"{folder} holds an earlier sweep",
                "go on with it by `--resume`, or name another folder with `-o DIR`",
            )
        earlier = _read(folder)
    _make(folder)
    return Results(folder, joined(earlier, [row_of(one) for one in found]))


def joined(earlier: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """The rows asked for, with what is known of those trials, and what else was trained before."""
    known = {row.id: row for row in earlier if row.id and row.outcome.status != "left out"}
    used = {row.trial: row.id for row in earlier if row.complete}
    now = [
        row if row.outcome.status == "left out" else known.get(row.id) or _apart(row, used)
        for row in rows
    ]
    taken = {row.trial for row in now if row.outcome.status != "left out"}
    return [*now, *(row for row in earlier if row.complete and row.trial not in taken)]


def _apart(row: Row, used: Mapping[str, str]) -> Row:
    """A row whose folder holds no other trial; one of the same but for its epochs goes on."""
    if used.get(row.trial, row.id)[:8] == row.id[:8]:
        return row
    return replace(row, trial=f"{row.trial}-{row.id[:8]}")


def trials_of(job: Job, found: Sequence[Judged], results: Results) -> list[Trial]:
    """The trials that are not complete yet."""
    trials = []
    for one in found:
        row = None if one.reason else results.find(one.id)
        if row is None or row.complete:
            continue
        trials.append(
            Trial(
                row.trial,
                str((results.folder / row.trial).resolve()),
                _absolute(job.spec),
                one.candidate.variant,
                one.candidate.params,
                None if job.input is None else list(job.input),
                job.recipe,
                one.candidate.settings,
                job.device,
                one.epochs,
            )
        )
    return trials


def _absolute(spec: str) -> str:
    """A file by its whole path, which another process finds too; a shipped name as it is."""
    name, colon, variant = spec.rpartition(":")
    if colon and Path(name).is_file():
        return f"{Path(name).resolve()}:{variant}"
    return str(Path(spec).resolve()) if Path(spec).is_file() else spec


def _read(folder: Path) -> list[Row]:
    try:
        return read_rows(folder / TABLE)
    except (TableError, OSError) as e:
        raise TrainError(str(e), "name another folder with `-o DIR`") from e


def _free(name: str) -> Path:
    folders = (Path("sweeps", name if n == 1 else f"{name}-{n}") for n in count(1))
    return next(folder for folder in folders if not folder.exists())


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise TrainError(f"cannot make {folder}: {e.strerror}", "name another with `-o DIR`") from e
