"""One mistake in a spec gives one message, at the mistake, wherever it is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
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
    if not errors and sort in UNREAD:
        return
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


FAILS = {
    "unknown op": "{zzz: 3, name: a}",
    "unknown structure": "{sequence_zzz: [{conv: 3, name: a}]}",
    "unknown block": "{Bzzz: {}, name: a}",
    "argument of a block": "{B: {zzz: 3}, name: a}",
    "value": "{conv: {out: zzz}, name: a}",
    "expression": "{conv: $zzz, name: a}",
    "window": "{conv: {out: 3, kernel: 987654}, name: a}",
    "source": "{seq: [{conv: 3, name: a}], from: zzz}",
    "condition": "{seq: [{conv: 3, name: a}], when: $zzz}",
    "name": "{conv: 3, name: zzz a}",
    "computed name": "{conv: 3, name: a$zzz}",
    "loop": "{for: {i: $zzz}, do: [{conv: 3, name: a}]}",
    "count": "{repeat: zzz, do: [{conv: 3, name: a}]}",
    "loop without nodes": "{for: {i: 2}, zzz: [{conv: 3, name: a}]}",
    "nodes": "{seq: 987654}",
    "label": "{concat: {zzz a: {conv: 3}, b: {conv: 3}}}",
    "branch": "{add: [987654, [{conv: 3, name: b}]]}",
    "side": "{residual: {body: [{conv: 3, name: b}], zzz: [{conv: 3, name: a}]}}",
}
"""Nodes that fail, each of which may have given the name `a`, or values with numbers."""
READS = {
    "node": "{from: '%s'}",
    "op": "{from: '%s', conv: 4}",
    "branch": "{add: [[{from: '%s'}], []]}",
    "scope": "{seq: [relu, {from: '%s'}], name: inner}",
    "round": "{for: {i: 2}, name: r$i, do: [{from: '%s'}]}",
}


@pytest.mark.parametrize("name", ["a", "a.b", "a.b.b", "3"])
@pytest.mark.parametrize("fails", FAILS)
def test_what_a_failed_node_may_have_named_is_not_missed(
    fails: str, name: str, tmp_path: Path
) -> None:
    nodes = ", ".join(["relu", "conv: 3", FAILS[fails], "relu", *READS.values()])
    text = (
        "input: [3, 9, 9]\n"
        "blocks: {B: {params: {p: 1}, body: [{seq: [{conv: $p, name: b}], name: b}]}}\n"
        f"body: [{nodes.replace('%s', name)}]\n"
        f"outputs: {{o: {{}}, p: {{from: '{name}'}}, q: {{from: p, body: relu}}}}\n"
    )
    assert_one_message(text, "", tmp_path)


def test_what_nothing_may_have_named_is_missed(tmp_path: Path) -> None:
    """Beside a failure whose names are all known, an unknown one is a mistake of its own."""
    (tmp_path / "net.yaml").write_text(
        "input: [3, 9, 9]\n"
        "body: [{conv: $zzz, name: a}, {from: b}, {seq: [relu], name: s}, {from: s.b}]\n"
    )
    with pytest.raises(SpecError) as caught:
        cnndsl.check(tmp_path / "net.yaml")
    told = [error.message for error in caught.value.diagnostics]
    assert told[1:] == [f"no value before this is named `{name}`" for name in ("b", "s.b")]


def test_numbers_after_a_failed_node_are_not_known(tmp_path: Path) -> None:
    nodes = "relu, {seq: [relu, relu], when: $zzz}, {from: input, conv: 8}, {from: input, conv: 5}"
    text = f"input: [3, 9, 9]\nbody: [{nodes}, {{from: '3', shape: [8, 9, 9]}}]\n"
    assert_one_message(text, "", tmp_path)


@pytest.mark.parametrize("round", ["relu, {conv: zzz}", "{from: zzz}", "relu, {scale: $zzz}, relu"])
def test_a_round_that_fails_ends_a_repetition(round: str, tmp_path: Path) -> None:
    """The others would fail like it, and pass the bound of steps."""
    text = f"input: [3, 9, 9]\nbody: [{{repeat: 400000, do: [{round}]}}, {{from: '2'}}]\n"
    assert_one_message(text, "", tmp_path)


@pytest.mark.parametrize("value", ["wrong zzz", "'zzz,'", "'(8, zzz)'"])
@pytest.mark.parametrize("first", [0, 1, 2])
def test_a_value_that_many_read_is_told_once(value: str, first: int, tmp_path: Path) -> None:
    """An argument, a sum and an item, in whatever order they come."""
    nodes = ["conv: $v", "conv: $(v + 1)", "conv: $(v + 2)"]
    nodes = nodes[first:] + nodes[:first]
    nodes += ["for: {i: $v}, do: relu", "conv: $v.0"] if "(" in value else []
    body = ", ".join(f"{{{node}}}" for node in nodes)
    text = f"input: [3, 9, 9]\nparams:\n  v: {value}\nbody: [{body}]\n"
    assert_one_message(text, "", tmp_path)


@pytest.mark.heavy
@pytest.mark.parametrize("part", range(10, 20))
def test_many_mistakes(part: int, tmp_path: Path) -> None:
    mistaken(2000, part)(assert_one_message)(folder=tmp_path)
