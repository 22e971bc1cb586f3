"""The compiled module is the spec's network: held against the Graph computed node by node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import cnndsl
from cnndsl import shipped
from cnndsl.builder import build_module
from cnndsl.equivalence import equivalence
from cnndsl.graph import Graph

CONV = "conv: {out: 4, kernel: 3, padding: 1}"

SEVERAL_VALUES_LEAVE_A_SCOPE = {
    "two skips from a block": f"""
blocks:
  Encoder: {{body: [{{{CONV}, name: a}}, relu, {{{CONV}, name: b}}, relu, {{{CONV}, name: c}}]}}
body:
  - {{Encoder: {{}}, name: enc}}
  - residual: {{body: [{{{CONV}}}], shortcut: {{from: enc.b}}}}
  - concat: [[], {{from: enc.a}}]
""",
    "two outputs from a scope": f"""
body: [{{seq: [{{{CONV}, name: a}}, relu, {{{CONV}, name: b}}], name: enc}}]
outputs: {{early: {{from: enc.a}}, late: {{from: enc.b}}}}
""",
    "an inner value and the scope's own": f"""
body:
  - {{seq: [{{{CONV}, name: a}}, {{{CONV}, name: b}}], name: out}}
  - add: [[], {{from: out.a}}]
""",
    "inner values in another order": f"""
body:
  - {{seq: [{{{CONV}, name: a}}, {{{CONV}, name: b}}, {{{CONV}, name: c}}], name: enc}}
  - mul: [{{from: enc.b}}, {{from: enc.a}}, {{from: enc}}]
  - concat: [{{from: enc.a}}, {{from: enc.c}}]
""",
    "through scopes within scopes": f"""
body:
  - name: outer
    seq:
      - {{seq: [{{{CONV}, name: a}}, relu, {{{CONV}, name: b}}], name: inner}}
      - {{{CONV}, name: c}}
      - add: [[], {{from: inner.a}}]
  - concat: [[], {{from: outer.inner.b}}, {{from: outer.c}}, {{from: outer.inner.a}}]
""",
    "of training and of inference": f"""
body:
  - {{seq: [{{{CONV}, name: a}}, {{from: a, {CONV}, name: side}}, {{from: a}}, relu], name: enc}}
  - {{{CONV}, name: last}}
outputs:
  out: {{}}
  aux: {{from: enc.side, body: {{conv: 2}}, train_only: true}}
""",
    "of training, of two blocks alike": f"""
blocks:
  Stage: {{body: [{{{CONV}, name: a}}, {{from: a, {CONV}, name: side}}, {{from: a}}, relu]}}
body: [{{Stage: {{}}, name: one}}, {{Stage: {{}}, name: two}}, {{add: [[], {{from: one.side}}]}}]
outputs:
  out: {{}}
  aux: {{from: two.side, body: {{conv: 2}}, train_only: true}}
""",
    "of training, in another order": f"""
body:
  - {{seq: [{{{CONV}, name: a}}, {{{CONV}, name: b}}, {{{CONV}, name: c}}], name: enc}}
  - {{from: enc.b}}
  - {{{CONV}, name: last}}
outputs:
  aux: {{from: enc.a, body: [{{conv: 2}}, relu], train_only: true}}
  more: {{from: aux, body: [{{conv: 2}}], train_only: true}}
  out: {{}}
