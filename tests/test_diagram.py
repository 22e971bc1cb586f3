"""Diagrams: what they show, how they are written and rendered. Where it stands: test_figure.py."""

from __future__ import annotations

import itertools
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import process_time

import pytest
from drawn import TANGLED
from hypothesis import example, given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

import cnndsl
from cnndsl import shipped
from cnndsl.cli import app
from cnndsl.diagram import (
    THEMES,
    Figure,
    Oversize,
    RenderError,
    draw_graph,
    make_figure,
    make_plan,
    render,
    rendering,
    write_page,
)
from cnndsl.diagram.diff import compare
from cnndsl.diagram.labels import label, title
from cnndsl.diagram.links import shortcuts
from cnndsl.diagram.plan import Box, Kind, Link, Plan
from cnndsl.diagram.theme import Theme
from cnndsl.graph import Graph

ROOT = Path(__file__).parent.parent
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


def figure(graph: Graph) -> Figure:
    return make_figure(make_plan(graph))


def box(plan: Plan, name: str) -> Box:
    return next(box for box in plan.boxes if name in (box.id, box.name))


def link(plan: Plan, source: str, target: str) -> Link:
    return next(e.link for e in plan.edges if (e.source, e.target) == (source, target))


def views(color: str) -> list[tuple[float, float, float]]:
    """A colour in CIE Lab, as it is and as those see it who see no red, green or blue.

    The matrices are those of Machado, Oliveira and Fernandes 2009.
    """
    seen = (
        ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
        ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
        ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
        ((1.256, -0.077, -0.179), (-0.078, 0.931, 0.148), (0.005, 0.691, 0.304)),
    )
    light = linear(color)
    return [lab([min(max(dot(row, light), 0), 1) for row in matrix]) for matrix in seen]


def linear(color: str) -> list[float]:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def lab(light: Sequence[float]) -> tuple[float, float, float]:
    to_xyz = ((0.4125, 0.3576, 0.1804), (0.2127, 0.7152, 0.0722), (0.0193, 0.1192, 0.9503))
    shares = [dot(row, light) / sum(row) for row in to_xyz]
    x, y, z = (s ** (1 / 3) if s > 216 / 24389 else (24389 / 27 * s + 16) / 116 for s in shares)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def contrast(a: str, b: str) -> float:
    """The ratio of WCAG: 7 is for small text."""
    lights = sorted(dot((0.2126, 0.7152, 0.0722), linear(color)) for color in (a, b))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


# --- the text of diagrams ---


def test_lenet_is_drawn_as_before(golden: Callable[[str, str], None]) -> None:
    graph = cnndsl.check("lenet")
    golden("tests/golden/lenet.dot", draw_graph(graph).source)
    golden("tests/golden/lenet.svg", render(figure(graph), "svg").decode())


def test_a_small_network_is_drawn_as_before(
    small: Graph, golden: Callable[[str, str], None]
) -> None:
    golden("tests/golden/small.dot", draw_graph(small).source)
    golden("tests/golden/small.svg", render(figure(small), "svg").decode())


def readme_example(folder: Path) -> Graph:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert found
    return check(found[1], folder)


def test_the_readme_s_picture_is_of_its_example(
    tmp_path: Path, golden: Callable[[str, str], None]
) -> None:
    golden("docs/images/residual.svg", render(figure(readme_example(tmp_path)), "svg").decode())


@pytest.mark.parametrize("family", shipped.files())
def test_the_zoo_s_pictures_are_those_that_are_drawn(
    family: str, golden: Callable[[str, str], None]
) -> None:
    path = shipped.files()[family]
    graph = cnndsl.check(path, next(iter(shipped.variants(path)), None))
    golden(f"docs/images/zoo/{family}.svg", render(figure(graph), "svg").decode())


def documents_pictures(folder: Path) -> dict[str, str]:
    """The pictures of docs/diagrams.md by their names."""
    graphs = {name: cnndsl.check(name) for name in ("resnet152", "googlenet", "densenet201")}
    found = {name: render(figure(graph), "svg") for name, graph in graphs.items()}
    lenet = make_plan(cnndsl.check("lenet"))
    found["lenet_across"] = render(make_figure(lenet, across=True), "svg")
    found["residual_dark"] = render(figure(readme_example(folder)), "svg", THEMES["dark"])
    both = compare(cnndsl.check("resnet18"), cnndsl.check("resnet34"))
    found["resnet18_resnet34"] = render(make_figure(both), "svg")
    return {name: svg.decode() for name, svg in found.items()}


