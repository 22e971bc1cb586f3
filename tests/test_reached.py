"""How far a failed check came: the layers up to the failure, and the one that failed."""

from __future__ import annotations

import json
import time
from collections.abc import Sized
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

import cnndsl
from cnndsl.cli import app
from cnndsl.diagnostics import SpecError

LENET = """\
name: lenet
input: [1, 28, 28]
body:
  - {conv: {out: 6, kernel: 5}, name: conv1}
  - relu
  - max_pool: 2
  - {conv: {out: 16, kernel: 5}, name: conv2}
  - relu
  - max_pool: 2
  - {conv: {out: 120, kernel: 5}, name: conv3}
  - flatten
  - linear: 10
"""


def run(*args: str) -> Result:
    return CliRunner().invoke(app, [*args])


def failure(text: str, folder: Path, **given: object) -> SpecError:
    (folder / "net.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        cnndsl.check(folder / "net.yaml", **given)
    return caught.value


def paths(error: SpecError) -> list[str]:
    return [layer.path for layer in error.layers]


# Against the network that ends before the failure

BLOCKS = """\
input: [3, 16, 16]
blocks:
  Basic:
    params: {out: int}
    body:
      - residual:
          body: [{conv: {out: $out, kernel: 3, padding: 1}, name: conv}, bn]
          shortcut: {conv: $out, name: short}
      - relu
body:
"""
NODES = st.sampled_from(
    [
        "relu",
        "conv: {out: 4, kernel: 3, padding: 1}",
        "Basic: {out: 5}",
        "{Basic: {out: $(x.channels + 1)}, when: $(x.channels < 9)}",
        "concat: [{conv: 2}, [relu, {conv: 3}], []]",
        "concat: {a@: {conv: 2}, b@: [{Basic: {out: 2}}, bn]}",
        "split: [relu]",
        "repeat: 2\n    do: [{conv: {out: 4, kernel: 3, padding: 1}}, {residual: [bn]}]",
        "for: {k: [1, 3]}\n    do: {conv: {out: 4, kernel: $k, padding: $(k // 2)}}",
    ]
)
FAILING = st.sampled_from(
    [
        ("max_pool: 99", "max_pool"),
        ("linear: 3", "linear"),
        ("conv: {out: 3, groups: 77}", "conv"),
        ("conv: $(x.channels - x.channels)", "conv"),
        ("{relu: , from: nowhere}", "relu"),
        ("concat: [[], {from: input, adaptive_avg_pool: 3}]", "concat"),
    ]
)


def listed(nodes: list[str]) -> str:
    """A spec of the nodes; `@` is a number of their own."""
    return BLOCKS + "".join(f"  - {node}\n".replace("@", str(n)) for n, node in enumerate(nodes))


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    st.lists(NODES, min_size=1, max_size=6),
    FAILING,
    st.lists(NODES | FAILING.map(lambda f: f[0]), max_size=3),
)
def test_the_layers_are_those_of_the_network_up_to_there(
    tmp_path_factory: pytest.TempPathFactory,
    before: list[str],
    failing: tuple[str, str],
    after: list[str],
) -> None:
    folder = tmp_path_factory.mktemp("reached")
    (folder / "net.yaml").write_text(listed(before))
    whole = cnndsl.check(folder / "net.yaml")
    costs = {layer.node.path: layer for layer in cnndsl.cost(whole).layers}
    error = failure(listed([*before, failing[0], *after]), folder)
    extra = ["1"] if "from: input" in failing[0] else []
    assert len(error.layers) == len(whole.nodes) + len(extra)
    for layer, node in zip(error.layers, whole.nodes, strict=False):
        assert (layer.path, layer.op, layer.brief) == (node.path, node.op.name, node.op.brief())
        assert (layer.inputs, layer.output) == (node.input_shapes, node.shape)
        if node.inputs:
            cost = costs[node.path]
            assert (layer.params, layer.macs) == (cost.params, cost.macs)
    assert error.failed is not None
    assert (error.failed.op, error.failed.output) == (failing[1], None)
    assert error.failed.inputs[0] == whole.nodes[whole.output.node].shape


# The first one that fails, wherever it stands


