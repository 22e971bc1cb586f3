"""CSV in which spreadsheets compute nothing, from texts that users write."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cnndsl.cells import csv_rows, csv_text
from cnndsl.cli import app
from cnndsl.sweep.results import Outcome, Results, Row, read_rows
from cnndsl.training.confusion import files
from cnndsl.training.evaluation import Evaluation

BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")
"""With these, by OWASP's page on CSV injection, a cell is a formula to a spreadsheet."""
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
risky = st.builds("".join, st.tuples(st.sampled_from(["", "'", *BEGINNINGS, "＝"]), texts))


def cells(text: str) -> list[list[str]]:
    """What a reader of CSV finds who knows nothing of this package."""
    return list(csv.reader(io.StringIO(text, newline="")))


def computed(cell: str) -> bool:
    """Whether a spreadsheet computes something other than a number."""
    try:
        float(cell)
    except ValueError:
        return cell.startswith(BEGINNINGS)
    return False


@given(st.lists(st.lists(risky, min_size=1, max_size=4), max_size=4))
def test_no_text_is_a_formula_and_none_is_lost(rows: list[list[str]]) -> None:
    text = csv_text(rows)
    assert not any(computed(cell) for row in cells(text) for cell in row)
    assert csv_rows(io.StringIO(text, newline="")) == rows


@given(st.one_of(st.integers(), st.floats(allow_nan=False)))
def test_numbers_stay_numbers(number: float) -> None:
    """Whether they come as numbers or as texts."""
    [row] = cells(csv_text([[number, str(number)]]))
    assert row == [str(number), str(number)]


FORMULA = "=HYPERLINK(1)"


def compared(folder: Path) -> str:
    spec = folder / "net.yaml"
    spec.write_text(
        f"name: {FORMULA}\ninput: [3, 8, 8]\nbody: [{{conv: 3, name: -x}}]\n"
        "published: {top1: 70, data: =1+1, source: '@SUM(1)'}\n"
    )
    out = folder / "out.csv"
    done = CliRunner().invoke(app, ["compare", str(spec), "-o", str(out)])
    assert done.exit_code == 0, done.output
    return out.read_text(encoding="utf-8")


def profiled(folder: Path) -> str:
    spec = folder / "net.yaml"
    spec.write_text("input: [3, 8, 8]\nbody: [{conv: 3, name: -x}]\n")
    out = folder / "out.csv"
    done = CliRunner().invoke(app, ["compare", str(spec), "--profile", "-o", str(out)])
    assert done.exit_code == 0, done.output
    return out.read_text(encoding="utf-8")


def evaluated(folder: Path) -> str:
    counts = torch.tensor([[2, 0], [1, 1]])
    judged = Evaluation("n", "w", "d", "val", (FORMULA, "-b"), 0.5, 0.75, 1.0, counts)
    return "".join(data.decode() for name, data in files(judged) if name.endswith(".csv"))


def swept(folder: Path) -> str:
    rows = [
        Row(FORMULA, {"-lr": "-1.5", "act": "@x"}, 12, 34, Outcome("failed", message="-x"), "id")
    ]
    Results(folder, rows).write()
    assert read_rows(folder / "sweep.csv") == rows
    return (folder / "sweep.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("write", [compared, profiled, evaluated, swept])
def test_no_table_of_the_project_holds_a_formula(write: Any, tmp_path: Path) -> None:
    found = [cell for row in cells(write(tmp_path)) for cell in row]
    assert [cell for cell in found if computed(cell)] == []
    assert any(cell.startswith("'") for cell in found)


def test_csv_is_written_in_one_place() -> None:
    package = Path(__file__).parent.parent / "cnndsl"
    writers = [
        path.name for path in package.rglob("*.py") if "csv.writer" in path.read_text("utf-8")
    ]
    assert writers == ["cells.py"]
