"""Rows as CSV text, in which no cell is a formula to a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
"""How a text begins that a spreadsheet would compute, or that such a mark already stands before."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|-?inf", re.ASCII)


def csv_text(rows: Iterable[Iterable[Any]]) -> str:
    """The rows as CSV; before a text that a spreadsheet would compute stands a `'`."""
    return "".join(f"{_line([neutral(value) for value in row])}\n" for row in rows)


def csv_rows(lines: Iterable[str]) -> list[list[str]]:
    """The texts of what `csv_text` wrote. Raises ValueError where the lines are no CSV."""
    try:
        return [[_written(cell) for cell in row] for row in csv.reader(lines)]
    except csv.Error as e:
        raise ValueError(str(e)) from e


def short(values: Sequence[Any]) -> list[Any]:
    """The values with six digits of each number that counts many."""
    return [f"{value:.6g}" if isinstance(value, float) else value for value in values]


def neutral(value: Any) -> Any:
    """A cell's value: numbers as they are, and a text that would be computed behind a `'`."""
    return f"'{value}" if isinstance(value, str) and _computed(value) else value


def _line(cells: Sequence[Any]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerow(cells)  # so that it quotes both of these
    return out.getvalue()[:-2]


def _written(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _computed(cell) else cell


def _computed(text: str) -> bool:
    return bool(_FORMULA.match(text)) and not _NUMBER.fullmatch(text.lstrip("'"))
