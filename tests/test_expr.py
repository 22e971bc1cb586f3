"""The expression language: its values beside Python's, its bounds, and the places of its errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.models._utils import _make_divisible

from cnndsl.expr import (
    FUNCTIONS,
    Exhausted,
    ExprError,
    Meter,
    Missing,
    Unknown,
    UnknownName,
    divisible,
    evaluate,
    names,
    parse,
    show,
    template,
)
from cnndsl.expr.functions import USAGE
from cnndsl.expr.tree import (
    MAX_DEPTH,
    MAX_LEVELS,
    MAX_LIST,
    MAX_NESTING,
    MAX_NUMBER,
    MAX_SOURCE,
    MAX_TEXT,
)

ENV: dict[str, Any] = {
    "a": 3,
    "b": 4.5,
    "n": -2,
    "yes": True,
    "no": False,
    "t": "text",
    "none": None,
    "l": [1, 2, 3],
    "ll": [[1, 2], [3, [4, 5]]],
    "x": {"channels": 64, "height": 8, "shape": [64, 8, 8]},
    "bad": Missing(),
}


def value(text: str) -> Any:
    return evaluate(parse(text), ENV)


def fault(text: str) -> ExprError | None:
    try:
        value(text)
    except ExprError as error:
        return error
    return None


def fault_place(read: Callable[[str], Any], text: str) -> tuple[int, int] | None:
    try:
        read(text)
    except ExprError as error:
        return error.start, error.end
    except Unknown:
        return None
    return None


def same(found: Any, expected: Any) -> bool:
    """Equal, and of the same type, within lists too: 1, 1.0 and true are three things."""
    if isinstance(expected, list):
        return (
            isinstance(found, list)
            and len(found) == len(expected)
            and all(map(same, found, expected))
        )
    return type(found) is type(expected) and found == expected


# Values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[("1", 1), ("007", 7), ("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0)],
        *[("1e-3", 0.001), ("1.5E+2", 150.0), ("true", True), ("False", False), ("null", None)],
        *[("None", None), ("'a b'", "a b"), ('"it\'s"', "it's"), ("''", ""), ("[]", [])],
        *[("[1, 'a', [2]]", [1, "a", [2]]), ("[1, 2,]", [1, 2]), ("  1  ", 1), ("(((1)))", 1)],
        *[("1 + 2", 3), ("1+2", 3), ("5 - 2 - 1", 2), ("2 * 3 + 4", 10), ("2 + 3 * 4", 14)],
        *[("(2 + 3) * 4", 20), ("7 / 2", 3.5), ("4 / 2", 2.0), ("7 // 2", 3), ("-7 // 2", -4)],
        *[("7 % 3", 1), ("-7 % 3", 2), ("7.5 // 2", 3.0), ("2 ** 10", 1024), ("2 ** -1", 0.5)],
        *[("2 ** 3 ** 2", 512), ("-2 ** 2", -4), ("(-2) ** 2", 4), ("2 ** -2 ** 0", 0.5)],
        *[("- - 3", 3), ("-+-3", 3), ("+3", 3), ("8 / 4 / 2", 1.0), ("8 // 3 * 3", 6)],
        *[("2 * 3 % 4", 2), ("9 ** 0.5", 3.0), ("0 ** 0", 1), ("a", 3), ("a * b", 13.5)],
        *[("n ** 2", 4), ("-n", 2), ("a-1", 2), ("a -1", 2), ("a- 1", 2)],
        *[
            ("1 < 2", True),
            ("2 <= 2", True),
            ("3 > 4", False),
            ("4 >= 5", False),
            ("1 == 1.0", True),
        ],
        *[("1 != 2", True), ("'a' == 'a'", True), ("[1] == [1]", True), ("null == none", True)],
        *[("1 == 'a'", False), ("2 in l", True), ("9 not in l", True), ("'ex' in t", True)],
        *[("yes and no", False), ("yes or no", True), ("not yes", False), ("not not yes", True)],
        *[("no and 1 / 0 > 1", False), ("yes or 1 / 0 > 1", True), ("not no and yes", True)],
        *[("no or yes and no", False), ("not a == 3", False), ("a == 3 and b > 4", True)],
        *[("1 if yes else 2", 1), ("1 if no else 2", 2), ("1 if yes else 1 / 0", 1)],
        *[
            ("1 if no else 2 if no else 3", 3),
            ("(1 if yes else 2) + 1", 2),
            ("1 + 1 if yes else 0", 2),
        ],
        *[("[1 if yes else 2, 3]", [1, 3]), ("l[0]", 1), ("l[-1]", 3), ("l[a - 1]", 3), ("l.0", 1)],
        *[("ll[1][1][0]", 4), ("ll.1.1.0", 4), ("ll.1[0]", 3), ("(ll).0.1", 2), ("[7, 8].1", 8)],
        *[("[7, 8][1]", 8), ("l.0 + .5", 1.5), ("l.0.0 if no else 1", 1), ("x.channels", 64)],
        *[("x.shape.0", 64), ("x.shape[1]", 8), ("x . height", 8)],
        *[
            ("l + [4]", [1, 2, 3, 4]),
            ("[0] * 3", [0, 0, 0]),
            ("2 * [1]", [1, 1]),
            ("'ab' * 2", "abab"),
        ],
        *[("'a' + t", "atext"), ("[1] * 0", []), ("[1] * -1", []), ("0.1 + 0.2", 0.1 + 0.2)],
        *[("true == 1", True), ("1e15", 1e15), ("10 ** 15", 10**15)],
        *[("999999999999999 + 1", 10**15), ("'a]('", "a]("), ("len('$(')", 2)],
    ],
)
def test_values(text: str, expected: Any) -> None:
    assert same(value(text), expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[
            ("abs(-3)", 3),
            ("abs(-3.5)", 3.5),
            ("floor(2.7)", 2),
            ("floor(-2.1)", -3),
            ("ceil(2.1)", 3),
        ],
        *[("ceil(4)", 4), ("round(2.4)", 2), ("round(2.6)", 3), ("round(2.567, 2)", 2.57)],
        *[("round(1234, -2)", 1200), ("int(2.9)", 2), ("int(-2.9)", -2), ("int('12')", 12)],
        *[("int(true)", 1), ("min(3, 1, 2)", 1), ("min([3, 1])", 1), ("max(l)", 3)],
        *[
            ("max(1, 2.5)", 2.5),
            ("max('a', 'b')", "b"),
            ("sum(l)", 6),
            ("sum([])", 0),
            ("sum([1, .5])", 1.5),
        ],
        *[
            ("cumsum(l)", [1, 3, 6]),
            ("cumsum([])", []),
            ("len(l)", 3),
            ("len('abcd')", 4),
            ("len([])", 0),
        ],
        *[("range(3)", [0, 1, 2]), ("range(1, 4)", [1, 2, 3]), ("range(6, 0, -2)", [6, 4, 2])],
        *[("range(0)", []), ("range(-5)", []), ("range(3)[1]", 1), ("len(range(4)) + 1", 5)],
        *[("divisible(33)", 32), ("divisible(35)", 32), ("divisible(36)", 40)],
        *[
            ("divisible(3)", 8),
            ("divisible(10)", 16),
            ("divisible(100, 32)", 96),
            ("divisible(1, 4, 12)", 12),
        ],
        *[("max(min(a, 2), 1)", 2), ("sum(range(l[2]))", 3), ("max(1, 2,)", 2)],
    ],
)
def test_functions(text: str, expected: Any) -> None:
    assert same(value(text), expected)


@settings(deadline=None, derandomize=True, database=None)
@given(st.integers(1, 5000), st.sampled_from([1, 4, 8, 16, 32]))
def test_divisible_is_that_of_torchvision(v: int, by: int) -> None:
    assert divisible(v, by) == _make_divisible(v, by)
    assert divisible(v * 0.75, by) == _make_divisible(v * 0.75, by)


# Random arithmetic, beside Python's


ATOMS = ("0", "1", "2", "3", "7", "10", "0.5", "2.5", "a", "b", "n", "1e2")
TRUTHS = ("yes", "no", "true", "False")


def arithmetic() -> st.SearchStrategy[str]:
    def more(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        truth = st.sampled_from(TRUTHS) | st.builds(
            "{} {} {}".format, inner, st.sampled_from(["<", "<=", "==", "!=", ">", ">="]), inner
        ).map(lambda text: f"({text})")
        truth |= st.builds("({} {} {})".format, truth, st.sampled_from(["and", "or"]), truth)
        truth |= truth.map("(not {})".format)
        return st.one_of(
            st.builds(
                "{}{}{}".format,
                inner,
                st.sampled_from([" + ", " - ", "*", " * ", " / ", " // ", " % ", "-", " ** "]),
                inner,
            ),
            inner.map("({})".format),
            inner.map("-{}".format),
            st.builds("({} if {} else {})".format, inner, truth, inner),
            st.builds("min({}, {})".format, inner, inner),
            st.builds("[{}, {}][{}]".format, inner, inner, st.sampled_from(["0", "1", "-1"])),
            st.builds("abs({})".format, inner),
        )

    return st.recursive(st.sampled_from(ATOMS), more, max_leaves=12)


@settings(max_examples=1500, deadline=None, derandomize=True, database=None)
@given(arithmetic())
def test_arithmetic_is_that_of_python(text: str) -> None:
    scope = {**ENV, "true": True}
    try:
        expected = eval(text, {"__builtins__": {"min": min, "abs": abs}}, scope)
        wrong = isinstance(expected, complex) or not math.isfinite(expected)
    except (ZeroDivisionError, OverflowError):
        wrong = True
    error = fault(text)
    if error:
        # Refused for a step on the way or for its value, which Python may compute.
        beyond = any(word in error.message for word in ("beyond", "too large", "real number"))
        assert wrong or beyond, f"{text}: {error.message}"
        return
    assert not wrong, text
    assert same(value(text), expected), text


@settings(max_examples=1000, deadline=None, derandomize=True, database=None)
@given(st.text("ab1.0()[]+-*/%<=>!'\" ,ifelsandotrx$\u0663é\n", max_size=40))
def test_any_text_is_a_value_or_an_error_within_it(text: str) -> None:
    for read in (value, template):
        place = fault_place(read, text)
        assert place is None or not text or 0 <= place[0] <= place[1] <= len(text)


# Errors


@pytest.mark.parametrize(
    ("text", "message", "at"),
    [
        ("", "the expression ends too early", (-1, 0)),
        ("1 +", "the expression ends too early", (2, 3)),
        ("1 + * 2", "unexpected `*`", (4, 5)),
        ("1 2", "unexpected `2`", (2, 3)),
        ("a b", "unexpected `b`", (2, 3)),
        ("(1", "the expression ends too early", (1, 2)),
        ("1)", "unexpected `)`", (1, 2)),
        ("[1 2]", "expected `,`, found `2`", (3, 4)),
        ("[1, ,]", "unexpected `,`", (4, 5)),
        ("min(1 2)", "expected `,`, found `2`", (6, 7)),
        ("l[0", "the expression ends too early", (2, 3)),
        ("l[]", "unexpected `]`", (2, 3)),
        ("l.", "the expression ends too early", (1, 2)),
        ("l.(1)", "expected a name or an index after `.`", (2, 3)),
        ("1 if yes", "the expression ends too early", (7, 8)),
        ("1 if yes then 2", "expected `else`, found `then`", (9, 13)),
        ("if yes", "unexpected `if`", (0, 2)),
        ("and", "unexpected `and`", (0, 3)),
        ("not", "the expression ends too early", (2, 3)),
        ("a not b", "expected `in`, found `b`", (6, 7)),
        ("1 < 2 < 3", "comparisons do not chain", (6, 7)),
        ("a = 3", "unexpected `=`", (2, 3)),
        ("a & 1", "unexpected `&`", (2, 3)),
        ("$a", "unexpected `$`", (0, 1)),
        ("'abc", "unexpected `'`", (0, 1)),
        ("a ? 1 : 2", "`? :` is not written here", (0, 9)),
        ("{1: 2}", "unexpected `{`", (0, 1)),
        ("lambda: 1", "unexpected `:`", (6, 7)),
        ("l[1:2]", "unexpected `:`", (3, 4)),
        ("f(1)", "unknown function `f`", (0, 1)),
        ("open('x')", "unknown function `open`", (0, 4)),
        ("a.b(1)", "unexpected `(`", (3, 4)),
        ("__import__('os')", "unknown function `__import__`", (0, 10)),
        ("t.__class__", "'text' has no `.__class__`", (0, 11)),
        ("zz + 1", "unknown name `zz`", (0, 2)),
        ("1 + zz", "unknown name `zz`", (4, 6)),
        ("1 / 0", "division by zero", (4, 5)),
        ("2 + 1 % 0", "division by zero", (8, 9)),
        ("0 ** -1", "division by zero", (0, 7)),
        ("(-8) ** 0.5", "the value is not a real number", (1, 11)),
        ("10 ** 16", "10 ** 16 is too large", (0, 8)),
        ("2 ** 65", "2 ** 65 is too large", (0, 7)),
        ("1 ** 65", "1 ** 65 is too large", (0, 7)),
        ("10 ** 15 + 1", "the value is beyond 1e+15", (0, 12)),
        ("1e16", "the value is beyond 1e+15", (0, 4)),
        ("12345678901234567", "the number is too large", (0, 17)),
        ("1 + 'a'", "`+` does not take 1 and 'a'", (0, 7)),
        ("l + 1", "`+` does not take [1, 2, 3] and 1", (0, 5)),
        ("'a' % 1", "`%` does not take 'a' and 1", (0, 7)),
        ("l * l", "`*` does not take [1, 2, 3] and [1, 2, 3]", (0, 5)),
        ("l * 2.5", "`*` does not take [1, 2, 3] and 2.5", (0, 7)),
        ("l * yes", "`*` does not take [1, 2, 3] and true", (0, 7)),
        ("[1] * null", "`*` does not take [1] and null", (0, 10)),
        ("null * 2", "`*` does not take null and 2", (0, 8)),
        ("yes ** 2", "`**` does not take true and 2", (0, 8)),
        ("-t", "`-` does not take 'text'", (0, 2)),
        ("not 1", "`not` does not take 1", (0, 5)),
        ("t < 1", "`<` does not take 'text' and 1", (0, 5)),
        ("1 in 2", "`in` does not take 1 and 2", (0, 6)),
        ("1 if a else 2", "3 is not true or false", (5, 6)),
        ("a or yes", "3 is not true or false", (0, 1)),
        ("yes and a", "3 is not true or false", (8, 9)),
        ("l[3]", "index 3 is outside of a list of 3", (0, 4)),
        ("l[-4]", "index -4 is outside of a list of 3", (0, 5)),
        ("l.3", "index 3 is outside of a list of 3", (0, 3)),
        ("l[1.0]", "an index is an integer, found 1", (2, 5)),
        ("l['a']", "an index is an integer, found 'a'", (2, 5)),
        ("l[yes]", "an index is an integer, found true", (2, 5)),
        ("a[0]", "3 is not a list", (0, 4)),
        ("t[0]", "'text' is not a list", (0, 4)),
        ("x[0]", "{channels: 64, height: 8, shape: [64, 8, 8]} is not a list", (0, 4)),
        ("x.width", "no `width` in it", (2, 7)),
        ("a.width", "3 has no `.width`", (0, 7)),
        ("min()", "`min` of no values", (0, 5)),
        ("len()", "`len` needs a value", (0, 5)),
        ("min([])", "`min` of no values", (0, 7)),
        ("max(1)", "`max` does not take 1", (0, 6)),
        ("max(1, 'a')", "`max` does not take 1, 'a'", (0, 11)),
        ("sum(1)", "`sum` does not take 1", (0, 6)),
        ("sum(['a'])", "`sum` does not take ['a']", (0, 10)),
        ("sum(l, l)", "`sum` does not take [1, 2, 3], [1, 2, 3]", (0, 9)),
        (
            "cumsum(x)",
            "`cumsum` does not take {channels: 64, height: 8, shape: [64, 8, 8]}",
            (0, 9),
        ),
        ("len(1)", "`len` does not take 1", (0, 6)),
        ("len(x)", "`len` does not take {channels: 64, height: 8, shape: [64, 8, 8]}", (0, 6)),
        ("int('a')", "'a' is no integer", (0, 8)),
        ("int(l)", "`int` does not take [1, 2, 3]", (0, 6)),
        ("round(1, 99)", "`round` to 99 digits; it takes -15 to 15", (9, 11)),
        ("round(1, 'a')", "`round` does not take 1, 'a'", (0, 13)),
        ("range(1.5)", "`range` does not take 1.5", (0, 10)),
        ("range(1, 2, 0)", "the step of `range` is 0", (12, 13)),
        ("range(1001)", "`range` gives more than 1000 items", (0, 11)),
        ("range(10 ** 15)", "`range` gives more than 1000 items", (0, 15)),
        ("[0] * 1001", "a list or text of 1001; at most 1000", (0, 10)),
        ("'a' * 10 ** 15", "a list or text of 1000000000000000; at most 1000", (0, 14)),
        ("[0] * 600 + [0] * 600", "a list of more than 1000 items", (0, 21)),
        ("divisible(8, 0)", "division by zero", (0, 15)),
        ("divisible(1, 2, 3, 4)", "`divisible` does not take 1, 2, 3, 4", (0, 21)),
        ("divisible(1e15, 1e-300)", "the result is out of range", (0, 23)),
        ("floor('a')", "`floor` does not take 'a'", (0, 10)),
    ],
)
def test_errors(text: str, message: str, at: tuple[int, int]) -> None:
    with pytest.raises(ExprError) as error:
        value(text)
    assert error.value.message == message
    assert (error.value.start, error.value.end) == at


def test_every_function_speaks_of_wrong_values() -> None:
    wrong = ["none", "x", "t", "yes", "l, l, l, l, l", "'a', 'b', 'c', 'd'", "ll", "n, n, n", ""]
    for function in FUNCTIONS:
        for arguments in wrong:
            text = f"{function}({arguments})"
            error = fault(text)
            if error:
                assert "NoneType" not in error.message
                assert "argument" not in error.message
                assert (error.start, error.end) == (0, len(text))


def test_an_unknown_name_and_an_unknown_value() -> None:
    with pytest.raises(UnknownName) as error:
        value("missing")
    assert error.value.name == "missing"
    with pytest.raises(Unknown):
        value("bad + 1")
    assert value("1 if yes else bad") == 1
    assert value("yes or bad") is True


# Bounds


@pytest.mark.parametrize(
    "form",
    [
        "({})",
        "[{}]",
        "abs({})",
        "-{}",
        "1 ** {}",
        "l[{}]",
        "1 if yes else {}",
        "not {}",
        "1 + ({})",
    ],
)
def test_nesting_is_bounded(form: str) -> None:
    def nested(levels: int) -> str:
        text = "1"
        for _ in range(levels):
            text = form.replace("{}", text)
        return text

    parse(nested(MAX_NESTING // 2))
    with pytest.raises(ExprError, match=f"nested more than {MAX_NESTING} deep"):
        parse(nested(MAX_NESTING + 2))


@pytest.mark.parametrize("sign", ["+", "-", "*", " and ", " or ", "//"])
def test_chains_are_bounded(sign: str) -> None:
    parse(sign.join(["1"] * (MAX_DEPTH - 1)))
    with pytest.raises(ExprError, match=f"more than {MAX_DEPTH} operations on each other"):
        parse(sign.join(["1"] * (MAX_DEPTH + 2)))


@pytest.mark.parametrize("access", ["[0]", ".0", ".b"])
def test_accesses_are_bounded(access: str) -> None:
    parse("a" + access * (MAX_DEPTH - 1))
    with pytest.raises(ExprError, match="operations on each other"):
        parse("a" + access * (MAX_DEPTH + 1))


def test_sizes_are_bounded() -> None:
    assert value(f"len([0] * {MAX_LIST})") == MAX_LIST
    assert value(f"{MAX_NUMBER}") == MAX_NUMBER
    assert value(f"-{MAX_NUMBER}") == -MAX_NUMBER
    assert len(value(f"'a' * {MAX_TEXT}")) == MAX_TEXT
    with pytest.raises(ExprError, match="beyond"):
        value(f"-{MAX_NUMBER} - 1")
    with pytest.raises(ExprError, match="at most"):
        value(f"'a' * {MAX_TEXT + 1}")
    with pytest.raises(ExprError, match="a text of 1500 characters"):
        value("'a' * 750 + 'b' * 750")


def test_lists_of_lists_are_bounded() -> None:
    assert value("[" * MAX_LEVELS + "]" * MAX_LEVELS)
    with pytest.raises(ExprError, match=f"lists nested more than {MAX_LEVELS} deep"):
        value("[" * (MAX_LEVELS + 1) + "]" * (MAX_LEVELS + 1))
    env = {"v": [0] * 400}
    with pytest.raises(ExprError, match="a list of more than 1000 items"):
        evaluate(parse("[v, v, v]"), env)


def test_work_is_bounded() -> None:
    meter = Meter(1_000)
    expr = parse("sum(l) + len(l)")
    before = meter.left
    evaluate(expr, ENV, meter)
    cost = before - meter.left
    assert 4 < cost < 20  # 5 operations, and twice a list of 3
    for _ in range(int(meter.left // cost)):
        evaluate(expr, ENV, meter)
    with pytest.raises(Exhausted):
        evaluate(expr, ENV, meter)


def test_long_texts_are_refused_before_they_are_read() -> None:
    template("$a " * (MAX_SOURCE // 3))
    with pytest.raises(ExprError, match="a text with expressions has at most 2000"):
        template("$a " * MAX_SOURCE)


# Templates


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("$a", [None]),
        ("$(a + 1)", [None]),
        ("a", ["a"]),
        ("", [""]),
        ("$$", ["$"]),
        ("$$a", ["$a"]),
        ("$$$a", ["$", None]),
        ("$a$a", [None, None]),
        ("x$a.y", ["x", None]),
        ("layer$stage", ["layer", None]),
        ("layer$stage.0", ["layer", None]),
        ("$a.", [None, "."]),
        ("$a-$b", [None, "-", None]),
        ("$(')')x", [None, "x"]),
        ('$(")")', [None]),
        ("$((1) + (2))", [None]),
        ("a$(1)b$(2)c", ["a", None, "b", None, "c"]),
        ("5 $$ and $a", ["5 $ and ", None]),
        ("(", ["("]),
        ("$a b", [None, " b"]),
        ("$a_b", [None]),
        ("é$a", ["é", None]),
    ],
)
def test_template(text: str, literal: list[str | None]) -> None:
    assert [part if isinstance(part, str) else None for part in template(text)] == literal


@pytest.mark.parametrize(
    ("text", "message", "at"),
    [
        ("$", "`$` begins a name or `(`", (0, 1)),
        ("a$", "`$` begins a name or `(`", (1, 2)),
        ("a $ b", "`$` begins a name or `(`", (2, 3)),
        ("$1", "`$` begins a name or `(`", (0, 1)),
        ("${a}", "`$` begins a name or `(`", (0, 1)),
        ("$$$", "`$` begins a name or `(`", (2, 3)),
        ("$(", "`$(` is not closed", (0, 2)),
        ("a$(1", "`$(` is not closed", (1, 4)),
        ("$((1)", "`$(` is not closed", (0, 5)),
        ("$('a)", "the quotation mark is not closed", (2, 3)),
        ("$()", "the expression is empty", (0, 3)),
        ("ab$( )", "the expression is empty", (2, 6)),
        ("ab$(1 +)", "the expression ends too early", (6, 7)),
        ("ab$(1 2)", "unexpected `2`", (6, 7)),
        ("$a $if", "unexpected `if`", (4, 6)),
    ],
)
def test_template_errors(text: str, message: str, at: tuple[int, int]) -> None:
    with pytest.raises(ExprError) as error:
        template(text)
    assert error.value.message == message
    assert (error.value.start, error.value.end) == at


def test_offsets_count_from_the_beginning_of_the_text() -> None:
    text = "layer$stage-$(i + width)"
    found = [name for part in template(text) if not isinstance(part, str) for name in names(part)]
    assert [(n.value, text[n.start : n.end]) for n in found] == [
        ("stage", "stage"),
        ("i", "i"),
        ("width", "width"),
    ]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (None, "null"),
        (True, "true"),
        (3, "3"),
        (2.0, "2"),
        (0.1, "0.1"),
        ("a", "'a'"),
        ([1, [2, [3]]], "[1, [2, […]]]"),
        (list(range(20)), "[0, 1, 2, 3, 4, 5, 6, 7, …]"),
        ("a" * 100, "'" + "a" * 56 + "…"),
        ({"a": 1}, "{a: 1}"),
        (10**80, "1" + "0" * 56 + "…"),
    ],
)
def test_show(shown: Any, expected: str) -> None:
    assert show(shown) == expected


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_usage_that_messages_tell_can_be_computed(name: str) -> None:
    env = {"v": 20, "a": 1, "b": 2, "by": 8, "first": 0, "end": 9, "step": 2}
    assert evaluate(parse(USAGE[name]), env) is not None
