"""One rule for the words that a spec gives: what passes works in every place, the rest is told.

A word is tried in each place where a spec takes one. Either it is refused by messages that have
their place, or the network is built from its source alone, has the weights of its Graph, and runs.
"""

from __future__ import annotations

import builtins
import copy
import json
import keyword
import pickle
import re
import runpy
import shutil
import subprocess
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import torch
from harness import run
from torch import Tensor, nn
from typer.testing import CliRunner

import cnndsl
from cnndsl.cli import app
from cnndsl.diagnostics import SpecError
from cnndsl.diagram import make_figure, make_plan, render
from cnndsl.exporter import Network, export
from cnndsl.words import BLOCK, IDENTIFIER, OUTPUT, SEGMENT, SORTS, skeleton

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
    "second column of a loop": "input: [3, 4, 4]\n"
    "body: [{for: {i: 2, WORD: [4, 5]}, do: {conv: (WORD), name: c$i}}]",
    "label of a split": "input: [4, 4, 4]\nbody: [{split: {WORD: {conv: 4}, b: relu}}]",
    "name from a column": "input: [3, 4, 4]\n"
    "body: [{for: {w: [WORD, other]}, do: [{conv: 4, name: $w}, {conv: 4, name: $(w)1}]}, relu]",
    "alias": "import: {WORD: blocks.yaml}\ninput: [3, 4, 4]\n"
    "body: [{WORD.B: {w: 2}}, {WORD.B: {w: 3}}, WORD.B]",
    "alias of a value": "import: {WORD: blocks.yaml}\nparams: {k: WORD.B}\ninput: [3, 4, 4]\n"
    "body: [{use: $k, with: {w: 2}}, relu]",
    "input": "inputs: {WORD: [3, 4, 4], b: [3, 4, 4]}\n"
    "body: [{add: [[], {from: b}, {from: WORD}]}, {conv: 4}]",
    "output": "input: [3, 4, 4]\nbody: [{conv: 4}, {conv: 4, name: c}, relu]\n"
    "outputs: {WORD: {}, b: {from: c}}",
    "output with a body": "input: [3, 4, 4]\nbody: [{conv: 4, name: c}, relu]\n"
    "outputs: {b: {}, WORD: {from: c, body: [{conv: 2}, relu], train_only: true}}",
    "variant": "params: {w: 2}\nvariants: {WORD: {w: 4}}\n"
    "input: [3, 4, 4]\nbody: [{conv: $w}, relu]",
    "recipe": "input: [3, 4, 4]\nbody: [{conv: 4}, relu]\n"
    "train: {data: digits, recipes: {WORD: {epochs: 2}}}",
    "file": "name: WORD\ninput: [3, 4, 4]\nbody: [{conv: 4, name: c}, relu]",
}
BLOCKS = "blocks: {B: {params: {w: 1}, body: [{conv: $w}, relu]}}"
"""The file `blocks.yaml` that the places of aliases import."""

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
    text = text.replace("WORD.B", f'{quoted[:-1]}.B"')
    return text.replace("WORD", quoted) + "\n"


def variants_of(place: str, word: str) -> str | None:
    return word if place == "variant" else None


def checked(place: str, word: str, path: Path) -> cnndsl.Graph | None:
    """The Graph, or None where the word was refused as users' mistakes are."""
    path.write_text(text_of(place, word), encoding="utf-8")
    path.with_name("blocks.yaml").write_text(BLOCKS, encoding="utf-8")
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


def test_what_no_child_of_a_module_is_called_is_refused(tmp_path: Path) -> None:
    """Of the installed torch and this Python, not of a list that grows old."""
    module = nn.Sequential()
    for number, word in enumerate(sorted({*dir(module), *vars(module), *keyword.kwlist})):
        place = ("node", "label of nodes", "output with a body")[number % 3]
        assert checked(place, word, tmp_path / "net.yaml") is None, (word, place)


