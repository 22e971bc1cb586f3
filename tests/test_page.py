"""The page: what it holds, and how it behaves in a real browser.

The browser is Chromium, driven by Playwright. Where one of them is missing these tests are skipped,
but not where the environment says `CI`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import cnndsl
from cnndsl.cli import app
from cnndsl.diagram import make_figure, make_plan, write_page
from cnndsl.diagram.plan import Link
from cnndsl.graph import Graph

ROOT = Path(__file__).parent.parent
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
QUICK = 100
"""Milliseconds that an interaction may take."""

PORTS = """
name: ports
input: [8, 16, 16]
body:
  - {conv: 8, name: first}
  - name: encoder
    seq: [{conv: 8, name: one}, {conv: 8, name: two}, {conv: 8, name: three}]
  - name: decoder
    seq:
      - {conv: 8, name: up}
      - add: [[], {from: encoder.two}]
      - {conv: 8, name: mid}
      - add: [[], {from: encoder.one}]
  - {conv: 8, name: a}
  - {conv: 8, name: b}
  - {from: a}
  - {conv: 8, name: c}
  - add: [[{from: b}, {conv: 8, name: d}], [{from: c}]]
  - {name: e, seq: [relu]}
  - {from: c}
  - {conv: 8, name: f}
  - add: [[{from: b}], [{from: f}], [{from: e}]]
outputs:
  logits: {}
  features: {from: encoder.one}
"""

TITLES = """
name: titles
inputs: {a: [3, 8, 8], b: [3, 8, 8]}
body:
  - {from: a, conv: 4, name: p}
  - {from: b, conv: 4, name: q}
  - name: crossing
    seq:
      - {from: p, conv: 4, name: u}
      - {from: q, conv: 4, name: v}
      - add: [[], {from: u}]
      - {from: v, mul: [[], {from: u}, {from: add}]}
  - name: into_a_group
    seq:
      - {name: inner, seq: [{from: p}, {add: [{conv: 4}, {from: q}]}]}
      - conv: 4
"""
WRITTEN = {"ports": PORTS, "titles": TITLES}


def missing() -> str:
    """What the browser's tests lack."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "the package playwright is not installed"
    return "" if browser_path() else "no Chromium was found"


def browser_path() -> str | None:
    return next((path for name in CHROMIUM if (path := shutil.which(name))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing())
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=browser_path(), args=ARGUMENTS)
        yield found
        found.close()


