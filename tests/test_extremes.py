"""Numbers at their extremes: what the check lets pass is built and runs, else it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from test_ops import PUBLIC

import cnndsl
from cnndsl.builder import build_module
from cnndsl.checker import check_terms, written_arg
from cnndsl.diagnostics import Report, SpecError
from cnndsl.init import SCHEMES
from cnndsl.ops.base import Op
from cnndsl.ops.kinds import Either, Items, Kind, Number

MOST = 10**15  # as the table of bounds in docs/language.md says
NEEDED = {"out": 4, "kernel": 1, "size": 2, "of": 1, "index": 0, "dims": [0, 1, 2]}
"""Values of arguments that an op needs, but for those for which 1 will do."""


def extremes(kind: Kind) -> list[Any]:
    """The outermost numbers of a kind, those next to 0, and some past all bounds."""
    match kind:
        case Number(whole=whole, min=low, max=high):
            ends = [-MOST if low is None else low, MOST if high is None else high]
            near = [0, 1, -1] if whole else [0, 1, 1e-300, -1e-300]
            past = [-MOST - 1, MOST + 1] if whole else [-1e300, -3e38, 3e38, 1e300]
            return [*ends, *near, *past]
        case Items(item=item, lengths=lengths):
            return [[value] * n for n in lengths or (3,) for value in extremes(item)]
        case Either(kinds=kinds):
            return [value for inner in kinds for value in extremes(inner)]
    return []


def nodes(name: str, op: type[Op]) -> Iterator[dict[str, Any]]:
    """The op with each of its numbers at each extreme."""
    needed = {arg.name: NEEDED.get(arg.name, 1) for arg in op.args.values() if arg.required}
    for arg in op.args.values():
        for value in extremes(arg.kind):
            yield {name: {**needed, arg.name: value}}


def runs(spec: dict[str, Any], folder: Path) -> bool:
    """Whether the check lets a spec pass; then it is built, and runs as it is trained and used."""
    path = folder / "net.yaml"
    path.write_text(yaml.safe_dump(spec))
    try:
        graph = cnndsl.check(path)
    except SpecError:
        return False
    module = build_module(graph)
    batch = torch.ones(2, *spec["input"])
    module.train()(batch)
    module.eval()(batch)
    return True


@pytest.mark.parametrize("name", [n for n, op in PUBLIC.items() if op.arity is not None])
def test_numbers_of_ops(name: str, tmp_path: Path) -> None:
    passed, refused = 0, 0
    for node in nodes(name, PUBLIC[name]):
        images, features = ({"input": x, "body": [node]} for x in ([4, 4, 4], [4]))
        found = runs(images, tmp_path) or runs(features, tmp_path)
        passed, refused = passed + found, refused + (not found)
    assert passed + refused == 0 or refused > 0
    assert passed + refused == 0 or passed > 0 or name in ("unflatten", "permute")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_numbers_of_schemes(scheme: str, tmp_path: Path) -> None:
    """Each alone, and each two together, as the bounds that numbers are drawn between."""
    kinds = SCHEMES[scheme]
    cases = [{arg: value} for arg, kind in kinds.items() for value in extremes(kind)]
    if {"a", "b"} <= {*kinds}:
        pairs = product([*extremes(kinds["a"]), 2], [*extremes(kinds["b"]), 2])
        cases += [{"a": a, "b": b} for a, b in pairs]
    for args in cases:
        init = {"conv": {"weight": {scheme: args}}}
        passes = runs({"input": [2, 2, 2], "body": [{"conv": 2}], "init": init}, tmp_path)
        assert passes == drawable(scheme, args), (scheme, args)


def drawable(scheme: str, args: dict[str, float]) -> bool:
    """What torch.nn.init says of its functions, and our bound of numbers."""
    low, high = {"uniform": (0, 1), "trunc_normal": (-2, 2)}.get(scheme, (-1, 1))
    low, high = args.get("a", low), args.get("b", high)
    least = 0 if {"std", "gain"} & {*args} else -MOST
    if not all(least <= value <= MOST for value in args.values()):
        return False
    if scheme != "trunc_normal":
        return low <= high or scheme.startswith("kaiming")
    # Of what it draws evenly between bounds so far from the mean, hardly any is kept.
    far = abs(args.get("mean", 0)) > 1 or ((low >= 1 or high <= -1) and high - low > 1000)
    return low < high and args.get("std") != 0 and not far


PLACES = {
    "an argument": "body: [{elu: VALUE}]",
    "an item": "body: [{pad: [VALUE, 1]}]",
    "a count": "body: [{repeat: VALUE, do: relu}]",
    "a column": "body: [{for: {i: [VALUE]}, do: relu}]",
    "an expression": "body: [{elu: $(VALUE)}]",
    "a named value": "let: {a: VALUE}\nbody: [{elu: $a}]",
    "a parameter": "params: {a: VALUE}\nbody: [{elu: $a}]",
    "a parameter that nothing reads": "params: {a: VALUE}\nbody: [relu]",
    "an argument of a block": "blocks: {B: {params: {a: any}, body: [{elu: $a}]}}\n"
    "body: [{B: {a: VALUE}}]",
    "a default": "defaults: {elu: {alpha: VALUE}}\nbody: [elu]",
    "a constant of `init`": "init: {conv: {weight: VALUE}}\nbody: [{conv: 2}]",
    "a size": "body: [{relu: {}, shape: [VALUE, 4, 4]}]",
    "a setting of training": "body: [flatten, {linear: 2}]\ntrain: {optimizer: {lr: VALUE}}",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", ["1e300", "1e16", str(MOST + 1), "9" * 30, "1e308"])
def test_a_number_past_the_bound_is_told_wherever_it_stands(
    place: str, value: str, tmp_path: Path
) -> None:
    text = "input: [2, 4, 4]\n" + PLACES[place].replace("VALUE", value)
    (tmp_path / "net.yaml").write_text(text)
    with pytest.raises(SpecError) as caught:
        cnndsl.check(tmp_path / "net.yaml")
    (told,) = caught.value.diagnostics
    at = text.index(value)
    assert (told.span.line, told.span.column) == (
        text[:at].count("\n") + 1,
        at - text.rfind("\n", 0, at),
    )


def test_a_number_past_the_bound_of_a_flag(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text("params: {a: 1}\ninput: [2, 4, 4]\nbody: [{elu: $a}]")
    report = Report()
    given = [written_arg("a=1e300", "--set", report)]
    with pytest.raises(SpecError, match=r"the value is beyond 1e\+15"):
        check_terms(str(tmp_path / "net.yaml"), None, given, None)
    with pytest.raises(SpecError, match=r"the value is beyond 1e\+15"):
        cnndsl.check(tmp_path / "net.yaml", params={"a": 1e300})