@pytest.mark.parametrize(
    ("body", "before", "failed"),
    [
        ("- {seq: [relu, {conv: {out: 4, kernel: 9}, name: big}], name: s}", ["s.0"], "s.big"),
        ("- {for: {i: 9}, do: [{max_pool: 3, name: p}], name: r$i}", ["r0.p"], "r1.p"),
        ("- {repeat: 9, do: [relu, {max_pool: 3}]}", ["0", "1", "2"], "3"),
        ("- {concat: {a: relu, b: [{conv: {out: 4, kernel: 9}}]}}", ["a"], "b.0"),
        ("- {residual: [relu, {residual: [relu, {max_pool: 9}]}]}", ["0", "1"], "2"),
        ("- {Outer: {k: 9}, name: o}", ["o.0.0"], "o.0.deep"),
        ("- {b.Far: {k: 9}, name: far}", ["far.0"], "far.1"),
        ("- {residual: [relu, {conv: 9}], name: r}", ["r.0", "r.1"], "r.add"),
        ("- {add: [relu, {conv: 9}]}", ["0", "1"], "add"),
        ("- {split: [relu, bn, relu]}", [], "share"),
        ("- relu\n- {max_pool: 9}\n- {conv: {out: 4, kernel: 20}, from: input}", ["0"], "1"),
        ("- relu\n- {relu: , from: none, name: x}", ["0"], "x"),
        ("- relu\n- {conv: $(x.channels - 2), name: c}", ["0"], "c"),
        ("- relu\n- {concat: [{relu: , when: false}], name: c}", ["0"], "c"),
        ("- relu\n- {for: {i: [1, 2], k: [3]}, do: relu}", ["0"], "1"),
        ("- relu\n- {relu: , when: $(x.channels), name: w}", ["0"], "w"),
        ("- relu\n- {use: $(x.channels), name: u}", ["0"], "u"),
        ("- relu\n- {conv: {out: 4, kernel: 1}, shape: [5, 8, 8], name: c}", ["0"], "c"),
        ("- relu\n- {seq: [relu, {conv: 4}], shape: [5, 8, 8]}", ["0", "1"], "2"),
        ("- {conv: 2199023255552, name: huge}", [], "huge"),
    ],
)
def test_the_first_that_fails(body: str, before: list[str], failed: str, tmp_path: Path) -> None:
    far = "blocks: {Far: {params: {k: int}, body: [relu, {max_pool: $k}]}}\n"
    (tmp_path / "far.yaml").write_text(far)
    text = (
        "input: [2, 8, 8]\nimport: {b: far.yaml}\n"
        "blocks:\n"
        "  Inner: {params: {k: int}, body: [relu, {conv: {out: 4, kernel: $k}, name: deep}]}\n"
        "  Outer: {params: {k: int}, body: [{Inner: {k: $k}}]}\n"
        f"body:\n{body}\n"
    )
    error = failure(text, tmp_path)
    assert paths(error) == ["input", *before]
    assert error.failed is not None
    assert error.failed.path == failed
    assert error.failed.inputs


@pytest.mark.parametrize(
    "text",
    [
        "input: [2, 8, 8]\nbody: [relu, {conv: {out: 8, kernal: 3}}, relu]\n",
        "input: [2, 8, 8]\nbody: [relu, rellu, relu]\n",
        "input: [2, 8, 8]\nbody: [rellu, {conv: $(2 - 2)}]\n",
        "input: [2, 8, 8]\nbody: [{bn: , name: a}, {bn: , name: a}, {conv: {kernal: 3}}, relu]\n",
        "input: [2, 8, 8]\nbody: [relu, Block, relu]\n",
        "input: [2, 8, 8]\nbody: [relu, {conv: $width}, relu]\n",
        "input: [2, 8, 8]\nbody: [relu, {conv: $(1 +)}, relu]\n",
        "input: [2, 8, 8\nbody: [relu]\n",
        "input: [2, 0, 8]\nbody: [relu, {max_pool: 9}]\n",
        "input: [2, 8, 8]\n",
        "body: [relu]\n",
        "",
        "input: [2, 8, 8]\nbody: [relu]\ntrain: {lr: fast}\n",
        "input: [2, 8, 8]\nbody: [relu]\ntrain: {optimizer: {lr: $(1 // 0)}}\n",
        "input: [2, 8, 8]\nbody: [{conv: 2}]\ninit: {conv: {wait: 0}}\n",
        "input: [2, 8, 8]\nbody: [relu]\noutputs: {a: {from: b}}\n",
        "input: [2, 8, 8]\nblocks: {A: {body: [relu, A]}}\nbody: [A]\n",
    ],
)
def test_what_is_of_no_layer_reaches_nowhere(text: str, tmp_path: Path) -> None:
    error = failure(text, tmp_path)
    assert (error.layers, error.failed) == ((), None)
    told = run("build", str(tmp_path / "net.yaml"))
    assert "path " not in told.stderr
    assert "up to" not in told.stderr