def test_the_document_s_pictures_are_those_that_are_drawn(
    tmp_path: Path, golden: Callable[[str, str], None]
) -> None:
    found = documents_pictures(tmp_path)
    for name, svg in found.items():
        golden(f"docs/images/diagrams/{name}.svg", svg)
    text = (ROOT / "docs" / "diagrams.md").read_text(encoding="utf-8")
    shown = re.findall(r"\]\(images/diagrams/(\w+)\.(?:svg|png)\)", text)
    assert set(shown) == {*found, "page", "heat"}
    assert {path.stem for path in (ROOT / "docs/images/diagrams").iterdir()} == set(shown)


def test_equal_graphs_give_equal_text() -> None:
    first, second = (cnndsl.check("resnet18") for _ in range(2))
    assert draw_graph(first).source == draw_graph(second).source
    assert render(figure(first), "png") == render(figure(second), "png")


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
    plan = make_plan(graph, fold=False, fuse=False, depth=99)
    read = {(graph.nodes[i].path, node.path) for node in graph.nodes for i in node.inputs}
    drawn = {(edge.source, edge.target) for edge in plan.edges}
    names = {box.id: graph.nodes[box.nodes[0]].path for box in plan.boxes if box.nodes}
    assert {(names[a], names.get(b, b)) for a, b in drawn} == {*read, ("fc", "output/output")}


@pytest.mark.parametrize("net", [*NETS, "resnet152"])
def test_large_networks_stay_readable(net: str) -> None:
    assert len(make_plan(cnndsl.check(net)).boxes) <= 60


@pytest.mark.parametrize("net", NETS)
def test_the_boxes_hang_together(net: str) -> None:
    plan = make_plan(cnndsl.check(net))
    reached = {"input"}
    for _ in plan.boxes:
        reached |= {e.target for e in plan.edges if e.source in reached}
    assert {b.id for b in plan.boxes} <= reached


def test_layers_take_their_norm_and_activation_in(small: Graph) -> None:
    fused, plain = make_plan(small), make_plan(small, fuse=False)
    assert box(fused, "stage1.0.conv1").text == "3×3, 8 + BN + ReLU"
    assert box(plain, "stage1.0.conv1").text == "3×3, 8"
    assert [b.op for b in fused.boxes].count("add + ReLU") == 3


def test_equal_blocks_are_folded(small: Graph) -> None:
    folded = {group.id: group for group in make_plan(small).groups}
    assert (folded["stage1.0"].times, folded["stage1.0"].name) == (4, "0…3")
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
        ("run/0", "0…9", 5),
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
    assert (closed.text, closed.shape) == (
        "b1 128, b2 [128, 192], b3 [32, 96], b4 64",
        "480×28×28",
    )


def test_arguments_at_their_defaults_are_left_out() -> None:
    closed = box(make_plan(cnndsl.check("resnet50"), depth=1), "layer1.1")
    assert closed.text == "width 64, inner 64, out 256"


def test_blocks_that_differ_in_noise_alone_are_folded() -> None:
    plan = make_plan(cnndsl.check("convnext_tiny"))
    assert [(g.block, g.times) for g in plan.groups if g.times > 1] == [
        ("CNBlock", 3),
        ("CNBlock", 3),
        ("CNBlock", 9),
        ("CNBlock", 3),
    ]
    noise = [b.text for b in plan.boxes if b.kind is Kind.REGULARIZATION]
    assert noise == ["0…0.012", "0.018…0.029", "0.035…0.082", "0.088…0.1"]


def test_closed_repetitions_tell_how_their_arguments_grow() -> None:
    closed = box(make_plan(cnndsl.check("convnext_tiny"), depth=2), "features.5.0")
    assert (closed.times, closed.text) == (9, "drop 0.035…0.082, width 384, hidden 1536")


def test_branches_come_in_order_and_a_concat_shows_its_sum(small: Graph) -> None:
    plan = make_plan(small)
    entries = [e.target for e in plan.edges if e.source == box(plan, "stage2.1.add").id]
    assert entries == ["left.0", "middle.0", "right.0"]
    assert box(plan, "concat").text == "4 + 16 + 8 = 28"
    assert box(plan, "right.1").kind is Kind.CONVOLUTION  # grouped, but not one group a channel


def test_shortcuts_are_marked(small: Graph) -> None:
    plan = make_plan(small)
    assert link(plan, "stem", "stage1.0.add") is Link.IDENTITY
    assert link(plan, "stem", "stage1.0.conv1") is Link.MAIN
    assert link(plan, "stage1.0.add", "stage2.0.project") is Link.PROJECTION
    assert link(plan, "stage2.0.project", "stage2.0.add") is Link.PROJECTION
    shortcuts = [e for e in plan.edges if e.link in (Link.IDENTITY, Link.PROJECTION)]
    assert len(shortcuts) == 4


