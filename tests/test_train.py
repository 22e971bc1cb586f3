"""Whole runs: from the spec to the checkpoints, stopped and resumed, repeated and greedy."""

from __future__ import annotations

import multiprocessing
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from harness import HEAD, NET, metrics_of, run, weights_hash
from images import write_images
from safetensors.torch import load_file
from torch import Tensor

import cnndsl
from cnndsl.diagnostics import SpecError
from cnndsl.recipe import Recipe
from cnndsl.training import checkpoint, target
from cnndsl.training.data import find_facts
from cnndsl.training.errors import TrainError
from cnndsl.training.signals import Stopped

FILES = {
    *("best.pt", "last.pt", "best.safetensors", "metrics.csv", "run.yaml"),
    *("curves.png", "curves.svg"),
}
DIGITS = find_facts(Recipe().data)


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A spec in the working directory, which is empty but for it."""
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(NET)
    return "net.yaml"


def last_of(folder: str | Path) -> dict[str, Any]:
    return checkpoint.load(Path(folder) / "last.pt")


# --- a run --------------------------------------------------------------------------------------


def test_a_run_from_spec_to_checkpoints(net: str) -> None:
    said: list[str] = []
    result = run(net, train={"seed": 1}, echo=said.append)
    assert said[0] == "net: 3×24×20 → 1×8×8, 5 → 10 classes, for digits"
    assert said[-1].startswith("best: ")
    assert result.folder == Path("runs/net-digits")
    written = {path.name for path in result.folder.iterdir()}
    (events,) = written - FILES
    assert events.startswith("events.out.tfevents")
    rows = metrics_of(result.folder)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["val_accuracy"]) == pytest.approx(result.epochs[1].val_accuracy, abs=1e-5)
    assert 0 <= float(rows[1]["waiting"]) < 1
    assert float(rows[1]["memory_mb"]) > 10
    assert result.best.val_accuracy > 0.8
    assert run(net, train={"epochs": 1}).folder == Path("runs/net-digits-2")


def test_a_checkpoint_says_what_it_is_of(net: str) -> None:
    result = run(net, train={"seed": 1})
    state = last_of(result.folder)
    told = state["about"]
    assert (told["spec"], told["input"], len(told["classes"])) == ("net", [1, 8, 8], 10)
    assert told["recipe"]["seed"] == 1
    model = cnndsl.build(net, params=told["params"], input=told["input"])
    model.load_state_dict(state["model"])
    assert weights_hash(model) == weights_hash(result.model)
    best = max(result.epochs, key=lambda row: row.rank)
    progress = checkpoint.load(result.best_checkpoint)["progress"]
    assert progress["epoch"] - 1 == best.epoch == result.best.epoch
    weights = load_file(result.folder / "best.safetensors")
    assert weights_hash(weights) == weights_hash(checkpoint.load(result.best_checkpoint)["model"])


def test_a_run_with_a_train_only_head(net: str) -> None:
    Path(net).write_text(NET + HEAD)
    result = run(net)
    assert result.best.val_accuracy > 0.8
    assert isinstance(result.model.eval()(torch.zeros(2, 1, 8, 8)), Tensor)


def test_everything_at_once(net: str) -> None:
    """Average, limits, parts, warm-up, mixing, several sizes, frozen and slow parameters."""
    Path(net).write_text(NET.replace("- flatten", "- global_avg_pool"))
    everything = {
        "ema": 0.9,
        "clip_norm": 1.0,
        "accumulate": 2,
        "schedule": {"name": "cosine", "warmup": 1},
        "augment": {"mixup": 0.2, "cutmix": 1.0, "flip": 0.5, "erase": 0.2, "pad_crop": 1},
        "sizes": [8, 10],
        "label_smoothing": 0.1,
        "freeze": ["norm"],
        "lr_scale": {"fc": 2},
        "init": "kaiming_normal",
        "data": {"workers": 0},
    }
    result = run(net, train=everything)
    state = last_of(result.folder)
    assert torch.equal(state["model"]["norm.weight"], torch.ones(16))
    assert weights_hash(state["ema"]) != weights_hash(state["model"])
    best = checkpoint.load(result.best_checkpoint)
    assert weights_hash(load_file(result.folder / "best.safetensors")) == weights_hash(best["ema"])


def test_a_run_over_a_folder_of_images(net: str, tmp_path: Path) -> None:
    """Two colours are learned from files, read by processes, and split by the seed."""
    write_images(tmp_path / "images", {"cat": 30, "dog": 30})
    data = {"name": "folder", "root": str(tmp_path / "images"), "workers": 2}
    said: list[str] = []
    with_ = {"data": data, "batch_size": 8, "augment": {"flip": 0.5}, "optimizer": {"lr": 0.003}}
    result = run(net, train=with_ | {"epochs": 4}, echo=said.append)
    assert said[0] == "net: 3×24×20 → 3×8×8, 5 → 2 classes, for folder"
    assert "48 images to train on, 12 to validate, 2 classes" in said[1]
    assert result.best.val_accuracy > 0.8


def test_early_stopping(net: str) -> None:
    said: list[str] = []
    slow = {"epochs": 9, "optimizer": {"lr": 0}, "early_stopping": 2}
    result = run(net, train=slow, echo=said.append)
    assert [row.epoch for row in result.epochs] == [1, 2, 3]
    assert any("ends early" in text for text in said)


def test_weights_to_begin_with(net: str) -> None:
    first = run(net)
    source = str(first.folder / "best.safetensors")
    still = run(net, train={"weights": source, "epochs": 1, "optimizer": {"lr": 0}})
    assert torch.equal(still.model.get_parameter("conv.weight"), load_file(source)["conv.weight"])
    with pytest.raises(TrainError, match=r"nothing\.pt"):
        run(net, train={"weights": "nothing.pt"})


# --- going on -----------------------------------------------------------------------------------


def stop_after(count: int) -> Any:
    """A check of signals that finds one when it is asked for the `count`th time."""
    asked = 0

    def agree(self: Any, signal: int) -> int:
        nonlocal asked
        asked += 1
        return 15 if asked >= count else 0

    return agree


@pytest.mark.parametrize(
    ("stop", "workers"),
    [
        (1, 0),
        (31, 2),
        *(pytest.param(*case, marks=pytest.mark.heavy) for case in [(10, 2), (25, 0)]),
    ],
)
def test_a_resumed_run_equals_an_uninterrupted_one(
    net: str, stop: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In mid-epoch, at an epoch's end and in validation, with augmentation, dropout and EMA."""
    with_ = {
        "data": {"workers": workers},
        "batch_size": 64,
        "augment": {"policy": "trivialaugment", "erase": 0.3, "mixup": 0.2},
        "ema": 0.9,
        "schedule": "cosine",
    }
    whole = run(net, train=with_ | {"data": {"workers": 0}}, out="whole")
    with monkeypatch.context() as patch:
        patch.setattr("cnndsl.training.engine.Engine.agree", stop_after(stop))
        with pytest.raises(Stopped) as caught:
            run(net, train=with_, out="part")
    assert caught.value.exit_code == 143
    assert not multiprocessing.active_children()
    state = last_of("part")["progress"]
    done = (state["epoch"] - 1) * 23 + state["step"]
    assert 0 < done < 46
    result = run(net, train=with_, out="part", resume=True)
    assert not multiprocessing.active_children()
    assert weights_hash(result.model) == weights_hash(whole.model)
    one, other = last_of("whole"), last_of("part")
    assert weights_hash(one["ema"]) == weights_hash(other["ema"])
    timeless = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr")
    for first, second in zip(metrics_of(Path("whole")), metrics_of(Path("part")), strict=True):
        assert [first[key] for key in timeless] == [second[key] for key in timeless]


