"""Search: what is written → candidates, filtered by cost, trained, compared."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cnndsl.cli import app
from cnndsl.diagnostics import SpecError
from cnndsl.sweep import running
from cnndsl.sweep.filtering import read_amount
from cnndsl.sweep.fitting import Job, fit
from cnndsl.sweep.naming import folder_name, short_names
from cnndsl.sweep.picture import make_figure, overlap
from cnndsl.sweep.ranges import Range, RangeError, read_range
from cnndsl.sweep.report import pareto, table
from cnndsl.sweep.results import Outcome, Row, read_rows
from cnndsl.sweep.space import Candidate, Space, read_axes
from cnndsl.sweep.trial import Trial
from cnndsl.training import session
from cnndsl.training.device import Request
from cnndsl.training.errors import TrainError

ROOT = Path(__file__).parent.parent

NET = """
name: net
params: {classes: 5, width: 4, depth: 1, unused: 0}
input: [3, 24, 20]
body:
  - for: {i: $depth}
    do: [{conv: {out: $width, kernel: 3, padding: 1}}, relu]
  - {max_pool: 2}
  - flatten
  - {linear: $classes}
train: {epochs: 1, batch_size: 128, size: 8, optimizer: {name: adam, lr: 0.01}}
"""


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small spec; the sweeps are written beside it, and not by Ray."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(running, "has_ray", lambda: False)
    monkeypatch.setattr("cnndsl.cli.sweeping.has_ray", lambda: False)
    (tmp_path / "net.yaml").write_text(NET)
    return tmp_path


def sweep(*args: str) -> Result:
    return CliRunner().invoke(app, ["sweep", *args])


def rows_of(folder: str = "sweeps/net-digits") -> dict[str, dict[str, str]]:
    """The rows of a sweep's table, by the name of the trial."""
    return {row["trial"]: row for row in read_csv(Path(folder, "sweep.csv"))}


def read_csv(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def values(*texts: str) -> list[dict[str, Any]]:
    return [dict(candidate.values) for candidate in Space(read_axes(texts)).grid()]


# --- what is written ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("width=32,64", [32, 64]),
        ("width=32", [32]),
        ("depths=[2,2],[3,4]", [[2, 2], [3, 4]]),
        ("depths=[2,2]", [[2, 2]]),
        ("act=relu,'16..32'", ["relu", "16..32"]),
        ("on=true,null", [True, None]),
        ("train.augment={flip: 0.5},{}", [{"flip": 0.5}, {}]),
        ("width=16..32:8", [16, 24, 32]),
        ("n=1..3,7", [1, 2, 3, 7]),
        ("rate=0.1..0.3:0.1", [0.1, 0.2, 0.3]),
        ("depths=[1..2,5]", [[1, 5], [2, 5]]),
        ("root=../data", ["../data"]),
    ],
)
def test_values_of_a_name(text: str, options: list[Any]) -> None:
    name = text.partition("=")[0]
    assert [one[name] for one in values(text)] == options


def test_every_choice_the_last_name_fastest() -> None:
    found = values("a=1,2", "b=[1],[2]")
    assert found == [{"a": a, "b": [b]} for a in (1, 2) for b in (1, 2)]


@pytest.mark.parametrize(
    ("text", "message", "help"),
    [
        ("width", "`width` is not NAME=VALUE,VALUE…", "as in --set width=32,64"),
        ("=3", "is not NAME=VALUE", ""),
        ("width=", "`width` is given no value", "width=null"),
        ("width=1,,2", "--set:1:9: error[syntax]: a value is missing", ""),
        ("depths=[2,2,[3", "--set:1:8: error[syntax]: `[` is not closed", "]"),
        ("depths=1,[2", "--set:1:8: error[syntax]: `[` is not closed", "]"),
        ("width=32..16", "--set:1:7: error[value]: 32..16 holds no number", "16..32"),
        ("lr=0..1:log", "begins above 0", ""),
        ("width=1..8:x", "`x` is no step", ":log"),
        ("width=1..8:0", "`0` is no step", ":log"),
        ("lr=0.1..0.5", "a grid needs values, not a range", "--samples N"),
        ("lr=[1,1e-3..1:log]", "a grid needs values, not a range", "--samples N"),
        ("width=1..20000", "the grid has 20,000 candidates", "--samples N"),
    ],
)
def test_mistakes_are_told_with_their_remedy(text: str, message: str, help: str) -> None:
    with pytest.raises(SpecError) as caught:
        list(values(text))
    assert message in str(caught.value)
    assert help in str(caught.value)


