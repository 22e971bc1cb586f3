"""Specs that nobody chose: each is held against what shares no code with what made it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
import yaml
from drawn import crossed_titles, drawn_edges, loose_ends, strokes
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from measured import assert_memory
from random_ops import fits, layers, random_ops
from random_specs import random_specs
from test_ops import HUNT, PUBLIC, shapes
from torch import nn

import cnndsl
from cnndsl.builder import build_module
from cnndsl.diagram import THEMES, make_figure, make_plan, render, write_page
from cnndsl.diagram.diff import compare, summary
from cnndsl.diagram.plan import Link, Mark
from cnndsl.emitter import emit_source, network_class
from cnndsl.equivalence import equivalence
from cnndsl.exporter import Network, export
from cnndsl.graph import Graph
from cnndsl.ops.base import Shape

PARTS = 4
"""Parts of the default run, for as many processes."""


Test = Callable[[Graph, Path], None]


def specs(
    count: int, part: int = 0, texts: SearchStrategy[str] | None = None
) -> Callable[[Test], Any]:
    """Give a test the Graphs of so many random specs, others in each part, and a folder."""
    texts = random_specs() if texts is None else texts

    def decorate(test: Test) -> Any:
        @seed(part)
        @settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))
        @given(text=texts)
        def drawn(text: str) -> None:
            with TemporaryDirectory() as folder:
                path = Path(folder) / "net.yaml"
                path.write_text(text, encoding="utf-8")
                test(cnndsl.check(path), Path(folder))

        return drawn

    return decorate


def assert_right(graph: Graph, folder: Path) -> None:
    graph.verify()
    assert_the_module_is_the_spec(graph)
    assert_the_source_stands_alone(graph)
    assert_every_edge_is_drawn(graph)
    assert_no_change_is_drawn(graph)
    assert_memory(graph)


def assert_no_change_is_drawn(graph: Graph) -> None:
    """Compared with itself, a network has nothing that was added, removed or changed."""
    plan = compare(graph, graph)
    assert {box.mark for box in plan.boxes} <= {Mark.SAME, None}
    assert any("0 added, 0 removed, 0 changed" in line for line in summary(graph, graph))


def assert_ops_right(graph: Graph, folder: Path) -> None:
    """Likewise; memory is measured on the meta device, where some ops are not as elsewhere."""
    assert_the_module_is_the_spec(graph)
    assert_the_source_stands_alone(graph)
    assert_every_edge_is_drawn(graph)
    apart = {"permute", "channel_shuffle", "instance_norm"}
    counting = (getattr(node.op, "momentum", 0) is None for node in graph.nodes)
    ops = {node.op.name for node in graph.nodes}
    copied = "crop" in ops and ops & {"flatten", "unflatten"}  # counted as a view
    if not apart & ops and not copied and not any(counting):
        assert_memory(graph)


def assert_the_module_is_the_spec(graph: Graph) -> None:
    """Where products of products grow beyond all numbers, as in training, the rest must agree."""
    found = equivalence(graph, build_module(graph), smallest=False)
    boundless = [one for one in found.problems if one.endswith("nothing can be said of it")]
    assert [one for one in found.problems if one not in boundless] == []
    assert not any(re.match("output .* in inference", one) for one in boundless)


def assert_the_source_stands_alone(graph: Graph) -> None:
    module = build_module(graph).eval()
    space: dict[str, Any] = {"__name__": "emitted"}
    exec(compile(emit_source(graph), "<emitted>", "exec"), space)
    alone: nn.Module = space[network_class(graph)]()
    alone.load_state_dict(module.state_dict(), strict=True)
    torch.manual_seed(0)
    inputs = [torch.randn(2, *node.shape) for node in graph.inputs]
    with torch.no_grad():
        ours, theirs = module(*inputs), alone.eval()(*inputs)
    pairs = zip(*(r if isinstance(r, tuple) else (r,) for r in (ours, theirs)), strict=True)
    # Products of products may be NaN, which does not equal itself.
    exact = {"rtol": 0, "atol": 0, "equal_nan": True}
    for one, other in pairs:
        assert one is other is None or torch.allclose(one, other, **exact)


def assert_every_edge_is_drawn(
    graph: Graph, across: bool = False, columns: int | None = None
) -> None:
    """All opened, each reading of a value is a line from box to box, and there is no other."""
    plan = make_plan(graph, depth=99, fold=False, fuse=False)
    figure = make_figure(plan, across=across, columns=columns)
    boxes = [box for box in figure.plan.boxes if not box.id.startswith("output/")]
    box_of = {node: box.id for box in boxes for node in box.nodes}
    expected = {(box_of[i], box_of[node.id]) for node in graph.nodes for i in node.inputs}
    expected |= {(box_of[output.node], f"output/{output.name}") for output in graph.outputs}
    assert len(boxes) == len(graph.nodes)
    assert drawn_edges(figure) == expected
    assert not loose_ends(figure)


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("train_only", [False, True])
@pytest.mark.parametrize("columns", [1, None])
def test_values_enter_a_group_at_its_border(
    across: bool, columns: int | None, train_only: bool, tmp_path: Path
) -> None:
    """Where the branch that reads them begins lower, the line goes on down to it."""
    conv = "conv: 4, name"
    text = f"""
    input: [4, 8, 8]
    body:
      - {{{conv}: a}}
      - {{{conv}: b}}
      - name: group
        seq: [{{{conv}: c}}, {{{conv}: d}}, {{{conv}: e}}, {{from: a}}, {{{conv}: f}}]
    outputs:
      out: {{from: group}}
      side: {{from: group.e, body: {{conv: 2}}, train_only: {str(train_only).lower()}}}
    """
    path = tmp_path / "net.yaml"
    path.write_text(text, encoding="utf-8")
    assert_every_edge_is_drawn(cnndsl.check(path), across, columns)


def assert_every_drawing_is_made(graph: Graph) -> None:
    """Folded, fused and closed to any depth, there is a line to every box, and none ends in air."""
    assert write_page(graph).startswith("<!doctype html>")
    for depth in (None, 0, 1):
        figure = make_figure(make_plan(graph, depth=depth))
        edges = drawn_edges(figure)
        reached = {target for _, target in edges}
        given = {node.path for node in graph.inputs}
        assert {box.id for box in figure.plan.boxes} - reached <= given
        assert not loose_ends(figure)


@pytest.mark.parametrize("step", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("count", [9, 30])
def test_drawings_of_repetitions_within_repetitions(count: int, step: int, tmp_path: Path) -> None:
    """Where every so many blocks are read, runs are parts of runs, and shown one by one too."""
    read = ", ".join(f"{{from: s{i}}}" for i in range(0, count, step))
    text = f"""
    input: [4, 8, 8]
    body:
      - {{for: {{i: {count}}}, name: s$i, do: [{{residual: [relu]}}]}}
      - add: [{read}, []]
    """
    path = tmp_path / "net.yaml"
    path.write_text(text, encoding="utf-8")
    assert_every_drawing_is_made(cnndsl.check(path))


@pytest.mark.parametrize("part", range(PARTS))
def test_random_specs(part: int) -> None:
    specs(300 // PARTS, part)(assert_right)()


def test_random_ops() -> None:
    specs(60, 30, random_ops())(assert_ops_right)()


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_nothing_is_written_over_that_others_read(name: str, tmp_path: Path) -> None:
    """A value, an op of it that may stand in its memory, and one that may write over that."""
    found = 0

    @HUNT
    @given(layer=layers(name), shape=st.sampled_from([1, 2, 3, 3, 3]).flatmap(shapes))
    def check(layer: dict[str, Any], shape: Shape) -> None:
        nonlocal found
        if found == 2 or not fits(layer, shape):
            return
        body = [{"scale": 2.0, "name": "a"}, layer, "relu"]
        outputs = {"out": {}, "before": {"from": "a"}}
        spec = {"input": list(shape), "body": body, "outputs": outputs}
        path = tmp_path / "net.yaml"
        path.write_text(yaml.safe_dump(spec), encoding="utf-8")
        assert_the_module_is_the_spec(cnndsl.check(path))
        found += 1

    check()
    assert found


def test_drawings_of_random_specs() -> None:
    specs(60, 10)(lambda graph, _: assert_every_drawing_is_made(graph))()


def assert_titles_are_clear(graph: Graph) -> None:
    """No line runs through the title of a group, wherever values enter it."""
    plan = make_plan(graph, depth=99, fold=False)
    for across in (False, True):
        assert not crossed_titles(make_figure(plan, across=across))


def test_titles_of_random_specs() -> None:
    specs(60, 11)(lambda graph, _: assert_titles_are_clear(graph))()


CROSSING = """
        - {from: p, conv: 4, name: u}
        - {from: q, conv: 4, name: v}
        - add: [[], {from: u}]
        - {from: v, mul: [[], {from: u}, {from: add}]}
