"""Diagrams: what they show, how they are written and rendered."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import cnndsl
from cnndsl.diagram import RenderError, draw_graph, make_plan, render, rendering
from cnndsl.diagram.plan import Box, Edge, Kind, Link, Plan
from cnndsl.graph import Graph

NETS = ("lenet", "inception", "resnet18", "resnet50", "googlenet", "densenet121", "vgg16")

SMALL = """
name: small
input: [3, 32, 32]
blocks:
  Basic:
    params: {width: int, stride: 1}
    body:
      - residual:
          body:
            - {conv: {out: $width, kernel: 3, stride: $stride, padding: 1}, name: conv1}
            - bn
            - relu
            - {conv: {out: $width, kernel: 3, padding: 1}, name: conv2}
          shortcut:
            - {conv: {out: $width, stride: $stride}, name: project, when: $(x.channels != width)}
      - relu
body:
  - {conv: {out: 8, kernel: 3, padding: 1}, name: stem}
  - for: {width: [8, 16], stride: [1, 2], stage: [1, 2]}
    name: stage$stage
    do:
      - {Basic: {width: $width, stride: $stride}}
      - repeat: 3
        do: [{Basic: {width: $width}}]
  - concat:
      left: [{conv: 4}]
      middle: [{max_pool: {kernel: 3, stride: 1, padding: 1}}]
      right: [{conv: 4}, {conv: {out: 8, kernel: 3, padding: 1, groups: 2}}]
  - {global_avg_pool: {}, name: pooled}
  - linear: 10
outputs:
  logits: {}
  early: {from: stage1, body: [global_avg_pool, {linear: 10}], train_only: true, loss_weight: 0.3}
"""


def check(text: str, folder: Path, **options: object) -> Graph:
    (folder / "net.yaml").write_text(text, encoding="utf-8")
    return cnndsl.check(folder / "net.yaml", **options)  # type: ignore[arg-type]


@pytest.fixture
def small(tmp_path: Path) -> Graph:
    return check(SMALL, tmp_path)


def box(plan: Plan, name: str) -> Box:
    return next(box for box in plan.boxes if name in (box.id, box.name))


def link(plan: Plan, source: str, target: str) -> Link:
    return next(e.link for e in plan.edges if (e.source, e.target) == (source, target))


# --- the text of diagrams ---


def test_lenet_is_drawn_as_before(golden: Callable[[str, str], None]) -> None:
    golden("tests/golden/lenet.dot", draw_graph(cnndsl.check("lenet")).source)


def test_a_small_network_is_drawn_as_before(
    small: Graph, golden: Callable[[str, str], None]
) -> None:
    golden("tests/golden/small.dot", draw_graph(small).source)


def test_equal_graphs_give_equal_text() -> None:
    first, second = (draw_graph(cnndsl.check("resnet18")).source for _ in range(2))
    assert first == second


def test_the_public_function_draws() -> None:
    graph = cnndsl.check("lenet")
    assert cnndsl.draw(graph).source == draw_graph(graph).source


# --- what is shown ---


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("options", [{}, {"depth": 0}, {"fold": False, "fuse": False, "depth": 99}])
def test_every_node_is_in_one_box(net: str, options: dict[str, int]) -> None:
    graph = cnndsl.check(net)
    plan = make_plan(graph, **options)  # type: ignore[arg-type]
    assert sorted(n for b in plan.boxes for n in b.nodes) == list(range(len(graph.nodes)))
    ids = [box.id for box in plan.boxes]
    assert len(set(ids)) == len(ids)


def test_expanded_each_node_and_each_edge_is_drawn() -> None:
    graph = cnndsl.check("resnet18")
    plan = make_plan(graph, fold=False, fuse=False, depth=99, columns=1)
    read = {(graph.nodes[i].path, node.path) for node in graph.nodes for i in node.inputs}
    drawn = {(edge.source, edge.target) for edge in plan.edges}
    names = {box.id: graph.nodes[box.nodes[0]].path for box in plan.boxes if box.nodes}
    assert {(names[a], names.get(b, b)) for a, b in drawn} == {*read, ("fc", "output/output")}


@pytest.mark.parametrize("net", [*NETS, "resnet152"])
def test_large_networks_stay_readable(net: str) -> None:
    assert sum(b.kind is not Kind.JOINT for b in make_plan(cnndsl.check(net)).boxes) <= 60


@pytest.mark.parametrize("net", NETS)
def test_the_boxes_hang_together(net: str) -> None:
    plan = make_plan(cnndsl.check(net))
    joints = [Edge(f"column/{n}/out", f"column/{n}/in", Link.MAIN) for n in range(1, 7)]
    reached = {"input"}
    for _ in plan.boxes:
        reached |= {e.target for e in (*plan.edges, *joints) if e.source in reached}
    assert {b.id for b in plan.boxes} <= reached


def test_layers_take_their_norm_and_activation_in(small: Graph) -> None:
    fused, plain = make_plan(small), make_plan(small, fuse=False)
    assert box(fused, "stage1.0.conv1").text == "3×3, 8 + BN + ReLU"
    assert box(plain, "stage1.0.conv1").text == "3×3, 8"
    assert [b.op for b in fused.boxes].count("add + ReLU") == 3


def test_equal_blocks_are_folded(small: Graph) -> None:
    folded = {group.id: group for group in make_plan(small).groups}
    assert (folded["stage1.0"].times, folded["stage1.0"].name) == (4, "0 … 3")
    assert [(folded[f"stage2.{i}"].times) for i in (0, 1)] == [1, 3]
    assert "stage2.2" not in folded
    unfolded = {group.id for group in make_plan(small, fold=False, depth=99).groups}
    assert {f"stage{stage}.{i}" for stage in (1, 2) for i in range(4)} <= unfolded


def test_resnet152_counts_its_blocks() -> None:
    groups = make_plan(cnndsl.check("resnet152")).groups
    assert [group.times for group in groups if group.times > 1] == [2, 7, 35, 2]


def test_dense_layers_are_folded_with_growing_channels() -> None:
    plan = make_plan(cnndsl.check("densenet121"))
    assert [group.times for group in plan.groups if group.times > 1] == [6, 12, 24, 16]
    concat = next(b for b in plan.boxes if b.op == "concat")
    assert concat.shape == "96…256×56×56"
    assert concat.text == "64…224 + 32 = 96…256"


def test_a_block_that_something_else_reads_is_not_folded(tmp_path: Path) -> None:
    text = """