def test_a_run_that_is_over_or_not_begun_can_be_resumed(net: str) -> None:
    first = run(net, out="mine", resume=True)
    again = run(net, out="mine", resume=True)
    assert weights_hash(again.model) == weights_hash(first.model)
    longer = run("mine/run.yaml", resume=True, train={"epochs": 3})
    assert [row.epoch for row in longer.epochs] == [1, 2, 3]
    assert longer.folder == Path("mine")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": {"optimizer": {"lr": 0.5}}}, "began with train.optimizer"),
        ({"train": {"seed": 3}}, "began with train.seed 0, not 3"),
        ({"params": {"width": 8}}, "another network"),
    ],
)
def test_another_run_is_not_resumed(net: str, change: dict[str, Any], message: str) -> None:
    run(net, out="mine", train={"epochs": 1})
    before = {path.name: path.read_bytes() for path in Path("mine").iterdir()}
    with pytest.raises(TrainError, match=message):
        run(net, out="mine", resume=True, **{"train": {"epochs": 1}, **change})
    assert {path.name: path.read_bytes() for path in Path("mine").iterdir()} == before


def test_damaged_checkpoints_are_told(net: str) -> None:
    run(net, out="mine")
    path = Path("mine/last.pt")
    whole = path.read_bytes()
    middle = len(whole) // 2
    for damaged in (whole[:middle], whole[:middle] + b"\xff\x00\xff" + whole[middle + 3 :], b""):
        path.write_bytes(damaged)
        with pytest.raises(TrainError, match=r"last.pt is damaged") as caught:
            run(net, out="mine", resume=True)
        assert "best.pt may be whole" in caught.value.help
    with pytest.raises(TrainError, match="no checkpoint"):
        checkpoint.load(Path("mine/first.pt"))


