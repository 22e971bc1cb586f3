"""Rows of figures as text, CSV and JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cnndsl.amounts import amount, sides, size
from cnndsl.cells import csv_text
from cnndsl.columns import breadth, left, right
from cnndsl.compare.rows import IMAGENET, Row
from cnndsl.summary import field_json

Figure = str | float | None


@dataclass(frozen=True)
class Column:
    """A column: its name, its exact figure, and how people read it."""

    name: str
    exact: Callable[[Row], Figure]
    told: Callable[[Row], str]
    left: bool = False


def _told(figure: Callable[[Row], Any], words: Callable[[Any], str]) -> Callable[[Row], str]:
    def tell(row: Row) -> str:
        value = figure(row)
        return "" if value is None else words(value)

    return tell


def _column(name: str, figure: Callable[[Row], Any], words: Callable[[Any], str]) -> Column:
    return Column(name, figure, _told(figure, words))


def _top1(row: Row) -> float | None:
    return row.accuracy.top1 if row.accuracy else None


def _data(row: Row) -> str | None:
    return row.accuracy.data if row.accuracy else None


def _height(row: Row) -> int | None:
    return row.window[0] if row.window else None


COLUMNS = (
    Column("network", lambda row: row.name, lambda row: row.name, left=True),
    _column("params", lambda row: row.params, amount),
    _column("macs", lambda row: row.macs, amount),
    _column("inference", lambda row: row.inference, size),
    _column("training", lambda row: row.training, size),
    _column("depth", lambda row: row.depth, str),
    Column("field", _height, _told(lambda row: row.window, sides)),
    _column("min_input", lambda row: row.min_input, str),
    _column("top1", _top1, lambda value: f"{value:.2f}"),
    Column("data", _data, _told(_data, str), left=True),
)
"""`inference` and `training` are bytes of activations for one sample, `field` is the receptive
field of the last feature map, and `min_input` the side of the smallest square image."""

SORTS = tuple(column.name for column in COLUMNS)
NUMBERS = ("params", "macs", "inference", "training", "depth")


def arranged(rows: Sequence[Row], by: str | None, reverse: bool = False) -> list[Row]:
    """The rows in the order of a column's figures; those without one come last."""
    if by is None:
        return list(reversed(rows)) if reverse else list(rows)
    figure = next(column.exact for column in COLUMNS if column.name == by)
    known = [row for row in rows if figure(row) is not None]
    known.sort(key=lambda row: figure(row), reverse=reverse)  # type: ignore[arg-type,return-value]
    return known + [row for row in rows if figure(row) is None]


def shown(rows: Sequence[Row]) -> list[Column]:
    """The columns that a reader needs: the data set stands there if it is not ImageNet alone."""
    several = {row.accuracy.data for row in rows if row.accuracy} - {IMAGENET}
    known = any(row.accuracy for row in rows)
    hidden = {"top1": not known, "data": not several}
    return [column for column in COLUMNS if not hidden.get(column.name, False)]


def text(rows: Sequence[Row]) -> Iterator[str]:
    """Lines with aligned columns."""
    columns = shown(rows)
    cells = [[column.name for column in columns]]
    cells += [[column.told(row) for column in columns] for row in rows]
    widths = [max(breadth(line[i]) for line in cells) for i in range(len(columns))]
    for index, line in enumerate(cells):
        aligned = [
            left(cell, width) if column.left else right(cell, width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ]
        yield "  ".join(aligned).rstrip()
        if index == 0:
            yield "-" * (sum(widths) + 2 * (len(widths) - 1))


def to_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Exact figures; `docs/costs.md` says what they mean."""
    return [
        {
            "name": row.name,
            "family": row.family,
            **{name: getattr(row, name) for name in NUMBERS},
            **field_json(row.field),
            "min_input": row.min_input,
            "top1": _top1(row),
            "data": _data(row),
            "source": row.accuracy.source if row.accuracy else None,
        }
        for row in rows
    ]


def to_csv(rows: Sequence[Row]) -> str:
    """The same as CSV; pairs of height and width are written as `7×1` where they differ."""
    pairs = ("receptive_field", "window", "stride")
    told = to_json(rows)
    for row in told:
        row.update((name, sides(row[name])) for name in pairs if row[name] is not None)
    return csv_text([*told[:1], *(row.values() for row in told)])
