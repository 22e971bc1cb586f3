"""`cnndsl compare`: the table, the pictures, the page, and what was published of the networks."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torchvision
from typer.testing import CliRunner, Result

import cnndsl
from cnndsl import shipped
from cnndsl.amounts import amount, rounded, sides, size
from cnndsl.cli import app
from cnndsl.compare.chart import NAME, chart
from cnndsl.compare.drawing import Box, Circle, Sheet, Words, to_svg, width_of
from cnndsl.compare.placing import Area, Disc, place
from cnndsl.compare.profile import MOST, bar, profile
from cnndsl.compare.rows import Accuracy, Row, gather

ROOT = Path(__file__).parent.parent
SOURCE = re.compile(r"torchvision (\w+_Weights\.\w+)")
NET = "name: {name}\ninput: [1, 28, 28]\nbody: [{{conv: {out}}}, relu, flatten, {{linear: 10}}]\n"
RUN = NET + "train: {{data: digits}}\n"


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(app, ["compare", *map(str, args)])


def networks(*args: str | Path) -> list[dict[str, Any]]:
    done = run(*args, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["diagnostics"] == []
    found: list[dict[str, Any]] = told["networks"]
    return found


# --- which networks ------------------------------------------------------------------------------


def test_names_mean_networks() -> None:
    names = [row["name"] for row in networks("vgg16", "specs/squeezenet.yaml", "mobilenet_v3")]
    assert names == [
        *("vgg16", "squeezenet1_0", "squeezenet1_1", "mobilenet_v3_large", "mobilenet_v3_small")
    ]
    one = networks(ROOT / "specs" / "resnet.yaml:resnet50")
    assert [row["name"] for row in one] == ["resnet50"]


def test_a_network_is_compared_once() -> None:
    assert len(networks("vgg16", "vgg16", "vgg11")) == 2


def test_networks_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for index, family in enumerate(("a", "a", "b")):
        (tmp_path / f"{index}.yaml").write_text(
            f"name: {family}\nparams: {{n: {index + 1}}}\nvariants: {{net: {{}}}}\n"
            "input: [1, 4, 4]\nbody: [{conv: $n}]\n"
        )
    found = networks(*(tmp_path / f"{index}.yaml" for index in range(3)))
    assert [row["name"] for row in found] == ["a:net", "a:net (2)", "b:net"]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name, out, accuracies in (("small", 2, ("0.5", "0.9025", "0.9")), ("large", 8, ("0.95",))):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "run.yaml").write_text(RUN.format(name="net", out=out))
        rows = [f"{i},{1 / (i + 1)},{value}" for i, value in enumerate(accuracies)]
        (folder / "metrics.csv").write_text("\n".join(["epoch,loss,val_accuracy", *rows, ""]))
    return tmp_path


def test_runs_bring_their_accuracy(runs: Path) -> None:
    small, large = networks(runs / "small", runs / "large" / "run.yaml")
    assert (small["name"], small["family"], small["top1"]) == ("small", "net", 90.25)
    assert (large["name"], large["data"], large["top1"]) == ("large", "digits", 95)
    assert large["source"].endswith("metrics.csv")
    told = run(runs / "small", "vgg16").stdout.splitlines()
    assert told[0].split()[-2:] == ["top1", "data"]
    assert [line.split()[-2:] for line in told[2:]] == [["90.25", "digits"], ["71.59", "ImageNet"]]


def test_a_run_that_has_measured_nothing(runs: Path) -> None:
    (runs / "small" / "metrics.csv").unlink()
    (runs / "large" / "metrics.csv").write_text("epoch,val_accuracy\n")
    assert [row["top1"] for row in networks(runs / "small", runs / "large")] == [None, None]


@pytest.mark.parametrize("text", [b"epoch,val_accuracy\n1,high\n", b"\xff\xfe\x00"])
def test_damaged_metrics(runs: Path, text: bytes) -> None:
    (runs / "small" / "metrics.csv").write_bytes(text)
    done = run(runs / "small")
    assert done.exit_code == 1
    assert "metrics.csv:1:1: error[file]: cannot read the accuracy of the run" in done.stderr


# --- the table -----------------------------------------------------------------------------------


def test_table() -> None:
    lines = run("resnet50", "vgg16", "lenet", "--sort", "macs").stdout.splitlines()
    assert lines[0].split() == [
        *("network", "params", "macs", "inference", "training", "depth", "field"),
        *("min_input", "top1"),
    ]
    assert [line.split()[0] for line in lines[2:]] == ["lenet", "resnet50", "vgg16"]
    assert lines[3].split() == [
        *("resnet50", "25.6", "M", "4.09", "G", "11.0", "MB", "85.9", "MB", "50", "427", "1"),
        "80.86",
    ]
    assert len({len(line) for line in lines[1:2] + lines[3:]}) == 1


def test_figures_are_those_of_build() -> None:
    (found,) = networks("resnet50")
    built = json.loads(CliRunner().invoke(app, ["build", "resnet50", "--json"]).stdout)
    for key in ("params", "macs", "depth", "min_input", "receptive_field", "window", "stride"):
        assert found[key] == built[key]
    for key in ("inference", "training"):
        assert found[key] == built["memory"][key]


@pytest.mark.parametrize(
    ("args", "names"),
    [
        (["--sort", "params"], ["lenet_bn", "squeezenet1_1", "resnet50"]),
        (["--sort", "top1", "--reverse"], ["resnet50", "squeezenet1_1", "lenet_bn"]),
        (["--sort", "network"], ["lenet_bn", "resnet50", "squeezenet1_1"]),
        (["--reverse"], ["lenet_bn", "squeezenet1_1", "resnet50"]),
    ],
)
def test_sorting(args: list[str], names: list[str]) -> None:
    found = networks("resnet50", "squeezenet1_1", "lenet_bn", *args)
    assert [row["name"] for row in found] == names


def test_csv(tmp_path: Path) -> None:
    assert run("vgg16", "inception", "-o", tmp_path / "t.csv").exit_code == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text())))
    assert rows[0]["params"] == "138357544"
    assert rows[0]["source"] == "torchvision VGG16_Weights.IMAGENET1K_V1"
    assert rows[1]["top1"] == ""
    assert rows[1]["receptive_field"] == "40"


def test_json_to_a_file(tmp_path: Path) -> None:
    assert run("vgg16", "-o", tmp_path / "t.json").exit_code == 0
    assert json.loads((tmp_path / "t.json").read_text())["networks"] == networks("vgg16")


@pytest.mark.parametrize(
    ("number", "told"),
    [
        *((0, "0"), (999, "999"), (1000, "1.00 k"), (61706, "61.7 k"), (999_600, "1.00 M")),
        *((4089184256, "4.09 G"), (138357544, "138 M"), (99.96e6, "100 M"), (2e12, "2.00 T")),
    ],
)
def test_amounts(number: int, told: str) -> None:
    assert amount(number) == told


@pytest.mark.parametrize(
    ("number", "told"),
    [(0, "0"), (2e6, "2 M"), (1.5e9, "1.5 G"), (1e8, "100 M"), (61706, "61.7 k")],
)
def test_round_amounts(number: float, told: str) -> None:
    assert rounded(number) == told


def test_sizes() -> None:
    assert (size(12), size(10_900_000)) == ("12 B", "10.9 MB")
    assert (sides([7, 7]), sides([7, 1])) == ("7", "7×1")


# --- pictures ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def everything() -> list[Row]:
    return gather(map(str, shipped.files().values()))


def test_all_networks_are_compared(everything: list[Row]) -> None:
    assert len(everything) == sum(len(shipped.variants(p) or "x") for p in shipped.files().values())
    assert len({row.name for row in everything}) == len(everything)
    assert sum(row.accuracy is not None for row in everything) == 68


def test_values_replace_those_of_every_spec(runs: Path) -> None:
    """Figures are those of the changed networks, which have no accuracy."""
    changes = ("--set", "classes=7", "--input", "1,32,32", "--set", "channels=1")
    rows = networks("resnet18", "vgg", *changes)
    assert len(rows) == 10
    (of_run,) = networks(runs / "small", "--input", "1,30,30")
    assert all(row["top1"] is None for row in (*rows, of_run))
    graph = cnndsl.check("resnet18", params={"classes": 7, "channels": 1}, input=[1, 32, 32])
    assert (rows[0]["params"], rows[0]["macs"]) == (
        cnndsl.cost(graph).params,
        cnndsl.cost(graph).macs,
    )
    done = run("resnet18", "lenet", "--set", "widths=3", "--json")
    assert done.exit_code == 1
    (told, _) = json.loads(done.stdout)["diagnostics"]
    assert told["message"] == "resnet has no parameter `widths`"
    done = run("resnet18", "--profile", "--input", "3,x,3")
    assert done.exit_code == 1
    assert "--input:1:4: error[value]" in done.output


def test_every_name_has_a_place_of_its_own(everything: list[Row]) -> None:
    sheet = chart(everything)
    assert sheet is not None
    known = {row.name for row in everything if row.accuracy}
    names = [m for m in sheet.marks if isinstance(m, Words) and m.text in known]
    assert {name.text for name in names} == known
    boxes = [(n.x, n.y - 0.8 * NAME, n.x + width_of(n.text, NAME), n.y) for n in names]
    for index, a in enumerate(boxes):
        assert a[0] >= 0
        assert a[2] <= sheet.width
        for b in boxes[:index]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_areas_are_parameters(everything: list[Row]) -> None:
    sheet = chart(everything)
    assert sheet is not None
    told = {m.title.partition(":")[0]: m.radius for m in sheet.marks if isinstance(m, Circle)}
    params = {row.name: row.params for row in everything}
    ratio = (told["vgg16"] / told["resnet50"]) ** 2
    assert ratio == pytest.approx(params["vgg16"] / params["resnet50"])


def test_data_sets_have_panels_of_their_own(runs: Path) -> None:
    sheet = chart(gather(["resnet18", "vgg16", str(runs / "small")]))
    assert sheet is not None
    titles = [m.text for m in sheet.marks if isinstance(m, Words) and m.bold]
    assert titles == ["Accuracy on ImageNet and cost", "Accuracy on digits and cost"]


@pytest.mark.parametrize("top1", [(50.0,), (100.0, 0.0), (99.99, 99.98, 99.97), (80.0, 80.0)])
def test_odd_accuracies_are_drawn(top1: tuple[float, ...]) -> None:
    (row,) = gather(["lenet"])
    rows = [
        Row(**{**vars(row), "name": str(i), "params": i, "macs": i, "accuracy": made})
        for i, made in enumerate(Accuracy(value, "x", "") for value in top1)
    ]
    sheet = chart(rows)
    assert sheet is not None
    assert "nan" not in to_svg(sheet)


def test_names_take_turns() -> None:
    """Discs in one spot: names go around, and those without room are left out."""
    discs = [Disc(50, 50, 4, "name" * 3) for _ in range(40)]
    found = [p for p in place(discs, Area(0, 0, 100, 100), 10) if p is not None]
    assert 1 <= len(found) < 40
    assert not any(a.overlaps(b) for i, a in enumerate(found) for b in found[:i])


def test_svg(tmp_path: Path) -> None:
    assert run("resnet18", "vgg16", "-o", tmp_path / "p.svg").exit_code == 0
    root = ElementTree.parse(tmp_path / "p.svg").getroot()
    titles = [e.text for e in root.iter("{http://www.w3.org/2000/svg}title")]
    assert any(t and t.startswith("vgg16: 71.59 %, 15.5 G multiply-adds") for t in titles)


@pytest.mark.parametrize("args", [["resnet18", "vgg16"], ["vgg16", "--profile"]])
def test_png(args: list[str], tmp_path: Path) -> None:
    assert run(*args, "-o", tmp_path / "p.png").exit_code == 0
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG\r\n")


def test_pictures_are_the_same_each_time(tmp_path: Path) -> None:
    made = []
    for name in ("a.png", "b.png"):
        assert run("resnet18", "vgg16", "-o", tmp_path / name).exit_code == 0
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]


def test_words_are_escaped() -> None:
    sheet = Sheet(10, 10, [Words(0, 0, "a < b & c"), Box(0, 0, 1, 1, "#000000", "<t>")])
    root = ElementTree.fromstring(to_svg(sheet, "<name>"))
    assert [e.text for e in root.iter() if e.text and e.text.strip()] == [
        *("<name>", "a < b & c", "<t>")
    ]


# --- the page ------------------------------------------------------------------------------------


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_page(tmp_path: Path) -> None:
    assert run("resnet18", "vgg16", "lenet", "-o", tmp_path / "p.html").exit_code == 0
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    page = Page(text)
    assert sum(tag == "tr" for tag, _ in page.tags) == 4
    assert sum(tag == "circle" for tag, _ in page.tags) == 2 + 3  # the legend has three
    values = [attrs.get("data-value") for tag, attrs in page.tags if tag == "td"]
    assert {"138357544", "71.592", "vgg16"} <= set(values)
    assert {attrs.get("title") for tag, attrs in page.tags if tag == "td"} >= {
        "torchvision VGG16_Weights.IMAGENET1K_V1"
    }
    addresses = re.findall(r"https?://[^\"' ]+", text)
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}, "the page stands alone"
    assert not {"link", "img", "iframe"} & {tag for tag, _ in page.tags}


def test_page_without_accuracies(tmp_path: Path) -> None:
    assert run("lenet", "-o", tmp_path / "p.html").exit_code == 0
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "<svg" not in text
    assert "lenet" in text


# --- the profile of one network ------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["vgg16", "resnet50", "densenet121", "efficientnet_b7", "lenet", "googlenet"]
)
def test_a_profile_adds_up(name: str) -> None:
    found = profile(cnndsl.check(name))
    costs = found.costs
    assert len(found.parts) <= MOST
    assert sum(part.memory for part in found.parts) == costs.memory.training
    assert sum(part.params for part in found.parts) == costs.params
    assert sum(part.macs for part in found.parts) == costs.macs


def test_profile_in_the_terminal() -> None:
    lines = run("vgg16", "--profile").stdout.splitlines()
    assert lines[0].split()[:2] == ["part", "output"]
    first = next(line for line in lines if line.startswith("features.0 "))
    last = next(line for line in lines if line.startswith("classifier.0 "))
    assert bar(1) in first
    assert "17.5%" in first
    assert "74.3%" in last
    assert lines[-1] == "depth 16, receptive field 212, stride 32"


def test_bars() -> None:
    assert [bar(share).rstrip() for share in (1, 0.5, 0.25 / 12, 0.0001)] == [
        *("█" * 12, "█" * 6, "▎", "▏")
    ]


def test_profile_files(tmp_path: Path) -> None:
    for name in ("p.svg", "p.html", "p.csv", "p.json"):
        assert run("vgg16", "--profile", "-o", tmp_path / name).exit_code == 0
    ElementTree.parse(tmp_path / "p.svg")
    parts = json.loads((tmp_path / "p.json").read_text())["parts"]
    assert parts == json.loads(run("vgg16", "--profile", "--json").stdout)["parts"]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "p.csv").read_text())))
    assert [row["path"] for row in rows] == [part["path"] for part in parts]
    assert "<svg" in (tmp_path / "p.html").read_text(encoding="utf-8")


# --- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        ([], 2, "name the networks to compare, or `--all`"),
        (["lenet", "--sort", "weight"], 2, "no column `weight`: one of network, params"),
        (["lenet", "-o", "t.pdf"], 2, "no format `.pdf`: one of .html"),
        (["lenet", "-o", "t.png"], 1, "no accuracy of these networks is known"),
        (["vgg", "--profile"], 2, "`--profile` shows one network, found 9: vgg11, vgg13"),
        (["resnet50x"], 1, "did you mean `resnet50`?"),
        (["resnet:resnet51"], 1, "resnet51"),
        (["nowhere.yaml", "nothing.yaml"], 1, "2 errors"),
    ],
)
def test_mistakes(
    args: list[str], code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*args)
    assert done.exit_code == code
    assert words in done.stderr
    assert "Traceback" not in done.output
    assert not list(tmp_path.iterdir())


def test_mistakes_as_json(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text("input: [3, 8, 8]\nbody: [{conv: {kernel: 9}}]\n")
    done = run("lenet", tmp_path / "net.yaml", "nothing.yaml", "--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told["networks"] == []
    assert len(told["diagnostics"]) == 2


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.exit_code == 1
    assert "run.yaml" in done.stderr


# --- what was published --------------------------------------------------------------------------


def test_published_figures_are_torchvisions(everything: list[Row]) -> None:
    """Of weights whose operations are ours: those for images of another size are left out."""
    known = {row.name: row for row in everything}
    names = set(torchvision.models.list_models(module=torchvision.models)) & set(known)
    assert len(names) == 68
    for name in names:
        accuracy = known[name].accuracy
        assert accuracy is not None
        found = SOURCE.fullmatch(accuracy.source)
        assert found is not None
        weights = torchvision.models.get_weight(found[1])
        assert weights in list(torchvision.models.get_model_weights(name))
        assert accuracy.top1 == weights.meta["_metrics"]["ImageNet-1K"]["acc@1"]
        assert round(known[name].macs / 1e9, 3) == weights.meta["_ops"]
        default = torchvision.models.get_model_weights(name).DEFAULT
        assert weights == default or default.meta["_ops"] != weights.meta["_ops"]


Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = "net.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_published_of_the_file_and_of_variants(write: Write) -> None:
    path = write(
        "params: {n: 8}\nvariants: {a: {}, b: {n: 4}}\ninput: [3, 8, 8]\nbody: [{conv: $n}]\n"
        "published: {source: somewhere, data: CIFAR-10, a: {top1: 93.5}, b: {top1: 91, top5: 99}}\n"
    )
    same = {"source": "somewhere", "data": "CIFAR-10"}
    assert cnndsl.check(path, "a").published == {**same, "top1": 93.5}
    assert cnndsl.check(path, "b").published == {**same, "top1": 91, "top5": 99}
    assert [(row["top1"], row["data"]) for row in networks(path)] == [
        *((93.5, "CIFAR-10"), (91, "CIFAR-10"))
    ]


def test_published_holds_for_the_network_as_it_is(write: Write) -> None:
    path = write("params: {n: 8}\ninput: [3, 8, 8]\nbody: [{conv: $n}]\npublished: {top1: 93.5}\n")
    assert cnndsl.check(path).published == {"top1": 93.5}
    assert cnndsl.check(path, params={"n": 4}).published == {}
    assert cnndsl.check(path, input=[3, 9, 9]).published == {}


def test_an_extending_file_publishes_its_own(write: Write) -> None:
    write("params: {n: 8}\ninput: [3, 8, 8]\nbody: [{conv: $n}]\npublished: {top1: 90}\n", "b.yaml")
    assert cnndsl.check(write("extends: b.yaml\nparams: {n: 4}\n")).published == {}
    own = write("extends: b.yaml\npublished: {top1: 80, source: here}\n")
    assert cnndsl.check(own).published == {"top1": 80, "source": "here"}


# --- without torch -------------------------------------------------------------------------------


def test_comparing_all_loads_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom cnndsl.cli import main\n"
        "try: main()\nexcept SystemExit as e: code = e.code\n"
        "heavy = {'torch', 'torchvision', 'numpy', 'matplotlib'} & set(sys.modules)\n"
        "assert not code and not heavy, (code, heavy)"
    )
    args = ["compare", "--all", "-o", str(tmp_path / "all.html")]
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "all.html").stat().st_size > 50_000