@pytest.mark.parametrize("place", PLACES)
def test_letters_are_of_any_script(place: str, tmp_path: Path) -> None:
    for word in ("卷积1", "ブロック", "합성곱", "Свёртка", "שכבה", "طبقة", "परत", "𠮷"):
        graph = checked(place, word, tmp_path / "net.yaml")
        assert graph, (word, place)


@pytest.mark.parametrize("place", [place for place in PLACES if place not in ("block", "file")])
def test_one_word_has_one_form(place: str, tmp_path: Path) -> None:
    """What Python reads as one identifier is one name, as keys, in expressions and in `from`."""
    path = tmp_path / "net.yaml"
    for written, meant in (("ｃｏｎｖ", "conv"), ("cafe\u0301", "café"), ("ﬁne", "fine")):
        graphs = [checked(place, word, path) for word in (written, meant)]
        assert graphs[0]
        assert graphs[1]
        assert cnndsl.emit(graphs[0]) == cnndsl.emit(graphs[1])
        mixed = text_of(place, meant)[::-1].replace(meant[::-1], written[::-1], 1)[::-1]
        path.write_text(mixed, encoding="utf-8")
        assert cnndsl.emit(cnndsl.check(path, variants_of(place, written))) == cnndsl.emit(
            graphs[1]
        )


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_the_patterns_of_the_schema_mean_the_same_in_ecmascript() -> None:
    words = [word for word in WORDS if word.isascii()]
    for pattern, sort in SORTS.items():
        asked = f"const p = {json.dumps(pattern)}, words = {json.dumps(words)};"
        for flags in ("", "u"):
            tried = f"words.map(word => new RegExp(p, '{flags}').test(word))"
            script = f"{asked} console.log(JSON.stringify({tried}))"
            done = subprocess.run(
                ["node", "-e", script], capture_output=True, text=True, check=True
            )
            assert json.loads(done.stdout) == [bool(re.search(pattern, word)) for word in words]
        for word in words:
            if not word.startswith("__"):
                assert sort.accepts(word) == bool(re.search(pattern, word)), (word, sort)


@pytest.mark.parametrize("sort", [SEGMENT, IDENTIFIER, OUTPUT, BLOCK], ids=lambda sort: sort.rule)
def test_the_pattern_lets_pass_what_the_rule_does(sort: Any) -> None:
    """An editor never underlines what the checker takes; the rule may refuse more."""
    letters = [chr(i) for i in (*range(0x3200), *range(0x3200, 0x110000, 41))]
    taken = [letter for letter in letters if sort.accepts(letter)]
    assert len(taken) > 5_000
    for letter in taken:
        assert re.search(sort.pattern, letter)
        assert f"_{letter}".replace("-", "_").isidentifier()
        assert unicodedata.normalize("NFKC", letter) == letter
        assert unicodedata.category(letter)[0] in "LMN" or letter in "_-℘℮"


def test_invisible_characters_are_refused(tmp_path: Path) -> None:
    hidden = (
        "\u00ad\u034f\u061c\u115f\u17b4\u180b\u180e\u200b\u200d\u202e\u2060\u2066\u3164\ufe0f\uffa0"
    )
    for letter in (*hidden, "\U000e0100", "\U000e0041", "\U0001d173"):
        for place in ("node", "label of nodes", "parameter", "output", "block"):
            word = f"A{letter}"
            assert checked(place, word, tmp_path / "net.yaml") is None, (word, place)