class Visit:
    """An opened page, with what it said and asked for."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        size = {"width": 1400, "height": 900}
        self.page = browser.new_page(viewport=size, **options)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())

    def shown(self) -> set[str]:
        """The ids of the boxes and open groups that show."""
        script = "[...document.querySelectorAll('.item')].map((one) => one.item.id)"
        return set(self.page.evaluate(script))

    def item(self, id: str) -> Any:
        """The element of a box or group."""
        script = "(id) => [...document.querySelectorAll('.item')].find((one) => one.item.id === id)"
        return self.page.evaluate_handle(script, id).as_element()

    def card(self) -> str:
        self.page.wait_for_selector("#card:not([hidden])")
        return str(self.page.inner_text("#card"))

    def hover(self, id: str) -> str:
        """What the card tells where the pointer comes to a box."""
        self.item(id).scroll_into_view_if_needed()
        self.page.wait_for_timeout(60)
        box = self.item(id).bounding_box()
        self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 3)
        return self.card()


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Any]:
    opened: list[Visit] = []

    def go(graph: Graph | str, options: Any = None, **context: Any) -> Visit:
        graph = cnndsl.check(graph) if isinstance(graph, str) else graph
        path = tmp_path / "net.html"
        path.write_text(write_page(graph, **(options or {})), encoding="utf-8")
        opened.append(Visit(browser, path, **context))
        return opened[-1]

    yield go
    for one in opened:
        assert one.said == [], "the console says nothing"
        assert all(url.startswith("file:") for url in one.asked), "nothing is loaded"
        one.page.close()


# --- what the page holds ---


def model_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="model">(.*?)</script>', page, re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


def test_the_page_is_one_file_that_loads_nothing() -> None:
    page = write_page(cnndsl.check("resnet18"))
    assert "default-src 'none'" in page
    outside = re.findall(r"(?:src|href|url|@import)\s*[=(]?\s*[\"']?(?:https?:)?//", page)
    assert not outside
    assert set(re.findall(r"https?://[^\"' )]+", page)) <= {"http://www.w3.org/2000/svg"}


def test_equal_graphs_give_equal_pages() -> None:
    first, second = (write_page(cnndsl.check("googlenet")) for _ in range(2))
    assert first == second


def test_every_node_is_told_with_its_line() -> None:
    graph = cnndsl.check("resnet18")
    facts = model_of(write_page(graph))["facts"]
    assert [node[0] for node in facts["nodes"]] == [node.path for node in graph.nodes]
    places = [facts["lines"][node[7]][0] for node in facts["nodes"]]
    assert all(re.fullmatch(r"resnet\.yaml:\d+", place) for place in places)


def test_activation_memory_is_that_of_the_costs() -> None:
    graph = cnndsl.check("resnet18")
    nodes = model_of(write_page(graph))["facts"]["nodes"]
    assert sum(node[6] for node in nodes) == cnndsl.cost(graph).memory.training
    both = model_of(write_page(cnndsl.check("resnet34"), before=graph))["facts"]["nodes"]
    later = cnndsl.cost(cnndsl.check("resnet34")).memory.training
    assert sum(node[6] for node in both if not node[9]) == later


@pytest.mark.parametrize("format", ["svg", "png", "html"])
def test_drawing_loads_no_torch(format: str, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom cnndsl.cli import main\n"
        "try: main()\nexcept SystemExit as e: code = e.code\n"
        "assert not code and not {'torch', 'numpy'} & set(sys.modules)"
    )
    args = ["draw", "lenet", "-o", str(tmp_path / f"net.{format}")]
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr.decode()


NASTY = "</script><script>alert(1)</script><b>&amp;\u2028 {{model}}"


def nasty(graph: Graph) -> Graph:
    """A graph with a text at each place that a spec or a user's op can fill."""
    nodes = tuple(replace(node, path=f"{node.path}{NASTY}") for node in graph.nodes)
    outputs = tuple(replace(output, name=output.name + NASTY) for output in graph.outputs)
    root = replace(graph.root, members=nodes)
    values = {node.path: node.id for node in nodes}
    return replace(
        graph, variant=NASTY, about=NASTY, nodes=nodes, root=root, outputs=outputs, values=values
    )


def test_texts_of_specs_are_no_html() -> None:
    page = write_page(nasty(cnndsl.check("lenet")))
    assert page.count("<script") == 2
    assert "<b>" not in page
    assert model_of(page)["title"] == NASTY


def test_the_command_writes_a_page(tmp_path: Path) -> None:
    path = tmp_path / "net.html"
    done = CliRunner().invoke(app, ["draw", "lenet", "-o", str(path), "--theme", "dark"])
    assert done.exit_code == 0
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "prefers-color-scheme" not in page


# --- in the browser ---


@pytest.mark.parametrize("net", ["lenet", "googlenet", "densenet121", "convnext_tiny", "vgg16"])
def test_pages_open(net: str, visit: Any) -> None:
    opened = visit(net)
    plan = make_plan(cnndsl.check(net))
    assert opened.shown() == {box.id for box in plan.boxes} | {group.id for group in plan.groups}


def test_texts_of_specs_are_shown_as_they_are(visit: Any) -> None:
    opened = visit(nasty(cnndsl.check("lenet")))
    assert opened.page.inner_text("h1").split() == NASTY.split()
    assert opened.page.evaluate("document.querySelectorAll('#net script, #net b').length") == 0


def test_without_scripts_the_picture_is_there(visit: Any) -> None:
    opened = visit("lenet", java_script_enabled=False)
    assert opened.page.locator("#stage svg").is_visible()
    assert not opened.page.locator("#tools").is_visible()


LAID_OUT = """(across) => {
  page.layout.across = !across;
  page.turn();  // across, in the window's columns
  page.columns(null);
  const found = {};
  const walk = (net, x, y) => {
    for (const item of net.items.values()) {
      const s = net.block.spots.get(item.id);
      const [left, top] = [x + s.x - s.left, y + s.y];
      const area = across
        ? [top, left, s.length, s.left + s.right]
        : [left, top, s.left + s.right, s.length];
      found[item.id] = area;
      const inside = item.state === 2 ? item.units : item.state === 1 ? item.net : null;
      if (inside) walk(inside, x + s.x, y + s.y);
    }
  };
  const root = page.model.root;
  walk(root, root.block.left, 0);
  return found;
}"""


