"""What a spec declares and nothing reads: each is a warning at its place, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import cnndsl
from cnndsl import shipped
from cnndsl.checker import check_variants
from cnndsl.diagnostics import MAX_ERRORS
from cnndsl.recipe.schedule import factor_at
from cnndsl.recipe.sections import Schedule

Told = Callable[..., list[str]]


def warnings(graph: cnndsl.Graph) -> list[str]:
    return [f"{d.span.line}:{d.span.column} {d.message}" for d in graph.diagnostics]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """The warnings of a spec, which may import others."""

    def told(text: str, variant: str | None = None, **files: str) -> list[str]:
        for name, content in {**files, "net": text}.items():
            (tmp_path / f"{name}.yaml").write_text(content, encoding="utf-8")
        graph = cnndsl.check(tmp_path / "net.yaml", variant)
        assert all((d.code, d.severity) == ("unused", "warning") for d in graph.diagnostics)
        return warnings(graph)

    return told


# A parameter, or a value of `let`, is read wherever an expression may stand.

READERS = {
    "an argument": "body: [{conv: $p}]",
    "a text": "body: [{conv: 3, name: c$p}]",
    "a condition": "body: [{conv: 3}, {relu: , when: $(p > 7)}]",
    "a contract": 'body: [{conv: 3, shape: ["$p", 8, 8]}]',
    "a source": "body: [{conv: 3, name: c3}, {from: c$p}]",
    "a count": "body: [{repeat: $p, do: {conv: 3}}]",
    "a column": 'body: [{for: {w: [4, "$p"]}, do: {conv: $w}}]',
    "a skip": "body: [{residual: {body: {conv: 3}, skip: $(p > 1)}}]",
    "an argument of a call": "blocks: {B: {params: {w: int}, body: [{conv: $w}]}}\n"
    "body: [{B: {w: $p}}]",
    "a block": "blocks: {B: {body: [{conv: $p}]}}\nbody: [B]",
    "a block's default": "blocks: {B: {params: {w: $p}, body: [{conv: $w}]}}\nbody: [B]",
    "a block's value": "blocks: {B: {let: {w: $p}, body: [{conv: $w}]}}\nbody: [B]",
    "an op's default": "defaults: {bn: {eps: $(p / 9)}}\nbody: [{conv: 3}, bn]",
    "an initial value": "body: [{conv: 3}]\ninit: {conv: {bias: $p}}",
    "a head": "body: [{conv: 3, name: c}, {conv: 3}]\n"
    "outputs: {a: {}, b: {from: c, body: {conv: 2}, loss_weight: $p}}",
    "a head's source": "body: [{conv: 3, name: c3}, {conv: 3}]\noutputs: {a: {}, b: {from: c$p}}",
    "a fact": 'body: [{conv: 3}]\nexpect: {output: ["$p", 8, 8]}',
    "a recipe": "body: [{conv: 3}]\ntrain: {epochs: $p}",
    "a recipe by name": "body: [{conv: 3}]\ntrain: {recipes: {r: {optimizer: {lr: $(p / 9)}}}}",
    "another value": "let: {l: $(2 * p)}\nbody: [{conv: $l}]",
    "a variant": "params: {p: 3, w: 2}\nvariants: {v: {w: $p}}\nbody: [{conv: $w}]",
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS.keys())
def test_a_parameter_is_read_wherever_an_expression_stands(reader: str, told: Told) -> None:
    params = "" if "params: {p" in reader else "params: {p: 3}\n"
    text = f"input: [3, 8, 8]\n{params}{reader}\n"
    assert told(text) == []
    number = text.replace('"$p"', "3").replace("$(p > 7)", "false").replace("$(p > 1)", "true")
    number = number.replace("$(2 * p)", "6").replace("$(p / 9)", "0.3").replace("$p", "3")
    assert told(number) == ["2:10 nothing reads the parameter `p`"]


# Every kind of declaration, with what reads it; whatever is left away, its declaration is told.

DECLARED = {
    "2:10 nothing reads the parameter `p`": ("- {conv: $p}", "- {conv: 2}"),
    "3:7 nothing reads the value `l`": ("- {conv: $l}", "- {conv: 2}"),
    "4:10 nothing reads the import `lib`": ("- lib.L", "- tanh"),
    "5:17 no `bn` is in this file, whose default this is": ("- bn", "- relu"),
    "7:16 nothing reads the parameter `q` of B": ("conv: $q", "conv: 2"),
    "7:29 nothing reads the value `m` of B": ("conv: $m", "conv: 2"),
    "8:3 nothing calls the block `C`": ("- C: {}", "- relu"),
    "11:22 nothing reads the column `j`": ("conv: $j", "conv: 2"),
}


@given(st.sets(st.sampled_from(sorted(DECLARED))))
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
def test_what_is_not_read_is_told(away: set[str]) -> None:
    param, value, lib, op, q, m, block, column = (
        pair[message in away] for message, pair in DECLARED.items()
    )
    text = f"""input: [3, 8, 8]