name: exits
input: [4, 8, 8]
blocks: {Block: {body: [{conv: 4}, sigmoid, {conv: 4}, sigmoid]}}
body:
  - {Block: {}, name: a}
  - {Block: {}, name: b}
  - {Block: {}, name: c}
  - {Block: {}, name: d}
  - concat: [{from: b}, {from: d}]
"""
    plan = make_plan(check(text, tmp_path))
    assert [(group.id, group.times) for group in plan.groups] == [("a", 2), ("c", 2)]


def test_a_repetition_of_two_blocks_is_folded(tmp_path: Path) -> None:
    text = """
name: pairs
input: [4, 8, 8]
blocks:
  Wide: {body: [{conv: 8}, sigmoid, {conv: 4}]}
  Deep: {body: [{conv: 4}, {conv: 4}]}
body: [{repeat: 5, do: [Wide, Deep]}]
"""
    graph = check(text, tmp_path)
    plan = make_plan(graph)
    assert [(g.id, g.name, g.times) for g in plan.groups] == [
        ("run/0", "0 … 9", 5),
        ("0", "0", 1),
        ("1", "1", 1),
    ]
    assert all(len(box.nodes) in (5, 10) for box in plan.boxes if box.kind is Kind.CONVOLUTION)
    (closed,) = [box for box in make_plan(graph, depth=0).boxes if box.kind is Kind.BLOCK]
    assert (closed.text, closed.times, len(closed.nodes)) == ("4 layers", 5, 25)


def test_equal_branches_stay_side_by_side(tmp_path: Path) -> None:
    text = """
name: wide
input: [4, 8, 8]
blocks: {Block: {body: [{conv: 4}, sigmoid, {conv: 4}]}}
body:
  - concat: {a: {Block: {}}, b: {Block: {}}, c: {Block: {}}}