def test_a_name_is_given_once() -> None:
    with pytest.raises(SpecError, match="write all its values in one: a=1,2"):
        read_axes(["a=1", "a=2"])


def test_ranges() -> None:
    assert read_range("16..128") == Range(16, 128)
    assert read_range("-1..2.5") == Range(-1, 2.5)
    assert read_range("1e-4..1e-1:log") == Range(1e-4, 1e-1, log=True)
    assert read_range("../data") is None
    assert read_range("1...2") is None
    assert Range(0.1, 0.5, 0.1).count == 5
    assert Range(0.1, 0.5).count is None
    with pytest.raises(RangeError):
        read_range("2..1")


def test_draws_are_of_the_range_and_of_the_seed() -> None:
    texts = ["lr=1e-4..1e-1:log", "n=1..3", "x=0.5..0.6", "d=[1..2,8..64:8]", "c=a,b"]
    space = Space(read_axes(texts), ("u", "v"))

    def drawn(seed: int, count: int) -> list[Candidate]:
        return [one for one, _ in zip(space.draws(seed), range(count), strict=False)]

    many = drawn(0, 300)
    assert many[:20] == drawn(0, 20) != drawn(1, 20)
    for one in many:
        assert 1e-4 <= one.values["lr"] <= 1e-1
        assert one.values["n"] in (1, 2, 3)
        assert 0.5 <= one.values["x"] <= 0.6
        assert one.values["d"][0] in (1, 2)
        assert one.values["d"][1] in range(8, 65, 8)
    powers = [
        sum(10.0**p <= one.values["lr"] < 10.0 ** (p + 1) for one in many) for p in range(-4, -1)
    ]
    assert min(powers) > 70, "each power of ten is as likely"
    assert {one.variant for one in many} == {"u", "v"}
    assert {one.values["c"] for one in many} == {"a", "b"}


def test_draws_end_where_nothing_new_is_found() -> None:
    assert len(list(Space(read_axes(["a=1,2", "b=1..3"])).draws(0))) == 6


def test_whole_numbers_are_drawn_to_both_ends() -> None:
    found = {one.values["a"] for one in Space(read_axes(["a=1..4:log"])).draws(0)}
    assert found == {1, 2, 3, 4}


def test_settings_are_nested() -> None:
    values = {"train.optimizer.lr": 0.1, "train.optimizer": "adam", "width": 3, "train.epochs": 2}
    candidate = Candidate(None, values)
    assert candidate.params == {"width": 3}
    assert candidate.settings == {"epochs": 2, "optimizer": {"name": "adam", "lr": 0.1}}


def test_names_are_of_what_varies() -> None:
    candidate = Candidate(None, {"width": 8, "depths": [2, 2], "train.optimizer.lr": 0.01})
    varying = ("width", "train.optimizer.lr", "depths")
    assert folder_name(candidate, varying) == "depths-2-2_lr-0.01_width-8"
    assert folder_name(candidate, ()) == "trial"
    odd = folder_name(Candidate(None, {"a": "x/../y"}), ("a",))
    assert "/" not in odd
    assert odd != folder_name(Candidate(None, {"a": "x-..-y"}), ("a",))
    assert len(folder_name(Candidate(None, {"a": "x" * 500}), ("a",))) <= 80
    assert short_names(["train.data.name", "train.optimizer.name", "lr"]) == {
        "train.data.name": "data.name",
        "train.optimizer.name": "optimizer.name",
        "lr": "lr",
    }


