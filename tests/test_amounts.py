"""Amounts as people read them: one rounding, in the tables, the diagrams and the page."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnndsl.amounts import amount, size

PACKAGE = Path(__file__).parent.parent / "cnndsl"


@given(st.integers(1, 10**17))
def test_an_amount_is_the_nearest_of_three_digits(number: int) -> None:
    """By decimal arithmetic: the digits are those of the number to three places."""
    nearest = float(f"{number:.2e}")
    digits, _, unit = amount(number).partition(" ")
    told = float(digits) * {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}[unit]
    assert told == pytest.approx(nearest, rel=1e-9)
    assert float(digits) < 1000 or unit == "T"


def test_one_place_rounds_amounts() -> None:
    """No other file makes a unit of its own: the boxes of a diagram say what the tables say."""
    files = [path for path in PACKAGE.rglob("*.py") if path.name != "amounts.py"]
    own = [path for path in files if re.search(r'\}? [kMGT]B?"', path.read_text("utf-8"))]
    assert own == []


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_the_page_rounds_as_the_tables_do() -> None:
    draw = random.Random(0)
    numbers = [draw.randrange(10 ** draw.randrange(1, 16)) for _ in range(2_000)]
    numbers += [
        round(step * 10**power) for step in (0.9994, 0.9995, 1, 1.125) for power in range(16)
    ]
    script = (PACKAGE / "diagram" / "page" / "card.js").read_text("utf-8")
    script += f"console.log(JSON.stringify({numbers}.map(memory)))"
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [size(number) for number in numbers]
