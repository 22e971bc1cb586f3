"""Help that is followed literally works: each broken spec is repaired by doing what it is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from following import INPUT, followed, told

from cnndsl.expr import evaluate, parse

NBSP = "\u00a0"


def assert_helps(text: str, folder: Path, message: str = "") -> None:
    """One round of following what is told repairs the spec; a message holds the words."""
    text = text if text.startswith("input") else INPUT + text
    errors = told(text, folder)
    assert errors
    assert message in errors[0].message
    repaired = followed(text, errors)
    left = told(repaired, folder)
    assert not left, "\n".join([text, *map(str, errors), repaired, *map(str, left)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("body: [{conv: 8, name: “a”}]\n", "`“` stands where `'` is meant"),
        ("body: [{conv: ‘8’}]\n", "`‘` stands where `'` is meant"),
        ("“body”: [{conv: 8}]\n", "`“` stands where `'` is meant"),
        ("params: {m: a}\nbody: [{conv: 8, when: $(m == “a”)}]\n", "`“` is no quotation mark"),
        ("body：\n  - relu\n", "`：` stands where `:` is meant"),
        ("body:\n  – conv: 8\n  – relu\n", "`–` begins no item of a list"),
        ("body:\n  • conv: 8\n  • relu\n", "`•` begins no item of a list"),
        (f"body:\n  - conv:{NBSP}8\n", "a space of another kind (U+00A0) stands here"),
        (f"body:\n  -{NBSP}conv: 8\n", "a space of another kind (U+00A0) stands here"),
        (f"body:\n{NBSP} - relu\n", "a space of another kind (U+00A0) stands here"),
        (f"body:\n  - relu{NBSP}\n", "a space of another kind (U+00A0) stands here"),
        (f"body: [{{conv: 8,{NBSP}name: a}}]\n", "a space of another kind (U+00A0) stands here"),
        (f"body: [{{conv: {{out:{NBSP}8}}}}]\n", "a space of another kind (U+00A0) stands here"),
        ("body: [{conv\u200b: 8}]\n", "an invisible character (U+200B) stands here"),
        ("params: {w: true}\nbody: [{conv: $(w ? 16 : 8)}]\n", "`? :` is not written here"),
        ("params: {w: true}\nbody:\n  - conv: $(w ? 16 : 8)\n", "`? :` is not written here"),
        ("params: {w: true}\nbody: [{conv: $(w?16:8)}]\n", "`? :` is not written here"),
        ('params: {w: 9}\nbody: [{conv: "$(w > 8 ? w + 1 : w)"}]\n', "`? :` is not written here"),
        ("params: {w: 8}\nbody: [{conv: {{ w }}}]\n", "`{{ }}` is of templates"),
        ("params: {w: 8}\nbody:\n  - conv: {{w * 2}}\n", "`{{ }}` is of templates"),
        ('params: {w: 8}\nbody: [{conv: "{{ w }}"}]\n', "conv takes an integer"),
        ('params: {w: 8}\nbody: [{conv: 8, name: "c{{ w }}"}]\n', "name takes letters"),
        ("params: {w: [1, 2]}\nbody: [{conv: $(w.0 × 2)}]\n", "unexpected `×`"),
        ("params: {w: 9}\nbody: [{conv: $(w – 2)}]\n", "unexpected `–`"),
        ("params: {w: 9}\nbody: [{conv: 8, when: $(w ≥ 2)}]\n", "unexpected `≥`"),
        ("params: {w: 2}\nbody: [{conv: $(w ^ 2)}]\n", "unexpected `^`"),
        ("params: {w: 2}\nbody: [{conv: 8, when: $(w > 1 && w < 3)}]\n", "unexpected `&&`"),
        ("params: {w: 2}\nbody: [{conv: 8, when: $(w > 1 || w < 3)}]\n", "unexpected `||`"),
        ('body: [{conv: 8, when: "$(2 in (1, 2))"}]\n', "a list has brackets"),
        ("body: [{conv: {out: 8, kernel: (3, 3)}}]\n", "a list has brackets"),
        ("body:\n  - conv:\n      out: 8\n      kernel: (3, 3)\n", "conv.kernel takes"),
        ("params: {w: (4, 8)}\nbody: [{for: {v: $w}, do: {conv: $v}}]\n", "a list has brackets"),
    ],
)
def test_foreign_writing(text: str, message: str, tmp_path: Path) -> None:
    assert_helps(text, tmp_path, message)


@pytest.mark.parametrize("after", ["HEAD", "a branch / with : colons"])
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("inner", ["  - conv: 8\n", "  - {conv: 8}\n  - relu\n", ""])
def test_conflict(after: str, side: int, inner: str, tmp_path: Path) -> None:
    ours, theirs = f"body:\n{inner}  - conv: 8\n", "body:\n  - conv: 16\n"
    text = f"{INPUT}<<<<<<< {after}\n{ours}=======\n{theirs}>>>>>>> {after}\n"
    (error,) = told(text, tmp_path)
    assert (error.span.line, error.message) == (
        2,
        "a conflict between two versions is not resolved",
    )
    assert "keep one side" in error.help
    assert not told(INPUT + (ours, theirs)[side], tmp_path)


def test_prose_keeps_its_characters(tmp_path: Path) -> None:
    text = f"about: “Deep”{NBSP}; residual – learning, 10{NBSP}000 images; a ? b\n"
    assert not told(f"{INPUT}{text}body: [relu] # – “x”{NBSP}y\n", tmp_path)


def test_prose_is_not_blamed_for_another_fault(tmp_path: Path) -> None:
    (error,) = told(f"{INPUT}about: “Deep”: learning\nbody: relu\n", tmp_path)
    assert error.message == "`:` cannot stand here"


@pytest.mark.parametrize(
    ("call", "plain"),
    [
        ("divisible(v, by=16)", "divisible(v, 16)"),
        ("divisible(v, least=48)", "divisible(v, 8, 48)"),
        ("divisible(v, by=4, least=48)", "divisible(v, 4, 48)"),
        ("divisible(v, least=48, by=4)", "divisible(v, 4, 48)"),
        ("divisible(v, 4, least=48)", "divisible(v, 4, 48)"),
        ("round(v / 7, digits=0)", "round(v / 7)"),
    ],
)
def test_arguments_by_name(call: str, plain: str) -> None:
    for value in range(1, 100, 7):
        assert evaluate(parse(call), {"v": value}) == evaluate(parse(plain), {"v": value})