@pytest.mark.parametrize(
    ("text", "number"),
    [("500M", 500_000_000), ("1.5g", 1_500_000_000), ("40k", 40_000), ("7", 7), ("2e3", 2000)]
    + [(text, None) for text in ("", "M", "5T", "-1", "5 M x")],
)
def test_amounts(text: str, number: int | None) -> None:
    assert read_amount(text) == number


# --- the filter ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "variant", "values", "input"),
    [
        ("resnet_cifar", None, {"n": 2, "train.size": 16}, None),
        ("resnet", "resnet18", {"train.data": "cifar100"}, None),
        ("lenet", "lenet_bn", {"train.data.name": "mnist"}, None),
        ("nin", None, {"train.optimizer.lr": 0.5}, (1, 96, 96)),
        ("mobilenet_v2", None, {"width": 0.5, "classes": 10}, None),
        ("googlenet", None, {}, (1, 64, 64)),
    ],
)
def test_candidates_are_compiled_as_training_does(
    spec: str, variant: str | None, values: dict[str, Any], input: tuple[int, ...] | None
) -> None:
    candidate = Candidate(variant, values)
    fitted = fit(Job(spec, input), candidate)
    plan = session.plan(
        spec,
        variant,
        candidate.params,
        input,
        Request("cpu"),
        None,
        candidate.settings,
        None,
        False,
    )
    assert fitted.graph.nodes == plan.graph.nodes
    assert fitted.graph.outputs == plan.graph.outputs
    assert fitted.recipe == plan.recipe


def test_dry_run_filters_by_cost(net: Path) -> None:
    done = sweep("net.yaml", "--set", "width=4,8,4000", "--max-macs", "1M", "--dry-run")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert [line.split() for line in lines[:4:1] if "-" not in line] == [
        ["width", "params", "macs"],
        ["4", "690", "2,944"],
        ["8", "1,370", "5,888"],
    ]
    assert "left out, 1 of 3:" in lines
    assert "width 4000: 2,944,000 multiply-adds, more than 1,000,000" in lines[-1]
    assert not Path("sweeps").exists()
    few = sweep("net.yaml", "--set", "width=4,8", "--max-params", "1K", "--dry-run")
    assert "width 8: 1,370 parameters, more than 1,000" in few.stdout


def test_dry_run_loads_no_torch(net: Path) -> None:
    code = (
        "import sys\nfrom cnndsl.cli import main\n"
        "try: main()\nexcept SystemExit as e: code = e.code\n"
        "heavy = {'torch', 'numpy', 'ray', 'matplotlib'} & set(sys.modules)\n"
        "assert not code and not heavy, (code, heavy)"
    )
    args = ["sweep", "net.yaml", "--set", "width=4,8", "--dry-run"]
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, cwd=net)
    assert done.returncode == 0, done.stderr.decode()


def test_equal_networks_are_trained_once(net: Path) -> None:
    done = sweep("net.yaml", "--set", "unused=1,2", "--set", "width=4,4", "--dry-run")
    assert "left out, 3 of 4:" in done.stdout
    assert "unused 2, width 4: the same network and recipe as unused-1_width-4" in done.stdout
    other = sweep("net.yaml", "--set", "train.optimizer.lr=0.1,0.2", "--dry-run")
    assert "left out" not in other.stdout, "another recipe is another trial"


