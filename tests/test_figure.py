"""Figures: where everything stands. No box covers another, and no line crosses a foreign one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from reportlab.pdfbase.pdfmetrics import stringWidth

import cnndsl
from cnndsl.diagram import Figure, make_figure, make_plan
from cnndsl.diagram.diff import compare
from cnndsl.diagram.figure import Area
from cnndsl.diagram.metrics import text_width
from cnndsl.diagram.plan import Box, Item

NETS = (
    "lenet",
    "resnet18",
    "resnet152",
    "googlenet",
    "inception_v3",
    "densenet201",
    "convnext_tiny",
    "efficientnet_b0",
    "regnet_y_400mf",
    "shufflenet_v2_x1_0",
)

UNET = """
name: unet
input: [1, 64, 64]
blocks:
  Double:
    params: {out: int}
    body: [{conv: {out: $out, kernel: 3, padding: 1}}, relu, {conv: $out}, relu]
body:
  - name: down
    seq:
      - {Double: {out: 8}, name: first}
      - max_pool: 2
      - {Double: {out: 16}, name: second}
      - max_pool: 2
  - {Double: {out: 32}, name: middle}
  - {conv_transpose: {out: 16, kernel: 2, stride: 2}}
  - concat: [{from: down.second}, []]
  - {Double: {out: 16}, name: third}
  - {conv_transpose: {out: 8, kernel: 2, stride: 2}}
  - concat: [{from: down.first}, []]
  - {Double: {out: 8}, name: fourth}
  - {conv: 2, name: head}
outputs:
  mask: {}
  features: {from: down.second}
  classes: {from: middle, body: [global_avg_pool, {linear: 5}], train_only: true}
"""

CELL = """
name: cell
input: [8, 16, 16]
body:
  - {conv: 8, name: a}
  - {conv: 8, name: b}
  - {from: a}
  - {conv: 8, name: c}
  - add: [[{from: b}, {conv: 8, name: d}], [{from: c}]]
  - {name: e, seq: [relu]}
  - {from: c}
  - {conv: 8, name: f}
  - add: [[{from: b}], [{from: f}], [{from: e}]]
  - {conv: 8, name: g}
  - concat: [{from: e}, {from: g}, {from: a}]
