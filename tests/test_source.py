"""YAML text → located values: every value knows where it stands, and no text does harm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cnndsl.diagnostics import MAX_ERRORS, MAX_MESSAGE, Report, Source, Span, suggest
from cnndsl.source import (
    MAX_DEPTH,
    MAX_VALUES,
    Located,
    Mapping,
    Scalar,
    Sequence,
    locate,
    plain,
    read,
    resolve,
)


def located(text: str) -> Located:
    report = Report()
    value = read(Source("spec.yaml", text), report)
    assert not report.diagnostics, report.diagnostics[0]
    assert value is not None
    return value


def faults(text: str) -> list[str]:
    report = Report()
    read(Source("spec.yaml", text), report)
    return [f"{d.span.line}:{d.span.column} {d.code}: {d.message}" for d in report.diagnostics]


def written(span: Span) -> str:
    """The text within a span."""
    lines = span.source.lines[span.line - 1 : span.end_line]
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = lines[0][span.column - 1 :]
    return "\n".join(lines)


def scalars(value: Located) -> list[Scalar]:
    match value:
        case Scalar():
            return [value]
        case Sequence(items):
            return [scalar for item in items for scalar in scalars(item)]
        case Mapping(entries):
            return [s for e in entries for s in (e.key, *scalars(e.value))]


# Places


TEXT = """\
name: net      # a remark
params: {width: 64, "a b": [1, 'two', 3.0]}
body:
  - conv: {out: $width, kernel: 3}
    name: conv1
  - relu

  - seq:
    - bn
    - é: 😀 x