def test_candidates_that_do_not_check_are_left_out(net: Path) -> None:
    done = sweep("net.yaml", "--set", "width=4,0", "--dry-run")
    assert done.exit_code == 0
    (told,) = [line for line in done.stdout.splitlines() if "width 0" in line]
    assert told.lstrip().startswith("width 0: --set:1:7: conv.out: "), "the value that is swept"
    assert told.endswith(", read at net.yaml:7:23"), "and what reads it"
    none = sweep("net.yaml", "--set", "width=0,-1")
    assert none.exit_code == 1
    assert "error[" in none.stderr
    assert "^" in none.stderr
    dear = sweep("net.yaml", "--set", "width=4,8", "--max-macs", "1")
    assert dear.exit_code == 1
    assert "error: no candidate is left" in dear.stderr


def test_draws_go_on_until_enough_are_kept(net: Path) -> None:
    args = ["net.yaml", "--set", "width=1..64", "--max-params", "2K", "--samples", "4"]
    done = sweep(*args, "--dry-run")
    kept = done.stdout.split("left out")[0].splitlines()[2:]
    assert len([line for line in kept if line]) == 4
    assert done.stdout == sweep(*args, "--dry-run", "--seed", "0").stdout
    assert done.stdout != sweep(*args, "--dry-run", "--seed", "1").stdout


def test_variants(net: Path) -> None:
    done = sweep("resnet_cifar", "--variant", "resnet20,resnet32", "--dry-run")
    assert [line.split()[0] for line in done.stdout.splitlines()[2:4]] == ["resnet20", "resnet32"]
    wrong = sweep("resnet_cifar", "--variant", "resnet20,resnet23", "--dry-run")
    assert wrong.exit_code == 1
    assert "has no variant `resnet23`" in wrong.stderr


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--set", "widht=1,2"], 1, "did you mean `width`?"),
        (["--set", "train.optimizer.lrr=1,2"], 1, "there is no such key"),
        (["--set", "train.optimizer.lr=0.1,x"], 1, "--set:1:24: error[value]"),
        (["--set", "train.epochs=0..3"], 1, "at least 1, found 0"),
        (["--set", "width=1,2", "--recipe", "fast"], 1, "no candidate is left"),
        (["--set", "width=1"], 2, "nothing varies"),
        ([], 2, "nothing varies"),
        (["--set", "width=1,2", "--max-macs", "5X"], 2, "--max-macs takes a number as 500M"),
        (["--set", "train.epochs=1,2", "--epochs", "3"], 2, "given twice"),
        (["--set", "width=1,2", "--resume"], 2, "-o sweeps/NAME"),
        (["--set", "width=1,2", "--asha"], 1, "pip install 'cnndsl[sweep]'"),
        (["--set", "width=1,2", "--device", "cpu", "--gpus-per-trial", "1"], 2, "does not go"),
    ],
)
def test_wrong_arguments(net: Path, args: list[str], code: int, message: str) -> None:
    done = sweep("net.yaml", *args)
    assert done.exit_code == code, done.output
    assert message in done.output
    assert not Path("sweeps").exists()


# --- trials, one after the other ----------------------------------------------------------------


def test_a_sweep_trains_every_choice(net: Path) -> None:
    lr = "train.optimizer.lr=0.01,0.001"
    done = sweep("net.yaml", "--set", "width=4,8", "--set", lr, "--device", "cpu", "--seed", "3")
    assert done.exit_code == 0, done.output
    rows = rows_of()
    assert list(rows) == [f"lr-{lr}_width-{w}" for w in (4, 8) for lr in ("0.01", "0.001")]
    for name, row in rows.items():
        run = Path("sweeps/net-digits", name)
        metrics = read_csv(run / "metrics.csv")
        assert row["status"] == "done"
        assert row["val_accuracy"] == metrics[0]["val_accuracy"]
        assert (run / "best.pt").exists()
        assert "seed: 3" in (run / "run.yaml").read_text()
    assert Path("sweeps/net-digits/sweep.png").stat().st_size > 5_000
    assert "</svg>" in Path("sweeps/net-digits/sweep.svg").read_text()
    best = max(rows.values(), key=lambda row: float(row["val_accuracy"]))
    assert f"best: {float(best['val_accuracy']):.2%}" in done.stdout
    assert "one trial after the other; `pip install 'cnndsl[sweep]'`" in done.stdout