params: {{p: 2}}
let: {{l: 2}}
import: {{lib: lib.yaml}}
defaults: {{bn: {{eps: 0.1}}}}
blocks:
  B: {{params: {{q: 2}}, let: {{m: 2}}, body: [{{{q}}}, {{{m}}}]}}
  C: {{body: [relu, {{B: {{}}, when: false}}]}}
body:
  - {{B: {{q: 2}}}}
  - for: {{i: [2, 3], j: [3, 4]}}
    do: [{{conv: $i}}, {{{column}}}]
  {param}
  {value}
  {lib}
  {op}
  {block}
"""
    with TemporaryDirectory() as folder:
        net = Path(folder) / "net.yaml"
        net.write_text(text)
        lib_text = "blocks: {L: {body: [tanh]}, Unread: {body: [relu]}}\n"
        (net.parent / "lib.yaml").write_text(lib_text)
        assert sorted(warnings(cnndsl.check(net))) == sorted(away)


B = "blocks: {A: {params: {q: 1}, body: [relu]}, B: {body: [bn]}}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # of what another variant needs, nothing is unread
        ("params: {b: A}\nvariants: {v: {b: B}}\nbody: [{use: $b}]\n" + B, []),
        ("params: {deep: false}\nbody: [{conv: 3}, {A: {}, when: $deep}, B]\n" + B, ["4:23 q A"]),
        # a block that is a value may have parameters that are another's
        ("body: [{for: {b: [A, B]}, do: [{use: $b, with: {}}]}]\n" + B, []),
        ("body: [{use: A}, {use: $B}]\n" + B, []),
        ("params: {q: $A}\nbody: [{use: $q}, B]\n" + B, []),
        # names that hide others
        ("params: {q: 1}\nbody: [{A: {q: $q}}, B]\n" + B, ["4:23 q A"]),
        ("params: {i: 2}\nbody: [{for: {i: 2}, do: {conv: $(i + 1)}}]\n", ["2:10 i"]),
        ("params: {i: 2}\nbody: [{for: {i: $i}, do: {conv: $(i + 1)}}]\n", []),
        # a block that calls itself alone; one column, which is a count
        ("blocks: {A: {body: [relu, {A: {}, when: false}]}}\nbody: [tanh]\n", ["2:10 A"]),
        ("body: [{for: {i: 2}, do: relu}]\n", []),
        # an op that a value names has its defaults
        ("params: {a: relu6}\ndefaults: {bn: {eps: 0.1}}\nbody: [{use: $a}]\n", []),
        ("defaults: {bn: {eps: 0.1}}\nbody: [{use: relu6}]\n", ["2:17 bn"]),
    ],
)
def test_what_counts_as_read(text: str, expected: list[str], told: Told) -> None:
    found = told(f"input: [3, 8, 8]\n{text}")
    assert [line.split()[0] for line in found] == [line.split()[0] for line in expected]
    for line, words in zip(found, expected, strict=True):
        assert all(f"`{word}`" in line or f"of {word}" in line for word in words.split()[1:])


# What stands there, and cannot act.

LIB = "blocks: {L: {body: [relu]}}\n"
SEGMENTS = "inputs: {a: [3, 8, 8], b: [3, 8, 8]}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # inputs
        (SEGMENTS + "body: [relu]", ["1:24 nothing reads the input `b`"]),
        (SEGMENTS + "body: [{from: b}, relu]", ["1:10 nothing reads the input `a`"]),
        (SEGMENTS + "body: [{add: [[], {from: b}]}]", []),
        (SEGMENTS + "body: [{seq: [{residual: {body: relu, shortcut: {from: b}}}]}]", []),
        (SEGMENTS + "body: [relu]\noutputs: {y: {}, z: {from: b}}", []),
        (SEGMENTS + "let: {s: b}\nbody: [{add: [[], {from: $s}]}]", []),
        # what another choice reads is read
        (
            SEGMENTS + "params: {two: false}\n"
            "body: [{concat: [[], {from: b, when: $two}]}, {from: a, when: $two}]",
            [],
        ),
        (
            SEGMENTS
            + "blocks: {B: {body: [{relu: , name: b}, {add: [[], {from: b}]}]}}\nbody: [B]",
            ["1:24 nothing reads the input `b`"],
        ),
        # a shortcut
        (
            "input: [3, 8, 8]\nbody: [{residual: {body: relu, shortcut: tanh, skip: false}}]",
            ["2:42 no shortcut is added: `skip` is false"],
        ),
        (
            "input: [3, 8, 8]\nparams: {s: false}\n"
            "body: [{residual: {body: relu, shortcut: tanh, skip: $s}}]",
            [],
        ),
        ("input: [3, 8, 8]\nbody: [{residual: {body: relu, shortcut: tanh, skip: true}}]", []),
        # defaults that each node gives
        (
            "input: [3, 8, 8]\ndefaults: {conv: {bias: false}}\n"
            "body: [{conv: {out: 3, bias: true}}]",
            ["2:19 each `conv` of this file gives `bias` itself"],
        ),
        (
            "input: [3, 8, 8]\ndefaults: {conv: 8, dropout: 0.1}\n"
            "body: [{conv: 3}, dropout, {dropout: 0.2}]",
            ["2:18 each `conv` of this file gives `out` itself"],
        ),
        (
            "input: [3, 8, 8]\ndefaults: {conv: {bias: false}}\n"
            "body: [{conv: {out: 3, bias: true}}, {use: conv, with: {out: 3}}]",
            [],
        ),
        (
            "input: [3, 8, 8]\nparams: {op: relu}\ndefaults: {conv: {bias: false}}\n"
            "body: [{conv: {out: 3, bias: true}}, {use: $op}]",
            [],
        ),
        # empty mappings
        ("input: [3, 8, 8]\nbody: [relu]\ninit: {a: {}}", ["3:8 `a` says nothing"]),
        ("input: [3, 8, 8]\nbody: [relu]\ndefaults: {relu: }", ["3:12 `relu` says nothing"]),
        ("input: [3, 8, 8]\nbody: [relu]\nexpect: {shapes: {}}", ["3:10 `shapes` says nothing"]),
        (
            "input: [3, 8, 8]\nvariants: {v: {}}\nbody: [relu]\n"
            "expect: {v: {shapes: {}}}\npublished: {v: {}}",
            ["4:14 `shapes` says nothing", "5:13 `v` says nothing"],
        ),
        (
            "input: [3, 8, 8]\nvariants: {v: {}}\nbody: [relu]\n"
            "train: {optimizer: {}, variants: {v: {data: {}}}, recipes: {r: {augment: {}}, s: {}}}",
            ["4:9 `optimizer`", "4:79 `s`", "4:39 `data`", "4:65 `augment`"],
        ),
    ],
)
def test_what_cannot_act(text: str, expected: list[str], told: Told) -> None:
    assert [line.removesuffix(" says nothing") for line in told(text)] == [
        line.removesuffix(" says nothing") for line in expected
    ]


# Nodes that do nothing as they are written.

EMPTY = ("[]", "{body: []}", "{body: [], shortcut: []}", "{body: [], skip: false}")
ON = "input: [4, 8, 8]\nparams: {n: 0, l: [1]}\nlet: {m: $(n + sum(l))}\n"


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ("{from: input}, {from: c}", "42 nothing reads this value: the next node starts from"),
        ("{from: input, name: y}, {from: c}, {add: [[], {from: y}]}", ""),
        ("{from: input}, {from: c, when: $(n < 1)}", ""),
        ("{from: input}, {add: [[], {from: c}]}", ""),
        ("{add: [{from: input}, [{from: input}, {from: c}]]}", "65 nothing reads this value"),
        ("{repeat: 0, do: relu}", "36 a loop of no rounds"),
        ("{for: {i: 0}, do: {conv: $(i + 1)}}", "36 a loop of no rounds"),
        ("{for: {i: []}, do: {conv: $i}}", "36 a loop of no rounds"),
        ("{repeat: $n, do: relu}", ""),
        ("{for: {i: []}, do: relu, when: $(n > 0)}", "36 a loop of no rounds"),
        ("{repeat: 2, do: []}", "36 a loop without nodes"),
        ("{seq: []}", "36 `seq` has no nodes"),
        ("{seq: [], name: y}", "36 `seq` has no nodes"),
        ("{add: [relu]}", "36 `add` has one branch, and does nothing"),
        ("{mul: {a: relu}}", "36 `mul` has one branch, and does nothing"),
        ("{concat: [[relu, tanh]]}", "36 `concat` has one branch, and does nothing"),
        ("{split: [relu]}", "36 `split` has one branch, and does nothing"),
        ("{add: [relu, {tanh: , when: $(n > 0)}]}", ""),
        ("{dense: relu}, {residual: relu}", ""),
        *((f"{{residual: {body}}}", "36 `residual` has no nodes") for body in EMPTY),
        ("{residual: {body: [], shortcut: relu}}", ""),
        ("{residual: {body: relu, shortcut: []}}", ""),
        ("{residual: {relu: , when: $(n > 0)}}", ""),
        ("{dense: []}", "36 `dense` has no nodes"),
        ("{dense: [], name: y}", "36 `dense` has no nodes"),
        ("{split: [[], []]}", "36 `split` joins again what it shares out"),
        ("{split: [[]]}", "36 `split` has one branch, and does nothing"),
        ("{split: [[], relu]}, {split: {p: [], q: []}}", ""),
        ("{concat: [[], []]}, {add: [[], []]}, {mul: {a: [], b: []}}", ""),
    ],
)
def test_nodes_that_do_nothing(node: str, expected: str, told: Told) -> None:
    found = told(f"{ON}body: [{{conv: $(4 * m), name: c}}, {node}]\n")
    if not expected:
        assert found == []
        return
    [line] = found
    assert line.startswith(f"4:{expected}")


def test_a_contract_on_an_input(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "input: [3, 8, 8]\nbody: [relu, {add: [[], {from: input, shape: [9, 8, 8]}]}]\n"
    )
    with pytest.raises(cnndsl.SpecError, match="the spec says"):
        cnndsl.check(path)


def test_one_of_input_and_inputs(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text("input: [3, 8, 8]\ninputs: {a: [3, 9, 9]}\nbody: [relu]\n")
    with pytest.raises(cnndsl.SpecError, match=r"2:1: error.*not both"):
        cnndsl.check(path)


def test_an_extending_file_gives_values(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.with_name("base.yaml").write_text("input: [3, 8, 8]\nparams: {w: 2}\nbody: [{conv: $w}]\n")
    path.write_text("extends: base.yaml\nparams: {w: int}\n")
    with pytest.raises(cnndsl.SpecError, match=r"2:10: error.*`w` has a type here, and no value"):
        cnndsl.check(path)


SECTIONS = {
    "input": "[3, 8, 8]",
    "inputs": "{a: [3, 8, 8]}",
    "variants": "{v: {}}",
    "outputs": "{y: {}}",
    "init": "{conv: {bias: 0}}",
    "expect": "{params: 3}",
    "published": "{top1: 3}",
    "train": "{epochs: 3}",
}


@pytest.mark.parametrize("section", SECTIONS)
def test_sections_of_a_file_without_a_body(section: str, told: Told) -> None:
    """A network may have them, which is imported for its blocks; a file of blocks may not."""
    net = "input: [3, 8, 8]\nimport: {lib: lib.yaml}\nbody: [lib.L]\n"
    lib = f"{LIB}{section}: {SECTIONS[section]}\n"
    assert told(net, lib=lib) == [f"2:1 nothing reads `{section}` of a file without a `body`"]
    assert told(net, lib=f"{lib}body: [L, {{conv: 3}}]\n") == []


@pytest.mark.parametrize(("file", "name"), [("lib.yaml:v", "lib.yaml"), ("resnet18", "resnet")])
def test_an_import_takes_no_variant(file: str, name: str, told: Told, tmp_path: Path) -> None:
    net = f"input: [3, 8, 8]\nimport: {{lib: {file}}}\nbody: [relu]\n"
    lib = f"variants: {{v: {{}}}}\n{LIB}body: [L]\n"
    with pytest.raises(cnndsl.SpecError, match=f"name the file alone, `{name}`"):
        told(net, lib=lib)
    assert "nothing reads the import" in told(net.replace(file, name), lib=lib)[0]


def test_files_that_stand_for_others(told: Told) -> None:
    """An importer is not told of blocks that it leaves out, nor an extending file of anything."""
    blocks = "blocks: {L: {params: {q: 1}, body: [{conv: $a}]}, M: {body: [relu]}}\n"
    lib = f"params: {{a: 1, b: 2}}\n{blocks}"
    found = told("input: [3, 8, 8]\nimport: {lib: lib.yaml}\nbody: [lib.L]\n", lib=lib)
    assert found == ["1:16 nothing reads the parameter `b`"]
    base = "input: [3, 8, 8]\nparams: {w: 2}\nvariants: {v: {w: 3}}\nbody: [{conv: $w}]\n"
    assert told("extends: base.yaml:v\nvariants: {u: {w: 4}}\n", "u", base=base) == []


def test_errors_come_first(tmp_path: Path) -> None:
    """What reads a name may be what is wrong; so warnings wait until nothing is."""
    path = tmp_path / "net.yaml"
    path.write_text("input: [3, 8, 8]\nparams: {width: 4}\nbody: [{conv: $wdith}]\n")
    with pytest.raises(cnndsl.SpecError) as caught:
        cnndsl.check(path)
    assert [d.code for d in caught.value.diagnostics] == ["expression"]


@pytest.mark.parametrize(
    "error",
    [
        "expect: {params: 3}",  # of each stage after the one that warns
        "init: {conv: {weight: {normal: {std: $(0 - 1)}}}}",
        "outputs: {y: {from: nowhere}}",
    ],
)
def test_errors_come_alone(error: str, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    text = "input: [3, 8, 8]\nparams: {w: 4}\nbody: [{conv: 3}]\n"
    path.write_text(text)
    assert [d.severity for d in cnndsl.check(path).diagnostics] == ["warning"]
    path.write_text(f"{text}{error}\n")
    with pytest.raises(cnndsl.SpecError) as caught:
        cnndsl.check(path)
    assert [d.severity for d in caught.value.diagnostics] == ["error"]


@pytest.mark.parametrize("op", ["relu", "conv", "bn"])
def test_a_default_that_does_not_exist_is_told_once(op: str, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        f"input: [3, 8, 8]\ndefaults: {{{op}: {{inplace: true}}}}\nbody: [{{conv: 3}}, bn, relu]\n"
    )
    with pytest.raises(cnndsl.SpecError) as caught:
        cnndsl.check(path)
    assert [d.message for d in caught.value.diagnostics] == [f"unknown key `inplace` in {op}"]


def test_many_warnings_hide_no_error(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    params = ", ".join(f"p{i}: 1" for i in range(3 * MAX_ERRORS))
    text = f"input: [3, 8, 8]\nparams: {{{params}}}\nbody: [{{conv: 4}}]\n"
    path.write_text(text)
    assert len(cnndsl.check(path).diagnostics) == MAX_ERRORS
    path.write_text(text + "init: {conv: {weight: {normal: {std: $(0 - 1)}}}}\n")
    with pytest.raises(cnndsl.SpecError, match=r"4:38: error\[value\]: normal.std"):
        cnndsl.check(path)


@pytest.mark.parametrize("path", shipped.files().values(), ids=shipped.files().keys())
def test_shipped_specs_have_nothing_unread(path: Path) -> None:
    for graph in check_variants(str(path)):
        assert graph.diagnostics == ()


# Names that are given twice.


@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        ("body: [{add: {a: {relu: , name: b}, c: []}}]", "2:33", "the label `a`"),
        ("body: [{split: {a: {conv: 2, name: b}, c: []}}]", "2:36", "the label `a`"),
        ("body: [{concat: {a: {from: input, name: b}, c: []}}]", "2:41", "the label `a`"),
        (
            "body: [{conv: 4}]\noutputs: {y: {body: {conv: 3, name: b}}}",
            "3:37",
            "the output `y`",
        ),
    ],
)
def test_a_node_has_one_name(text: str, place: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"input: [4, 8, 8]\n{text}\n")
    with pytest.raises(cnndsl.SpecError) as caught:
        cnndsl.check(path)
    [found] = caught.value.diagnostics
    assert (str(found.span), found.message) == (
        f"{path}:{place}",
        f"{told} names this node already",
    )
    listed = text.replace("{relu: , name: b}", "[{relu: , name: b}]")
    for node in ("{conv: 2, name: b}", "{from: input, name: b}", "{conv: 3, name: b}"):
        listed = listed.replace(node, f"[{node}]")
    path.write_text(f"input: [4, 8, 8]\n{listed}\n")
    assert any(value.endswith(".b") for value in cnndsl.check(path).values)


# Rules of `init:` that later ones override.

OWN = "input: [3, 8, 8]\nbody: [{conv: 4, name: a}, {conv: 4, name: b}, {bn: , name: n}]\n"


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("{conv: {weight: 0}, a: {weight: 1}}", []),
        ("{conv: {weight: 0}, a: {weight: 1}, b: {weight: 1}}", ["3:15 `weight` of `conv`"]),
        ("{a: {weight: 0}, b: {bias: 0}, conv: {weight: 1}}", ["3:12 `weight` of `a`"]),
        ("{n: {weight: 0}, '*': {weight: 1, bias: 0}}", ["3:12 `weight` of `n`"]),
        ("{'*': {weight: 1}, n: {weight: 0}}", []),
        ("{bn: {bias: 0}, conv: {bias: 1}}", []),
    ],
)
def test_a_rule_that_later_ones_override(rules: str, expected: list[str], told: Told) -> None:
    found = [
        line.replace("later rules win for each ", "") for line in told(f"{OWN}init: {rules}\n")
    ]
    assert found == expected
    assert told(f"{OWN}variants: {{v: {{}}}}\ninit: {rules}\n", "v") == []


# Patterns of a recipe, and its stages.


def test_patterns_of_recipes_that_fit_nothing(told: Told) -> None:
    """All of them, each at its place, of every recipe; those of heads that are left out wait."""
    text = """input: [3, 8, 8]
