"""A small file never costs much, and what is large costs in proportion."""

from __future__ import annotations

import difflib
import re
from functools import partial, reduce
from operator import add, mul
from pathlib import Path
from time import process_time
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import cnndsl
from cnndsl.builder import build_module
from cnndsl.checker import MAX_TOGETHER, check_variants
from cnndsl.diagnostics import MAX_ERRORS, MAX_KNOWN, Report, Source, Span, SpecError, suggest
from cnndsl.expr import Meter
from cnndsl.graph import Input, Node
from cnndsl.load import MAX_FILES
from cnndsl.ops.base import Shape
from cnndsl.plan.variables import Variables
from cnndsl.plan.words import RESERVED
from cnndsl.selectors import Selectors


def free(word: str, taken: list[str]) -> str:
    """`word`, or with the least number behind it, whatever is not taken."""
    names = [word, *(f"{word}{number}" for number in range(2, len(taken) + len(RESERVED) + 3))]
    return next(name for name in names if name not in {*taken, *RESERVED})


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


# --- the source ---


@pytest.mark.parametrize(("op", "join"), [("add", add), ("mul", mul)])
def test_a_merge_of_thousands_is_the_values_joined_one_by_one(
    op: str, join: object, tmp_path: Path
) -> None:
    """Python nests `a + b + …` in itself, and gives up at some thousands."""
    branches = ["tanh" if n % 3 else "[]" for n in range(3_000)]
    module = built(f"input: [2, 3, 3]\nbody: [{{{op}: [{', '.join(branches)}]}}]", tmp_path)
    x = torch.rand(4, 2, 3, 3) + 0.5
    values = [x.tanh() if n % 3 else x for n in range(3_000)]
    assert torch.equal(module(x), reduce(join, values))  # type: ignore[arg-type]


def test_each_of_many_shares_is_read_for_itself(tmp_path: Path) -> None:
    """A view for each share, not one of each for each."""
    module = built(f"input: [900, 2, 2]\nbody: [{{split: [{'[],' * 299} relu]}}]", tmp_path)
    x = torch.randn(2, 900, 2, 2, requires_grad=True)
    with torch.profiler.profile() as profile:
        found = module(x)
    assert torch.equal(found, torch.cat([x[:, :897], x[:, 897:].relu()], 1))
    assert sum(event.count for event in profile.key_averages()) < 20 * 300


def built(text: str, folder: Path) -> torch.nn.Module:
    (folder / "net.yaml").write_text(text)
    return build_module(cnndsl.check(folder / "net.yaml"))


# --- messages ---


@given(st.integers(0, 2_000), st.integers(0, 1_000), st.sampled_from("xyz%"))
def test_the_word_that_is_meant_is_found_among_many(number: int, place: int, letter: str) -> None:
    known = [f"stage{n // 50}.block{n % 50}" for n in range(MAX_KNOWN)]
    meant = known[number % MAX_KNOWN]
    at = place % 5
    written = meant[:at] + letter + meant[at + 1 :]
    assert suggest(written, known) == f"did you mean `{meant}`?"


def test_suggestions_among_thousands_cost_little() -> None:
    known = [f"{'a' * 90}{n}" for n in range(5_000)]
    begun = process_time()
    for n in range(50):
        assert suggest(f"{'aab' * 3}{'a' * 80}b{n}", known).startswith("did you mean `aaa")
    assert process_time() - begun < 2


# --- variants ---