""",
}


def network(folder: Path, text: str) -> Graph:
    path = folder / "net.yaml"
    path.write_text(f"name: net\ninput: [4, 6, 6]\n{text}", encoding="utf-8")
    return cnndsl.check(path)


@pytest.mark.parametrize("kind", SEVERAL_VALUES_LEAVE_A_SCOPE)
def test_several_values_leave_a_scope(kind: str, tmp_path: Path) -> None:
    graph = network(tmp_path, SEVERAL_VALUES_LEAVE_A_SCOPE[kind])
    found = equivalence(graph, build_module(graph))
    assert found.problems == ()
    assert found.difference == 0


def test_a_head_of_training_runs_in_training_alone(tmp_path: Path) -> None:
    graph = network(tmp_path, SEVERAL_VALUES_LEAVE_A_SCOPE["of training and of inference"])
    module = build_module(graph).eval()
    ran: list[str] = []
    for name, child in module.named_modules():
        child.register_forward_hook(lambda *_, name=name: ran.append(name))
    assert isinstance(module(torch.ones(1, 4, 6, 6)), Tensor)
    assert {"enc.a", "last"} <= set(ran)
    assert not {"enc.side", "aux"} & set(ran)


class Changed(nn.Module):
    """A module whose forward pass is another's, with one thing changed."""

    def __init__(self, own: nn.Module, forward: Callable[[nn.Module, Tensor], object]) -> None:
        super().__init__()
        self.__dict__.update(own.__dict__)
        self.changed = forward

    def forward(self, x: Tensor) -> object:
        return self.changed(self, x)


def a_b(module: nn.Module, x: Tensor, order: str = "ab", skip: float = 1.0) -> Tensor:
    y = x
    for name in order:
        y = module.get_submodule(name)(y)
    return module.get_submodule("drop")(y + skip * x)


WRONG: dict[str, Callable[[nn.Module, Tensor], object]] = {
    "another order": lambda module, x: a_b(module, x, "ba"),
    "no skip": lambda module, x: a_b(module, x, skip=0),
    "a skip that is a little off": lambda module, x: a_b(module, x, skip=1.001),
    "inference alone": lambda module, x: a_b(module, x) if not module.training else x,
    "training alone": lambda module, x: a_b(module, x) if module.training else x,
    "no gradient": lambda module, x: a_b(module, x.detach()),
    "a gradient of one weight lost": lambda module, x: (
        a_b(module, x) - module.get_submodule("a")(x) + module.get_submodule("a")(x).detach()
    ),
    "another shape": lambda module, x: a_b(module, x)[:, :1],
    "two outputs": lambda module, x: (a_b(module, x), a_b(module, x)),
    "no number": lambda module, x: a_b(module, x) * float("nan"),
    "a failure": lambda module, x: a_b(module, x[:, :1]),
}


@pytest.mark.parametrize("kind", ["right", *WRONG])
def test_a_wrong_module_is_found(kind: str, tmp_path: Path) -> None:
    residual = f"residual: [{{{CONV}, name: a}}, {{bn: {{}}, name: b}}]"
    graph = network(tmp_path, f"body: [{{{residual}}}, {{dropout: 0.5, name: drop}}]")
    found = equivalence(graph, Changed(build_module(graph), WRONG.get(kind, a_b)))
    assert bool(found.problems) == (kind != "right")


@pytest.mark.parametrize("factor", ["1.0e+15", "-1.0e+15"])
def test_what_is_not_finite_is_no_proof(factor: str, tmp_path: Path) -> None:
    scales = ", ".join([f"{{scale: {factor}}}"] * 4)
    body = f"body: [{{conv: 4}}, {scales}, relu, {{conv: 4}}]"
    graph = network(tmp_path, body)
    found = equivalence(graph, build_module(graph))
    assert any("not finite" in problem for problem in found.problems)
    assert found.undecided


def test_a_module_with_other_tensors_is_found(tmp_path: Path) -> None:
    graph = network(tmp_path, "body: [{conv: 4, name: a}]")
    other = network(tmp_path, "body: [{conv: {out: 4, bias: false}, name: a}]")
    found = equivalence(graph, build_module(other))
    assert "a.bias" in found.problems[0]
    assert not found.undecided


