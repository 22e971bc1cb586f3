"""One rule for the words that a spec gives: what passes works in every place, the rest is told.

A word is tried in each place where a spec takes one. Either it is refused by messages that have
their place, or the network is built from its source alone, has the weights of its Graph, and runs.
"""

from __future__ import annotations

import builtins
import json
import keyword
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import cnndsl
from cnndsl.diagnostics import SpecError

PLACES = {
    "node": "input: [3, 4, 4]\nbody: [{conv: 4, name: WORD}, relu]",
    "scope": "input: [3, 4, 4]\nbody: [{seq: [{conv: 4}, relu], name: WORD}, {from: WORD}, relu]",
    "call": "input: [3, 4, 4]\nblocks: {B: {body: [{conv: 4}, relu]}}\n"
    "body: [{B: {}, name: WORD}, {add: [{conv: 4}, {from: WORD}]}]",
    "weight": "input: [3, 4, 4]\nbody: [{prelu: {}, name: WORD}, {layer_scale: {}, name: s}]",
    "label of a node": "input: [3, 4, 4]\nbody: [{concat: {WORD: {conv: 4}, b: {conv: 2}}}]",
    "label of nodes": "input: [3, 4, 4]\nbody: [{concat: {WORD: [{conv: 4}, relu], b: []}}]",
    "label of the input": "input: [3, 4, 4]\nbody: [{add: {WORD: [], b: {conv: 3}}}]",
    "block": "input: [3, 4, 4]\nblocks: {WORD: {params: {w: 1}, body: [{conv: $w}, relu]}}\n"
    "body: [{WORD: {w: 2}}, {WORD: {w: 3}}, WORD]",
    "parameter": "params: {WORD: 4}\ninput: [3, 4, 4]\nbody: [{conv: (WORD)}]",
    "parameter of a block": "input: [3, 4, 4]\n"
    "blocks: {B: {params: {WORD: 1}, body: [{conv: (WORD)}, relu, relu, relu, relu]}}\n"
    "body: [{B: {WORD: 2}}, {B: {WORD: 3}}, B]",
    "parameter that loops": "input: [3, 4, 4]\n"
    "blocks: {B: {params: {WORD: 1}, body: [{repeat: 4, do: {conv: (WORD)}}]}}\n"
    "body: [{conv: 2}, {B: {WORD: 2}}, {conv: 3}, {B: {WORD: 3}}]",
    "let": "input: [3, 4, 4]\nlet: {WORD: 4}\nbody: [{conv: (2 * WORD)}]",
    "let of a block": "input: [3, 4, 4]\n"
    "blocks: {B: {let: {WORD: $x.channels}, body: [{conv: (WORD)}, relu]}}\n"
    "body: [B, {conv: 5}, B]",
    "variable of a loop": "input: [3, 4, 4]\nbody: [{for: {WORD: [4, 5]}, do: {conv: (WORD)}}]",
    "input": "inputs: {WORD: [3, 4, 4], b: [3, 4, 4]}\n"
    "body: [{add: [[], {from: b}, {from: WORD}]}, {conv: 4}]",
    "output": "input: [3, 4, 4]\nbody: [{conv: 4}, {conv: 4, name: c}, relu]\n"
    "outputs: {WORD: {}, b: {from: c}}",
    "output with a body": "input: [3, 4, 4]\nbody: [{conv: 4, name: c}, relu]\n"
    "outputs: {b: {}, WORD: {from: c, body: [{conv: 2}, relu], train_only: true}}",
    "variant": "params: {w: 2}\nvariants: {WORD: {w: 4}}\n"
    "input: [3, 4, 4]\nbody: [{conv: $w}, relu]",
    "file": "name: WORD\ninput: [3, 4, 4]\nbody: [{conv: 4, name: c}, relu]",
}