def test_heads_of_training_are_dashed(small: Graph) -> None:
    plan = make_plan(small)
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
    plan = make_plan(check(text, tmp_path))
    assert Kind.DEPTHWISE in plan.kinds
    assert (plan.boxes[1].op, plan.boxes[1].text) == ("Depthwise", "3×3, 8")


def test_the_legend_has_only_the_kinds_that_are_present(small: Graph) -> None:
    words = ["convolution", "linear", "pooling", "reshape"]
    explained = [kind.value for kind in Kind if kind.explained]
    graph = cnndsl.check("lenet")
    label = draw_graph(graph).source.split("label=", 1)[1].split("labelloc", 1)[0]
    assert [word for word in explained if f">{word}<" in label] == words
    svg = render(figure(graph), "svg").decode()
    assert [word for word in explained if f">{word}<" in svg] == words
    assert "training only<" not in svg
    assert "training only<" in render(figure(small), "svg").decode()


def test_long_words_take_several_lines() -> None:
    closed = box(make_plan(cnndsl.check("googlenet"), depth=0), "inception3b")
    lines = [line.words for line in label(closed).lines[1:]]
    assert lines == ["Inception b1 128, b2 [128, 192],", "b3 [32, 96], b4 64"]


def test_blocks_without_a_name_are_titled_by_their_block(small: Graph) -> None:
    groups = {group.id: group for group in make_plan(small).groups}
    assert title(groups["stage1.0"]).name == "Basic ×4"
    assert (title(groups["stage1"]).name, title(groups["stage1.0"]).words) == ("stage1", "0…3")


# --- colours ---


@pytest.mark.parametrize("theme", THEMES.values(), ids=lambda theme: theme.name)
def test_kinds_are_told_apart_in_greyscale_and_without_red_green_or_blue(theme: Theme) -> None:
    kinds = [theme.paints[kind].border for kind in Kind if kind.explained]
    marks = [paint.border for paint in theme.marks.values()]
    for a, b in (*itertools.combinations(kinds, 2), *itertools.combinations(marks, 2)):
        views_a, views_b = views(a), views(b)
        assert abs(views_a[0][0] - views_b[0][0]) > 3.5, f"{a} and {b} in greyscale"
        for one, other in zip(views_a, views_b, strict=True):
            assert math.dist(one, other) > 15, f"{a} and {b}"


@pytest.mark.parametrize("theme", THEMES.values(), ids=lambda theme: theme.name)
def test_words_stand_out(theme: Theme) -> None:
    grounds = [paint.fill for paint in (*theme.paints.values(), *theme.marks.values())]
    for ground in (*grounds, *theme.clusters, theme.background):
        assert contrast(theme.text, ground) > 7
        assert contrast(theme.muted, ground) > 4.5


# --- escapes ---

NASTY = '<b> & "quoted" \\N \\l {x|y} ]]> --> ÄÖ'


def test_all_text_is_escaped(small: Graph) -> None:
    root = replace(small.root, members=tuple(
        replace(m, block=NASTY) if m.path == "stage2" else m for m in small.root.members
    ))  # fmt: skip
    outputs = tuple(replace(output, name=output.name + NASTY) for output in small.outputs)
    graph = replace(small, name=NASTY, about=f"{NASTY}\n\x00{NASTY}", root=root, outputs=outputs)
    assert "quoted" in draw_graph(graph).source
    svg = ET.fromstring(render(figure(graph), "svg"))
    texts = [text for text in svg.itertext() if "quoted" in text]
    assert NASTY in texts
    assert f"logits{NASTY}" in texts


@given(st.text('<>"\\\\&;{}|a \n', max_size=8))
@example("<i>x</i>")
@example("a\\")
def test_any_name_of_a_network_is_one_text_in_dot(name: str) -> None:
    graph = replace(cnndsl.check("lenet"), name=name, variant="")
    first = draw_graph(graph).source.split("\n")[0]
    assert re.fullmatch(r'digraph (\w+|"([^"\\]|\\.)*")? ?\{', first)


# --- rendering ---


@pytest.mark.parametrize("net", ["lenet", "googlenet", "densenet121"])
@pytest.mark.parametrize("across", [False, True])
def test_svg_is_well_formed_and_holds_each_box(net: str, across: bool) -> None:
    plan = make_plan(cnndsl.check(net))
    svg = ET.fromstring(render(make_figure(plan, across=across), "svg", THEMES["dark"]))
    titles = {element.text for element in svg.iter("{http://www.w3.org/2000/svg}title")}
    assert {box.id for box in plan.boxes} <= {str(text).split(":")[0] for text in titles}