def test_a_trial_is_what_train_gives(net: Path) -> None:
    sweep("net.yaml", "--set", "width=4,8", "--device", "cpu")
    alone = session.run("net.yaml", None, {"width": 8}, device="cpu", out="alone", echo=str)
    row = rows_of()["width-8"]
    assert float(row["val_accuracy"]) == pytest.approx(alone.best.val_accuracy, abs=1e-6)
    swept = Path("sweeps/net-digits/width-8/best.safetensors").read_bytes()
    assert swept == Path("alone/best.safetensors").read_bytes()


def test_a_failing_trial_is_a_row(net: Path) -> None:
    args = ["--set", "train.optimizer.lr=0.01,1e30", "--set", "width=8", "--optimizer", "sgd"]
    done = sweep("net.yaml", *args, "--device", "cpu")
    assert done.exit_code == 1
    rows = rows_of()
    assert rows["lr-0.01"]["status"] == "done"
    assert rows["lr-1e+30"]["status"] == "failed"
    assert rows["lr-1e+30"]["message"].startswith("the loss became")
    assert "failed, 1 of 2:" in done.stdout
    again = sweep("net.yaml", *args, "--device", "cpu", "--resume", "-o", "sweeps/net-digits")
    assert again.exit_code == 1
    assert "1 of them trained before" in again.stdout


def test_a_surprise_is_a_row_too(net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*args: Any, **options: Any) -> None:
        raise RuntimeError("no\nluck")

    monkeypatch.setattr(session, "run", explode)
    done = sweep("net.yaml", "--set", "width=4,8", "--device", "cpu")
    assert done.exit_code == 1
    assert rows_of()["width-4"]["message"] == "RuntimeError: no luck"
    assert "Traceback" not in done.output
    assert "Traceback" in Path("sweeps/net-digits/width-4/error.txt").read_text()


def test_resume_trains_what_is_missing(net: Path) -> None:
    args = ["net.yaml", "--device", "cpu", "-o", "s"]
    assert sweep(*args, "--set", "width=4,8").exit_code == 0
    before = {path: path.stat().st_mtime_ns for path in Path("s").glob("width-*/*")}
    refused = sweep(*args, "--set", "width=4,8")
    assert refused.exit_code == 1
    assert "s holds an earlier sweep\nhelp: go on with it by `--resume`" in refused.stderr
    more = sweep(*args, "--set", "width=6,8", "--resume")
    assert more.exit_code == 0, more.output
    assert "2 candidates, 2 kept, 1 of them trained before\n" in more.stdout
    rows = rows_of("s")
    assert {name: row["status"] for name, row in rows.items()} == dict.fromkeys(
        ("width-6", "width-8", "width-4"), "done"
    )
    assert all(path.stat().st_mtime_ns == changed for path, changed in before.items())


@pytest.mark.heavy
def test_resume_with_more_epochs_goes_on(net: Path) -> None:
    args = ["net.yaml", "--set", "width=4,8", "--device", "cpu", "-o", "s"]
    sweep(*args, "--epochs", "1")
    more = sweep(*args, "--epochs", "2", "--resume")
    assert more.exit_code == 0, more.output
    assert len(read_csv(Path("s/width-4/metrics.csv"))) == 2
    straight = sweep(*args[:-1], "t", "--epochs", "2")
    assert straight.exit_code == 0
    for name in ("width-4", "width-8"):
        gone_on, at_once = (Path(s, name, "best.safetensors").read_bytes() for s in "st")
        assert gone_on == at_once


