"""The rules of the language, one small spec each: what is named how, and computed from what."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cnndsl
from cnndsl.diagnostics import SpecError
from cnndsl.graph import Graph

INPUT = "input: [3, 32, 32]\n"

Check = Callable[..., Graph]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Write a spec, and further files by name, and check it; without an input it is [3, 32, 32]."""

    def check(text: str, files: dict[str, str] | None = None, **given: Any) -> Graph:
        if not re.search(r"^(inputs?|extends):", text, re.MULTILINE):
            text = INPUT + text
        for name, content in {**(files or {}), "spec.yaml": text}.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(content, encoding="utf-8")
        graph = cnndsl.check(tmp_path / "spec.yaml", **given)
        graph.verify()
        compile(cnndsl.emit(graph), "model.py", "exec")
        return graph

    return check


def paths(graph: Graph) -> list[str]:
    return [node.path for node in graph.layers]


def shapes(graph: Graph) -> dict[str, list[int]]:
    return {path: list(graph.nodes[node].shape) for path, node in graph.values.items()}


def args(graph: Graph, op: str, name: str) -> list[Any]:
    """The values of an argument of all nodes of an op."""
    return [getattr(node.op, name) for node in graph.layers if node.op.name == op]


def messages(error: pytest.ExceptionInfo[SpecError]) -> list[str]:
    return [d.message for d in error.value.diagnostics]


# Names


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("relu", "0"),
        ("[relu]", "0"),
        ("[relu, bn, conv: 8]", "0 1 2"),
        ("[{relu: , name: a}, bn]", "a 1"),
        ("[relu, {bn: , name: b}, relu]", "0 b 2"),
        ("[{relu: , name: 5}, relu]", "5 1"),
        ("[{relu: , when: false}, bn]", "0"),
        ("[relu, {relu: , when: false, name: a}, bn]", "0 1"),
        ("[{seq: [relu, bn]}, relu]", "0 1 2"),
        ("[{seq: [relu, bn], name: s}, relu]", "s.0 s.1 1"),
        ("[{seq: [relu, {seq: [bn, relu]}], name: s}]", "s.0 s.1 s.2"),
        ("[{seq: {relu: , name: a}, name: s}]", "s.a"),
        ("[{repeat: 3, do: relu}, bn]", "0 1 2 3"),
        ("[{repeat: 2, do: [relu, bn]}]", "0 1 2 3"),
        ("[{repeat: 0, do: relu}, bn]", "0"),
        ("[{for: {i: 2}, name: l$i, do: [relu, bn]}, relu]", "l0.0 l0.1 l1.0 l1.1 2"),
        ("[{for: {i: 2}, do: {relu: , name: act$i}}]", "act0 act1"),
        ("[{for: {i: 2}, name: l$i, do: [{repeat: 2, do: relu}]}]", "l0.0 l0.1 l1.0 l1.1"),
        ("[{for: {i: 2}, do: [{for: {j: 2}, do: {relu: , name: a$i$j}}]}]", "a00 a01 a10 a11"),
        (
            "[{for: {i: 2}, do: [{for: {j: 2}, name: b$i-$j, do: relu}]}]",
            "b0-0.0 b0-1.0 b1-0.0 b1-1.0",
        ),
        ("[A, relu]", "0.0 0.1 1"),
        ("[relu, A, A]", "0 1.0 1.1 2.0 2.1"),
        ("[{A: , name: a}, A]", "a.0 a.1 1.0 1.1"),
        ("[{A: {}}, {use: A}, {use: A, with: {}}]", "0.0 0.1 1.0 1.1 2.0 2.1"),
        ("[{repeat: 2, do: A}]", "0.0 0.1 1.0 1.1"),
        ("[{repeat: 2, do: A, when: false}, relu]", "0"),
        ("[{seq: [A], name: s}]", "s.0.0 s.0.1"),
        ("[B]", "0.x.0 0.x.1 0.1"),
        ("[{use: conv, with: {out: 8}}, {use: relu, name: act}]", "0 act"),
        ("[{residual: [relu, bn]}, relu]", "0 1 add 2"),
        ("[{residual: [relu, bn], name: r}, relu]", "r.0 r.1 r.add 1"),
        ("[{residual: {body: relu, shortcut: bn}}]", "0 1 add"),
        ("[{residual: {body: [relu], shortcut: {bn: , name: down}}}]", "0 down add"),
        ("[{residual: relu}, {residual: relu}]", "0 add 1 add_2"),
        ("[{residual: [{residual: relu}]}]", "0 add add_2"),
        ("[{concat: [relu, bn]}]", "0 1 concat"),
        ("[{concat: [[relu, bn], relu]}, relu]", "0 1 2 concat 3"),
        ("[{concat: [[], relu]}]", "0 concat"),
        ("[{concat: {a: relu, b: bn}}]", "a b concat"),
        ("[{concat: {a: [relu], b: [bn, relu]}}, relu]", "a.0 b.0 b.1 concat 2"),
        ("[{concat: {a: relu, b: []}}]", "a concat"),
        ("[{concat: {a: A, b: {A: }}}]", "a.0 a.1 b.0 b.1 concat"),
        ("[{concat: {a: [{relu: , name: inner}], b: relu}}]", "a.inner b concat"),
        ("[{concat: {a: relu, b: bn}, name: mix}]", "mix.a mix.b mix.concat"),
        ("[{concat: {1: relu, 2: bn}}]", "1 2 concat"),
        ("[{concat: {a: {repeat: 2, do: relu}, b: bn}}]", None),
        ("[{concat: {a: {seq: [relu, bn]}, b: bn}}]", "a.0 a.1 b concat"),
        ("[{concat: [relu]}]", "0"),
        ("[{add: [relu, bn]}, {mul: [relu, bn]}]", "0 1 add 2 3 mul"),
        ("[{split: [relu, bn, []]}]", "share 0 share_2 1 share_3 concat"),
        ("[{dense: [{conv: 8}]}, {dense: [{conv: 8}]}]", "0 concat 1 concat_2"),
        ("[{dense: {conv: 8, name: c}}]", "c concat"),
        ("[{repeat: 2, do: {dense: A}}]", "0.0 0.1 concat 1.0 1.1 concat_2"),
        ("[{from: input}, relu]", "0"),
        ("[{from: input, name: same}, relu]", "0"),
        ("[]", ""),
    ],
)
def test_names(body: str, expected: str | None, check: Check) -> None:
    blocks = "blocks:\n  A: {body: [relu, bn]}\n  B: {body: [{A: , name: x}, relu]}\n"
    if expected is None:  # one label for two rounds
        with pytest.raises(SpecError, match="the name `a` is taken"):
            check(f"{blocks}body: {body}")
        return
    assert paths(check(f"{blocks}body: {body}")) == expected.split()