def test_png_has_its_signature() -> None:
    assert render(figure(cnndsl.check("lenet")), "png").startswith(b"\x89PNG\r\n\x1a\n")


def test_pdf_is_made_of_the_svg() -> None:
    drawn = figure(cnndsl.check("lenet"))
    assert render(drawn, "pdf").startswith(b"%PDF-")
    assert render(drawn, "pdf") == render(drawn, "pdf")


@pytest.mark.parametrize(
    ("package", "format"), [("svglib", "pdf"), ("svglib", "png"), ("pypdfium2", "png")]
)
def test_a_missing_renderer_is_told(
    package: str, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "find_spec", lambda name: None if name == package else name)
    with pytest.raises(RenderError, match=f"the package {package}, which is missing") as e:
        render(figure(cnndsl.check("lenet")), format)
    assert f"pip install {package}" in e.value.help


def test_unknown_formats_are_told() -> None:
    with pytest.raises(RenderError, match="no format"):
        render(figure(cnndsl.check("lenet")), "gif")


def test_letters_beyond_those_of_every_pdf_are_replaced(small: Graph) -> None:
    plan = make_plan(replace(small, variant="сеть"))
    assert "сеть" in render(make_figure(plan), "svg").decode()
    assert render(make_figure(plan), "pdf").startswith(b"%PDF-")


# --- the command ---


def run(*args: str) -> Result:
    return CliRunner().invoke(app, ["draw", *args])


def boxes_of(path: Path) -> list[str]:
    """The ids of the boxes in an SVG."""
    titles = ET.parse(path).iter("{http://www.w3.org/2000/svg}title")
    return [str(title.text).split(":")[0] for title in titles]


def size_of(path: Path) -> tuple[float, float]:
    root = ET.parse(path).getroot()
    return float(root.get("width", "")), float(root.get("height", ""))


@pytest.mark.parametrize("format", ["dot", "svg", "png", "pdf"])
def test_the_ending_gives_the_format(format: str, tmp_path: Path) -> None:
    path = tmp_path / f"net.{format}"
    assert run("lenet", "-o", str(path)).exit_code == 0
    begins = {"dot": b"digraph", "svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF"}
    assert path.read_bytes().startswith(begins[format])


def test_options_choose_what_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "net.svg"
    assert run("resnet18", "-o", str(path), "--depth", "0").exit_code == 0
    closed = boxes_of(path)
    assert run("resnet18", "-o", str(path), "--expand").exit_code == 0
    expanded = boxes_of(path)
    assert run("resnet18", "-o", str(path), "--expand", "--no-fuse").exit_code == 0
    assert "layer1" in closed
    assert "layer1.1.conv1" in set(expanded) - set(closed)
    assert "layer1.1.bn1" in set(boxes_of(path)) - set(expanded)


def test_the_direction_is_down_or_across(tmp_path: Path) -> None:
    down, across = tmp_path / "down.svg", tmp_path / "across.svg"
    assert run("lenet", "-o", str(down)).exit_code == 0
    assert run("lenet", "-o", str(across), "--direction", "lr").exit_code == 0
    assert size_of(down)[1] > size_of(down)[0]
    assert size_of(across)[0] > size_of(across)[1]
    assert "rankdir=LR" in run("lenet", "--direction", "LR").stdout


def test_the_theme_is_light_or_dark(tmp_path: Path) -> None:
    path = tmp_path / "net.svg"
    assert run("lenet", "-o", str(path), "--theme", "dark").exit_code == 0
    assert THEMES["dark"].background in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["lenet", "--format", "gif"], "no format `gif`"),
        (["lenet", "--direction", "up"], "no direction `up`"),
        (["lenet", "--theme", "pink"], "no theme `pink`: one of light, dark"),
        (["lenet", "--depth", "-1"], "depth"),
    ],
)
def test_wrong_usage_is_told(args: list[str], message: str) -> None:
    done = run(*args)
    assert done.exit_code == 2
    assert message in done.stderr


def test_without_a_renderer_the_dot_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "find_spec", lambda name: None)
    done = run("lenet", "-o", str(tmp_path / "net.png"))
    assert done.exit_code == 1
    assert "pip install" in done.stderr
    assert (tmp_path / "net.dot").read_text(encoding="utf-8").startswith("digraph")


