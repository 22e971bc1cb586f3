"""A small file never costs much, and what is large costs in proportion."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cnndsl.plan.variables import Variables
from cnndsl.plan.words import free

WORDS = st.sampled_from(["out", "out1", "out12", "x", "x2", "self", "a0", "a"])


@given(st.lists(st.one_of(WORDS, st.integers(0, 30)), max_size=60))
def test_a_variable_has_the_least_number_that_is_free(steps: list[str | int]) -> None:
    """A word takes a variable, a number drops the one that was taken so many steps ago."""
    variables, live = Variables(), list[str]()
    for step in steps:
        if isinstance(step, str):
            expected = free(step, live)
            assert variables.new(step) == expected
            live.append(expected)
        elif live:
            variables.drop(live.pop(step % len(live)))