def test_scopes_have_values_of_their_own(check: Check) -> None:
    graph = check(
        "body:\n"
        "  - {seq: [{conv: 8}, relu], name: stem}\n"
        "  - concat: {left: [{conv: 4}, relu], right: {conv: 2}, same: []}\n"
        "    name: mix\n"
        "  - for: {i: 2}\n"
        "    name: stage$i\n"
        "    do: [{conv: $(16 * (i + 1))}]\n"
    )
    found = shapes(graph)
    assert found["stem"] == found["stem.1"] == [8, 32, 32]
    assert found["mix"] == found["mix.concat"] == [14, 32, 32]
    assert found["mix.left"] == [4, 32, 32]
    assert found["mix.same"] == [8, 32, 32]
    assert (found["stage0"], found["stage1"]) == ([16, 32, 32], [32, 32, 32])


def test_names_are_filled_in(check: Check) -> None:
    graph = check(
        "params: {tag: head, n: 3}\n"
        "body:\n"
        "  - {relu: , name: $tag}\n"
        "  - {relu: , name: $n}\n"
        "  - {relu: , name: $tag-$(n + 1)_x}\n"
        "  - {for: {i: [1, 2]}, name: layer$i, do: {relu: , name: $tag$(i * 10)}}\n"
    )
    assert paths(graph) == ["head", "3", "head-4_x", "layer1.head10", "layer2.head20"]


# When, loops, let


def test_when_leaves_the_value_as_it_is(check: Check) -> None:
    nodes = "{conv: 8}, {max_pool: 2, when: $deep}, {relu: , name: last}"
    text = f"params: {{deep: false}}\nbody: [{nodes}]\n"
    assert shapes(check(text))["last"] == [8, 32, 32]
    assert shapes(check(text, params={"deep": True}))["last"] == [8, 16, 16]


def test_when_reads_the_current_value(check: Check) -> None:
    graph = check("body: {repeat: 9, do: {max_pool: 2, when: $(x.height > 4)}}")
    assert shapes(graph)[paths(graph)[-1]] == [3, 4, 4]


def test_when_of_a_branch_leaves_the_identity(check: Check) -> None:
    body = "body: {residual: {body: {conv: 3}, shortcut: {conv: 3, when: $(x.channels != 3)}}}"
    assert paths(check(body)) == ["0", "add"]


