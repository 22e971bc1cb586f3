"""One wrong key in a word: where it is told, and that the word that is offered is the right one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from string import ascii_lowercase

import pytest
import yaml
from following import follow, told

import cnndsl
from cnndsl.diagnostics import Diagnostic, SpecError, suggest
from cnndsl.ops import registry

WHOLE = Path(__file__).parent / "whole.yaml"
SPECS = sorted((Path(__file__).parent.parent / "specs").glob("*.yaml"))
PROSE = ("about", "note", "source", "data", "top1", "params", "macs")
DECLARING = ("params", "let", "variants", "blocks", "for", "outputs", "recipes", "import", "inputs")
MERGES = ("concat", "add", "mul", "split")
SUGGESTION = re.compile(r"(?:write|did you mean|the op is) `([^`]+)`")


@dataclass(frozen=True)
class Word:
    """A word of a spec at text[start:end]; `new` if it is a name that the spec gives there."""

    start: int
    end: int
    new: bool


def words(text: str) -> Iterator[Word]:
    """The keys, the words that are values, and the names in expressions."""
    yield from _words(yaml.compose(text, Loader=yaml.SafeLoader), (), text)


def _words(node: yaml.Node, path: tuple[str, ...], text: str) -> Iterator[Word]:
    last = next((step for step in reversed(path) if step), "")
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            start, end = key.start_mark.index, key.end_mark.index
            declares = last in DECLARING and (last != "params" or "variants" not in path)
            new = declares or last in (*MERGES, "init", "expect", "published")
            variant = path == ("variants",)
            if re.fullmatch(r"[A-Za-z_.][\w.]+", text[start:end]) and not variant:
                yield Word(start, end, new)
            yield from _words(value, (*path, key.value), text)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _words(item, (*path, ""), text)
    else:
        start, end = node.start_mark.index, node.end_mark.index
        yield from _in_value(text[start:end], start, path, node.style is None)


def _in_value(raw: str, start: int, path: tuple[str, ...], plain: bool) -> Iterator[Word]:
    last = path[-1] if path else ""
    if last in PROSE or any(step in ("published", "expect") for step in path):
        return
    if "$" in raw:
        for name in re.finditer(r"(?<=[$(\s.*/])[a-z_]\w+(?![\w'])", raw):
            if name[0] not in ("if", "else", "and", "or", "not", "in"):
                yield Word(start + name.start(), start + name.end(), False)
    elif plain and re.fullmatch(r"[A-Za-z_][\w.]+", raw) and raw not in ("true", "false", "null"):
        named = last == "name" and path[-2:-1] not in (("optimizer",), ("schedule",))
        if not named:
            yield Word(start, start + len(raw), False)


def typos(word: str, random: Random) -> set[str]:
    """The word with each letter left out, another one, and swapped with the next."""
    found = set()
    for i in range(len(word)):
        other = random.choice(ascii_lowercase)
        other = other.upper() if word[i].isupper() else other
        rest = word[i + 1 :]
        found |= {
            word[:i] + rest,
            word[:i] + other + rest,
            word[:i] + rest[:1] + word[i] + rest[1:],
        }
    return {typo for typo in found if typo and typo != word and typo[:1].isalpha()}


def distance(a: str, b: str) -> int:
    """How many letters are left out, put in, changed or swapped between two words."""
    rows = [list(range(len(b) + 1))]
    for i, left in enumerate(a, 1):
        row = [i]
        for j, right in enumerate(b, 1):
            least = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (left != right))
            if i > 1 and j > 1 and (left, a[i - 2]) == (b[j - 2], right):
                least = min(least, rows[-2][j - 2] + 1)
            row.append(least)
        rows.append(row)
    return rows[-1][-1]


@dataclass(frozen=True)
class Typo:
    text: str
    right: str
    word: Word
    typed: str

    @property
    def line(self) -> int:
        return self.right.count("\n", 0, self.word.start) + 1

    @property
    def meant(self) -> str:
        return self.right[self.word.start : self.word.end]

    def __str__(self) -> str:
        return f"line {self.line}: `{self.typed}` for `{self.meant}`"


def all_typos(text: str, random: Random) -> list[Typo]:
    found = []
    for word in words(text):
        for typed in sorted(typos(text[word.start : word.end], random)):
            broken = text[: word.start] + typed + text[word.end :]
            found.append(Typo(broken, text, word, typed))
    return found


def is_told_there(typo: Typo, errors: tuple[Diagnostic, ...]) -> bool:
    """Whether a message is about the line, as its place or another one."""
    lines = {error.span.line for error in errors}
    lines |= {place.span.line for error in errors for place in error.related}
    return typo.line in lines


def outcome(typo: Typo, folder: Path) -> str:
    """What comes of a typo; AssertionError where the messages are not as they should be."""
    errors = told(typo.text, folder)
    if not errors or typo.typed in registry():
        return "another name" if typo.word.new else "another word"
    seen = "\n".join([str(typo), *map(str, errors)])
    offers = [found[1] for e in errors if (found := SUGGESTION.search(e.help))]
    if not typo.word.new:
        assert len(errors) == 1, seen
    if typo.word.new and not is_told_there(typo, errors) and typo.typed not in offers:
        return "another name"  # what reads the right one finds one of that name elsewhere
    assert is_told_there(typo, errors) or typo.typed in offers, seen
    if not offers:
        return "nothing offered"
    repaired = typo.text
    for error in sorted(errors, key=lambda e: (e.span.line, e.span.column), reverse=True):
        repaired = follow(repaired, error) if SUGGESTION.search(error.help) else repaired
    if repaired == typo.right:
        return "right"
    left = told(repaired, folder)
    if typo.word.new:
        assert not left, "\n".join([seen, *map(str, left)])
        return "right"
    near = all(distance(typo.typed, offer.rpartition(".")[2].strip("$")) <= 1 for offer in offers)
    assert near or not left, "\n".join([seen, *map(str, left)])
    return "equally near"


def counted(text: str, count: int, random: Random, folder: Path) -> Counter[str]:
    found = all_typos(text, random)
    found = random.sample(found, min(count, len(found)))
    return Counter(outcome(typo, folder) for typo in found)


def assert_mostly_right(counts: Counter[str]) -> None:
    total = sum(counts.values())
    assert counts["right"] >= 0.9 * total, counts
    assert counts["nothing offered"] <= 0.03 * total, counts
    assert counts["equally near"] <= 0.03 * total, counts
    assert counts["another name"] <= 0.06 * total, counts


def test_the_spec_is_right(tmp_path: Path) -> None:
    assert not told(WHOLE.read_text(), tmp_path)


def test_typos(tmp_path: Path) -> None:
    assert_mostly_right(counted(WHOLE.read_text(), 90, Random(0), tmp_path))


@pytest.mark.heavy
def test_all_typos(tmp_path: Path) -> None:
    assert_mostly_right(counted(WHOLE.read_text(), 10_000, Random(1), tmp_path))


@pytest.mark.heavy
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_typos_of_shipped_specs(path: Path, tmp_path: Path) -> None:
    counts = counted(path.read_text(), 40, Random(path.stem), tmp_path)
    assert counts["right"] >= 0.75 * sum(counts.values()), counts


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("eglu", ["glu", "gelu"], "gelu"),
        ("yelu", ["elu", "relu"], "relu"),
        ("widt", ["wide", "width"], "width"),
        ("sr", ["alpha", "lr"], "lr"),
        ("nb", ["conv", "bn"], "bn"),
    ],
)
def test_the_likelier_of_two_words(word: str, known: list[str], meant: str) -> None:
    assert suggest(word, known) == f"did you mean `{meant}`?"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("params:\n  widht: 8\nbody: [{conv: $width}, {conv: $(2 * width)}]\n", 3),
        ("params: {a: 1}\nlet:\n  widht: $a\nbody: [{conv: $width}, {conv: $width}]\n", 4),
        ("blocks:\n  Blokc: {body: relu}\nbody: [Block, {Block: {}}]\n", 3),
        (
            "blocks:\n  A:\n    params: {widht: 8}\n    body: [{conv: $width}]\n"
            "body: [{A: {width: 3}}]\n",
            4,
        ),
    ],
)
def test_what_is_declared_misspelt_is_told_once(text: str, line: int, tmp_path: Path) -> None:
    text = f"input: [3, 8, 8]\n{text}"
    (error,) = told(text, tmp_path)
    assert error.span.line == line
    assert not told(follow(text, error), tmp_path)


NAMING = (
    "expect: {small: {output: [4, 8, 8]}}\n",
    "published: {small: {top1: 50}}\n",
    "train: {variants: {small: {epochs: 3}}, recipes: {r: {variants: {small: {epochs: 5}}}}}\n",
)
"""What names a variant of the file."""


@pytest.mark.parametrize("typed", ["smal", "smalll", "samll"])
@pytest.mark.parametrize("naming", [*NAMING, "".join(NAMING)])
@pytest.mark.parametrize("asked", [None, "small"])
def test_a_variant_declared_misspelt_is_told_once(
    typed: str, naming: str, asked: str | None, tmp_path: Path
) -> None:
    text = "input: [3, 8, 8]\nparams: {w: 3}\nvariants: {small: {w: 4}, large: {w: 8}}\n"
    right = f"{text}{naming}body: [{{conv: $w}}]\n"
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(right.replace("{small: {w", f"{{{typed}: {{w"))
    with pytest.raises(SpecError) as caught:
        cnndsl.check(wrong, asked)
    (error,) = caught.value.diagnostics
    repaired = follow(wrong.read_text(), error)
    if naming.count("small") > 1:
        assert repaired == right
    wrong.write_text(repaired)
    cnndsl.check(wrong, asked if repaired == right else asked and typed)


@pytest.mark.parametrize("naming", NAMING)
def test_a_variant_named_misspelt_is_told_where_it_is_named(naming: str, tmp_path: Path) -> None:
    text = "input: [3, 8, 8]\nparams: {w: 3}\nvariants: {small: {w: 4}, large: {w: 8}}\n"
    other = "".join(one for one in NAMING if one != naming)
    wrong = naming.replace("small", "smal", 1)
    errors = told(f"{text}{other}{wrong}body: [{{conv: $w}}]\n", tmp_path)
    assert [(error.span.line, error.help) for error in errors] == [(6, "did you mean `small`?")]


TYPES = {
    "int": ("itn", "integer", "Int", "inn", "INTEGER"),
    "float": ("flaot", "number", "Float", "double", "floot"),
    "bool": ("boool", "boolean", "Bool", "bolo"),
    "list": ("lisst", "List", "array", "tuple", "lits"),
}
"""Types of parameters, with what is typed for them."""
READ = {"int": "conv: $p", "float": "dropout: $p", "bool": "conv: 3, when: $p"}
READ |= {"list": "for: {k: $p}, do: {conv: $k}"}
VALUES = {"int": "3", "float": "0.3", "bool": "true", "list": "[3]"}
CALLS = ["B: {}", "B: {}", "B: {p: VALUE}", "B: {p: VALUE}"]


@pytest.mark.parametrize(("meant", "typed"), [(t, w) for t, words in TYPES.items() for w in words])
@pytest.mark.parametrize("turn", [0, 2])
def test_a_type_that_is_misspelt_is_told_once(
    meant: str, typed: str, turn: int, tmp_path: Path
) -> None:
    """A misspelt type is a text, a default: whatever reads it or gives another value follows."""
    calls = ", ".join(f"{{{call}}}" for call in [*CALLS[turn:], *CALLS[:turn]])
    block = f"blocks: {{B: {{params: {{p: {typed}}}, body: [{{{READ[meant]}}}]}}}}\n"
    text = f"input: [3, 8, 8]\n{block}body: [{calls}]\n".replace("VALUE", VALUES[meant])
    (error,) = told(text, tmp_path)
    assert (error.span.line, error.span.column) == (2, block.index(typed) + 1)
    assert error.help == f"did you mean `{meant}`?"
    repaired = follow(text, error)
    left = told(repaired, tmp_path)
    assert {e.message for e in left} == {"B needs a value for `p`"}
    assert not told(repaired.replace("B: {}", f"B: {{p: {VALUES[meant]}}}"), tmp_path)


@pytest.mark.parametrize("value", ["3", "true", "[3]", "null"])
@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_a_text_that_is_no_type_is_told_once(value: str, turn: int, tmp_path: Path) -> None:
    calls = ", ".join(f"{{{call}}}" for call in [*CALLS[turn:], *CALLS[:turn]])
    block = "blocks: {B: {params: {p: zzz}, body: [{conv: $p}]}}\n"
    text = f"input: [3, 8, 8]\n{block}body: [{calls}]\n".replace("VALUE", value)
    (error,) = told(text, tmp_path)
    assert 2 in {error.span.line, *(place.span.line for place in error.places)}


def test_texts_that_are_read_as_texts_are_no_types(tmp_path: Path) -> None:
    words = [word for typed in TYPES.values() for word in typed if word.islower()]
    params = ", ".join(f"p{i}: {word}" for i, word in enumerate(words))
    nodes = ", ".join(f"{{relu: , when: $(p{i} == 'x')}}" for i in range(len(words)))
    assert not told(f"input: [3, 8, 8]\nparams: {{{params}}}\nbody: [{nodes}, relu]\n", tmp_path)