"""


@pytest.mark.parametrize(
    ("path", "place", "text"),
    [
        (["name"], "1:7", "net"),
        (["params"], "2:9", "{width: 64, \"a b\": [1, 'two', 3.0]}"),
        (["params", "width"], "2:17", "64"),
        (["params", "a b"], "2:28", "[1, 'two', 3.0]"),
        (["params", "a b", 1], "2:32", "'two'"),
        (["params", "a b", 2], "2:39", "3.0"),
        (["body", 0, "conv"], "4:11", "{out: $width, kernel: 3}"),
        (["body", 0, "conv", "out"], "4:17", "$width"),
        (["body", 0, "name"], "5:11", "conv1"),
        (["body", 0], "4:5", "conv: {out: $width, kernel: 3}\n    name: conv1"),
        (["body", 1], "6:5", "relu"),
        (["body", 2, "seq"], "9:5", "- bn\n    - é: 😀 x"),
        (["body", 2, "seq", 1], "10:7", "é: 😀 x"),
        (["body", 2, "seq", 1, "é"], "10:10", "😀 x"),
    ],
)
def test_places(path: list[str | int], place: str, text: str) -> None:
    value = locate(located(TEXT), iter(path))
    assert str(value.span) == f"spec.yaml:{place}"
    assert written(value.span) == text


def test_places_of_keys() -> None:
    found = {str(s.value): str(s.span)[10:] for s in scalars(located(TEXT))}
    assert found["name"] == "5:5"
    assert found["a b"] == "2:21"
    assert found["seq"] == "8:5"
    assert found["é"] == "10:7"


def test_locate_stops_where_a_path_leads_nowhere() -> None:
    root = located(TEXT)
    assert locate(root, iter(["body", 7])) is locate(root, iter(["body"]))
    assert locate(root, iter(["name", "x"])) is locate(root, iter(["name"]))
    assert locate(root, iter(["none"])) is root


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x85", "\u2028", "\u2029"])
def test_line_ends(end: str) -> None:
    value = located(f"a: é{end}b: [1,{end}  2]{end}")
    assert [str(s.span)[10:] for s in scalars(value)] == ["1:1", "1:4", "2:1", "2:5", "3:3"]
    assert [written(s.span) for s in scalars(value)] == ["a", "é", "b", "1", "2"]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(values, st.sampled_from([None, True, False]))
def test_values_are_those_that_were_dumped(value: Any, flow: bool | None) -> None:
    """PyYAML writes by YAML 1.1, where more is quoted than need be: both read the same."""
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True, sort_keys=False)
    root = located(text)
    assert plain(root) == value
    for scalar in scalars(root):
        shown = written(scalar.span)
        if scalar.value is not None and "\n" not in shown and not shown.startswith(("'", '"')):
            assert str(scalar.value) == shown or resolve(shown) == scalar.value


@settings(max_examples=1000, deadline=None, derandomize=True, database=None)
@given(st.text("[]{}:,-#&*!|>'\"%@`? \n\tab1$().~<é\x85\u2028\ufeff\x00😀", max_size=40))
def test_any_text_has_a_value_or_a_fault_within_it(text: str) -> None:
    report = Report()
    value = read(Source("spec.yaml", text), report)
    for diagnostic in report.diagnostics:
        span = diagnostic.span
        assert 1 <= span.line <= len(span.source.lines)
        assert 1 <= span.column <= len(span.source.lines[span.line - 1]) + 1
        assert diagnostic.message
        assert str(diagnostic)
    if value is None:
        assert report.failed or not yaml_events(text)
        return
    for scalar in scalars(value):
        assert 1 <= scalar.span.line <= scalar.span.end_line <= len(scalar.span.source.lines)
        assert (scalar.span.line, scalar.span.column) < (
            scalar.span.end_line,
            scalar.span.end_column,
        )


def yaml_events(text: str) -> bool:
    """Whether a text holds any value."""
    return any(isinstance(event, yaml.NodeEvent) for event in yaml.parse(text))


# Scalars


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[("", None), ("~", None), ("null", None), ("NULL", None), ("nUll", "nUll")],
        *[("true", True), ("True", True), ("TRUE", True), ("yes", "yes"), ("y", "y"), ("On", "On")],
        *[("0", 0), ("-0", 0), ("+7", 7), ("08", 8), ("0o17", 15), ("0xff", 255), ("0b11", "0b11")],
        *[("1_0", "1_0"), ("1,0", "1,0"), ("--1", "--1"), ("+", "+"), ("-", "-"), (".", ".")],
        *[("1.", 1.0), (".1", 0.1), ("1.0", 1.0), ("1e5", 1e5), ("1E-5", 1e-5), ("e5", "e5")],
        *[("1e", "1e"), ("1.2.3", "1.2.3"), ("0x", "0x"), ("0xg", "0xg"), ("0o8", "0o8")],
        *[(".inf", float("inf")), ("-.INF", float("-inf")), ("inf", "inf"), ("nan", "nan")],
        *[("1:30", "1:30"), ("2001-01-01", "2001-01-01"), ("٣", "٣"), ("1e999", float("inf"))],
        *[("9" * 400, int("9" * 400)), ("9" * 401, float("inf")), ("1 ", "1 "), ("1\n", "1\n")],
    ],
)
def test_plain_scalars(text: str, value: Any) -> None:
    found = resolve(text)
    assert found == value
    assert type(found) is type(value)


def test_quoted_scalars_are_texts() -> None:
    assert plain(located("['1', \"true\", 'null', '', \"a\\u00e9\"]")) == [
        "1",
        "true",
        "null",
        "",
        "aé",
    ]


def test_keys_are_texts_as_written() -> None:
    keys = ["1.10", "1e3", "true", "~", "0x1", "no"]
    assert plain(located("{" + ", ".join(f"{k}: 0" for k in keys) + "}")) == dict.fromkeys(keys, 0)
    assert plain(located("? 1.10\n: 0\n")) == {"1.10": 0}
    assert plain(located("- {1.10: 1.10}\n")) == [{"1.10": 1.1}]


def test_flow_marks_plain_scalars_within_brackets() -> None:
    found = {str(s.value): s.flow for s in scalars(located("a: b\nc: [d, 'e', {f: g}]\n"))}
    assert found == {
        "a": False,
        "b": False,
        "c": False,
        "d": True,
        "e": False,
        "f": True,
        "g": True,
    }


def test_nothing_is_no_value() -> None:
    for text in ("", "\n", "# remark\n"):
        report = Report()
        assert read(Source("spec.yaml", text), report) is None
        assert not report.failed


# Faults; tests/bad has the common ones


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", "3:1 duplicate: the key `a` stands here again"),
        ("{a: 1, 'a': 2}", "1:8 duplicate: the key `a` stands here again"),
        ("a: !x 1", "1:4 syntax: the tag !x is not allowed"),
        ("a: ! 1", "1:4 syntax: the tag ! is not allowed"),
        ("a: !!int 1", "1:4 syntax: the tag !!int is not allowed"),
        ("!!map {a: 1}", "1:1 syntax: the tag !!map is not allowed"),
        ("!!seq []", "1:1 syntax: the tag !!seq is not allowed"),
        ("<<: {a: 1}", "1:1 syntax: merge keys (<<) are not of YAML 1.2"),
        ("[a]: 1", "1:1 syntax: a key is a word, not a list or mapping"),
        ("{{a: 1}: 2}", "1:2 syntax: a key is a word, not a list or mapping"),
        ("*a", "1:1 syntax: the alias *a is not defined above"),
        ("[*a, &a 1]", "1:2 syntax: the alias *a is not defined above"),
        ("&a [*a]", "1:5 syntax: the alias *a stands within itself"),
        ("&a {b: *a}", "1:8 syntax: the alias *a stands within itself"),
        ("a\n---\nb\n", "2:1 syntax: a second document; a spec file holds one"),
        ("a: 1\n...\nb", "3:1 syntax: text after the end of the document"),
        ("[a", "1:1 syntax: `[` is not closed"),
        ("{a: {b: 1}", "1:1 syntax: `{` is not closed"),
        ("[1, 2}", "1:6 syntax: expected `,` or `]`, found `}`"),
        ("a: ]", "1:4 syntax: one `]` too many"),
        ("[a,, b]", "1:4 syntax: a value is missing here, found `,`"),
        ("{a: 1 b: 2}", "1:8 syntax: a comma is missing before this key"),
        ("{a: ${b}}", "1:6 syntax: `${` opens a mapping"),
        ("{a: $(b[0])}", "1:8 syntax: `[` cuts the expression off"),
        ("{a: $(f(b, c))}", "1:5 expression: a comma cuts the expression off"),
        ("[$(f(b, c)), $(g(d, e))]", "1:2 expression: a comma cuts the expression off"),
        ("a: 'b", "1:4 syntax: the quotation mark is not closed"),
        ('a: "b\n\n', "1:4 syntax: the quotation mark is not closed"),
        ('a: "\\q"', "1:5 syntax: no such escape in YAML"),
        ("a: b: c", "1:5 syntax: `:` cannot stand here"),
        ("a: - b", "1:4 syntax: a list cannot begin here"),
        ("a: @b", "1:4 syntax: a value cannot begin with `@`"),
        ("a: %b", "1:4 syntax: a value cannot begin with `%`"),
        ("a:\n\t- b", "2:1 syntax: a tab"),
        ("a: 'b' c", "1:8 syntax: unexpected `c` after the value"),
        ("a:\n  b: 1\n c: 2", "3:2 syntax: this line begins at column 2, those before it at 1"),
        ("- a\nb: 1", "2:1 syntax: a list began on line 1, and this line is no part of one"),
        ("a: 1\nb\nc: 2", "2:1 syntax: a line that is neither a key with its value nor an item"),
        ("a: \x07", "1:4 syntax: the character U+0007 is not allowed in YAML"),
        ("é: 😀\n  \ud800", "2:3 syntax: the character U+D800 is not allowed in YAML"),
        ("[" * (MAX_DEPTH + 1), f"1:{MAX_DEPTH + 1} bound: nested more than {MAX_DEPTH} deep"),
    ],
)
def test_faults(text: str, expected: str) -> None:
    assert faults(text)[0] == expected


def test_faults_that_leave_the_rest_readable_are_told_together() -> None:
    assert len(faults("{a: !x 1, a: 2, <<: 3, [b]: 4}")) == 4
    assert len(faults("[$(f(b, c)), $(g(d, e))]")) == 2


@pytest.mark.parametrize(
    "text",
    [
        "{a: $(f(b) + 1), c: 2}",
        '{a: "$(f(b, c))", d: 1}',
        "{a: '$(f(b, c))', d: 1}",
        "a: $(f(b, c))",
        "- $(f(b, c)), d",
        "{a: $b, c: $(d)}",
        "{a: b(c, d: e}",
    ],
)
def test_commas_that_cut_nothing(text: str) -> None:
    assert faults(text) == []


def test_values_are_counted_with_their_aliases() -> None:
    assert faults("[" + ", ".join(["x"] * (MAX_VALUES - 1)) + "]") == []
    (fault,) = faults("[" + ", ".join(["x"] * (MAX_VALUES + 1)) + "]")
    assert fault.endswith(f"bound: more than {MAX_VALUES} values, aliases expanded")
    hundred = "- &a [" + ", ".join(["x"] * 99) + "]\n"
    assert faults(hundred + "- *a\n" * 100) == []
    (fault,) = faults(hundred + "- *a\n" * 300)
    assert fault == f"201:3 bound: more than {MAX_VALUES} values, aliases expanded"


def test_an_alias_has_its_own_place_and_that_of_its_anchor() -> None:
    root = located("- &a [1, {b: 2}]\n- *a\n- &c [*a]\n- *c\n")
    assert plain(root) == [[1, {"b": 2}], [1, {"b": 2}], [[1, {"b": 2}]], [[1, {"b": 2}]]]
    where = [
        (str(span), span.origin and str(span.origin), str(span.root))
        for path in ((1,), (1, 0), (1, 1, "b"), (3, 0, 0), (0, 0))
        for span in [locate(root, iter(path)).span]
    ]
    assert where == [
        ("spec.yaml:2:3", "spec.yaml:1:3", "spec.yaml:1:3"),
        ("spec.yaml:2:3", "spec.yaml:1:7", "spec.yaml:1:7"),
        ("spec.yaml:2:3", "spec.yaml:1:14", "spec.yaml:1:14"),
        ("spec.yaml:4:3", "spec.yaml:3:7", "spec.yaml:1:7"),
        ("spec.yaml:1:7", None, "spec.yaml:1:7"),
    ]


def test_no_two_values_share_a_place() -> None:
    root = located("a: &a {k: [1, 2], l: &b [3]}\nb: [*a, *b, *b]\nc: *a\n")

    def spans(value: Any) -> Iterator[Span]:
        yield value.span
        for entry in value.entries if isinstance(value, Mapping) else ():
            yield entry.key.span
            yield from spans(entry.value)
        for item in value.items if isinstance(value, Sequence) else ():
            yield from spans(item)

    found = list(spans(root))
    assert len(found) == len(set(found)) > 20


def test_nesting_is_counted_with_aliases() -> None:
    deep = "&a " + "[" * 40 + "x" + "]" * 40
    assert faults(f"- {deep}\n- " + "[" * 19 + "*a" + "]" * 19 + "\n") == []
    (fault,) = faults(f"- {deep}\n- " + "[" * 20 + "*a" + "]" * 20 + "\n")
    assert fault == f"2:23 bound: nested more than {MAX_DEPTH} deep, aliases expanded"


# Spans and reports


def test_a_span_narrows_to_a_part_of_its_text() -> None:
    value = locate(located("a: 'x$(b + c)'\n"), iter(["a"]))
    inner = value.span.inside("x$(b + c)", 7, 8)
    assert (str(inner), written(inner)) == ("spec.yaml:1:12", "c")
    # What is not written there to the letter keeps the whole place.
    escaped = locate(located('a: "x\\u0024(b + c)"\n'), iter(["a"]))
    assert escaped.span.inside("x$(b + c)", 7, 8) == escaped.span
    folded = locate(located("a: >\n  $(b\n  + c)\n"), iter(["a"]))
    assert folded.span.inside("$(b + c)\n", 6, 7) == folded.span


def test_a_report_tells_a_fact_once_and_not_without_end() -> None:
    report, source = Report(), Source("s", "a\n" * 100)
    for line in (1, 1, *range(1, 100)):
        report.error("name", "x" * 10_000, Span(source, line, 1, line, 2))
    assert len(report.diagnostics) == MAX_ERRORS
    assert report.full
    assert len(report.diagnostics[0].message) <= MAX_MESSAGE + 1


def test_long_lines_are_shown_in_part() -> None:
    report, source = Report(), Source("s", "a" * 500 + "\x07ERROR" + "b" * 500)
    report.error("name", "here", Span(source, 1, 502, 1, 507))
    _, line, caret = str(report.diagnostics[0]).split("\n")
    assert len(line) < 130
    start = caret.index("^")
    assert caret.strip(" |") == "^" * 5
    assert line[start : start + 5] == "ERROR"


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("kernal", ["kernel", "out"], "did you mean `kernel`?"),
        ("zzz", ["kernel", "out"], "known: kernel, out"),
        ("zzz", [], ""),
        ("a" * 10**6, ["b" * 10**6, "c"], "known: c"),
        ("k5000", [f"k{n}" for n in range(5000)], "did you mean `k500`?"),
    ],
)
def test_suggest(word: str, known: list[str], expected: str) -> None:
    assert suggest(word, known) == expected