def test_loops_advance_their_columns_together(check: Check) -> None:
    graph = check(
        "params: {depths: [1, 2]}\n"
        "body:\n"
        "  - for: {depth: $depths, width: [8, 16], n: 2, k: '$([1, 3])'}\n"
        "    name: s$n\n"
        "    do:\n"
        "      - repeat: $depth\n"
        "        do: {conv: {out: $(width + n), kernel: $k, padding: $(k // 2)}}\n"
    )
    assert paths(graph) == ["s0.0", "s1.0", "s1.1"]
    assert args(graph, "conv", "out") == [8, 17, 17]
    assert args(graph, "conv", "kernel") == [1, 3, 3]


def test_loops_over_lists_of_lists_and_of_texts(check: Check) -> None:
    graph = check(
        "body:\n"
        "  - for: {row: [[8, 1], [16, 3]], op: [relu, tanh]}\n"
        "    do: [{conv: {out: $row.0, kernel: $row.1}}, {use: $op}]\n"
    )
    assert args(graph, "conv", "out") == [8, 16]
    assert [node.op.name for node in graph.layers] == ["conv", "relu", "conv", "tanh"]


def test_inner_names_hide_outer_ones(check: Check) -> None:
    graph = check(
        "params: {n: 8}\n"
        "blocks: {A: {params: {n: 5}, let: {m: $(n + 1)}, body: [{conv: $n}, {conv: $m}]}}\n"
        "body: [{conv: $n}, A, {for: {n: [2, 3]}, do: [{conv: $n}, {A: {n: $n}}]}]\n"
    )
    assert args(graph, "conv", "out") == [8, 5, 6, 2, 2, 3, 3, 3, 4]


def test_let_of_the_file_and_of_a_block(check: Check) -> None:
    graph = check(
        "params: {width: 4}\n"
        "let: {double: $(2 * width), widths: [$width, $double], both: '$(widths + [99])'}\n"
        "blocks:\n"
        "  A:\n"
        "    params: {scale: 2, out: $(scale * width)}\n"
        "    let: {grown: $(x.channels + out), size: $x.height}\n"
        "    body: [{conv: $grown}, {max_pool: 2}, {conv: $(size + x.height)}]\n"
        "body: [{conv: $double}, {conv: $widths.1}, {conv: $both.2}, A, {A: {scale: 1}}]\n"
    )
    # The first A sees 99 channels of 32×32, the second 48 of 16×16.
    assert args(graph, "conv", "out") == [8, 8, 99, 107, 48, 52, 24]


def test_arguments_read_the_value_that_the_node_starts_from(check: Check) -> None:
    graph = check(
        "blocks: {A: {params: {out: int}, body: [{conv: 5}, {conv: $out}]}}\n"
        "body:\n"
        "  - {conv: 8, name: a}\n"
        "  - {conv: 16}\n"
        "  - {conv: $(x.channels + 1), from: a}\n"
        "  - {A: {out: $x.channels}}\n"
    )
    assert args(graph, "conv", "out") == [8, 9, 5, 9]  # and no output needs the 16


# Use, params, variants


def test_use_with_a_block_or_an_op(check: Check) -> None:
    text = (
        "params: {block: A, act: relu, wide: 8}\n"
        "blocks:\n"
        "  A: {params: {out: int}, body: [{conv: $out}]}\n"
        "  B: {params: {out: int, act: tanh}, body: [{conv: $(2 * out)}, {use: $act}]}\n"
        "body: [{use: $block, with: {out: $wide}}, {use: $act}]\n"
    )
    assert [n.op.name for n in check(text).layers] == ["conv", "relu"]
    graph = check(text, params={"block": "B", "act": "gelu"})
    assert [n.op.name for n in graph.layers] == ["conv", "tanh", "gelu"]
    assert graph.params == {"block": "B", "act": "gelu", "wide": 8}


def test_a_block_is_passed_on_with_its_file(check: Check) -> None:
    files = {
        "lib.yaml": "params: {width: 7}\nblocks:\n"
        "  Leaf: {body: [{conv: $width}]}\n"
        "  Tree: {params: {leaf: Leaf}, body: [{use: $leaf}]}\n"
    }
    graph = check(
        "import: {lib: ./lib.yaml}\n"
        "params: {mine: Leaf, theirs: lib.Leaf}\n"
        "blocks: {Leaf: {body: [{conv: 2}]}}\n"
        "body: [lib.Tree, {lib.Tree: {leaf: $mine}}, {use: $theirs}, {lib.Tree: {leaf: Leaf}}]\n",
        files,
    )
    assert args(graph, "conv", "out") == [7, 2, 7, 2]


