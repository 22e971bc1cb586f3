"""One mistake in a spec gives one message, at the mistake, wherever it is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st
from mutations import mistakes, place_of, with_names
from random_specs import random_specs

import cnndsl
from cnndsl.diagnostics import Diagnostic, SpecError

UNREAD = ("declared literal", "shape", "source", "window", "value", "loop")
"""What is no mistake where nothing reads it: in a block that is not called, beside a default."""


def assert_one_message(text: str, sort: str, folder: Path) -> None:
    path = folder / "net.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        cnndsl.check(path)
        errors: list[Diagnostic] = []
    except SpecError as e:
        errors = [d for d in e.diagnostics if d.severity == "error"]
    assume(errors or sort not in UNREAD)
    assert len(errors) == 1, f"{text}\n{[str(error) for error in errors]}"
    (error,) = errors
    at = place_of(text)
    spans = [error.span, *(place.span for place in error.places)]
    near = [s for s in spans if (s.line, s.column) <= at <= (s.end_line, s.end_column)]
    assert near, f"{text}\nis wrong at {at}\n{error}"


def mistaken(count: int, part: int) -> Callable[[Callable[[str, str, Path], None]], Any]:
    """Give a test so many texts with a mistake each, and the sort of it, and a folder."""

    def decorate(test: Callable[[str, str, Path], None]) -> Any:
        @seed(part)
        @settings(
            max_examples=count,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        )
        @given(text=random_specs(), named=st.booleans(), data=st.data())
        def drawn(text: str, named: bool, data: Any, folder: Path) -> None:
            spec = yaml.safe_load(text)
            found = mistakes(with_names(spec) if named else spec)
            by_sort = sorted({one.sort for one in found})
            sort = data.draw(st.sampled_from(by_sort))
            one = data.draw(st.sampled_from([one for one in found if one.sort == sort]))
            test(one.applied(with_names(spec) if named else spec), sort, folder)

        return drawn

    return decorate


def test_one_mistake_is_one_message(tmp_path: Path) -> None:
    mistaken(180, 1)(assert_one_message)(folder=tmp_path)


@pytest.mark.heavy
@pytest.mark.parametrize("part", range(10, 20))
def test_many_mistakes(part: int, tmp_path: Path) -> None:
    mistaken(2000, part)(assert_one_message)(folder=tmp_path)