def test_the_variants_of_a_file_are_bounded_together(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    names = [f"v{n}" for n in range(9)]
    variants = ", ".join(f"{name}: {{n: 9000}}" for name in names)
    path.write_text(
        f"params: {{n: 1}}\nvariants: {{{variants}}}\n"
        "input: [3, 8, 8]\nbody: {for: {i: $n}, do: relu}\n"
    )
    with pytest.raises(SpecError) as raised:
        list(check_variants(str(path)))
    (told,) = raised.value.diagnostics
    assert told.code == "bound"
    assert told.message == f"more than {MAX_TOGETHER} steps in all 9 variants"
    assert len(next(check_variants(f"{path}:v8")).layers) == 9_000, "as the remedy says"


def test_recipes_that_each_variant_has_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"

    def written(variants: int, recipes: int) -> Path:
        names = ", ".join(f"v{n}: {{}}" for n in range(variants))
        own = ", ".join(f"r{n}: {{epochs: 2}}" for n in range(recipes))
        path.write_text(
            f"variants: {{{names}}}\ntrain: {{recipes: {{{own}}}}}\ninput: [3, 8, 8]\nbody: relu"
        )
        return path

    assert len(list(check_variants(str(written(12, 12)), base=True))) == 13
    with pytest.raises(SpecError) as raised:
        list(check_variants(str(written(90, 90))))
    assert [told.code for told in raised.value.diagnostics] == ["bound"]


# --- files ---


@pytest.mark.parametrize(("wide", "of"), [(70, 1), (9, 8)])
def test_the_files_of_a_network_are_bounded_together(wide: int, of: int, tmp_path: Path) -> None:
    """Imported side by side, or each by one that is imported."""
    for n in range(wide):
        inner = ", ".join(f"a{k}: inner{n}_{k}.yaml" for k in range(of))
        (tmp_path / f"outer{n}.yaml").write_text(
            f"import: {{{inner}}}\nblocks: {{B: {{body: relu}}}}"
        )
        for k in range(of):
            (tmp_path / f"inner{n}_{k}.yaml").write_text("blocks: {B: {body: relu}}")
    names = ", ".join(f"a{n}: outer{n}.yaml" for n in range(wide))
    (tmp_path / "net.yaml").write_text(f"import: {{{names}}}\ninput: [3, 4, 4]\nbody: relu")
    with pytest.raises(SpecError) as raised:
        cnndsl.check(tmp_path / "net.yaml")
    told = raised.value.diagnostics[0]
    assert (told.code, told.message) == ("bound", f"more than {MAX_FILES} files in all")


def test_a_remedy_is_sought_for_what_is_told_alone() -> None:
    report, sought = Report(), list[int]()
    for number in range(3 * MAX_ERRORS):
        where = Span(Source("net.yaml", ""), number // 3 + 1)
        report.error("name", f"fact {number}", where, partial(remedy, sought))
    assert len(sought) == len(report.diagnostics) == MAX_ERRORS
    report.error("name", "another", Span(Source("net.yaml", ""), 9_999), partial(remedy, sought))
    assert len(sought) == MAX_ERRORS


@pytest.mark.parametrize(
    "node",
    [
        "{scale: $zzz}",
        "{scale: $(zzz + i)}",
        "{scale: $(own * zzz)}",
        "{use: $zzz}",
        "{use: Zzz}",
        "{relu: {}, name: a$zzz}",
        "{from: zzz}",
        "{conv: {zzz: 3}}",
        "{B: {zzz: $i}}",
    ],
)
def test_a_failing_round_searches_for_no_word(
    node: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    searched: list[str] = []
    search = difflib.get_close_matches

    def counted(word: str, *args: Any, **options: Any) -> list[str]:
        searched.append(word)
        return search(word, *args, **options)

    monkeypatch.setattr(difflib, "get_close_matches", counted)
    path = tmp_path / "net.yaml"
    path.write_text(
        "input: [3, 8, 8]\nparams: {own: 2, other: 3}\nblocks: {B: {params: {n: 1}, body: relu}}\n"
        f"body: [{{conv: $own, name: first}}, {{for: {{i: 90}}, do: [{node}]}}, "
        "{B: {n: $other}}]"
    )
    with pytest.raises(SpecError):
        cnndsl.check(path)
    assert 1 <= len(searched) <= 4


def remedy(sought: list[int]) -> str:
    sought.append(1)
    return "a remedy"