@pytest.mark.parametrize(
    ("declared", "given", "expected"),
    [
        ("3", None, 3),
        ("3", 4.0, 4),
        ("0.5", 1, 1.0),
        ("true", False, False),
        ("a", "b", "b"),
        ("[1, 2]", [3], [3]),
        ("null", [1], [1]),
        ("null", None, None),
        ("$(2 * 4)", None, 8),
        ("$(2 * 4)", "text", "text"),
        ("int", 5, 5),
        ("float", 5, 5.0),
        ("bool", True, True),
        ("str", "5", "5"),
        ("list", [], []),
        ("A", None, "A"),
        ("block", "A", "A"),
        ("no", None, "no"),
        ("1e-3", None, 0.001),
    ],
)
def test_parameters_and_their_types(declared: str, given: Any, expected: Any, check: Check) -> None:
    text = f"params: {{p: {declared}}}\nblocks: {{A: {{body: relu}}}}\nbody: relu\n"
    graph = check(text) if given is None else check(text, params={"p": given})
    assert graph.params == {"p": expected}
    assert type(graph.params["p"]) is type(expected)


VARIANTS = (
    "params: {depth: 1, width: 4, twice: $(2 * width)}\n"
    "variants: {small: {}, large: {depth: 3, width: 8}, 1.10: {width: 2}}\n"
    "body: {repeat: $depth, do: {conv: $twice}}\n"
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [8]),
        ({"variant": "small"}, [8]),
        ({"variant": "large"}, [16, 16, 16]),
        ({"variant": "1.10"}, [4]),
        ({"params": {"width": 5}}, [10]),
        ({"variant": "large", "params": {"depth": 1}}, [16]),
        ({"variant": "large", "params": {"twice": 1}}, [1, 1, 1]),
    ],
)
def test_default_then_variant_then_override(
    given: dict[str, Any], expected: list[int], check: Check
) -> None:
    graph = check(VARIANTS, **given)
    assert args(graph, "conv", "out") == expected
    assert graph.variant == given.get("variant", "")


def test_variant_behind_a_colon(check: Check, tmp_path: Path) -> None:
    check(VARIANTS)
    assert len(cnndsl.check(f"{tmp_path / 'spec.yaml'}:large").layers) == 3
    assert cnndsl.check("resnet:resnet18").variant == "resnet18"
    assert cnndsl.check("resnet18").variant == "resnet18"


def test_defaults_of_ops(check: Check) -> None:
    graph = check(
        "params: {b: false}\n"
        "defaults: {conv: {bias: $b, kernel: 3}, bn: {eps: 0.001}, dropout: 0.25}\n"
        "body: [{conv: 4}, {conv: {out: 4, bias: true, kernel: 1}}, bn, dropout, {dropout: 0.5}]\n"
    )
    assert args(graph, "conv", "bias") == [False, True]
    assert args(graph, "conv", "kernel") == [3, 1]
    assert args(graph, "bn", "eps") == [0.001]
    assert args(graph, "dropout", "p") == [0.25, 0.5]


# Imports, extends


def test_an_imported_file_keeps_its_parameters_and_defaults(check: Check) -> None:
    files = {
        "parts/lib.yaml": "params: {width: 6}\n"
        "defaults: {conv: {bias: false}}\n"
        "import: {deep: ./deep.yaml}\n"
        "blocks: {A: {params: {out: $width}, body: [{conv: $out}, deep.B]}}\n",
        "parts/deep.yaml": "params: {width: 9}\nblocks: {B: {body: [{conv: $width}]}}\n",
    }
    graph = check(
        "params: {width: 4}\n"
        "import: {lib: parts/lib.yaml}\n"
        "defaults: {conv: {kernel: 3}}\n"
        "body: [{conv: $width}, lib.A, {lib.A: {out: 2}, name: a}]\n",
        files,
    )
    assert args(graph, "conv", "out") == [4, 6, 9, 2, 9]
    assert args(graph, "conv", "bias") == [True, False, True, False, True]
    assert args(graph, "conv", "kernel") == [3, 1, 1, 1, 1]
    assert paths(graph) == ["0", "1.0", "1.1.0", "a.0", "a.1.0"]


def test_a_shipped_spec_is_imported_by_name(check: Check) -> None:
    graph = check("import: {r: resnet}\nbody: [{conv: 64}, {r.Basic: {width: 64}}]\n")
    assert "1.conv1" in paths(graph)
    assert "1.conv2" in paths(graph)