def shipped_or_written(net: str, folder: Path) -> Graph:
    if net not in WRITTEN:
        return cnndsl.check(net)
    path = folder / f"{net}.yaml"
    path.write_text(WRITTEN[net], encoding="utf-8")
    return cnndsl.check(path)


@pytest.mark.parametrize(
    "net", ["lenet", "resnet152", "googlenet", "inception_v3", "densenet201", "vgg16", *WRITTEN]
)
@pytest.mark.parametrize("across", [False, True], ids=["down", "across"])
def test_the_page_lays_out_as_the_picture(
    net: str, across: bool, visit: Any, tmp_path: Path
) -> None:
    graph = shipped_or_written(net, tmp_path)
    found = visit(graph).page.evaluate(LAID_OUT, across)
    figure = make_figure(make_plan(graph), across=across)
    placed = {p.box.id: p.area for p in figure.boxes} | {p.group.id: p.area for p in figure.groups}
    assert found.keys() == placed.keys()
    for id, area in placed.items():
        assert found[id] == pytest.approx([area.x, area.y, area.width, area.height], abs=0.01), id


def test_the_page_draws_the_picture_s_lines(visit: Any) -> None:
    graph = cnndsl.check("googlenet")
    opened = visit(graph)
    opened.page.evaluate(LAID_OUT, False)
    drawn = opened.page.evaluate(
        "[...document.querySelectorAll('.arrow')].map((path) => path.getAttribute('d')).join('')"
    )
    lines = make_figure(make_plan(graph)).lines
    assert drawn.count("M") == sum(line.arrow for line in lines)


def test_the_page_draws_data_over_shortcuts(visit: Any) -> None:
    opened = visit("resnet50")
    opened.page.evaluate(LAID_OUT, False)
    drawn = opened.page.evaluate(
        "[...document.querySelectorAll('g.lines')].map((net) => "
        "[...net.querySelectorAll('.line')].map((path) => path.classList[1]))"
    )
    data = f"l{list(Link).index(Link.MAIN)}"
    shared = [kinds for kinds in drawn if data in kinds and len(kinds) > 1]
    assert shared
    assert all(kinds[-1] == data for kinds in shared)


def test_blocks_open_and_close_by_clicks(visit: Any) -> None:
    opened = visit("googlenet")
    assert "inception3b.branch1" not in opened.shown()
    opened.item("inception3b").click()
    assert "inception3b.branch1" in opened.shown()
    title = opened.item("inception3b").query_selector(":scope > .title")
    title.click()
    assert "inception3b.branch1" not in opened.shown()
    opened.item("inception3b").query_selector(".toggle").click()
    assert "inception3b.branch1" in opened.shown()


def test_an_opened_block_stays_where_it_is(visit: Any) -> None:
    opened = visit("resnet152")
    opened.page.click("#close-all")
    opened.item("layer4").scroll_into_view_if_needed()
    before = opened.item("layer3").bounding_box()
    opened.item("layer3").click()
    after = opened.item("layer3").bounding_box()
    assert (after["y"], "layer3.0" in opened.shown()) == (pytest.approx(before["y"], abs=2), True)


def test_all_blocks_open_and_close_and_unfold(visit: Any) -> None:
    opened = visit("resnet50")
    opened.page.click("#close-all")
    assert "layer1" in opened.shown()
    assert "layer1.0" not in opened.shown()
    opened.page.click("#unfold-all")
    opened.page.click("#open-all")
    graph = cnndsl.check("resnet50")
    blocks = {f"layer{s}.{i}" for s, n in enumerate((3, 4, 6, 3), 1) for i in range(n)}
    assert blocks <= opened.shown()
    assert opened.page.evaluate(
        "new Set([...document.querySelectorAll('.box')].flatMap((one) => one.item.ids)).size"
    ) == len(graph.nodes)


def test_repetitions_unfold_one_by_one(visit: Any) -> None:
    opened = visit("resnet50")
    opened.item("layer3.1").query_selector(".unfold").click()
    assert {f"layer3.{i}" for i in range(6)} <= opened.shown()
    opened.page.evaluate(
        "page.unfold([...page.model.root.items.get('layer3').net.items.values()][1])"
    )
    assert "layer3.4" not in opened.shown()