"""

OPTIONS = (
    {},
    {"depth": 0},
    {"depth": 99},
    {"depth": 99, "fold": False},
    {"depth": 99, "fold": False, "fuse": False},
)


def faults(figure: Figure) -> Iterator[str]:
    """What stands where something else is."""
    areas = {placed.box.id: placed.area for placed in figure.boxes}
    areas |= {placed.group.id: placed.area for placed in figure.groups}
    page = Area(0, 0, figure.width, figure.height)
    yield from misplaced(figure.plan.items, page, areas)
    for line in figure.lines:
        for ends in pairwise(line.points):
            for placed in figure.boxes:
                if not line.curved and crosses(ends, placed.area):
                    yield f"{line.wire.source} → {line.wire.target} crosses {placed.box.id}"


def misplaced(items: Sequence[Item], around: Area, areas: dict[str, Area]) -> Iterator[str]:
    ordered = sorted(items, key=lambda item: areas[item.id].y)
    for index, item in enumerate(ordered):
        here = areas[item.id]
        if not inside(here, around):
            yield f"{item.id} is not in what it is in"
        for other in ordered[index + 1 :]:
            if areas[other.id].y >= here.y + here.height:
                break
            if overlap(here, areas[other.id]):
                yield f"{item.id} covers {other.id}"
        if not isinstance(item, Box):
            yield from misplaced(item.items, here, areas)


def inside(a: Area, b: Area) -> bool:
    left, upper = a.x >= b.x - 0.1, a.y >= b.y - 0.1
    right, lower = a.x + a.width <= b.x + b.width + 0.1, a.y + a.height <= b.y + b.height + 0.1
    return left and upper and right and lower


def overlap(a: Area, b: Area, margin: float = 0.1) -> bool:
    across = a.x + a.width > b.x + margin and b.x + b.width > a.x + margin
    return across and a.y + a.height > b.y + margin and b.y + b.height > a.y + margin


def crosses(ends: Sequence[tuple[float, float]], area: Area) -> bool:
    (ax, ay), (bx, by) = ends
    return overlap(Area(min(ax, bx), min(ay, by), abs(ax - bx), abs(ay - by)), area, 1.0)


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("across", [False, True], ids=["down", "across"])
def test_nothing_covers_anything(net: str, across: bool) -> None:
    graph = cnndsl.check(net)
    for options in OPTIONS if len(graph.nodes) < 300 else OPTIONS[:-1]:
        figure = make_figure(make_plan(graph, **options), across=across)  # type: ignore[arg-type]
        assert not list(faults(figure)), options


@pytest.mark.parametrize("text", [UNET, CELL], ids=["unet", "cell"])
@pytest.mark.parametrize("across", [False, True], ids=["down", "across"])
@pytest.mark.parametrize("columns", [None, 1, 3])
def test_values_may_come_from_anywhere(
    text: str, across: bool, columns: int | None, tmp_path: Path
) -> None:
    (tmp_path / "net.yaml").write_text(text)
    for depth in (0, 1, 99):
        plan = make_plan(cnndsl.check(tmp_path / "net.yaml"), depth=depth)
        figure = make_figure(plan, across=across, columns=columns)
        assert not list(faults(figure))
        drawn = {end for edge in plan.edges for end in (edge.source, edge.target)}
        ends = {key for line in figure.lines for key in (line.wire.source, line.wire.target)}
        assert drawn <= ends


def random_spec(random: Random) -> dict[str, Any]:
    """A network that joins and branches at random, and reads values from anywhere before."""
    count = itertools.count()

    def body(depth: int, known: list[str]) -> list[Any]:
        nodes: list[Any] = []
        known = list(known)
        for _ in range(random.randint(1, 5)):
            name, choice = f"n{next(count)}", random.random()
            if choice < 0.2 and known:
                nodes.append({"from": random.choice(known)})
            elif choice < 0.35 and depth < 3:
                nodes.append({"name": name, "seq": body(depth + 1, known)})
                known.append(name)
            elif choice < 0.5 and depth < 3:
                nodes.append({"residual": body(depth + 1, known)})
            elif choice < 0.65 and depth < 3:
                nodes.append({"add": [body(depth + 1, known) for _ in range(3)]})
            elif choice < 0.75 and known:
                nodes.append({"add": [[{"from": random.choice(known)}], []]})
            else:
                nodes.append({"conv": 8, "name": name})
                known.append(name)
        return nodes

    nodes = [*body(0, []), {"conv": 8, "name": "last"}]
    return {"name": "random", "input": [8, 8, 8], "body": nodes}


@pytest.mark.parametrize("seed", range(40))
def test_random_networks_are_laid_out(seed: int, tmp_path: Path) -> None:
    graphs = []
    for name in ("before", "after"):
        spec = random_spec(Random(f"{seed} {name}"))
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(spec))
        try:
            graphs.append(cnndsl.check(tmp_path / f"{name}.yaml"))
        except cnndsl.SpecError:
            pytest.skip("no network")
    plans = [make_plan(graph, depth=99) for graph in graphs]
    for plan in (*plans, compare(*graphs), compare(*graphs, depth=99)):
        for across in (False, True):
            assert not list(faults(make_figure(plan, across=across)))


def test_every_wire_is_drawn() -> None:
    plan = make_plan(cnndsl.check("googlenet"), depth=99)
    lines = make_figure(plan).lines
    arrows = [line.wire.target for line in lines if line.arrow]
    assert {edge.target for edge in plan.edges} <= set(arrows)


@pytest.mark.parametrize("net", ["resnet152", "densenet201", "googlenet", "efficientnet_b0"])
def test_large_networks_fit_on_a_page(net: str) -> None:
    figure = make_figure(make_plan(cnndsl.check(net)))
    assert figure.height < 1600
    assert figure.width < 1300
    assert 0.6 < figure.height / figure.width < 1.8


def test_tall_diagrams_stand_in_columns() -> None:
    plan = make_plan(cnndsl.check("vgg16"))
    tall, columns = make_figure(plan, columns=1), make_figure(plan)
    assert tall.height > 1.8 * columns.height
    assert make_figure(plan, across=True).width > make_figure(plan, across=True).height


def test_a_shortcut_passes_its_block_at_the_side() -> None:
    figure = make_figure(make_plan(cnndsl.check("resnet50"), depth=99))
    (line,) = [
        line
        for line in figure.lines
        if line.wire.target == "layer1.1.add" and line.wire.source.startswith("in/")
    ]
    own = [placed.area for placed in figure.boxes if placed.box.id.startswith("layer1.1.")]
    assert max(x for x, _ in line.points) > max(area.x + area.width for area in own)


def test_branches_stand_side_by_side_in_their_order() -> None:
    figure = make_figure(make_plan(cnndsl.check("googlenet")))
    places = {placed.box.id: placed.area for placed in figure.boxes}
    first = [places[f"inception3a.{key}"] for key in ("branch1", "branch2.0", "branch3.0")]
    assert len({area.y for area in first}) == 1
    assert first == sorted(first, key=lambda area: area.x)


def test_text_is_as_wide_as_helvetica_has_it() -> None:
    words = "".join(map(chr, range(32, 127))) + "×…·–—"
    for bold, font in ((False, "Helvetica"), (True, "Helvetica-Bold")):
        for character in words:
            assert text_width(character, 10, bold) == pytest.approx(
                stringWidth(character, font, 10), abs=0.006
            )