ODD = [
    "",
    "a b",
    " a",
    "a ",
    "a\n",
    "\na",
    "a\tb",
    "a.b",
    "a/b",
    "a:b",
    'a"b',
    "a'b",
    "a\\b",
    "a$b",
    "{x}",
    "#a",
    "*",
    "a*",
    "&a",
    "!a",
    "%a",
    "@a",
    "`a`",
    "-",
    "--",
    "-a",
    "a-",
    "a-b",
    "_",
    "_a",
    "__",
    "__a",
    "__call__",
    "a__",
    "_a_",
    "0",
    "00",
    "7",
    "1x1",
    "9lives",
    "conv-1",
    "1-2",
    "a" * 100,
    "a" * 101,
    "A",
    "a",
    "Ab",
    "aB",
    "\x00",
    "\x7f",
    "a\x1b[31m",
    "\ufeffa",
    "a\u200bb",
    "a\u200d",
    "\u202ea",
    "a\u2066b",
    "a\u00a0b",
    "a\u3000b",
    "a\ufe0f",
    "\u3164",
    "\u115f",
    "a\u034fb",
    "\u00ad",
    "\u2028",
]
SCRIPTS = [
    "卷积1",
    "宽度",
    "層",
    "ブロック",
    "합성곱",
    "Свёртка",
    "свёртка",
    "Δ",
    "συν",
    "שכבה",
    "طبقة",
    "परत",
    "ชั้น",
    "größe",
    "cafe\u0301",
    "café",
    "ｃｏｎｖ",
    "ﬁlter",
    "x²",
    "Ⅳ",
    "İ",
    "ſ",
    "ß",
    "٣",
    "a٣",
    "\u0301a",
    "𝒳",
    "𠮷",
    "🙂",
    "a🙂",
    "“a”",
    "a’",
    "，",
    "→",
    "×",
    "½",
    "ª",
    "µ",
    "Å",
    "ᾳ",
]
PYTHON = sorted({*keyword.kwlist, *keyword.softkwlist, *dir(builtins)})
TORCH = sorted({*dir(nn.Sequential()), *vars(nn.Sequential()), *dir(tuple)})
SOURCE = [
    "nn",
    "torch",
    "F",
    "Tensor",
    "NamedTuple",
    "OrderedDict",
    "Module",
    "x",
    "X",
    "out",
    "out2",
    "name",
    "module",
    "self",
    "cls",
    "probe",
    "Net",
    "NetOutputs",
    "Outputs",
    "spec",
    "weight",
    "bias",
    "Conv2d",
    "count",
    "index",
    "_fields",
    "input",
    "output",
    "PReLU",
    "Sequential",
    "math",
    "w",
    "b",
    "c",
    "s",
    "B",
]
WORDS = list(dict.fromkeys([*ODD, *SCRIPTS, *PYTHON, *TORCH, *SOURCE]))

CORE = [
    *("", "a\n", "a b", "__a", "_a", "0", "1x1", "conv-1", "a.b", "forward", "class", "match"),
    *("float", "range", "Tensor", "nn", "卷积1", "ｃｏｎｖ", "🙂", "a\u200b", "a" * 100, "a" * 101),
]


def text_of(place: str, word: str) -> str:
    """The spec with the word in its place, quoted as YAML, where `(…WORD)` is an expression."""
    quoted = json.dumps(word, ensure_ascii=False)
    quoted = "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in quoted)
    text = re.sub(r"\((.*?)WORD\)", lambda m: f'"$({m[1]}{quoted[1:-1]})"', PLACES[place])
    return text.replace("WORD", quoted) + "\n"


def variants_of(place: str, word: str) -> str | None:
    return word if place == "variant" else None


def checked(place: str, word: str, path: Path) -> cnndsl.Graph | None:
    """The Graph, or None where the word was refused as users' mistakes are."""
    path.write_text(text_of(place, word), encoding="utf-8")
    try:
        return cnndsl.check(path, variant=variants_of(place, word))
    except SpecError as e:
        for told in e.diagnostics:
            assert told.span.line >= 1, told
            assert told.message.isprintable(), told
            assert "Traceback" not in told.message
        return None


def holds(graph: cnndsl.Graph) -> None:
    """The source compiles alone, hides nothing that it uses, and is the Graph's network."""
    source = cnndsl.emit(graph)
    namespace: dict[str, Any] = {"__name__": "alone"}
    exec(compile(source, "alone.py", "exec"), namespace)
    assert not {*namespace} & ({*dir(builtins)} - {"__name__", "__builtins__", "__doc__"})
    module = cnndsl.build(graph)
    weights = {name: shape for node in graph.layers for name, shape in node.weights.items()}
    found = {name: tuple(value.shape) for name, value in module.named_parameters()}
    assert found == {name: tuple(shape) for name, shape in weights.items()}
    assert {*module.state_dict()} >= {*weights}
    samples = [torch.randn(2, *node.shape) for node in graph.inputs]
    result = module(*samples)
    values = [result] if isinstance(result, Tensor) else list(result)
    assert [tuple(value.shape[1:]) for value in values] == [
        tuple(graph.nodes[output.node].shape) for output in graph.outputs
    ]


def held(place: str, tried: list[str], path: Path) -> None:
    """Each of the words is refused in the place or works there; both happen."""
    refused = 0
    for word in tried:
        graph = checked(place, word, path)
        refused += graph is None
        if graph is not None:
            try:
                holds(graph)
            except Exception as e:
                raise AssertionError(f"{word!r} as {place}:\n{text_of(place, word)}") from e
    assert (place == "file") == (refused == 0)
    assert refused < len(tried)


@pytest.mark.parametrize("place", PLACES)
def test_a_word_is_refused_or_works(place: str, tmp_path: Path) -> None:
    held(place, [*CORE, *WORDS[[*PLACES].index(place) % 8 :: 8]], tmp_path / "net.yaml")


@pytest.mark.heavy
@pytest.mark.parametrize("place", PLACES)
def test_every_word_is_refused_or_works(place: str, tmp_path: Path) -> None:
    held(place, WORDS, tmp_path / "net.yaml")