def test_a_shipped_name_is_the_network_not_a_folder(net: str) -> None:
    run(net, out="lenet", train={"epochs": 1})
    assert checkpoint.run_folder("lenet") is None
    assert checkpoint.run_folder("./lenet") == Path("lenet")
    assert checkpoint.run_folder("lenet/run.yaml") == Path("lenet")
    assert checkpoint.run_folder("net.yaml") is None


def test_resume_needs_a_run(net: str) -> None:
    with pytest.raises(TrainError, match="needs a run"):
        run(net, resume=True)


def test_checkpoints_every_few_steps(net: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    write = checkpoint.save_last

    def spy(folder: Path, state: dict[str, Any]) -> None:
        steps.append(state["progress"]["step"])
        write(folder, state)

    monkeypatch.setattr(checkpoint, "save_last", spy)
    run(net, train={"save_every": 10, "epochs": 1})
    assert steps == [10, 20, 0]


# --- run.yaml -----------------------------------------------------------------------------------


def test_run_yaml_repeats_the_run(net: str) -> None:
    first = run(net, params={"width": 8}, train={"epochs": 1, "seed": 3, "label_smoothing": 0.1})
    told = yaml.safe_load((first.folder / "run.yaml").read_text())
    assert told["params"] == {"classes": 10, "width": 8}
    assert told["train"]["label_smoothing"] == 0.1
    assert (told["run"]["seed"], told["run"]["data"]) == (3, "digits")
    assert {"python", "torch", "torchvision"} <= told["run"]["versions"].keys()
    assert "git" in told["run"]
    again = run(str(first.folder / "run.yaml"))
    assert again.folder != first.folder
    assert weights_hash(again.model) == weights_hash(first.model)
    third = run(str(again.folder))
    assert weights_hash(third.model) == weights_hash(first.model)


def test_run_yaml_stands_alone(net: str) -> None:
    Path("parts").mkdir()
    Path("parts/deep.yaml").write_text("blocks: {Act: {body: [relu]}}")
    Path("parts/blocks.yaml").write_text(
        "import: {deep: deep.yaml}\nblocks: {Conv: {body: [{conv: 4}, deep.Act: {}]}}"
    )
    Path("base.yaml").write_text(
        "import: {parts: parts/blocks.yaml}\nparams: {classes: 3, mid: 2}\ninput: [1, 8, 8]\n"
        "variants: {wide: {mid: 8}}\nexpect: {params: 45}\n"
        "body: [parts.Conv: {}, {conv: $mid}, global_avg_pool, {linear: $classes}]\n"
        "train: {epochs: 2, variants: {wide: {epochs: 1}}}\n"
    )
    Path("mine.yaml").write_text("extends: base.yaml:wide\ntrain: {optimizer: {lr: 0.1}}")
    first = run("mine.yaml", out="first")
    assert len(first.epochs) == 1
    for name in ("base.yaml", "mine.yaml"):
        Path(name).unlink()
    shutil.rmtree("parts")
    again = run("first/run.yaml")
    assert weights_hash(again.model) == weights_hash(first.model)


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "mobilenet_v3_small", "regnet_y_400mf"])
def test_run_yaml_of_shipped_networks_is_the_same_network(name: str, tmp_path: Path) -> None:
    from cnndsl.training import runfile

    graph = cnndsl.check(name, params={"classes": 7}, input=(3, 64, 64))
    resolved = runfile.resolve(name, graph, Recipe())
    path = tmp_path / "run.yaml"
    path.write_text(runfile.dump(resolved.values))
    assert not resolved.files
    assert runfile.structure(cnndsl.check(path)) == runfile.structure(graph)


