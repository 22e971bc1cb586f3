"""How sizes come about, as it is written: read and computed anew, and held against PyTorch."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor, isclose
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_bad import diagnose
from test_ops import MERGES, PUBLIC, REFUSALS, make, neighbours, ops

from cnndsl.ops.base import Op, Reject, Shape

# An evaluator of its own


TOKEN = re.compile(r"\d+(?:\.\d+)?(?:e[+-]\d+)?|[-+−·/()⌊⌋⌈⌉]")
CLOSING = {"(": ")", "⌊": "⌋", "⌈": "⌉"}


class Reader:
    """Exact values of what is written with `+ − · /`, parentheses, `⌊⌋` and `⌈⌉`."""

    def __init__(self, text: str) -> None:
        self.rest = TOKEN.findall(text)
        assert "".join(self.rest) == text.replace(" ", ""), f"not arithmetic: {text}"

    def whole(self) -> Fraction:
        value = self.sum()
        assert not self.rest
        return value

    def take(self, *tokens: str) -> str:
        return self.rest.pop(0) if self.rest and self.rest[0] in tokens else ""

    def sum(self) -> Fraction:
        value = self.term()
        while sign := self.take("+", "−"):
            value += self.term() if sign == "+" else -self.term()
        return value

    def term(self) -> Fraction:
        value = self.factor()
        while sign := self.take("·", "/"):
            value *= self.factor() if sign == "·" else 1 / self.factor()
        return value

    def factor(self) -> Fraction:
        if self.take("−"):
            return -self.factor()
        if opening := self.take(*CLOSING):
            value = self.sum()
            assert self.take(CLOSING[opening])
            if opening != "(":
                assert value.denominator > 1, "nothing is rounded here"
            return {"(": value, "⌊": Fraction(floor(value)), "⌈": Fraction(ceil(value))}[opening]
        return Fraction(self.rest.pop(0))


def value_of(text: str) -> Fraction:
    """The value of all sides of an equation; a product with decimals is rounded as floats are."""
    *ways, last, result = (Reader(side).whole() for side in text.split(" = "))
    assert last == result or ("." in text and isclose(last, result, rel_tol=1e-15)), text
    for way in ways:
        assert floor(float(way) - 1e-12) == result < way, text
    return result


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(28 + 2·0 − 5)/1 + 1 = 24", 24),
        ("⌊(2 + 2·0 − 5)/2⌋ + 1 = −1", -1),
        ("⌈(7 + 2·1 − 2)/3⌉ + 1 − 1 = 3", 3),
        ("9/(2·2) = 2 + 1/4", Fraction(9, 4)),
    ],
)
def test_the_evaluator(text: str, value: Fraction) -> None:
    assert value_of(text) == value
    with pytest.raises(AssertionError):
        value_of(f"{text}7")


# Every op that tells its arithmetic, with random arguments, against PyTorch

TELLING = {name: op for name, op in PUBLIC.items() if op.arithmetic is not Op.arithmetic}
MAY_BE_TOO_SMALL = {
    *("conv", "conv_transpose", "max_pool", "avg_pool", "lp_pool"),
    *("upsample", "pixel_shuffle", "pixel_unshuffle"),
}
HUNT = settings(max_examples=200, deadline=None, derandomize=True, database=None)
REFUSED_SIZE = re.compile(
    r"Calculated output size(?: per channel)?: \((?:\d+x)?(?P<h>-?\d+) ?x ?(?P<w>-?\d+)\)"
    r"|output \(H: (?P<H>\d+), W: (?P<W>\d+)\)"
)
REFUSED_WINDOW = re.compile(
    r"padded input size per channel: \((\d+) x (\d+)\)\. Kernel size: \((\d+) x (\d+)\)"
)


def images() -> st.SearchStrategy[Shape]:
    side = st.integers(1, 3) | st.integers(1, 7) | st.integers(1, 40)
    return st.builds(
        lambda c, h, w, square: Shape((c, h, h if square else w)),
        *(st.sampled_from([1, 2, 3, 4, 6, 9]), side, side, st.booleans()),
    )


def ungrouped(op: Op) -> Op:
    """The op without groups of channels, which seldom divide them."""
    return replace(op, groups=1) if "groups" in op.args else op


def test_that_the_ops_which_change_sizes_tell_how() -> None:
    assert set(TELLING) >= {*MAY_BE_TOO_SMALL, "flatten", "pad"}
    assert MERGES["concat"].arithmetic is not MERGES["add"].arithmetic


@pytest.mark.parametrize("op_type", TELLING.values(), ids=TELLING.keys())
def test_sizes_come_about_as_in_pytorch(op_type: type[Op]) -> None:
    seen: Counter[bool] = Counter()

    @HUNT
    @given(ops(op_type).map(ungrouped), images())
    def agrees(op: Op, x: Shape) -> None:
        sums = op.arithmetic(x)
        for one in sums:
            assert value_of(str(one)) == one.value
        found = pytorch(op, x)
        if isinstance(found, Shape) and not refuses(op, x):
            assert all(one.fits and one.value == found[one.axis] for one in sums)
            seen[True] += bool(sums)
        elif isinstance(found, dict):
            told = {one.axis: one.value for one in sums}
            assert told == found
            assert not all(one.fits for one in sums)
            seen[False] += 1
        elif found == "indivisible":
            assert any(one.value % 1 for one in sums)
            seen[False] += 1

    agrees()
    assert seen[True] >= 5
    assert (seen[False] >= 10) == (op_type.name in MAY_BE_TOO_SMALL)


def refuses(op: Op, x: Shape) -> bool:
    """Whether we do: also arguments that PyTorch would leave unread."""
    try:
        return not op.infer((x,))
    except Reject:
        return True


def pytorch(op: Op, x: Shape) -> Shape | dict[int, int] | str:
    """The shape that PyTorch gives, or the sizes by axis that it refuses, or why else it does."""
    call, batch = op.module(x), torch.empty(1, *x)
    assert call is not None
    try:
        return Shape(make(call)(batch).shape[1:])
    except REFUSALS as e:
        return refused(op, str(e))


def refused(op: Op, error: str) -> dict[int, int] | str:
    if sizes := REFUSED_SIZE.search(error):
        return {1: int(sizes["h"] or sizes["H"]), 2: int(sizes["w"] or sizes["W"])}
    if window := REFUSED_WINDOW.search(error):
        height, width, *kernel = map(int, window.groups())
        down, across = op.stride if isinstance(op.stride, tuple) else (op.stride, op.stride)
        return {1: (height - kernel[0]) // down + 1, 2: (width - kernel[1]) // across + 1}
    return "indivisible" if re.search("(up|down)scale_factor", error) else error


@HUNT
@given(
    st.lists(st.integers(1, 100), min_size=2, max_size=2),
    st.lists(st.integers(1, 300).map(lambda n: n / 100), min_size=2, max_size=2),
)
@example([100, 3], [0.29, 1 / 3])
def test_factors_with_decimals(sides: list[int], factors: list[float]) -> None:
    upsample = PUBLIC["upsample"].create({"scale": factors})
    sums, found = upsample.arithmetic(Shape((1, *sides))), pytorch(upsample, Shape((1, *sides)))
    sizes = found if isinstance(found, dict) else {1: found[1], 2: found[2]}
    assert {one.axis: value_of(str(one)) for one in sums} == sizes
    assert {one.axis: one.value for one in sums} == sizes


@given(st.integers(1, 3).flatmap(neighbours))
def test_channels_of_a_concat(xs: tuple[Shape, ...]) -> None:
    (told,) = MERGES["concat"].create({}).arithmetic(*xs)
    joined = torch.cat([torch.empty(1, x.channels) for x in xs], dim=1)
    assert value_of(str(told)) == told.value == joined.shape[1]


@pytest.mark.parametrize(
    ("op", "image", "told"),
    [
        ("conv: {out: 8, kernel: 5}", [4, 4], "(4 + 2·0 − 5)/1 + 1 = 0"),
        ("conv: {out: 8, kernel: 5}", [4, 28], "height = (4 + 2·0 − 5)/1 + 1 = 0"),
        ("conv: {out: 8, kernel: [3, 5]}", [4, 4], "width = (4 + 2·0 − 5)/1 + 1 = 0"),
        (
            "conv: {out: 8, kernel: [6, 7]}",
            [4, 4],
            "height = (4 + 2·0 − 6)/1 + 1 = −1, width = (4 + 2·0 − 7)/1 + 1 = −2",
        ),
        (
            "conv: {out: 8, kernel: 5, dilation: 2, padding: [0, 1, 2, 2]}",
            [9, 4],
            "width = (4 + 0 + 1 − 2·(5 − 1) − 1)/1 + 1 = −3",
        ),
        ("max_pool: {kernel: 3, stride: 2}", [2, 2], "⌊(2 + 2·0 − 3)/2⌋ + 1 = 0"),
        ("conv_transpose: {out: 8, padding: 2}", [3, 3], "(3 − 1)·1 − 2·2 + 1 = −1"),
        ("upsample: 0.2", [4, 4], "⌊4·0.2⌋ = 0"),
        ("pixel_unshuffle: 2", [4, 5], "width = 5/2 = 2 + 1/2"),
        ("pixel_shuffle: 2", [4, 4], "channels = 6/(2·2) = 1 + 1/2"),
        ("{split: [relu, relu, relu, relu]}", [4, 4], "6/4 = 1 + 1/2"),
    ],
)
def test_what_is_too_small_is_told(op: str, image: list[int], told: str, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(f"input: {[6, *image]}\nbody: [{op}]\n")
    (error,) = diagnose(tmp_path / "net.yaml")
    assert error.message.endswith(f": {told}")


@pytest.mark.parametrize(
    "op",
    [
        "conv: {out: 8, groups: 4}",
        "conv: {out: 8, stride: 2, padding: same}",
        "conv: {out: 8, padding: 9, padding_mode: reflect}",
        "max_pool: {kernel: 2, padding: 2}",
        "conv_transpose: {out: 8, output_padding: 1}",
        "upsample: {scale: 2, size: 8}",
        "upsample: 1e308",
    ],
)
def test_sizes_that_are_not_at_fault_are_not_told(op: str, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(f"input: [6, 8, 8]\nbody: [{op}]\n")
    (error,) = diagnose(tmp_path / "net.yaml")
    assert " = " not in error.message


@pytest.mark.parametrize(
    ("node", "expected", "told"),
    [
        ("conv: {out: 8, kernel: 5}", [8, 24, 20], ": (28 + 2·0 − 5)/1 + 1 = 24"),
        ("conv: {out: 8, kernel: 5, padding: 2}", [8, 24, 24], ": (28 + 2·2 − 5)/1 + 1 = 28"),
        ("conv: {out: 8, kernel: 5}", [9, 24, 24], ""),
        ("conv: {out: 8, kernel: 5}", [9, 24], ""),
        ("concat: [{conv: 8}, {conv: 9}]", [16, 28, 28], ": 8 + 9 = 17"),
        (f"concat: [{', '.join(['{conv: 8}'] * 21)}]", [16, 28, 28], ""),
        ("add: [{conv: 8}, {conv: 8}]", [16, 28, 28], ""),
        ("seq: [{conv: 8}, flatten]", [16], ": 8·28·28 = 6272"),
    ],
)
def test_a_contract_is_told_how_the_size_came_about(
    node: str, expected: list[int], told: str, tmp_path: Path
) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"input: [1, 28, 28]\nbody: [{{{node}, shape: {expected}}}]\n")
    (error,) = diagnose(path)
    assert error.message.split("the shape is ")[1].split("]")[1] == told