"""
    plan = make_plan(check(text, tmp_path))
    assert [(group.id, group.times) for group in plan.groups] == [("a", 1), ("b", 1), ("c", 1)]


def test_each_block_has_a_cluster() -> None:
    source = draw_graph(cnndsl.check("inception")).source
    assert re.findall(r"subgraph (cluster_\w+)", source) == ["cluster_incep1", "cluster_incep2"]


def test_a_block_of_one_box_takes_the_block_s_name() -> None:
    stem = box(make_plan(cnndsl.check("googlenet")), "conv1")
    assert (stem.kind, stem.op, stem.text) == (Kind.CONVOLUTION, "Conv", "7×7, 64, /2 + BN + ReLU")


def test_closed_blocks_show_their_arguments() -> None:
    closed = box(make_plan(cnndsl.check("googlenet"), depth=0), "inception3b")
    assert (closed.kind, closed.op) == (Kind.BLOCK, "Inception")
    assert (closed.text, closed.shape) == ("128, [128, 192], [32, 96], 64", "480×28×28")


def test_branches_come_in_order_and_a_concat_shows_its_sum(small: Graph) -> None:
    plan = make_plan(small, columns=1)
    entries = [e.target for e in plan.edges if e.source == box(plan, "stage2.1.add").id]
    assert entries == ["left.0", "middle.0", "right.0"]
    assert box(plan, "concat").text == "4 + 16 + 8 = 28"
    assert box(plan, "right.1").kind is Kind.CONVOLUTION  # grouped, but not one group a channel


def test_shortcuts_are_marked(small: Graph) -> None:
    plan = make_plan(small, columns=1)
    assert link(plan, "stem", "stage1.0.add") is Link.IDENTITY
    assert link(plan, "stem", "stage1.0.conv1") is Link.MAIN
    assert link(plan, "stage1.0.add", "stage2.0.project") is Link.PROJECTION
    assert link(plan, "stage2.0.project", "stage2.0.add") is Link.PROJECTION
    shortcuts = [e for e in plan.edges if e.link in (Link.IDENTITY, Link.PROJECTION)]
    assert len(shortcuts) == 4


def test_heads_of_training_are_dashed(small: Graph) -> None:
    plan = make_plan(small, columns=1)
    assert [b.name or b.op for b in plan.boxes if b.train_only] == [
        "GlobalAvgPool",
        "Linear",
        "early",
    ]
    assert {e.link for e in plan.edges if e.target.startswith(("early", "output/early"))} == {
        Link.TRAIN
    }
    assert box(plan, "output/early").text == "training only, loss × 0.3"
    assert not box(plan, "output/logits").train_only


def test_depthwise_convolutions_have_a_colour_of_their_own(tmp_path: Path) -> None:
    text = "name: d\ninput: [8, 8, 8]\nbody: [{conv: {out: 8, kernel: 3, groups: 8}}]\n"
    assert Kind.DEPTHWISE in make_plan(check(text, tmp_path)).kinds


def test_the_legend_has_only_the_kinds_that_are_present() -> None:
    source = draw_graph(cnndsl.check("lenet")).source
    label = source.split("label=", 1)[1].split("labelloc", 1)[0]
    words = [kind.value for kind in Kind if f">{kind.value}<" in label]
    assert words == ["convolution", "linear", "pooling", "reshape"]


def test_tall_diagrams_stand_in_columns() -> None:
    graph = cnndsl.check("vgg16")
    plan = make_plan(graph)
    joints = [b.id for b in plan.boxes if b.kind is Kind.JOINT]
    assert joints == [f"column/{n}/{end}" for n in (1, 2) for end in ("out", "in")]
    assert not any(b.kind is Kind.JOINT for b in make_plan(graph, columns=1).boxes)


# --- escapes ---

NASTY = '<b> & "quoted" \\N \\l {x|y} ]]> --> ÄÖ'


def test_all_text_is_escaped(small: Graph) -> None:
    root = replace(small.root, members=tuple(
        replace(m, block=NASTY) if m.path == "stage2" else m for m in small.root.members
    ))  # fmt: skip
    outputs = tuple(replace(output, name=output.name + NASTY) for output in small.outputs)
    graph = replace(small, name=NASTY, about=f"{NASTY}\n\x00{NASTY}", root=root, outputs=outputs)
    svg = ET.fromstring(render(draw_graph(graph), "svg"))
    texts = [text for text in svg.itertext() if "quoted" in text]
    assert NASTY in texts
    assert f"logits{NASTY}" in texts


# --- rendering ---


@pytest.mark.parametrize("net", ["lenet", "googlenet", "densenet121"])
def test_svg_is_well_formed_and_holds_each_box(net: str) -> None:
    graph = cnndsl.check(net)
    svg = ET.fromstring(render(draw_graph(graph), "svg"))
    titles = {element.text for element in svg.iter("{http://www.w3.org/2000/svg}title")}
    assert {box.id for box in make_plan(graph).boxes} <= titles


def test_png_has_its_signature() -> None:
    dot = draw_graph(cnndsl.check("lenet"))
    assert render(dot, "png").startswith(b"\x89PNG\r\n\x1a\n")
    assert render(dot, "dot").decode() == dot.source == render(dot.source, "dot").decode()


def test_pdf_is_made_of_the_svg() -> None:
    dot = draw_graph(cnndsl.check("lenet"))
    assert render(dot, "pdf").startswith(b"%PDF-")
    assert render(dot, "pdf") == render(dot, "pdf")


def test_a_missing_renderer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "_packaged", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RenderError, match="no renderer") as e:
        render("digraph {}", "svg")
    assert "pip install graphviz-pure" in e.value.help


def test_missing_pdf_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(rendering, "find_spec", lambda name: None)
    with pytest.raises(RenderError, match="nothing that writes PDF") as e:
        render("digraph {}", "pdf")
    assert "svglib" in e.value.help


def test_the_renderer_s_words_are_told() -> None:
    with pytest.raises(RenderError, match="syntax error"):
        render("digraph {", "svg")
    with pytest.raises(RenderError, match="no format"):
        render("digraph {}", "gif")