@pytest.mark.heavy
def test_resume_with_another_recipe_keeps_both(net: Path) -> None:
    args = ["net.yaml", "--set", "width=4,8", "--device", "cpu", "-o", "s"]
    sweep(*args)
    before = rows_of("s")
    assert sweep(*args, "--lr", "0.001", "--resume").exit_code == 0
    rows = rows_of("s")
    assert len(rows) == 4
    assert all(rows[name]["id"] == row["id"] for name, row in before.items())
    assert all(row["status"] == "done" for row in rows.values())


def test_what_is_no_table_is_refused(net: Path) -> None:
    Path("s").mkdir()
    Path("s/sweep.csv").write_text("a,b\n1,2\n")
    done = sweep("net.yaml", "--set", "width=4,8", "-o", "s", "--resume")
    assert done.exit_code == 1
    assert "s/sweep.csv is no table of a sweep" in done.stderr
    Path("file").write_text("")
    assert "cannot make file" in sweep("net.yaml", "--set", "width=4,8", "-o", "file").stderr


def test_ctrl_c_keeps_what_is_done(net: Path) -> None:
    """The first trial is done, the second is stopped within it, and goes on later."""
    code = "from cnndsl.sweep import running\nimport cnndsl.cli.sweeping as s\n"
    code += "running.has_ray = s.has_ray = lambda: False\nfrom cnndsl.cli import main\nmain()"
    args = ["sweep", "net.yaml", "--set", "train.epochs=1,5000", "--device", "cpu", "-o", "s"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *args], stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    metrics = Path("s/epochs-5000/metrics.csv")
    wait_for(lambda: metrics.exists() and len(metrics.read_text().splitlines()) > 2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert b"go on with `--resume`" in err
    rows = rows_of("s")
    assert rows["epochs-1"]["status"] == "done"
    assert rows["epochs-5000"]["status"] == "interrupted"
    assert float(rows["epochs-5000"]["val_accuracy"]) > 0
    assert b"epochs" in out, "the table is shown"
    assert read_rows(Path("s/sweep.csv"))[1].outcome.status == "interrupted"


def wait_for(holds: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


# --- the report ---------------------------------------------------------------------------------


def row(width: int, macs: int, accuracy: float | None, status: Any = "done") -> Row:
    outcome = Outcome(status, accuracy, 1, 1.0, "")
    return Row(f"width-{width}", {"width": str(width)}, macs // 2, macs, outcome, str(width))


def test_the_front_is_beaten_by_none() -> None:
    rows = [row(1, 10, 0.5), row(2, 20, 0.4), row(3, 20, 0.6), row(4, 30, 0.6), row(5, 40, 0.9)]
    rows.append(row(6, 5, 0.99, "failed"))
    assert [one.trial for one in pareto(rows)] == ["width-1", "width-3", "width-5"]
    lines = list(table(rows, ("width",)))
    assert [line.split()[0] for line in lines[2:8]] == ["6", "5", "3", "4", "1", "2"]
    assert [line.endswith("*") for line in lines[2:8]] == [False, True, True, False, True, False]


def test_names_in_the_picture_cover_nothing() -> None:
    """The names of a crowded front neither cross each other nor leave the picture."""
    rows = [row(i, 10**6 * 2**i, 0.9 + 0.01 * i - 0.001 * i * i / 3) for i in range(9)]
    rows += [row(20, 5 * 10**6, 0.88, "stopped"), row(21, 10**7, 0.6)]
    figure = make_figure(rows, ("width",), "crowded")
    axes = figure.axes[0]
    renderer = figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer).extents for text in axes.texts if text.get_text()]
    assert len(boxes) == len(pareto(rows))
    for place, box in enumerate(boxes):
        assert not any(overlap(tuple(box), tuple(other)) for other in boxes[:place])
        assert axes.bbox.x0 <= box[0]
        assert box[2] <= axes.bbox.x1
        assert axes.bbox.y0 <= box[1]
        assert box[3] <= axes.bbox.y1


def test_the_page_is_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example's networks cost what its table tells."""
    page = (ROOT / "docs/sweep.md").read_text(encoding="utf-8")
    (tmp_path / "small.yaml").write_text(re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0])
    monkeypatch.chdir(tmp_path)
    command = re.findall(r"cnndsl sweep (small.yaml .*)", page)[0]
    told = sweep(*command.split(), "--dry-run").stdout
    shown = re.findall(r"```\n(width .*?)```", page, re.DOTALL)[0]
    kept, out = (text.split("left out") for text in (told, shown))
    figures = [
        {tuple(line.split()[:4]) for line in text[0].splitlines() if line[:1] not in ("", "-")}
        for text in (kept, out)
    ]
    assert figures[0] == figures[1]
    assert len(figures[0]) == 14
    assert kept[1].split() == out[1].split()


