"""A wrong value is told where it was written, whatever way it took to what reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import cnndsl
from cnndsl import SpecError
from cnndsl.cli import app

# The one file that sets `top` wrong, and what reads it first
LEAVES = {
    "parameter": ("params: {top: wrong}", "$top"),
    "variant": ("params: {top: any}\nvariants: {v: {top: wrong}}", "$top"),
    "let": ("let: {top: wrong}", "$top"),
    "item": ("params: {top: [8, wrong]}", "'$(top[1])'"),
    "nested item": ("params: {top: [[8, 8], [8, wrong]]}", "'$(top[1][-1])'"),
    "item of a variant": ("params: {top: [8, 8]}\nvariants: {v: {top: [8, wrong]}}", "$top.1"),
    "list of names": ("params: {leaf: wrong}\nlet: {top: [8, $leaf]}", "$top.1"),
    "call": ("", "wrong"),
}
# What a block does with its `v` before it hands it on as {0}
WAYS = {
    "as it is": ("", "{{{0} $v}}}}"),
    "let": ("let: {w: $v}, ", "{{{0} $w}}}}"),
    "item": ("let: {w: [8, $v]}, ", "{{{0} $w.1}}}}"),
    "last item": ("let: {w: [8, $v]}, ", "{{{0} '$(w[-1])'}}}}"),
    "branch": ("", "{{{0} $(v if true else 8)}}}}"),
    "loop": ("", "{{for: {{w: [$v]}}, do: {{{0} $w}}}}}}"),
    "second column": ("", "{{for: {{i: 1, w: [$v]}}, do: {{{0} $w}}}}}}"),
}


def spec_of(leaf: str, ways: list[str]) -> str:
    head, value = LEAVES[leaf]
    lines = []
    names = [f"B{index}: {{v:" for index in range(len(ways))]
    for index, (way, after) in enumerate(zip(ways, [*names[1:], "conv: {out:"], strict=True)):
        own, node = WAYS[way]
        lines.append(f"  B{index}: {{params: {{v: any}}, {own}body: [{node.format(after)}]}}")
    first = f"body: [{{{names[0]} {value}}}}}]"
    return "\n".join(["input: [3, 9, 9]", head, "blocks:", *lines, first, ""])


def errors_of(folder: Path, text: str, **options: Any) -> list[cnndsl.Diagnostic]:
    path = folder / "net.yaml"
    path.write_text(text)
    with pytest.raises(SpecError) as caught:
        cnndsl.check(str(path), **options)
    return [d for d in caught.value.diagnostics if d.severity == "error"]


def place_of(text: str, word: str) -> tuple[int, int]:
    at = text.index(word)
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


@settings(max_examples=60, deadline=None)
@given(
    leaf=st.sampled_from(list(LEAVES)),
    ways=st.lists(st.sampled_from(list(WAYS)), min_size=1, max_size=5),
)
def test_a_wrong_value_is_told_at_its_leaf(
    leaf: str, ways: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = spec_of(leaf, ways)
    variant = "v" if "variants" in text else None
    (error,) = errors_of(tmp_path_factory.mktemp("n"), text, variant=variant)
    assert (error.span.line, error.span.column) == place_of(text, "wrong"), text
    assert error.message.startswith("conv.out: ")
    (reader,) = error.places
    line, column = place_of(text, "conv: {out: ")
    column += len("conv: {out: ")
    assert (reader.words, reader.span.line) == ("read", line)
    assert reader.span.column in (column, column + 1), "a quotation mark may stand before it"


def test_a_value_of_the_request_is_told_there(tmp_path: Path) -> None:
    text = spec_of("parameter", ["let", "loop"]).replace("wrong", "any")
    (error,) = errors_of(tmp_path, text, params={"top": "wrong"})
    assert error.span.source.path != str(tmp_path / "net.yaml")
    assert [place.words for place in error.places] == ["read"]


GIVEN = {
    "width=zzz": {"width": "zzz"},
    "width=2.5": {"width": 2.5},
    "width=true": {"width": True},
    "width=null": {"width": None},
    "width=[3, a]": {"width": [3, "a"]},
    "widht=3": {"widht": 3},
    "depths=[1, [2, -3]]": {"depths": [1, [2, -3]]},
    "depths=[1, zzz]": {"depths": (1, "zzz")},
    "width=$(3 * wide)": {"width": "$(3 * wide)"},
    "depths=[1, $wide]": {"depths": [1, "$wide"]},
    "width=0": {"width": 0},
}
"""A value as the command line gives it, and as Python does."""
GIVEN_TO = (
    "params: {width: 8, depths: [1, 2]}\ninput: [1, 8, 8]\nname: net\nbody:\n"
    "  - {for: {k: $depths}, do: {conv: $k}}\n  - {conv: $width}\n"
)


def printed(args: list[str]) -> str:
    done = CliRunner().invoke(app, args)
    assert done.exit_code == 1
    return done.stderr.partition("\n\n")[0].partition("\n1 error")[0]


@pytest.mark.parametrize("flag", GIVEN)
def test_python_and_every_command_name_a_given_value_alike(flag: str, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    (error,) = errors_of(tmp_path, GIVEN_TO, params=GIVEN[flag])
    assert error.span.source.path == "params"
    assert f"    1 | {flag}\n" in str(error)
    told = printed(["build", str(path), "--check-shapes", "--set", flag])
    assert told.startswith(f"--set:1:{error.span.column}: ")
    assert f"    1 | {flag}\n" in told
    assert told.strip() == str(error).replace("params:1:", "--set:1:")
    assert printed(["train", str(path), "--data", "digits", "--set", flag]) == told


def test_a_variant_is_named_as_it_is_given(tmp_path: Path) -> None:
    (error,) = errors_of(tmp_path, GIVEN_TO, variant="zzz")
    assert str(error).startswith("variant:1:1: error[name]: net has no variant `zzz`")
    path = str(tmp_path / "net.yaml")
    for args in (["build", path], ["draw", path], ["train", path, "--data", "digits"]):
        told = printed([*args, "--variant", "zzz"])
        assert told.startswith("--variant:1:1: error[name]: net has no variant `zzz`")


def test_a_shape_is_named_as_it_is_given(tmp_path: Path) -> None:
    (error,) = errors_of(tmp_path, GIVEN_TO, input=[1, 0, 8])
    assert str(error).startswith("input:1:5: error[value]: a shape is a list of positive")
    path = str(tmp_path / "net.yaml")
    for args in (["build", path], ["train", path, "--data", "digits"]):
        told = printed([*args, "--input", "1,0,8"])
        assert told.startswith("--input:1:")