BASE = (
    INPUT + "name: base\nabout: Base\nparams: {width: 4, depth: 1}\n"
    "variants: {wide: {width: 16}}\nexpect: {output: [1]}\ntrain: {epochs: 3}\n"
    "blocks: {A: {body: [{conv: $width}]}}\nbody: {repeat: $depth, do: A}\n"
)


@pytest.mark.parametrize(
    ("text", "given", "widths"),
    [
        ("extends: ./base.yaml\n", {}, [4]),
        ("extends: base.yaml\nparams: {depth: 2}\n", {}, [4, 4]),
        ("extends: ./base.yaml:wide\n", {}, [16]),
        ("extends: ./base.yaml:wide\nparams: {width: 5}\n", {}, [5]),
        ("extends: ./base.yaml:wide\nparams: {depth: 2}\n", {"params": {"width": 7}}, [7, 7]),
        ("extends: ./base.yaml\nvariants: {v: {width: 2}}\n", {"variant": "v"}, [2]),
        ("extends: ./base.yaml:wide\nvariants: {v: {depth: 2}}\n", {"variant": "v"}, [16, 16]),
        ("extends: ./middle.yaml\nparams: {depth: 2}\n", {}, [6, 6]),
    ],
)
def test_extends(text: str, given: dict[str, Any], widths: list[int], check: Check) -> None:
    files = {"base.yaml": BASE, "middle.yaml": "extends: ./base.yaml\nparams: {width: 6}\n"}
    graph = check(text, files, **given)
    assert args(graph, "conv", "out") == widths
    assert graph.about == "Base"
    assert graph.train == {"epochs": 3}


def test_extends_replaces_input_name_facts_and_recipe(check: Check) -> None:
    graph = check(
        "extends: ./base.yaml\nname: other\nabout: Other\ninput: [1, 8, 8]\n"
        "expect: {output: [4, 8, 8]}\ntrain: {epochs: 5}\n",
        {"base.yaml": BASE},
    )
    assert (graph.name, graph.about, graph.train) == ("other", "Other", {"epochs": 5})
    assert list(graph.nodes[0].shape) == [1, 8, 8]


# From, inputs, outputs


def test_from_sees_its_scope_and_those_around_it(check: Check) -> None:
    graph = check(
        "body:\n"
        "  - {conv: 1, name: a}\n"
        "  - seq:\n"
        "      - {conv: 2, name: a}\n"
        "      - {conv: 3, name: b}\n"
        "      - {relu: , from: a, name: near}\n"
        "      - {relu: , from: input, name: far}\n"
        "    name: s\n"
        "  - name: all\n"
        "    concat:\n"
        "      [{from: a}, {from: s.near}, {from: s}, {from: s.b}, {from: s.1, when: false}]\n"
    )
    assert shapes(graph)["s.near"] == [2, 32, 32]
    assert shapes(graph)["s.far"] == [3, 32, 32]
    assert shapes(graph)["all"] == [1 + 2 + 3 + 3, 32, 32]


def test_from_numbers_and_scopes_of_blocks_and_loops(check: Check) -> None:
    graph = check(
        "blocks: {A: {body: [{conv: 5, name: c}, relu, {tanh: , from: c}]}}\n"
        "body:\n"
        "  - conv: 2\n"
        "  - {A: , name: a}\n"
        "  - {for: {i: 2}, name: s$i, do: [{conv: $(10 + i)}]}\n"
        "  - name: all\n"
        "    concat:\n"
        "      [{from: '0'}, {from: a}, {from: a.c}, {from: s0}, {from: s1.0}, {from: input}]\n"
    )
    assert shapes(graph)["all"] == [2 + 5 + 5 + 10 + 11 + 3, 32, 32]


def test_from_with_an_expression(check: Check) -> None:
    graph = check(
        "body:\n"
        "  - {for: {i: 3}, do: {conv: $(i + 1), name: c$i}}\n"
        "  - concat: [{from: c$(3 - 1)}, {from: c$(0)}]\n"
        "    name: all\n"
        "  - concat: [{from: all}, {from: c1}]\n"
        "    name: more\n"
    )
    assert (shapes(graph)["all"], shapes(graph)["more"]) == ([4, 32, 32], [6, 32, 32])


def test_a_name_for_an_earlier_value(check: Check) -> None:
    graph = check("body: [{conv: 8}, {from: input, name: again}, {relu: , from: again, name: r}]\n")
    assert shapes(graph)["again"] == shapes(graph)["r"] == [3, 32, 32]