# --- Ray Tune -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "asked", "machine", "placed", "gpus"),
    [
        ("auto", None, {"CPU": 8.0}, "cpu", 0),
        ("auto", None, {"CPU": 8.0, "GPU": 2.0}, "auto", 1),
        ("cpu", None, {"CPU": 8.0, "GPU": 2.0}, "cpu", 0),
        ("cuda", None, {"CPU": 8.0, "GPU": 2.0}, "cuda", 1),
        ("cuda", 0.5, {"CPU": 8.0, "GPU": 2.0}, "cuda", 0.5),
        ("auto", 0.0, {"CPU": 8.0, "GPU": 2.0}, "cpu", 0),
        ("cuda", None, {"CPU": 8.0}, None, 0),
        ("auto", 3.0, {"CPU": 8.0, "GPU": 2.0}, None, 0),
    ],
)
def test_what_ray_gives_a_trial(
    device: str,
    asked: float | None,
    machine: dict[str, float],
    placed: str | None,
    gpus: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from cnndsl.sweep import parallel

    fake = types.SimpleNamespace(cluster_resources=lambda: machine)
    monkeypatch.setitem(sys.modules, "ray", fake)
    trials = [Trial("t", "t", "net", None, {}, None, None, {}, device, 1)]
    resources = running.Resources(gpus=asked)
    if placed is None:
        with pytest.raises(TrainError, match="this machine has"):
            parallel._placed(trials, resources)
    else:
        found, given = parallel._placed(trials, resources)
        assert (found[0].device, given) == (placed, gpus)


def test_by_ray(net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three trials, one of which fails; the results are those of trials one after the other."""
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.tune")
    monkeypatch.setenv("HOME", str(net))  # where Ray keeps a key of its own
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    args = ["net.yaml", "--set", "width=4,8", "--set", "train.optimizer.lr=0.01,1e30"]
    args += ["--optimizer", "sgd", "--device", "cpu", "--epochs", "2"]
    sweep(*args, "-o", "one_by_one")
    monkeypatch.setattr(running, "has_ray", lambda: True)
    monkeypatch.setattr("cnndsl.cli.sweeping.has_ray", lambda: True)
    from cnndsl.sweep.parallel import SETTINGS

    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    ray.init(num_cpus=2, num_gpus=0, include_dashboard=False, log_to_driver=False)
    try:
        done = sweep(*args, "-o", "by_ray")
        refused = sweep(*args, "-o", "many", "--cpus-per-trial", "3")
    finally:
        ray.shutdown()
    assert done.exit_code == 1, done.output
    ours, theirs = rows_of("by_ray"), rows_of("one_by_one")
    assert list(ours) == list(theirs)
    for name, row in ours.items():
        same = ("status", "val_accuracy", "best_epoch", "message", "id", "params")
        assert [row[key] for key in same] == [theirs[name][key] for key in same]
    weights = [Path(s, "lr-0.01_width-8", "best.safetensors") for s in ("by_ray", "one_by_one")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert not Path("by_ray/.ray").exists()
    assert refused.exit_code == 1
    assert "a trial is given 3 CPU, this machine has 2" in refused.stderr
    assert not Path("many").exists()
    assert os.getcwd() == str(net)
