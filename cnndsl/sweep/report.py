"""What a sweep found: the table, and which networks no other one beats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnndsl.sweep.naming import short_names
from cnndsl.sweep.results import Row

MAX_LISTED = 20
MAX_REASON = 120


def table(rows: Sequence[Row], varying: Sequence[str]) -> Iterator[str]:
    """A line for each candidate that was trained or will be, the most accurate first; the front
    of accuracy and multiply-adds is marked by a star. Then those that were left out or failed."""
    shown = [row for row in rows if row.outcome.status != "left out"]
    shown.sort(key=lambda row: -(row.outcome.val_accuracy or 0))
    front = {row.trial for row in pareto(shown)}
    names = short_names(varying)
    trained = any(row.outcome.val_accuracy is not None for row in shown)
    head = [*(names[name] for name in varying), "params", "macs"]
    head += ["accuracy", "epoch", "seconds", ""] if trained else []
    lines = [head]
    for row in shown:
        cells = [*(row.values.get(name, "") for name in varying), *_costs(row)]
        lines.append([*cells, *(_figures(row, row.trial in front) if trained else [])])
    if shown:
        yield from _aligned(lines, len(varying))
    yield from _listed("left out", rows, len(rows), varying)
    yield from _listed("failed", rows, len(shown), varying)


def _listed(status: str, rows: Sequence[Row], of: int, varying: Sequence[str]) -> Iterator[str]:
    """The candidates with a status, each with its reason."""
    listed = [row for row in rows if row.outcome.status == status]
    if not listed:
        return
    yield from ("", f"{status}, {len(listed)} of {of}:")
    for row in listed[:MAX_LISTED]:
        yield f"  {told(row, varying)}: {_clip(row.outcome.message)}"
    if len(listed) > MAX_LISTED:
        yield f"  … and {len(listed) - MAX_LISTED} more"


def _costs(row: Row) -> list[str]:
    return ["" if number is None else f"{number:,}" for number in (row.params, row.macs)]


def _figures(row: Row, front: bool) -> list[str]:
    outcome = row.outcome
    if outcome.val_accuracy is None:
        return ["", "", "", outcome.status]
    mark = "*" if front else ""
    status = "" if outcome.status == "done" else outcome.status
    figures = [f"{outcome.val_accuracy:.2%}", str(outcome.best_epoch), f"{outcome.seconds:.1f}"]
    return [*figures, " ".join(filter(None, (mark, status)))]


def _aligned(lines: Sequence[Sequence[str]], left: int) -> Iterator[str]:
    """Columns, the first `left` of them and the last one flush left, after a row of heads."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for number, line in enumerate(lines):
        cells = [
            cell.ljust(width) if place < left or place == left + 5 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
        if number == 0:
            yield "-" * (sum(widths) + 2 * (len(widths) - 1))


def told(row: Row, varying: Sequence[str]) -> str:
    """A candidate by the values that vary: `width 32, lr 0.1`."""
    names = short_names(varying)
    return ", ".join(f"{names[n]} {row.values[n]}" for n in varying if n in row.values) or row.trial


def pareto(rows: Sequence[Row]) -> list[Row]:
    """The trials that no other one beats: none is as accurate with fewer multiply-adds, nor more
    accurate with as many. From the cheapest on."""
    known = [row for row in rows if row.complete]
    known.sort(key=lambda row: (row.macs or 0, -(row.outcome.val_accuracy or 0)))
    front: list[Row] = []
    for row in known:
        if not front or (row.outcome.val_accuracy or 0) > (front[-1].outcome.val_accuracy or 0):
            front.append(row)
    return front


def best(rows: Sequence[Row]) -> Row | None:
    """The most accurate trial, the cheapest of equals."""
    front = pareto(rows)
    return front[-1] if front else None


def _clip(text: str) -> str:
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 1]}…"