def test_a_mistake_of_form_hides_no_layer_that_fails(tmp_path: Path) -> None:
    text = LENET.replace("  - linear: 10\n", "  - {linear: 10, form: input}\n")
    error = failure(text, tmp_path)
    assert error.failed is not None
    assert error.failed.path == "conv3"


def test_several_inputs(tmp_path: Path) -> None:
    text = "inputs: {a: [2, 8, 8], b: [3, 9]}\nbody: [relu, {concat: [[], {from: b}]}]\n"
    error = failure(text, tmp_path)
    assert [layer.output for layer in error.layers] == [(2, 8, 8), (3, 9), (2, 8, 8)]
    told = json.loads(run("build", str(tmp_path / "net.yaml"), "--json").stdout)
    assert told["input"] == {"a": [2, 8, 8], "b": [3, 9]}
    assert told["failed"]["input"] == [[2, 8, 8], [3, 9]]


def test_a_head_that_fails(tmp_path: Path) -> None:
    text = (
        "input: [2, 8, 8]\nbody: [{relu: , name: a}, bn, {conv: 4}]\n"
        "outputs: {main: {}, aux: {from: a, body: [bn, {max_pool: 9}], train_only: true}}\n"
    )
    error = failure(text, tmp_path)
    assert (paths(error), error.failed and error.failed.path) == (["input", "a", "aux.0"], "aux.1")


# What a command shows