CLASHES = {
    "a parameter and the class of an inner block": "name: net\ninput: [3, 4, 4]\n"
    "blocks:\n  Inner: {params: {w: 1}, body: [{conv: $w}, relu]}\n"
    "  Outer: {params: {Inner: 2}, body: [{Inner: {w: $(Inner)}}, {conv: $(Inner)}, relu]}\n"
    "body: [{Outer: {Inner: 2}}, {Outer: {Inner: 3}}]",
    "a parameter and a helper": "name: net\ninput: [3, 4, 4]\n"
    "blocks: {B: {params: {LayerScale: 2}, body: [{conv: $(LayerScale)}, layer_scale, relu]}}\n"
    "body: [{B: {LayerScale: 2}}, {B: {LayerScale: 3}}]",
    "a block and the outputs": "name: net\ninput: [3, 4, 4]\n"
    "blocks: {NetOutputs: {body: [{conv: 2}, {conv: 3}]}}\n"
    "body: [{NetOutputs: {}, name: a}, relu]\noutputs: {one: {}, two: {from: a}}",
    "a block and the network": "name: net\ninput: [3, 4, 4]\n"
    "blocks: {Net: {body: [{conv: 2}, relu]}}\n"
    "body: [{Net: {}, name: net}, {add: [[], {from: net}]}]",
    "a block and a layer": "name: net\ninput: [3, 4, 4]\n"
    "blocks: {LayerScale: {body: [{conv: 2}, layer_scale]}, Tensor: {body: [{conv: 2}, relu]}}\n"
    "body: [LayerScale, Tensor, Tensor]",
    "inputs but for their case": "name: net\ninputs: {a: [3, 4, 4], A: [3, 5, 5]}\n"
    "body: [{conv: 2, name: c}, {from: A}, {conv: 2}]\noutputs: {b: {}, B: {from: c}}",
    "inputs and the source": "name: net\ninputs: {self: [3, 4, 4], torch: [3, 4, 4]}\n"
    "body: {concat: [{from: self}, {from: torch}, {conv: 2}]}",
    "a scope and the source": "name: net\ninput: [3, 4, 4]\n"
    "body: [{concat: {torch: [{conv: 2}, relu], nn: [{conv: 2}, relu], self: {conv: 2}}}, relu]",
}