# --- greedy training ----------------------------------------------------------------------------

DEEP = """
name: deep
params: {classes: 10}
input: [1, 8, 8]
body:
  - {conv: {out: 8, kernel: 3, padding: 1}, name: one}
  - {bn: {}, name: norm}
  - {relu: {}, name: first}
  - {seq: [{conv: {out: 16, kernel: 3, padding: 1, stride: 2}}, relu], name: two}
  - {seq: [{conv: {out: 16, kernel: 3, padding: 1}}, relu], name: three}
  - global_avg_pool
  - {linear: $classes, name: fc}
train: {epochs: 1, optimizer: {name: adam, lr: 0.01}, layerwise: {stages: [first, two], epochs: 2}}
"""


def test_greedy_training(net: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("deep.yaml").write_text(DEEP)
    states: list[dict[str, Any]] = []
    write = checkpoint.save_last

    def spy(folder: Path, state: dict[str, Any]) -> None:
        states.append(state)
        write(folder, state)

    monkeypatch.setattr(checkpoint, "save_last", spy)
    whole = run("deep.yaml", out="whole")
    rows = [(row.epoch, row.stage) for row in whole.epochs]
    assert rows == [(1, "first"), (2, "first"), (3, "two"), (4, "two"), (5, "")]
    assert whole.best.epoch == 5, "the best is one of the network itself"
    after_first, after_two = states[1]["model"], states[3]["model"]
    final = whole.model.state_dict()
    assert "two.0.weight" not in after_first
    assert "stage_head.fc.weight" in after_first
    for name in ("one.weight", "norm.weight", "norm.running_mean"):
        assert torch.equal(final[name], after_first[name]), f"{name} was frozen after its stage"
    assert torch.equal(final["two.0.weight"], after_two["two.0.weight"])
    begun = cnndsl.build("deep.yaml")
    assert not torch.equal(final["three.0.weight"], begun.get_parameter("three.0.weight"))
    monkeypatch.setattr(checkpoint, "save_last", write)
    for stop in (30, 60, 110):
        with monkeypatch.context() as patch:
            patch.setattr("cnndsl.training.engine.Engine.agree", stop_after(stop))
            with pytest.raises(Stopped):
                run("deep.yaml", out=f"part{stop}")
        result = run("deep.yaml", out=f"part{stop}", resume=True)
        assert weights_hash(result.model) == weights_hash(whole.model)


def test_greedy_training_of_all_at_the_end(net: str) -> None:
    Path("deep.yaml").write_text(DEEP.replace("epochs: 2}", "epochs: 1, rest: all}"))
    result = run("deep.yaml")
    assert all(parameter.requires_grad for parameter in result.model.parameters())


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ("[nothing]", "no scope or value `nothing`"),
        ("[two, first]", "stage `first` has no parameters"),
        ("[fc]", "leave nothing"),
    ],
)
def test_stages_that_cannot_be(net: str, stages: str, message: str) -> None:
    Path("deep.yaml").write_text(DEEP.replace("[first, two]", stages))
    with pytest.raises(TrainError, match=message):
        run("deep.yaml")
    assert not list(Path().glob("runs/*"))


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "densenet121", "vgg11", "inception"])
def test_every_scope_can_be_a_stage(name: str) -> None:
    from cnndsl.training.layerwise import stage_graph

    graph = cnndsl.check(name)
    for stage in [key for key in graph.values if "." not in key][:-1]:
        own = stage_graph(graph, stage, 10)
        own.verify()
        assert list(own.nodes[own.output.node].shape) == [10]