def test_unet(check: Check) -> None:
    graph = check(
        "body:\n"
        "  - for: {i: 3, out: [8, 16, 32]}\n"
        "    do:\n"
        "      - {conv: {out: $out, kernel: 3, padding: 1}, name: down$i}\n"
        "      - max_pool: 2\n"
        "  - conv: 64\n"
        "  - for: {i: [2, 1, 0], out: [32, 16, 8]}\n"
        "    do:\n"
        "      - conv_transpose: {out: $out, kernel: 2, stride: 2}\n"
        "      - {concat: [[], {from: down$i}], name: join$i}\n"
        "      - {conv: {out: $out, kernel: 3, padding: 1}, name: up$i}\n"
    )
    assert shapes(graph)["join0"] == [16, 32, 32]
    assert shapes(graph)["up0"] == [8, 32, 32]


def test_several_inputs(check: Check) -> None:
    graph = check(
        "params: {c: 2}\n"
        "inputs: {image: [3, 16, 16], mask: [$c, 16, 16]}\n"
        "body: [{conv: 8}, {concat: [[], {from: mask}], name: both}]\n"
    )
    assert [node.path for node in graph.inputs] == ["image", "mask"]
    assert shapes(graph)["both"] == [10, 16, 16]


def test_input_over_parameters(check: Check) -> None:
    text = "params: {c: 1, size: [8, 9]}\ninput: [$c, $(size[0]), $size.1]\nbody: relu\n"
    assert list(check(text.replace("$(size[0])", '"$(size[0])"')).nodes[0].shape) == [1, 8, 9]
    whole = "params: {c: 1}\ninput: $([c, 4, 4])\nbody: relu\n"
    assert list(check(whole, params={"c": 5}).nodes[0].shape) == [5, 4, 4]


HEADS = (
    "params: {aux: true}\n"
    "body: [{conv: 8, name: a}, {conv: 16, name: b}, {conv: 4, name: c}]\n"
    "outputs:\n"
    "  main: {}\n"
    "  late: {from: b, body: [{conv: 5}, relu], train_only: true, loss_weight: 0.3, when: $aux}\n"
    "  early: {from: a, body: {conv: 6}, train_only: $(1 < 2), loss_weight: $(1 / 4)}\n"
)


def test_outputs_have_an_order_and_run_when_their_source_exists(check: Check) -> None:
    graph = check(HEADS)
    assert [o.name for o in graph.outputs] == ["main", "late", "early"]
    assert [o.train_only for o in graph.outputs] == [False, True, True]
    assert [o.loss_weight for o in graph.outputs] == [1.0, 0.3, 0.25]
    assert paths(graph) == ["a", "early", "b", "late.0", "late.1", "c"]
    assert graph.output.name == "main"
    assert {graph.nodes[n].path for n in graph.train_only} == {"early", "late.0", "late.1"}
    assert graph.dropped == ()


def test_a_head_that_when_drops(check: Check) -> None:
    graph = check(HEADS, params={"aux": False})
    assert [o.name for o in graph.outputs] == ["main", "early"]
    assert paths(graph) == ["a", "early", "b", "c"]
    assert graph.dropped == ("late",)


def test_outputs_of_named_values(check: Check) -> None:
    graph = check(
        "body: [{conv: 8, name: a}, {seq: [{conv: 4}], name: s}]\n"
        "outputs: {second: {from: s}, first: {from: a}, image: {from: input}}\n"
    )
    assert [(o.name, graph.nodes[o.node].path) for o in graph.outputs] == [
        ("second", "s.0"),
        ("first", "a"),
        ("image", "input"),
    ]


def test_a_value_that_no_output_needs_is_a_warning(check: Check) -> None:
    graph = check("body: [{conv: 8, name: a}, {conv: 4, name: b, from: input}]\n")
    assert paths(graph) == ["b"]
    assert [(d.severity, d.code) for d in graph.diagnostics] == [("warning", "unused")]


# Merges


@pytest.mark.parametrize(
    ("node", "shape"),
    [
        ("{concat: [{conv: 4}, {conv: 5}, []]}", [12, 32, 32]),
        ("{add: [{conv: 3}, []]}", [3, 32, 32]),
        ("{add: [{conv: 1}, []]}", [3, 32, 32]),
        ("{mul: [[], [{global_avg_pool: {keepdim: true}}, sigmoid]]}", [3, 32, 32]),
        ("{mul: [[{conv: 8}], [{conv: 1}]]}", [8, 32, 32]),
        ("{split: [{conv: 8}, [], relu]}", [10, 32, 32]),
        ("{dense: [{conv: 8}]}", [11, 32, 32]),
        ("{seq: [{dense: [{conv: 8}]}, {dense: {conv: $x.channels}}]}", [22, 32, 32]),
        ("{residual: [{conv: 3}]}", [3, 32, 32]),
        ("{residual: {body: {conv: 8}, shortcut: {conv: 8}}}", [8, 32, 32]),
        ("{residual: {body: {conv: 8}, skip: false}}", [8, 32, 32]),
        ("{residual: {body: {conv: 8}, skip: $(x.channels == 8)}}", [8, 32, 32]),
        ("{residual: {body: {conv: 3}, skip: $(x.channels == 3)}}", [3, 32, 32]),
        ("{concat: [{max_pool: 2}, {conv: {out: 5, kernel: 2, stride: 2}}]}", [8, 16, 16]),
        ("{seq: [flatten, {concat: [{linear: 4}, {linear: 6}]}]}", [10]),
    ],
)
def test_merges(node: str, shape: list[int], check: Check) -> None:
    graph = check(f"body: {node}\n")
    assert list(graph.nodes[graph.output.node].shape) == shape