# --- long and large networks ---


@pytest.mark.parametrize(
    "unit",
    [
        "relu",
        "{conv: 3}",
        "[{conv: 3}, relu]",
        "[{conv: 3}, bn, relu, dropout]",
        "{residual: relu}",
        "{residual: [{conv: 3}, relu]}",
        "{dense: {conv: 1}}",
        "{add: [relu, tanh, []]}",
        "{relu: {}, name: a$i}",
    ],
)
def test_a_long_sequence_is_drawn_once(unit: str, tmp_path: Path) -> None:
    """Each node is in one box, those of all rounds in the boxes of the first."""
    graph = check(f"{{input: [3, 4, 4], body: {{for: {{i: 300}}, do: {unit}}}}}", tmp_path)
    plan = make_plan(graph)
    assert len(plan.boxes) <= 12
    held = sorted(node for box in plan.boxes for node in box.nodes if box.kind is not Kind.OUTPUT)
    assert held == [node.id for node in graph.nodes]
    assert "textLength" in render(figure(graph), "svg").decode()


def test_a_sequence_that_fits_is_drawn_as_it_is(tmp_path: Path) -> None:
    graph = check("{input: [3, 4, 4], body: {repeat: 90, do: tanh}}", tmp_path)
    assert len(make_plan(graph).boxes) == 92


LARGE = {
    "5,000 boxes": "{for: {i: 5200}, do: {conv: $(i % 90 + 1)}}",
    "5,000 boxes, those around others": "{for: {i: 1700}, "
    "do: {seq: [{conv: $(i % 90 + 1)}, {conv: 4}], name: s$i}}",
    "50,000 places within each other": "{add: [[], [tanh, " * 18
    + "{for: {i: 1800}, do: {conv: {out: 3, kernel: $(2 * (i % 7) + 1), padding: $(i % 7)}}}"
    + "]]}" * 18,
}


@pytest.mark.parametrize("limit", LARGE)
def test_what_is_too_large_to_lay_out_is_told(limit: str, tmp_path: Path) -> None:
    graph = check(f"{{input: [3, 4, 4], body: {LARGE[limit]}}}", tmp_path)
    with pytest.raises(Oversize, match=f"the diagram has more than {limit}"):
        make_figure(make_plan(graph, depth=99, fold=False))


def test_the_command_tells_what_is_too_large_to_lay_out(tmp_path: Path) -> None:
    """The remedy is followed: text for Graphviz has no bound."""
    path = tmp_path / "net.yaml"
    path.write_text(TANGLED, encoding="utf-8")
    for ending in ("svg", "html", "png"):
        done = run(str(path), "-o", str(tmp_path / f"net.{ending}"))
        assert done.exit_code == 1
        assert "error[bound]: the diagram has wires that pass more than 8,000 places" in done.stderr
        assert "write DOT" in done.stderr
    assert run(str(path), "-o", str(tmp_path / "net.dot")).exit_code == 0


def test_long_shortcuts_are_looked_for_within_bounds(tmp_path: Path) -> None:
    """As many looks as nodes, times a constant; the first shortcuts are told, and all edges."""
    skips = "{repeat: N, do: {add: [[], {from: a}]}}"
    text = f"{{input: [3, 4, 4], body: [{{relu: {{}}, name: a}}, {skips}]}}"
    graph = check(text.replace("N", "9000"), tmp_path)
    begun = process_time()
    found = shortcuts(graph)
    assert process_time() - begun < 2
    few = check(text.replace("N", "300"), tmp_path)
    assert len(shortcuts(few)) == 299, "the first one adds a value to itself"
    assert set(shortcuts(few)) <= set(found)


# --- notebooks ---


def test_a_graph_shows_itself_in_a_notebook() -> None:
    graph = cnndsl.check("lenet")
    assert graph._repr_svg_() == render(figure(graph), "svg").decode()
    frame = ET.fromstring(graph._repr_html_())
    assert (frame.tag, frame.get("sandbox")) == ("iframe", "allow-scripts")
    assert str(frame.get("srcdoc")).strip() == write_page(graph).strip().replace("\n", " ")


def test_a_notebook_says_what_is_too_large_to_lay_out(tmp_path: Path) -> None:
    graph = check(TANGLED, tmp_path)
    with pytest.raises(Oversize) as raised:
        figure(graph)
    picture = graph._repr_svg_()
    told = "".join(ET.fromstring(picture).itertext())
    assert raised.value.message in told
    assert raised.value.help in told
    assert ET.fromstring(graph._repr_html_()).get("srcdoc") == picture.replace("\n", " ")