# --- what is refused ----------------------------------------------------------------------------


def test_a_run_that_fails_at_once_leaves_no_weights(net: str) -> None:
    with pytest.raises(TrainError, match="loss became") as caught:
        run(net, train={"optimizer": {"name": "sgd", "lr": 1e30}}, out="mine")
    assert "--lr 1e+29" in caught.value.help
    assert not list(Path("mine").glob("*.pt"))


@pytest.mark.parametrize(
    ("options", "message", "help"),
    [
        ({"train": {"epochs": 0}}, "train.epochs: expected", ""),
        ({"train": {"data": "imagenet"}}, "train.data.name: expected", ""),
        ({"train": {"optimizer": {"lrr": 1}}}, "train.optimizer.lrr: there is no", "`lr`"),
        ({"recipe": "imagenet"}, "has no recipe `imagenet`", "none"),
        ({"params": {"classes": 3}}, "digits has 10 classes", "--set classes=10"),
        ({"input": (3, 9, 8)}, "1 channels, the input has 3", "--input 1,9,8"),
        ({"train": {"data": "folder"}}, "needs", "--data-root"),
        ({"train": {"data": {"name": "folder", "root": "/no/such"}}}, "no images|not a f", ""),
        ({"train": {"sizes": [8, 12]}}, "do not fit images of 12×12", "global pooling"),
        ({"train": {"val": {"crop": 12}}}, "val.crop: the weights", "global pooling"),
        ({"train": {"precision": "fp16"}}, "fp16 needs a GPU", "bf16"),
        ({"train": {"freeze": ["nothing"]}}, "no parameter fits `nothing`", ""),
        ({"train": {"lr_scale": {"nothing": 1}}}, "no parameter fits `nothing`", ""),
    ],
)
def test_what_a_run_refuses(net: str, options: dict[str, Any], message: str, help: str) -> None:
    with pytest.raises(TrainError, match=message) as caught:
        run(net, **options)
    assert help in caught.value.help
    assert not list(Path().glob("runs/*"))


@pytest.mark.parametrize(
    ("old", "new", "message", "help"),
    [
        ("{linear: $classes, name: fc}", "linear: 7", "`output` of net is [7]", "classes=10"),
        ("  - flatten\n  - {dropout: 0.1}\n", "", "is [16, 4, 4]", "global_avg_pool"),
        ("[3, 24, 20]", "[64]", "", ""),
    ],
)
def test_networks_that_are_no_classifiers(
    net: str, old: str, new: str, message: str, help: str
) -> None:
    text = NET.replace(old, new)
    if "global" in help:
        text = text.replace("  - {linear: $classes, name: fc}\n", "")
    Path(net).write_text(text)
    with pytest.raises((TrainError, SpecError)) as caught:
        run(net)
    assert message in str(caught.value)
    assert help in getattr(caught.value, "help", "")


def test_the_network_is_fitted_to_the_data(net: str) -> None:
    graph, sized = cnndsl.check(net), Recipe(size=32)
    aim = target.aim(graph, {}, sized, DIGITS, fixed=False)
    assert (aim.input, aim.params, aim.size) == ((1, 32, 32), {"classes": 10}, (32, 32))
    aim = target.aim(graph, {"classes": 7}, Recipe(), DIGITS, fixed=False)
    assert (aim.input, aim.params) == ((1, 24, 20), {"classes": 7})
    narrow = cnndsl.check(net, input=(1, 20, 20))
    assert target.aim(narrow, {}, sized, DIGITS, fixed=True).input == (1, 20, 20)
    assert target.describe(graph, graph, DIGITS) == ""