def test_hovering_tells_all_about_a_node(visit: Any) -> None:
    told = visit("resnet18").hover("layer2.0.conv1")
    for words in ("kernel", "3", "stride", "2", "64×56×56", "128×28×28", "73,984", "57,802,752"):
        assert words in told
    assert re.search(r"resnet\.yaml:\d+", told)
    assert "layer2.0.bn1" in told


def test_hovering_tells_the_sums_of_a_block(visit: Any) -> None:
    opened = visit("googlenet")
    told = opened.hover("inception4a")
    graph = cnndsl.check("googlenet")
    layers = [
        layer for layer in cnndsl.cost(graph).layers if layer.node.path.startswith("inception4a.")
    ]
    assert f"{sum(layer.params for layer in layers):,}" in told
    assert f"{sum(layer.macs for layer in layers):,}" in told
    assert "[96, 208]" in told
    assert "googlenet.yaml:" in told


def test_search_finds_and_opens(visit: Any) -> None:
    opened = visit("resnet152")
    assert "layer3.17.conv2" not in opened.shown()
    opened.page.keyboard.press("/")
    opened.page.keyboard.type("17.conv2")
    assert "layer3.17.conv2" in opened.page.inner_text("#found")
    opened.page.keyboard.press("Enter")
    assert "layer3.17.conv2" in opened.shown()
    hit = opened.page.query_selector(".hit")
    assert hit.bounding_box()["y"] > 0
    assert "layer3.17.conv2" in opened.card()
    opened.page.keyboard.press("Escape")
    assert opened.page.query_selector(".hit") is None


def test_search_tells_that_there_is_nothing(visit: Any) -> None:
    opened = visit("lenet")
    opened.page.fill("#search", "nowhere")
    assert "no such path" in opened.page.inner_text("#found")


def test_zoom_and_pan(visit: Any) -> None:
    opened = visit("resnet50")
    scale = "page.view.scale"
    first = opened.page.evaluate(scale)
    opened.page.keyboard.press("+")
    assert opened.page.evaluate(scale) > first
    opened.page.keyboard.press("-")
    opened.page.keyboard.press("-")
    assert opened.page.evaluate(scale) < first
    opened.page.mouse.move(600, 500)
    opened.page.keyboard.down("Control")
    opened.page.mouse.wheel(0, -400)
    opened.page.keyboard.up("Control")
    opened.page.wait_for_function("page.view.scale > 0.9")
    opened.page.evaluate("page.view.zoom(2)")
    start = opened.page.evaluate("[page.stage.scrollLeft, page.stage.scrollTop]")
    opened.page.mouse.move(1385, 880)
    opened.page.mouse.down()
    opened.page.mouse.move(1285, 780, steps=4)
    opened.page.mouse.up()
    end = opened.page.evaluate("[page.stage.scrollLeft, page.stage.scrollTop]")
    assert [round(b - a) for a, b in zip(start, end, strict=True)] == [100, 100]


def test_keys_go_through_the_network(visit: Any) -> None:
    opened = visit("googlenet")
    focused = "document.activeElement.item && document.activeElement.item.id"
    opened.page.keyboard.press("Tab")
    opened.page.evaluate("page.focus(page.model.root.items.get('maxpool2'))")
    opened.page.keyboard.press("ArrowDown")
    assert opened.page.evaluate(focused) == "inception3a"
    opened.page.keyboard.press("ArrowLeft")
    assert "inception3a.branch1" not in opened.shown()
    opened.page.keyboard.press("Enter")
    opened.page.keyboard.press("ArrowRight")
    assert opened.page.evaluate(focused) == "inception3a.branch1"
    assert "inception3a.branch1" in opened.card()
    opened.page.keyboard.press("ArrowLeft")
    assert opened.page.evaluate(focused) == "inception3a"
    opened.page.keyboard.press("c")
    assert "aux1.conv" not in opened.shown()
    opened.page.keyboard.press("?")
    assert opened.page.locator("#keys").is_visible()


