"""A small file never costs much, and what is large costs in proportion."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from cnndsl.diagnostics import Source, Span
from cnndsl.expr import Meter
from cnndsl.graph import Input, Node
from cnndsl.ops.base import Shape
from cnndsl.plan.variables import Variables
from cnndsl.plan.words import free
from cnndsl.selectors import Selectors

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


SEGMENTS = st.text("ab*", min_size=1, max_size=6)


@given(
    st.lists(st.lists(SEGMENTS, min_size=1, max_size=3), max_size=6),
    st.lists(st.lists(st.text("ab", min_size=1, max_size=6), min_size=1, max_size=3), max_size=6),
)
def test_patterns_mean_the_paths_that_a_regular_expression_finds(
    patterns: list[list[str]], paths: list[list[str]]
) -> None:
    selectors = {".".join(pattern) for pattern in patterns}
    nodes = [_node(number, ".".join(path)) for number, path in enumerate(paths)]
    found = Selectors(selectors, Meter()).select(nodes)
    for selector in selectors:
        expression = re.compile(re.escape(selector).replace(r"\*", "[^.]*"))
        expected = [node for node in nodes if expression.fullmatch(node.path)]
        assert found.get(selector, []) == expected


def _node(number: int, path: str) -> Node:
    shape = Shape((1,))
    return Node(number, path, Input(), (), (), shape, Span(Source("", "")))