def test_the_table(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(LENET)
    done = run("build", str(tmp_path / "net.yaml"), "--check-shapes")
    assert (done.exit_code, done.stdout) == (1, "")
    message, _, table = done.stderr.partition("\n\n")
    assert message.splitlines()[0].endswith(
        "10:31: error[shape]: a window of 5×5 does not fit the 4×4 image: (4 + 2·0 − 5)/1 + 1 = 0"
    )
    assert table == (
        "lenet, up to the layer that fails:\n"
        "path   op                output       params     macs\n"
        "-----------------------------------------------------\n"
        "input  input             [1, 28, 28]\n"
        "conv1  conv 5×5, 6       [6, 24, 24]     156   86,400\n"
        "1      relu              [6, 24, 24]\n"
        "2      max_pool 2×2, /2  [6, 12, 12]\n"
        "conv2  conv 5×5, 16      [16, 8, 8]    2,416  153,600\n"
        "4      relu              [16, 8, 8]\n"
        "5      max_pool 2×2, /2  [16, 4, 4]\n"
        "conv3  conv 5×5, 120     fails\n"
        "\n"
        "conv `conv3` fails for [16, 4, 4]: (4 + 2·0 − 5)/1 + 1 = 0\n"
        "\n"
        "1 error\n"
    )


def test_the_json(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(LENET)
    (tmp_path / "good.yaml").write_text(LENET.replace("kernel: 5}, name: conv3", "kernel: 4}"))
    told = json.loads(run("build", str(tmp_path / "net.yaml"), "--json").stdout)
    good = json.loads(run("build", str(tmp_path / "good.yaml"), "--json").stdout)
    assert list(told) == list(good)
    assert good["failed"] is None
    assert (told["name"], told["variant"], told["input"]) == ("lenet", None, [1, 28, 28])
    kept = ("path", "op", "input", "output", "params", "macs")
    for ours, theirs in zip(told["layers"], good["layers"][:6], strict=True):
        assert list(ours) == list(theirs)
        assert [ours[key] for key in kept] == [theirs[key] for key in kept]
    assert told["failed"] == {
        "path": "conv3",
        "op": "conv",
        "input": [16, 4, 4],
        "output": None,
        "arithmetic": ["(4 + 2·0 − 5)/1 + 1 = 0"],
    }


def test_sides_that_differ_are_both_told(tmp_path: Path) -> None:
    error = failure("input: [1, 4, 28]\nbody: [{conv: {out: 6, kernel: 5}}]\n", tmp_path)
    assert error.failed is not None
    assert error.failed.arithmetic == (
        "height = (4 + 2·0 − 5)/1 + 1 = 0",
        "width = (28 + 2·0 − 5)/1 + 1 = 24",
    )


def test_a_contract_that_does_not_hold(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(
        "input: [1, 28, 28]\n"
        "body: [{conv: {out: 6, kernel: 5, padding: 2}, name: c, shape: [6, 24, 24]}, relu]\n"
    )
    done = run("build", str(tmp_path / "net.yaml"))
    assert done.stderr.splitlines()[-6:] == [
        "input  input        [1, 28, 28]",
        "c      conv 5×5, 6  [6, 28, 28]",
        "",
        "conv `c` gives [6, 28, 28] for [1, 28, 28]: (28 + 2·2 − 5)/1 + 1 = 28",
        "",
        "1 error",
    ]


def test_a_contract_of_an_input(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(
        "input: [1, 8, 8]\nbody: [relu, {from: input, shape: [2, 8, 8]}]\n"
    )
    done = run("build", str(tmp_path / "net.yaml"))
    assert done.stderr.splitlines()[-3] == "input `input` gives [1, 8, 8]"
    assert json.loads(run("build", str(tmp_path / "net.yaml"), "--json").stdout)["failed"]


def test_facts_that_do_not_hold_are_told_beside_all_layers(tmp_path: Path) -> None:
    text = "input: [1, 8, 8]\nbody: [{conv: 4}, relu]\nexpect: {params: 9}\n"
    error = failure(text, tmp_path)
    assert (paths(error), error.failed) == (["input", "0", "1"], None)
    done = run("build", str(tmp_path / "net.yaml"))
    assert done.stderr.splitlines()[-3:] == ["1      relu         [4, 8, 8]", "", "1 error"]


def test_the_variant_that_fails_is_named(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "name: net\nparams: {k: 3}\nvariants: {a: {k: 5}, b: {k: 9}}\ninput: [1, 8, 8]\n"
        "body: [{conv: {out: 2, kernel: $k}}]\n"
    )
    done = run("build", str(path), "--check-shapes")
    assert "\nnet:b, up to the layer that fails:\n" in done.stderr
    told = json.loads(run("build", str(path), "--check-shapes", "--json").stdout)
    assert (told["name"], told["variant"]) == ("net", "b")


def test_of_a_long_network_the_last_layers_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    for before in (39, 40, 41, 1000):
        path.write_text(
            f"input: [1, 8, 8]\nbody: [{{repeat: {before}, do: relu}}, {{max_pool: 9}}]\n"
        )
        lines = run("build", str(path)).stderr.splitlines()
        rows = [
            line.split()[0] for line in lines if line.endswith("[1, 8, 8]") and " relu " in line
        ]
        first = before - (20 if before > 40 else before)
        assert rows == [str(n) for n in range(first, before)]
        folded = [line for line in lines if "more layers" in line]
        assert folded == ([f"… {first:,} more layers"] if first else [])
        told = json.loads(run("build", str(path), "--json").stdout)
        assert len(told["layers"]) == before


def test_other_commands_tell_the_message_alone(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(LENET)
    for command in ("draw", "compare"):
        done = run(command, str(tmp_path / "net.yaml"))
        assert done.exit_code == 1
        assert "(4 + 2·0 − 5)/1 + 1 = 0" in done.stderr
        assert "up to the layer" not in done.stderr


def test_columns_of_ideographs_stand_below_each_other(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(LENET.replace("name: conv", "name: 卷积"))
    lines = run("build", str(tmp_path / "net.yaml")).stderr.splitlines()
    (row,) = [line for line in lines if line.startswith("卷积1")]
    (other,) = [line for line in lines if line.startswith("input ")]
    assert row.index("conv ") + 2 == other.index("input ", 1)


def test_a_failed_check_costs_no_more_than_the_check(tmp_path: Path) -> None:
    node = "{conv: {out: $(i % 7 + 1), kernel: 3, padding: 1}}"
    text = f"input: [3, 8, 8]\nbody:\n  - {{for: {{i: 1500}}, do: {node}}}\n"

    def seconds(text: str) -> float:
        (tmp_path / "net.yaml").write_text(text)
        start = time.process_time()
        try:
            layers: Sized = cnndsl.check(tmp_path / "net.yaml").nodes
        except SpecError as e:
            layers = e.layers
        took = time.process_time() - start
        assert len(layers) == 1501
        return took

    failing = min(seconds(text + "  - {max_pool: 9}\n") for _ in range(3))
    assert failing < 2 * min(seconds(text) for _ in range(3))