def test_heat_shows_where_the_cost_is(visit: Any) -> None:
    opened = visit("vgg16")
    hottest = """(() => {
      const share = (one) => parseInt(one.style.getPropertyValue("--share"));
      const boxes = [...document.querySelectorAll(".box")];
      return boxes.sort((a, b) => share(b) - share(a))[0].item.id;
    })()"""
    opened.page.select_option("#heat", "params")
    assert opened.page.evaluate(hottest) == "classifier.0"
    assert "%" in opened.item("classifier.0").text_content()
    opened.page.select_option("#heat", "macs")
    assert opened.page.evaluate(hottest).startswith("features.")
    opened.page.keyboard.press("h")
    opened.page.select_option("#heat", "bytes")
    assert opened.page.evaluate(hottest) == "features.0"
    opened.page.select_option("#heat", "")
    assert "4096" in opened.item("classifier.0").text_content()


def test_light_and_dark(visit: Any) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    opened = visit("lenet", color_scheme="light")
    light = opened.page.evaluate(ground)
    opened.page.click("#theme")
    dark = opened.page.evaluate(ground)
    assert light != dark
    assert visit("lenet", color_scheme="dark").page.evaluate(ground) == dark
    assert visit("lenet", {"theme": "light"}, color_scheme="dark").page.evaluate(ground) == light


def test_words_can_be_selected(visit: Any) -> None:
    opened = visit("resnet18")
    box = opened.item("layer1").query_selector(".title text").bounding_box()
    opened.page.mouse.dblclick(box["x"] + 5, box["y"] + box["height"] / 2)
    assert opened.page.evaluate("String(getSelection())") == "layer1"


def test_screen_readers_are_told(visit: Any) -> None:
    opened = visit("resnet18")
    box = opened.item("layer1.0.conv1")
    assert box.get_attribute("aria-label").startswith("layer1.0.conv1: conv1, 64×56×56")
    group = opened.item("layer1")
    assert (group.get_attribute("role"), group.get_attribute("aria-expanded")) == (
        "treeitem",
        "true",
    )


def test_a_page_compares_two_networks(visit: Any) -> None:
    before = cnndsl.check("resnet18")
    opened = visit("resnet34", {"before": before})
    added = "[...document.querySelectorAll('.box.m-added')].map((one) => one.item.times)"
    assert opened.page.evaluate(added) == [1, 2, 4, 1]
    assert "added" in opened.page.inner_text("#legend")
    opened.item("layer3.2").click()
    assert "added" in opened.hover("layer3.2.conv1")
    opened.page.click("#unfold-all")
    opened.page.click("#open-all")
    assert "layer3.5.conv2" in opened.shown()


def test_the_page_runs_in_a_notebook_s_frame(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><body>{cnndsl.check('lenet')._repr_html_()}</body>", "utf-8")
    opened = Visit(browser, path)
    frame = opened.page.frame_locator("iframe")
    frame.locator(".item").first.wait_for()
    assert frame.locator(".item").count() == 10
    assert opened.said == []
    opened.page.close()


MEASURED = """async ([id, count]) => {
  const painted = () => new Promise((done) => requestAnimationFrame(() => {
    const channel = new MessageChannel();  // comes after the frame was drawn
    channel.port1.onmessage = done;
    channel.port2.postMessage(0);
  }));
  const times = [];
  const { item } = [...document.querySelectorAll(".group")].find((one) => one.item.id === id);
  for (let i = 0; i < count; i++) {
    const badge = item.element.querySelector(".toggle");
    const start = performance.now();
    badge.dispatchEvent(new MouseEvent("click", { bubbles: true }));
    await painted();
    times.push(performance.now() - start);
  }
  return times;
}"""


def test_a_fully_open_resnet152_answers_at_once(visit: Any) -> None:
    opened = visit("resnet152", {"expand": True})
    assert len(opened.shown()) > 250
    plain = quickest(opened)
    opened.page.keyboard.press("h")
    heated = quickest(opened)
    print(f"\na click to the painted frame: {plain:.0f} ms, in heat {heated:.0f} ms")
    assert plain < QUICK
    assert heated < QUICK


def quickest(opened: Visit) -> float:
    """The median time of a click that closes a block or opens it; of several rounds the best."""
    rounds = [opened.page.evaluate(MEASURED, ["layer3.12", 12]) for _ in range(3)]
    return min(statistics.median(times) for times in rounds)