@pytest.mark.parametrize(
    "setting", ["dilation: 2, padding: 2", "stride: 2", "padding_mode: reflect"]
)
def test_a_layer_with_other_settings_is_found(setting: str, tmp_path: Path) -> None:
    """Though at an image of one pixel they may come to the same numbers."""
    convs = [f"{{conv: {{out: 4, kernel: 3, {s}}}, name: a}}" for s in ("padding: 1", setting)]
    one, other = (network(tmp_path, f"body: [{conv}]") for conv in convs)
    found = equivalence(one, build_module(other))
    assert any("a is Conv2d(" in problem for problem in found.problems)


@pytest.mark.parametrize(
    ("body", "apart"),
    [
        ("[{conv: 4}]", 1),
        ("[{max_pool: 2}, {upsample: 2}, {add: [[], {from: input}]}]", 2),
        ("[flatten, {linear: 3}]", 0),
    ],
)
def test_rows_are_told_from_columns_where_the_network_takes_it(
    body: str, apart: int, tmp_path: Path
) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"input: [4, 16, 16]\nbody: {body}\n", encoding="utf-8")
    graph = cnndsl.check(path)
    ((_, height, width),) = equivalence(graph, build_module(graph)).inputs
    assert width - height == apart


def test_a_graph_that_is_wired_otherwise_is_found(tmp_path: Path) -> None:
    graph = network(tmp_path, "body: [{conv: 4, name: a}, {residual: [{conv: 4, name: b}]}]")
    module = build_module(graph)
    *nodes, last = graph.nodes
    swapped = replace(last, inputs=(last.inputs[0], 0), input_shapes=(last.shape, last.shape))
    assert equivalence(graph, module).problems == ()
    assert equivalence(replace(graph, nodes=(*nodes, swapped)), module).problems != ()


HEADS = {
    "in order": "p: {from: a, body: {conv: 3}}\n  q: {from: p, body: {max_pool: 2}}",
    "before its source": "q: {from: p, body: {max_pool: 2}}\n  p: {from: a, body: {conv: 3}}",
    "of an output without a body": "p: {from: a}\n  q: {from: p, body: {conv: 2}}\n  r: {from: q}",
    "of the last value": "p: {}\n  q: {from: p, body: [{conv: 2}, relu]}\n  r: {from: q.0}",
    "in a chain": "r: {from: q, body: relu}\n  q: {from: p, body: bn}\n  p: {from: a}",
    "of one of training": "p: {from: a, body: bn, train_only: true}\n  q: {from: p, body: relu}",
    "of the input": "p: {from: input, body: {conv: 2}}\n  q: {from: input}\n  r: {from: p}",
}


@pytest.mark.parametrize("kind", HEADS)
def test_an_output_starts_from_another(kind: str, tmp_path: Path) -> None:
    graph = network(tmp_path, f"body: [{{{CONV}, name: a}}]\noutputs:\n  {HEADS[kind]}\n")
    assert [output.name for output in graph.outputs] == [
        line.split(":")[0].strip() for line in HEADS[kind].split("\n")
    ]
    assert equivalence(graph, build_module(graph)).problems == ()


def test_outputs_that_start_from_each_other(tmp_path: Path) -> None:
    outputs = (
        "o: {}\n  p: {from: q}\n  q: {from: p}\n  r: {from: p}\n  s: {from: s}\n  t: {from: z}"
    )
    with pytest.raises(cnndsl.SpecError) as error:
        network(tmp_path, f"body: [{{{CONV}, name: a}}]\noutputs:\n  {outputs}\n")
    assert [d.message for d in error.value.diagnostics] == [
        "the output `p` starts from itself",
        "the output `s` starts from itself",
        "no value is named `z`",
    ]


LIGHT = ("lenet", "inception", "resnet18", "googlenet", "densenet121", "mobilenet_v3_small")


@pytest.mark.parametrize(
    "name", [n if n in LIGHT else pytest.param(n, marks=pytest.mark.heavy) for n in shipped.names()]
)
def test_shipped_networks_are_their_specs(name: str) -> None:
    graph = cnndsl.check(name)
    found = equivalence(graph, build_module(graph))
    assert found.problems == ()
    assert found.difference < 1e-5
