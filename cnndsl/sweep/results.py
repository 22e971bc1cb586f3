"""`sweep.csv`: a row for each candidate, written anew whenever one changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from cnndsl.cells import csv_rows, csv_text, short
from cnndsl.files import write_atomically
from cnndsl.sweep.filtering import Judged
from cnndsl.sweep.naming import of, text_of
from cnndsl.training.errors import TrainError

TABLE = "sweep.csv"

Status = Literal["waiting", "running", "done", "stopped", "interrupted", "failed", "left out"]
"""`stopped` is a run that a scheduler ended early; `interrupted` one that can go on."""


@dataclass(frozen=True)
class Outcome:
    """How a trial stands: its best validation accuracy, from 0 to 1, and when it had it."""

    status: Status
    val_accuracy: float | None = None
    best_epoch: int | None = None
    seconds: float | None = None
    """Of all epochs."""
    message: str = ""


@dataclass(frozen=True)
class Row:
    """A candidate and how it stands; `values` are texts, as `--set` takes them."""

    trial: str
    values: Mapping[str, str]
    params: int | None
    macs: int | None
    outcome: Outcome
    id: str

    @property
    def complete(self) -> bool:
        return self.outcome.status in ("done", "stopped")


FIGURES = ("params", "macs", *(field.name for field in fields(Outcome)), "id")
"""The columns after those of the values."""


def row_of(judged: Judged) -> Row:
    """A candidate that has not been trained yet."""
    values = {name: text_of(v) for name, v in of(judged.candidate).items()}
    status: Status = "left out" if judged.reason else "waiting"
    outcome = Outcome(status, message=judged.reason)
    return Row(judged.name, values, judged.params, judged.macs, outcome, judged.id)


@dataclass
class Results:
    """The rows of a sweep by the ids of their trials; `write` puts them into the folder."""

    folder: Path
    rows: list[Row] = field(default_factory=list)

    def find(self, id: str) -> Row | None:
        asked = (row for row in self.rows if row.outcome.status != "left out")
        return next((row for row in asked if row.id == id), None)

    def set(self, trial: str, outcome: Outcome) -> None:
        """Note how a trial stands, and write the table."""
        for place, row in enumerate(self.rows):
            if row.trial == trial and row.outcome.status != "left out":
                self.rows[place] = replace(row, outcome=outcome)
        self.write()

    def write(self) -> None:
        names = dict.fromkeys(name for row in self.rows for name in row.values)
        lines: list[list[Any]] = [["trial", *names, *FIGURES]]
        for row in self.rows:
            values = (row.values.get(name, "") for name in names)
            outcome = short(astuple(row.outcome))
            lines.append([row.trial, *values, row.params, row.macs, *outcome, row.id])
        put(self.folder / TABLE, csv_text(lines).encode())

    def discard(self) -> None:
        """Take the table of a sweep away that could not begin."""
        if all(row.outcome.status in ("waiting", "left out") for row in self.rows):
            (self.folder / TABLE).unlink(missing_ok=True)
            with suppress(OSError):
                self.folder.rmdir()  # succeeds where it is empty alone


def put(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; raises TrainError."""
    try:
        write_atomically(path, lambda file: file.write(data))
    except OSError as e:
        raise TrainError(f"cannot write {path}: {e.strerror or e}") from e


class TableError(Exception):
    """A file that is no table of a sweep."""


def read_rows(path: Path) -> list[Row]:
    """The rows of a table; raises TableError."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            head, *lines = csv_rows(file)
        count = len(head) - len(FIGURES)
        if head[0] != "trial" or tuple(head[count:]) != FIGURES:
            raise ValueError("other columns")
        return [_row(head[1:count], line) for line in lines]
    except (ValueError, IndexError, UnicodeDecodeError) as e:
        raise TableError(f"{path} is no table of a sweep: {e}") from e


def _row(names: Sequence[str], line: Sequence[str]) -> Row:
    cells = line[1 + len(names) :]
    params, macs, status, accuracy, epoch, seconds, message, id = cells
    if status not in get_args(Status):
        raise ValueError(f"status `{status}`")
    outcome = Outcome(
        status,  # type: ignore[arg-type]
        float(accuracy) if accuracy else None,
        int(epoch) if epoch else None,
        float(seconds) if seconds else None,
        message,
    )
    values = {name: text for name, text in zip(names, line[1:], strict=False) if text}
    figures = (int(params) if params else None, int(macs) if macs else None)
    return Row(line[0], values, *figures, outcome, id)