def test_skip_leaves_the_addition_out(check: Check) -> None:
    text = "params: {skip: true}\nbody: {residual: {body: {conv: 3}, skip: $skip}}\n"
    assert paths(check(text)) == ["0", "add"]
    assert paths(check(text, params={"skip": False})) == ["0"]


# Scalars and interpolation


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *[("no", "no"), ("on", "on"), ("yes", "yes"), ("off", "off"), ("NO", "NO"), ("y", "y")],
        *[("true", True), ("True", True), ("FALSE", False), ("tRUE", "tRUE")],
        *[("null", None), ("~", None), ("Null", None), ("nULL", "nULL")],
        *[("1", 1), ("-1", -1), ("+1", 1), ("007", 7), ("0o10", 8), ("0x1F", 31), ("0b1", "0b1")],
        *[("1_000", "1_000"), ("1e3", 1000.0), ("1e-3", 0.001), (".5", 0.5), ("5.", 5.0)],
        *[("1.5e+2", 150.0), (".inf", float("inf")), ("-.inf", float("-inf")), ("1:30", "1:30")],
        *[("2001-01-01", "2001-01-01"), ("'1'", "1"), ('"true"', "true"), ("1.2.3", "1.2.3")],
        *[("=", "="), ("<<", "<<"), ("abc # remark", "abc"), ("a#b", "a#b"), ('"a\\tb"', "a\tb")],
        *[("'it''s'", "it's"), ("[1, a]", [1, "a"]), ("[]", [])],
        *[("$$", "$"), ("$$x", "$x"), ("a$$b", "a$b"), ("$$$n", "$7"), ("cost: 5$$", None)],
        *[("$n", 7), ("$(n)", 7), ("$(n / 2)", 3.5), ("$(n > 3)", True), ("$t", "tt")],
        *[("$(null)", None), ("$l", [1, 2]), ("$l.1", 2), ("n$n", "n7"), ("$n$n", "77")],
        *[("$t-$n", "tt-7"), ("$(n)x", "7x"), ("' $n'", " 7"), ("$(n / 2)x", "3.5x")],
        *[("$(t + 's')", "tts"), ("$f", 0.5), ("$b", True), ("v$b", "vtrue"), ("v$f", "v0.5")],
        *[("[$n, a$n, $(n + 1)]", [7, "a7", 8]), ("[[$n], $l]", [[7], [1, 2]])],
    ],
)
def test_scalars(written: str, value: Any, check: Check) -> None:
    if ": " in written:
        with pytest.raises(SpecError, match="cannot stand here"):
            check(f"let:\n  v: {written}\nbody: relu\n")
        return
    text = (
        "params: {n: 7, t: tt, l: [1, 2], f: 0.5, b: true, p: null}\n"
        f"variants:\n  v:\n    p: {written}\n"
        "body: relu\n"
    )
    found = check(text, variant="v").params["p"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_texts_as_they_are_written(check: Check) -> None:
    graph = check(
        "blocks: {A: {body: {repeat: 11, do: relu}}}\n"
        "body: [A, {concat: {0x1: relu, 1e3: relu, true: relu, null: relu, 007: relu}}]\n"
        "expect:\n  shapes: {0.1: [3, 32, 32], 0.10: [3, 32, 32], 1e3: [3, 32, 32]}\n"
    )
    assert graph.facts == 3
    assert paths(graph)[11:] == ["0x1", "1e3", "true", "null", "007", "concat"]


def test_anchors_and_aliases(check: Check) -> None:
    graph = check(
        "body:\n"
        "  - &c {conv: &args {out: 8, kernel: 3, padding: 1}}\n"
        "  - *c\n"
        "  - conv: *args\n"
        "  - seq: &pair [relu, bn]\n"
        "  - seq: *pair\n"
    )
    assert args(graph, "conv", "out") == [8, 8, 8]
    assert len(graph.layers) == 7


def test_comments_and_block_scalars(check: Check) -> None:
    graph = check("# a remark\nabout: >\n  folded\n  text\nname: |-\n  net\nbody: relu # more\n")
    assert (graph.name, graph.about) == ("net", "folded text\n")


def test_remarks_are_for_readers(check: Check) -> None:
    assert check("body: [{relu: , note: 'costs $5, see $(x'}]\nabout: \"$5 $(\"\n").about == "$5 $("


def test_the_name_of_the_file_is_the_name_of_the_network(check: Check) -> None:
    assert check("body: relu\n").name == "spec"


# Contracts and facts


CONTRACTS = (
    "params: {width: 8}\n"
    "body: [{conv: $width, shape: [$width, 32, 32]}, {flatten: , shape: [8192]}]\n"
    "expect: {output: [8192], params: 32}\n"
)


def test_contracts_hold(check: Check) -> None:
    graph = check(CONTRACTS)
    assert graph.facts == 2
    assert graph.diagnostics == ()


def test_contracts_and_facts_are_skipped_with_another_input(check: Check) -> None:
    graph = check(CONTRACTS, input=[1, 8, 8])
    assert graph.facts == 0
    (note,) = graph.diagnostics
    assert (note.severity, note.code) == ("info", "contract")
    assert "2 `shape:` contracts" in note.message


def test_contracts_are_checked_with_other_parameters_and_facts_are_not(check: Check) -> None:
    with pytest.raises(SpecError) as error:
        check(CONTRACTS, params={"width": 4})
    assert messages(error) == ["the spec says [8192], the shape is [4096]: 4·32·32 = 4096"]
    assert check(CONTRACTS.replace(", shape: [8192]", ""), params={"width": 4}).facts == 0


def test_contracts_in_a_block_read_its_parameters(check: Check) -> None:
    graph = check(
        "blocks:\n"
        "  A: {params: {n: int}, body: [{conv: $n, shape: [$n, $x.height, 32]}]}\n"
        "body:\n"
        "  - {A: {n: 4}, shape: [4, 32, 32]}\n"
        "  - {repeat: 2, do: {A: {n: 2}}, shape: [2, 32, 32]}\n"
    )
    assert len(graph.layers) == 3


@pytest.mark.parametrize(("variant", "facts"), [(None, 1), ("small", 3), ("large", 2)])
def test_facts_of_the_file_and_of_a_variant(variant: str | None, facts: int, check: Check) -> None:
    text = (
        "params: {n: 8}\n"
        "variants: {small: {n: 4}, large: {n: 16}}\n"
        "body: {conv: {out: $n, kernel: 3}}\n"
        "expect:\n"
        "  min_input: 3\n"
        "  small: {params: 112, shapes: {'0': [4, 30, 30]}}\n"
        "  large: {params: $(n * 28)}\n"
    )
    assert check(text, variant=variant).facts == facts


def test_all_phases_of_a_file_are_told_together(check: Check) -> None:
    with pytest.raises(SpecError) as error:
        check(
            "blocks: {A: {params: {out: int}, body: [{conv: $ot}]}}\n"
            "body:\n"
            "  - conv: {out: 8, kernal: 3}\n"
            "  - A: {outt: 3}\n"
            "  - {conv: $(1 +)}\n"
            "  - {conv: 8, relu: }\n"
        )
    assert messages(error) == [
        "unknown name `ot`",
        "unknown key `kernal` in conv",
        "`outt` is not among A's parameters",
        "the expression ends too early",
        "one node has `conv` and `relu`",
    ]


def test_a_block_held_by_a_parameter_sees_the_file(tmp_path: Path) -> None:
    text = """
    params: {block: A, width: 8}
    input: [3, 8, 8]
    blocks: {A: {body: [{conv: $width}]}}
    body: [{use: $block}]
    """
    path = tmp_path / "net.yaml"
    path.write_text(text, encoding="utf-8")
    assert cnndsl.check(path).nodes[-1].shape == (8, 8, 8)


def test_a_recipe_may_set_parameters_for_training(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "params: {momentum: 0.01}\ninput: [3, 8, 8]\nbody: [{bn: {momentum: $momentum}}]\n"
        "train: {params: {momentum: $(10 * momentum)}, epochs: 2}\n",
        encoding="utf-8",
    )
    graph = cnndsl.check(path)
    assert graph.train == {"epochs": 2, "params": {"momentum": 0.1}}
    assert graph.params == {"momentum": 0.01}
