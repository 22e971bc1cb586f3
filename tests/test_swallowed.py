"""A mapping where a value is taken is an error at its place, wherever the value stands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from following import told
from typer.testing import CliRunner

import cnndsl
from cnndsl.checker import tree_of
from cnndsl.cli import app
from cnndsl.diagnostics import Report, Source, SpecError
from cnndsl.elaborate import Request, elaborate
from cnndsl.parse import parse_term
from cnndsl.source import read
from cnndsl.syntax import Broken, OpCall

HEAD = "input: [3, 8, 8]\n"
PLACES = {
    "a parameter": "params: {p: VALUE}\nbody: [{conv: 3}]",
    "a parameter of a block": "blocks: {A: {params: {p: VALUE}, body: [{conv: 3}]}}\nbody: [A]",
    "a named value": "let: {p: VALUE}\nbody: [{conv: 3}]",
    "a named value that is read": "let: {p: VALUE}\nbody: [{conv: $p}]",
    "a named value of a block": "blocks: {A: {let: {p: VALUE}, body: [{conv: 3}]}}\nbody: [A]",
    "a variant": "params: {p: [1]}\nvariants: {v: {p: VALUE}}\nbody: [{conv: 3}]",
    "an argument of a block": "blocks: {A: {params: {p: any}, body: [{conv: 3}]}}\n"
    "body: [{A: {p: VALUE}}]",
    "an argument of `use`": "body: [{conv: 3, name: c1}, {use: conv, with: {out: VALUE}}]\n"
    "outputs: {o: {from: c1}}",
    "a list for `use`": "body: [{use: conv, with: {out: 3, kernel: [VALUE, 3]}}]",
    "a column": "body: [{for: {c: [VALUE, 4]}, do: [{conv: $c}]}]",
    "a column's attribute": "body: [{for: {c: [VALUE]}, do: [{conv: $c.w}]}]",
    "parameters of training": "params: {p: [1]}\nbody: [{conv: 3}]\ntrain: {params: {p: [VALUE]}}",
}
VALUES = ("{a: 3}", "[{a: 3}]", "[1, {a: 3}]", "[[2, [{a: 3}]], 1]", "[a: 3]", "[{}]")


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("place", PLACES)
def test_a_mapping_is_no_value(place: str, value: str, tmp_path: Path) -> None:
    text = HEAD + PLACES[place].replace("VALUE", value)
    errors = [d for d in told(text, tmp_path) if d.severity == "error"]
    assert len(errors) == 1, [str(error) for error in errors]
    assert errors[0].message.endswith(
        "takes a number, text, truth value, list or expression, found a mapping"
    )
    at = text.index(value) + max(value.find("{"), value.find("a:") if "{" not in value else 0)
    before = text[:at].split("\n")
    assert (errors[0].span.line, errors[0].span.column) == (len(before), len(before[-1]) + 1)


@pytest.mark.parametrize("value", VALUES)
def test_a_mapping_is_no_value_of_a_flag(value: str, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(HEAD + "params: {p: 1, q: 1}\nbody: [{conv: $q}]")
    for name in ("p", "q"):
        result = CliRunner().invoke(app, ["build", str(path), "--set", f"{name}={value}"])
        assert result.exit_code == 1
        assert "takes a number, text, truth value, list or expression" in result.output


@pytest.mark.parametrize("value", [{"a": 3}, [{"a": 3}], [1, [{}]], "$(1 +", ["$(1 +"]])
def test_what_is_no_value_in_python(value: object, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(HEAD + "params: {p: null}\nbody: [{conv: 3}]")
    with pytest.raises(SpecError):
        cnndsl.check(path, params={"p": value})


@pytest.mark.parametrize("text", [*VALUES, "$(1 +", "[$(1 +]", "x$", "[[x$]]"])
def test_a_term_is_broken_with_an_error_alone(text: str) -> None:
    report = Report()
    located = read(Source("value", text), report)
    assert located is not None
    assert isinstance(parse_term(located, report, "p"), Broken)
    assert report.failed


def test_a_node_is_lost_with_an_error_alone(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(HEAD + "body: [{conv: 3, name: c1}, {conv: 4}]\noutputs: {o: {from: c1}}")
    tree = tree_of(str(path))
    assert tree.body
    call = tree.body.nodes[1]
    assert isinstance(call, OpCall)
    lost = replace(call, args=(replace(call.args[0], value=Broken(call.at.span)),))
    body = replace(tree.body, nodes=(tree.body.nodes[0], lost))
    with pytest.raises(AssertionError, match="no error was told"):
        elaborate(replace(tree, body=body), Request(), Report())