"""
"""Lines that slant to boxes which are read in two places."""
INTO_A_GROUP = """
        - {name: u, seq: [{from: p}, {add: [{conv: 4}, {from: q}]}]}
        - conv: 4
"""


@pytest.mark.parametrize("members", [CROSSING, INTO_A_GROUP])
def test_titles_are_clear_where_several_values_enter(members: str, tmp_path: Path) -> None:
    text = f"""
    inputs: {{a: [3, 8, 8], b: [3, 8, 8]}}
    body:
      - {{from: a, conv: 4, name: p}}
      - {{from: b, conv: 4, name: q}}
      - name: stage
        seq: {members}
    """
    path = tmp_path / "net.yaml"
    path.write_text(text, encoding="utf-8")
    assert_titles_are_clear(cnndsl.check(path))


def test_what_data_shares_with_a_shortcut_shows_as_data() -> None:
    """A line of data has one colour from its beginning on; what branches off has its own."""
    data, both = THEMES["light"].strokes[Link.MAIN].color, 0

    def check(graph: Graph, folder: Path) -> None:
        nonlocal both
        for across in (False, True):
            figure = make_figure(make_plan(graph, depth=99), across=across)
            for colors in strokes(render(figure, "svg", THEMES["light"]).decode()).values():
                first = colors.index(data) if data in colors else len(colors)
                assert set(colors[first:]) <= {data}
                both += 0 < first < len(colors)

    specs(40, 12)(check)()
    assert both


@pytest.mark.parametrize(("format", "count"), [("pt2", 4), ("py", 10), ("safetensors", 10)])
def test_random_specs_are_exported(format: str, count: int) -> None:
    specs(count, 20)(lambda graph, folder: assert_exported(graph, folder, format))()


def assert_exported(graph: Graph, folder: Path, format: str) -> None:
    torch.manual_seed(0)
    done = export(Network(graph, build_module(graph)), folder / f"net.{format}")
    assert done.path.exists()


@pytest.mark.heavy
@pytest.mark.parametrize("part", range(100, 120))
def test_many_random_specs(part: int) -> None:
    specs(1000, part)(assert_right)()


@pytest.mark.heavy
@pytest.mark.parametrize("part", range(140, 144))
def test_many_random_ops(part: int) -> None:
    specs(1000, part, random_ops())(assert_ops_right)()


@pytest.mark.heavy
def test_many_drawings_of_random_specs() -> None:
    specs(2000, 120)(lambda graph, _: assert_every_drawing_is_made(graph))()


@pytest.mark.heavy
def test_many_titles_of_random_specs() -> None:
    specs(2000, 121)(lambda graph, _: assert_titles_are_clear(graph))()


@pytest.mark.heavy
@pytest.mark.parametrize("format", ["onnx", "pt2", "py", "safetensors"])
def test_more_random_specs_are_exported(format: str) -> None:
    specs(100, 130)(lambda graph, folder: assert_exported(graph, folder, format))()