def test_the_recipe_sets_parameters_below_the_command_line() -> None:
    graph = cnndsl.check("mobilenet_v3_small")
    made = target.make_recipe(graph, None, {})
    assert target.aim(graph, {}, made, DIGITS, fixed=False).params == {
        "momentum": 0.1,
        "classes": 10,
    }
    aim = target.aim(graph, {"momentum": 0.2}, made, DIGITS, fixed=False)
    assert aim.params == {"momentum": 0.2, "classes": 10}


def test_a_network_that_does_not_fit_the_size(net: str) -> None:
    Path(net).write_text(NET.replace("size: 8", "size: 1"))
    with pytest.raises(TrainError, match=r"for digits at 1×1×1: net.yaml:\d+:\d+: a window") as e:
        run(net)
    assert "--input 1,2,2" in e.value.help


def test_batch_normalization_over_one_value(net: str) -> None:
    Path(net).write_text(NET.replace("- flatten", "- flatten\n  - bn"))
    with pytest.raises(TrainError, match="batch normalization") as caught:
        run(net, train={"batch_size": 1})
    assert "--batch-size" in caught.value.help


# --- files --------------------------------------------------------------------------------------


def test_a_failing_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    checkpoint.write(path, lambda file: file.write(b"old"))

    def fail(file: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(TrainError, match="No space left"):
        checkpoint.write(path, fail)

    def interrupt(file: Any) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checkpoint.write(path, interrupt)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("links", [True, False])
def test_best_stays_when_last_goes_on(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr("os.link", lambda *_: (_ for _ in ()).throw(OSError))
    for epoch, best in ((1, True), (2, True), (3, False)):
        weights = {"weight": torch.ones(2) * epoch}
        checkpoint.save_last(tmp_path, {"epoch": epoch, "model": weights})
        if best:
            checkpoint.save_best(tmp_path, weights)
    assert checkpoint.load(tmp_path / "best.pt")["epoch"] == 2
    assert checkpoint.load(tmp_path / "last.pt")["epoch"] == 3
    assert load_file(tmp_path / "best.safetensors")["weight"].tolist() == [2, 2]
    names = {"best.pt", "last.pt", "best.safetensors"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_run_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = [str(checkpoint.make_folder(None, "lenet-digits")) for _ in range(3)]
    assert made == [f"runs/lenet-digits{end}" for end in ("", "-2", "-3")]
    asked = tmp_path / "mine"
    assert checkpoint.make_folder(asked, "") == checkpoint.make_folder(asked, "") == asked
    (asked / "last.pt").touch()
    with pytest.raises(TrainError, match="holds an earlier run"):
        checkpoint.make_folder(asked, "")
    with pytest.raises(TrainError, match="is not a folder"):
        checkpoint.make_folder(asked / "last.pt", "")
    with pytest.raises(TrainError, match="cannot make"):
        checkpoint.make_folder(asked / "last.pt" / "inner", "")


def test_the_curves_and_the_events_hold_every_epoch(net: str) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = run(net, train={"epochs": 3})
    svg = (result.folder / "curves.svg").read_text()
    assert svg.startswith("<?xml")
    assert f"{100 * result.best.val_accuracy:.2f}" in re.sub(r"<!-- (.*?) -->", r"\1", svg)
    events = EventAccumulator(str(result.folder))  # type: ignore[no-untyped-call]
    events.Reload()  # type: ignore[no-untyped-call]
    losses = events.Scalars("loss/validation")  # type: ignore[no-untyped-call]
    assert [event.step for event in losses] == [1, 2, 3]
    assert losses[-1].value == pytest.approx(result.epochs[-1].val_loss)