@pytest.mark.parametrize("clash", CLASHES)
def test_names_of_the_source_keep_clear_of_each_other(clash: str, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(CLASHES[clash], "utf-8")
    holds(cnndsl.check(tmp_path / "net.yaml"))


TWINS = [
    ("a", "а"), ("conv", "сonv"), ("Block", "Вlock"), ("out", "οut"), ("x1", "х1"), ("ı", "i"),
    ("カ", "力"), ("ロ1", "口1"), ("é", "е\u0301"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), TWINS)
def test_words_that_look_alike_do_not_stand_in_one_scope(
    one: str, other: str, tmp_path: Path
) -> None:
    assert skeleton(one) == skeleton(unicodedata.normalize("NFKC", other))
    quoted = json.dumps(one, ensure_ascii=False), json.dumps(other, ensure_ascii=False)
    scopes = [
        "input: [3, 4, 4]\nbody: [{conv: 4, name: ONE}, {conv: 4, name: TWO}]",
        "input: [3, 4, 4]\nbody: [{concat: {ONE: {conv: 4}, TWO: relu}}]",
        "input: [3, 4, 4]\nbody: [{concat: {ONE: {conv: 4}, b: relu}}, {relu: , name: TWO}]",
        "params: {ONE: 4, TWO: 4}\ninput: [3, 4, 4]\nbody: relu",
        "params: {ONE: 4}\nlet: {TWO: 4}\ninput: [3, 4, 4]\nbody: relu",
        "params: {ONE: 4}\ninput: [3, 4, 4]\nbody: [{for: {TWO: 2}, do: relu}]",
        "inputs: {ONE: [3, 4, 4], TWO: [3, 4, 4]}\nbody: relu",
        "inputs: {ONE: [3, 4, 4]}\nbody: [{relu: , name: TWO}]",
        "input: [3, 4, 4]\nbody: relu\noutputs: {ONE: {}, TWO: {}}",
        "params: {w: 4}\nvariants: {ONE: {w: 3}, TWO: {w: 3}}\ninput: [3, 4, 4]\nbody: {conv: $w}",
    ]
    for scope in scopes:
        path = tmp_path / "net.yaml"
        path.write_text(scope.replace("ONE", quoted[0]).replace("TWO", quoted[1]), "utf-8")
        with pytest.raises(SpecError) as caught:
            cnndsl.check(path)
        told = [d for d in caught.value.diagnostics if "looks like" in d.message]
        assert len(told) == 1, scope
        assert told[0].places, scope
        assert told[0].help, scope


def test_words_of_one_alphabet_do_not_look_alike(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "input: [3, 4, 4]\nbody: [{concat: {l: [], I: [], 1: [], O: [], o: []}}, relu]\n"
        "outputs: {out: {}, Out: {from: l}, OUT: {from: O}}\n",
        "utf-8",
    )
    holds(cnndsl.check(path))


def test_an_output_is_no_input(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    for text in (
        "inputs: {a: [3, 4, 4], b: [3, 4, 4]}\nbody: {conv: 4}\noutputs: {a: {}}",
        "inputs: {output: [3, 4, 4], b: [3, 4, 4]}\nbody: {conv: 4}",
    ):
        path.write_text(text, "utf-8")
        with pytest.raises(SpecError, match="is an input and an output"):
            cnndsl.check(path)


# --- files that are made of such networks --------------------------------------------------------

EXPORTED = """
inputs: {IN: [3, 8, 8], other: [3, 8, 8]}
body:
  - add: {A: [{from: IN}, {conv: 4, name: B}], b: [{from: other}, {conv: 4}, relu]}
  - {layer_scale: {}, name: C}
  - {conv: 4, name: D}
  - relu
outputs: {OUT: {}, second: {from: C}}
"""
NAMED = [
    {"OUT": "relu", "IN": "conv2d"},
    {"OUT": "conv2d_1", "IN": "class", "A": "0", "B": "1x1", "C": "conv-1", "D": "--"},
    {"OUT": "结果", "IN": "左图", "A": "甲", "B": "卷积", "C": "尺度", "D": "终"},
]


@pytest.mark.parametrize("named", NAMED, ids=lambda named: named["OUT"])
@pytest.mark.parametrize("format", ["onnx", "pt2"])
def test_networks_of_odd_names_export(named: dict[str, str], format: str, tmp_path: Path) -> None:
    text = EXPORTED
    for word, name in named.items():
        text = re.sub(rf"\b{word}\b", json.dumps(name, ensure_ascii=False), text)
    (tmp_path / "net.yaml").write_text(text, "utf-8")
    graph = cnndsl.check(tmp_path / "net.yaml")
    told = export(Network(graph, cnndsl.build(graph).eval()), tmp_path / f"net.{format}")
    assert "equal to the network" in str(told)


CHINESE = """
name: 手写数字识别
about: 课程作业（李明）
params: {宽度: 4, 类别: 10}
input: [1, 8, 8]
let: {双倍: $(2 * 宽度)}
blocks:
  残差:
    params: {步长: 1}
    body:
      - residual:
          - {conv: {out: $x.channels, kernel: 3, padding: 1, stride: $步长}, name: 卷积}
          - {bn: , name: 归一}
      - relu
body:
  - {conv: {out: $宽度, kernel: 3, padding: 1}, name: 卷积1}
  - for: {层: 2}
    do: {残差: {}, name: 残差$(层 + 1)}
  - concat:
      左: [{conv: $双倍}, relu]
      右: {conv: $(2 * 宽度)}
  - {max_pool: 2, name: 池化}
  - flatten
  - {linear: $类别, name: 全连接}
outputs:
  结果: {}
  辅助: {from: 池化, body: [flatten, {linear: $类别}], train_only: true, loss_weight: 0.3}
init: {卷积1: {weight: 0.5}}
train: {data: digits, epochs: 1, freeze: [卷积1]}
"""


@pytest.fixture
def chinese(tmp_path: Path) -> Path:
    path = tmp_path / "网络.yaml"
    path.write_text(CHINESE, "utf-8")
    return path


def test_a_chinese_network_is_built_and_kept(chinese: Path, tmp_path: Path) -> None:
    graph = cnndsl.check(chinese, params={"宽度": 6})
    holds(graph)
    module = cnndsl.build(graph).eval()
    assert {"卷积1.weight", "残差2.归一.running_mean", "左.0.bias", "辅助.1.weight"} <= {
        *module.state_dict()
    }
    assert torch.equal(module.state_dict()["卷积1.weight"], torch.full((6, 1, 3, 3), 0.5))
    (tmp_path / "net.py").write_text(cnndsl.emit(graph), "utf-8")
    alone = runpy.run_path(str(tmp_path / "net.py"))["手写数字识别"]().eval()
    torch.save(module, tmp_path / "net.pt")
    sample = torch.randn(2, 1, 8, 8)
    for other in (
        *(alone, copy.deepcopy(module), pickle.loads(pickle.dumps(module))),
        torch.load(tmp_path / "net.pt", weights_only=False),
    ):
        other.load_state_dict(module.state_dict(), strict=True)
        assert torch.equal(other(sample), module(sample))


def test_a_chinese_network_is_trained_and_exported(
    chinese: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(chinese, params={"宽度": 2}, out=tmp_path / "运行")
    again = cnndsl.check(result.folder / "run.yaml")
    assert again.params == {"宽度": 2, "类别": 10}
    assert [output.name for output in again.outputs] == ["结果", "辅助"]
    graph = cnndsl.check(chinese)
    for format in ("onnx", "pt2", "py", "safetensors"):
        told = export(Network(graph, cnndsl.build(graph).eval()), tmp_path / f"网络.{format}")
        assert "equal to the network" in str(told)


def test_a_chinese_network_is_drawn(chinese: Path) -> None:
    graph = cnndsl.check(chinese)
    figure = make_figure(make_plan(graph))
    shown = re.sub(r"<[^>]*>", "", render(figure, "svg").decode("utf-8"))
    for word in ("手写数字识别", "卷积1", "残差", "左", "右", "池化", "全连接", "结果", "辅助"):
        assert word in shown
    assert render(figure, "png").startswith(b"\x89PNG")


def test_the_command_line_takes_names_of_any_script(chinese: Path, tmp_path: Path) -> None:
    for args in (
        ["build", chinese, "--set", "宽度=8", "--verify"],
        ["draw", chinese, "-o", tmp_path / "网络.html"],
        ["draw", chinese, "-o", tmp_path / "网络.dot"],
        ["sweep", chinese, "--set", "宽度=2,4", "--dry-run"],
        ["compare", chinese],
    ):
        done = CliRunner().invoke(app, [str(arg) for arg in args])
        assert done.exit_code == 0, done.output
    assert "残差" in (tmp_path / "网络.html").read_text("utf-8")


@pytest.mark.parametrize("word", [*keyword.kwlist, "Class", "IF"])
@pytest.mark.parametrize("what", ["", "body: [{conv: 2}]", "from: c", "from: c, body: relu"])
def test_a_keyword_is_no_output(word: str, what: str, tmp_path: Path) -> None:
    """Whether it has nodes of its own or not: it is told once, as an output."""
    path = tmp_path / "net.yaml"
    path.write_text(
        f"input: [3, 4, 4]\nbody: [{{conv: 4, name: c}}]\noutputs: {{a: {{}}, {word}: {{{what}}}}}"
    )
    with pytest.raises(SpecError) as caught:
        cnndsl.check(path)
    (told,) = caught.value.diagnostics
    assert told.message == f"`{word}` is a keyword of Python; choose another name for the output"
    assert (told.span.line, told.span.column) == (3, 18)