params: {aux: false, stem: b}
variants: {v: {}}
body: [{conv: 4, name: a}, {seq: [{conv: 4}, relu], name: s}, {bn: , name: n}]
outputs: {y: {}, aux: {from: a, body: [{conv: 2}], train_only: true, when: $aux}}
train:
  freeze: [a, b, s.*, "c*", aux, $stem]
  lr_scale: {n: 0.1, m: 2, "*.weight": 1}
  layerwise: {stages: [s, t]}
  variants: {v: {freeze: [a, q]}}
  recipes:
    r: {freeze: [n.bias, n.beta]}
    other: {params: {stem: b}, freeze: [b]}
"""
    shared = [
        "8:22 lr_scale: no parameter fits `m`",
        "9:27 stages: no scope or value `t`",
        "12:26 freeze: no parameter fits `n.beta`",
    ]
    assert told(text) == [
        "7:15 freeze: no parameter fits `b`",
        "7:23 freeze: no parameter fits `c*`",
        *shared,
    ]
    assert told(text, "v") == ["10:30 freeze: no parameter fits `q`", *shared]


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        ("{lr_scale: {a: 2, 'a.*': 3}}", ["3:20 lr_scale: the factor of `a` holds"]),
        ("{lr_scale: {'*': 2, a: 3}}", []),
        ("{lr_scale: {'*': 2, a: 3, b: 3, n: 3}}", ["3:20 lr_scale: the factor of `*` holds"]),
        ("{lr_scale: {a: 2}, freeze: [a]}", ["3:20 lr_scale: the factor of `a` holds"]),
        ("{lr_scale: {a: 2}, freeze: [a.bias]}", []),
        ("{freeze: [a, b, n]}", ["3:17 freeze: no parameter is left to train"]),
        ("{freeze: ['*'], lr_scale: {a: 2}}", ["3:17 freeze: no parameter is left to train"]),
    ],
)
def test_factors_that_hold_for_nothing(train: str, expected: list[str], told: Told) -> None:
    found = told(f"{OWN}train: {train}\n")
    assert len(found) == len(expected)
    assert all(line.startswith(words) for line, words in zip(found, expected, strict=True))


# Items of lists.


@pytest.mark.parametrize(
    ("readers", "left"),
    [
        ('{conv: $w.0}, {conv: "$(w[2])"}', [1]),
        ("{conv: $w.0}", [1, 2]),
        ('{conv: $w.0}, {conv: "$(w[-1])"}', []),
        ("{conv: $w.0}, {for: {i: $w}, do: {conv: $i}}", []),
        ('{for: {i: 2}, do: {conv: "$(w[i])"}}', []),
        ("{conv: $w.0}, {conv: $(sum(w))}", []),
        ('{conv: "$(w[0] + w[1] + w[2])"}', []),
        ("relu", None),
    ],
)
@pytest.mark.parametrize("where", ["params", "let"])
def test_items_that_nothing_reads(
    where: str, readers: str, left: list[int] | None, told: Told
) -> None:
    what = {"params": "parameter", "let": "value"}[where]
    found = told(f"input: [3, 8, 8]\n{where}: {{w: [4, 5, 6]}}\nbody: [{readers}]\n")
    start = len(where) + len(": {w: [") + 1
    if left is None:
        assert found == [f"2:{start - 4} nothing reads the {what} `w`"]
    else:
        said = f"nothing reads this item of the {what} `w`"
        assert found == [f"2:{start + 3 * item} {said}" for item in left]


# Branches that `when` leaves out.

KEPT = {"conv": "{conv: 12}", "two": "[{conv: 12}, relu]", "identity": "[]"}
GONE = {
    "node": "{relu: , when: false}",
    "list": "[{relu: , when: false}, {conv: {out: 5, kernel: 3}, when: $gone}]",
    "labelled": "{from: input, when: $gone}",
}


@pytest.mark.parametrize("op", ["add", "mul", "concat"])
@given(
    st.lists(st.sampled_from([*KEPT, *GONE]), min_size=1, max_size=5),
    st.booleans(),
)
@settings(max_examples=40, deadline=None, derandomize=True, database=None)
def test_a_branch_without_nodes_is_left_out(op: str, branches: list[str], labels: bool) -> None:
    """The network is the one in which the branch is not written."""

    def merge(names: list[str]) -> str:
        texts = [(KEPT | GONE)[name] for name in names]
        if labels:
            pairs = (
                f"{name}{branches.index(name)}: {text}"
                for name, text in zip(names, texts, strict=True)
            )
            return "{" + ", ".join(dict.fromkeys(pairs)) + "}"
        return f"[{', '.join(texts)}]"

    def network(names: list[str]) -> cnndsl.Graph:
        path.write_text(
            "params: {gone: false}\ninput: [12, 8, 8]\n"
            f"body: [{{relu: , when: $gone}}, {{{op}: {merge(names)}}}, {{conv: 3}}]\n"
        )
        return cnndsl.check(path)

    left = [name for name in branches if name in KEPT]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "net.yaml"
        if not left:
            with pytest.raises(cnndsl.SpecError, match="`when` leaves every branch out"):
                network(branches)
            return
        ours, plain = network(branches), network(left)
    rows = [[(n.path, n.op, n.inputs, n.shape) for n in graph.nodes] for graph in (ours, plain)]
    assert rows[0] == rows[1]


# Values that `when` leaves out.

ABSENT = {
    "a node": ("[{relu: , name: a, when: $on}, tanh]", "a"),
    "a scope": ("[{seq: [{relu: , name: b}], name: a, when: $on}, tanh]", "a.b"),
    "a block": ("[{B: {}, name: a, when: $on}, tanh]", "a"),
    "a branch": ("[{add: {a: {relu: , when: $on}, c: tanh}}]", "a"),
    "in a branch": ("[{add: [[{relu: , name: a, when: $on}, tanh]]}]", "a"),
    "in a loop": ("[{repeat: 2, do: [{relu: , name: a, when: $on}, tanh]}]", "a"),
}


@pytest.mark.parametrize("reader", ["from", "outputs"])
@pytest.mark.parametrize(("body", "name"), ABSENT.values(), ids=ABSENT.keys())
def test_a_value_that_is_left_out_is_told_as_such(
    body: str, name: str, reader: str, tmp_path: Path
) -> None:
    path = tmp_path / "net.yaml"
    blocks = "blocks: {B: {body: [relu]}}\n" if "B:" in body else ""
    text = f"input: [3, 8, 8]\nparams: {{on: false}}\n{blocks}body: {body}\n"

    def write(when: str) -> None:
        if reader == "from":
            path.write_text(f"{text.rstrip()[:-1]}, {{from: {name}{when}}}]\n")
        else:
            path.write_text(f"{text}outputs: {{y: {{}}, z: {{from: {name}{when}}}}}\n")

    write("")
    with pytest.raises(cnndsl.SpecError) as caught:
        cnndsl.check(path)
    [found] = caught.value.diagnostics
    assert f"is named `{name}`" in found.message
    assert found.help == f"`when` leaves it out: give what starts from `{name}` the same `when`"
    [place] = found.related
    line = text.splitlines().index(f"body: {body}") + 1
    assert (place.words, str(place.span)) == ("left out", f"{path}:{line}:{column(body)}")
    write(", when: $on")
    cnndsl.check(path)


def column(body: str) -> int:
    return len("body: ") + body.index("$on") + 1


def test_a_value_of_another_choice_is_found(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "input: [3, 8, 8]\nparams: {on: false}\n"
        "body: [{relu: , name: a, when: $on}, {tanh: , name: a, when: $(not on)}, {from: a}]\n"
    )
    for on, op in ((False, "tanh"), (True, "relu")):
        graph = cnndsl.check(path, params={"on": on})
        assert [node.op.name for node in graph.layers] == [op]
        assert graph.values["a"] == graph.output.node


@pytest.mark.parametrize(
    ("body", "nodes"),
    [
        ("{split: [{relu: , when: false}, {tanh: }]}", ["share", "share", "tanh", "concat"]),
        ("{dense: [{relu: , when: false}]}", []),
        ("{residual: [{relu: , when: false}]}", ["add"]),
        ("{residual: {body: tanh, shortcut: {relu: , when: false}}}", ["tanh", "add"]),
    ],
)
def test_elsewhere_the_value_passes_by(body: str, nodes: list[str], tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"input: [4, 8, 8]\nbody: [{body}, gelu]\n")
    assert [node.op.name for node in cnndsl.check(path).layers] == [*nodes, "gelu"]


@pytest.mark.parametrize("warmup", ["", ", warmup: 2", ", warmup: 0"])
@pytest.mark.parametrize("name", ["constant", "step", "cosine", "polynomial", ""])
@pytest.mark.parametrize("per", ["step", "epoch"])
def test_a_rate_that_never_changes_has_no_ticks(
    name: str, warmup: str, per: str, told: Told
) -> None:
    """Judged by the rates of a whole run: with `per` they may differ, or they never do."""
    chosen = f"{{name: {name or 'constant'}, per: {per}{warmup}}}"
    schedule = Schedule.create(yaml.safe_load(chosen))
    rates = {factor_at(schedule, step, 5, 60, 0.1) for step in range(300)}
    text = "input: [1, 4, 4]\nbody: [flatten, {linear: 10}]\n"
    written = chosen if name else f"{{per: {per}{warmup}}}"
    found = told(f"{text}train: {{epochs: 60, schedule: {written}}}")
    assert any("schedule.per" in one for one in found) == (len(rates) == 1)
