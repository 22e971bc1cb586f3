"""The commands as users run them: output, files and exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

import cnndsl
from cnndsl.cli import app

ROOT = Path(__file__).parent.parent
BAD = "input: [3, 8, 8]\nbody:\n  - {conv: {out: 4, kernal: 3}}\n  - linear: 10\n"


def run(*args: str) -> Result:
    return CliRunner().invoke(app, list(args))


def test_table_of_layers() -> None:
    done = run("build", "lenet")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["path", "op", "output", "params", "macs"]
    assert any(line.split()[:3] == ["0", "conv", "5×5,"] for line in lines)
    assert "61,706 parameters, 416,520 multiply-adds" in lines[-3]
    assert lines[-2].startswith("activations of one sample: 40.8 kB in inference, the most at 1;")
    assert lines[-1] == "depth 5, receptive field 16, stride 4"
    gated = run("build", "mobilenet_v3_small").stdout.splitlines()
    assert gated[-1] == "depth 54, receptive field 639 and all, stride 32"


@pytest.mark.parametrize("spec", ["specs/inception.yaml", "specs/resnet.yaml:resnet50", "resnet50"])
def test_check_shapes(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    done = run("build", spec, "--check-shapes")
    assert done.exit_code == 0
    last = done.stdout.splitlines()[-1]
    assert last.startswith("ok ")
    assert " 0 expectations" not in last


def test_check_shapes_confirms_all_variants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    told = run("build", "specs/resnet.yaml", "--check-shapes").stdout
    for name in ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"):
        assert f"ok  resnet:{name}: " in told


def test_check_shapes_finds_a_wrong_variant(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "params: {n: 4}\nvariants: {a: {}, b: {n: 8}}\ninput: [3, 8, 8]\nbody: [conv: $n]\n"
        "expect: {a: {params: 16}, b: {params: 33}}\n"
    )
    done = run("build", str(path), "--check-shapes")
    assert done.exit_code == 1
    assert ":5:39: error[expect]: params: the spec expects 33, the network has 32" in done.stderr
    assert run("build", str(path), "--check-shapes", "--variant", "a").exit_code == 0


def test_check_shapes_tells_the_mistakes_of_all_variants(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    text = (
        "params: {k: 1, n: 4}\nvariants: {a: {k: 9}, b: {k: 3}, c: {n: 0}, d: {k: 9}, e: {k: 11}}\n"
        "input: [3, 8, 8]\nbody: [{conv: {out: $n, kernel: $k}}]\nexpect: {b: {params: 7}}\n"
    )
    path.write_text(text)
    told = run("build", str(path), "--check-shapes").stderr
    windows = [line for line in told.splitlines() if ": error[shape]: a window of" in line]
    assert [re.findall("a window of ([0-9]+)", line) for line in windows] == [["9"], ["11"]]
    assert told.count("error[expect]: params: the spec expects 7, the network has") == 1
    assert told.count("error[argument]: ") == 1
    assert "4 errors" in told
    path.write_text(text.replace("k: 1,", "k: 9,"))  # also as written, which is told once
    assert "4 errors" in run("build", str(path), "--check-shapes").stderr
    path.write_text(text.replace("k: 1,", "k: 10,"))
    assert "5 errors" in run("build", str(path), "--check-shapes").stderr
    path.write_text(text.replace("conv", "conw"))
    assert "1 error\n" in run("build", str(path), "--check-shapes").stderr


def test_json() -> None:
    told = json.loads(run("build", "googlenet", "--json").stdout)
    assert list(told) == [
        *("name", "variant", "input", "outputs", "params", "macs", "min_input", "depth"),
        *("memory", "receptive_field", "window", "stride", "layers", "failed", "diagnostics"),
    ]
    assert told["variant"] == "googlenet"
    assert told["input"] == [3, 224, 224]
    assert told["outputs"]["aux1"] == {"shape": [1000], "train_only": True, "loss_weight": 0.3}
    assert (told["params"], told["macs"], told["min_input"]) == (13004888, 1498376192, 15)
    first = told["layers"][0]
    assert first == {
        "path": "conv1.conv",
        "op": "conv",
        "input": [3, 224, 224],
        "output": [64, 112, 112],
        "params": 9408,
        "macs": 118013952,
        "memory": 3211264,
        "receptive_field": [7, 7],
        "window": [7, 7],
        "stride": [2, 2],
    }
    assert (
        sum(layer["memory"] for layer in told["layers"]) + 4 * 3 * 224**2
        == (told["memory"]["training"])
    )
    merge = next(layer for layer in told["layers"] if layer["op"] == "concat")
    assert [shape[0] for shape in merge["input"]] == [64, 128, 32, 32]


def test_json_of_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(BAD)
    done = run("build", str(path), "--json")
    assert done.exit_code == 1
    (told,) = json.loads(done.stdout)["diagnostics"]
    assert (told["line"], told["column"], told["code"]) == (3, 21, "schema")
    assert told["severity"] == "error"
    assert told["help"] == "did you mean `kernel`?"
    assert set(told) == {"file", "line", "column", "code", "severity", "message", "help", "related"}


def test_mistakes_are_told_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(BAD)
    done = run("build", str(path))
    assert done.exit_code == 1
    assert "    3 |   - {conv: {out: 4, kernal: 3}}" in done.stderr
    assert "      |                     ^^^^^^" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["build", "resnet50", "--variant", "resnet5"], 1, "did you mean `resnet50`?"),
        (["build", "resnet50x"], 1, "did you mean `resnet50`?"),
        (["build", "nowhere.yaml"], 1, "cannot read nowhere.yaml"),
        (["build", "resnet50", "--set", "depth=[1]"], 1, "did you mean `depths`?"),
        (["build", "resnet50", "--set", "depths"], 1, "is not NAME=VALUE"),
        (["build", "resnet50", "--set", "depths=[1,"], 1, "--set:"),
        (["build", "resnet50", "--set", "classes=many"], 1, "`classes` takes an integer"),
        (["build", "resnet50", "--input", "3,x,3"], 1, "positive integers"),
        (["build", "lenet", "--input", "1,4,4"], 1, "does not fit"),
        (["build", "lenet", "--nonsense"], 2, "No such option"),
        (["build"], 2, "Missing argument"),
        (["draw", "lenet", "--format", "gif"], 2, "no format `gif`"),
        (["train", "lenet", "--epochs", "0"], 2, "--epochs"),
        (["train", "lenet", "--device", "gpu"], 1, "gpu"),
        (["train", "lenet", "--data", "imagenet"], 1, "imagenet"),
        (["build", "lenet", "-o", "nowhere/at/all.py"], 1, "cannot write"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_mistakes(args: list[str], code: int, words: str) -> None:
    done = run(*args)
    assert done.exit_code == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_set_and_input_change_the_network() -> None:
    args = ["--set", "classes=7", "--set", "depths=[1, 1, 1, 1]", "--input", "3,64,64", "--json"]
    told = json.loads(run("build", "resnet", *args).stdout)
    assert told["outputs"]["output"]["shape"] == [7]
    assert told["input"] == [3, 64, 64]


def test_cuda_without_a_gpu_names_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    done = run("train", "resnet", "--device", "cuda")
    assert done.exit_code == 1
    assert "--device cpu" in done.stderr


def test_writes_source(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text("old")
    assert run("build", "lenet", "-o", str(path)).exit_code == 0
    assert "class Lenet(nn.Sequential):" in path.read_text()
    assert list(tmp_path.iterdir()) == [path]


def test_verify() -> None:
    done = run("build", "inception", "--verify")
    assert done.exit_code == 0
    assert "verified: 26 layers" in done.stdout


def test_draw_svg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    path = tmp_path / "resnet.svg"
    assert run("draw", "specs/resnet.yaml", "-o", str(path)).exit_code == 0
    assert ElementTree.fromstring(path.read_text()).tag.endswith("svg")


def test_draw_dot_to_standard_output() -> None:
    done = run("draw", "lenet")
    assert done.exit_code == 0
    assert done.stdout.startswith("digraph")


def test_schema_of_a_file(tmp_path: Path) -> None:
    done = run("schema", "resnet", "-o", str(tmp_path / "schema.json"))
    assert done.exit_code == 0
    node = json.loads((tmp_path / "schema.json").read_text())["$defs"]["node"]
    assert node["properties"]["Bottleneck"]["properties"]["width"]["type"] == ["integer", "string"]


def test_train_end_to_end(tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = run("train", "lenet", "--epochs", "1", "--device", "cpu", "-o", str(out))
    assert done.exit_code == 0, done.stderr
    assert {path.name for path in out.iterdir()} >= {"best.pt", "last.pt", "metrics.csv"}
    assert len((out / "metrics.csv").read_text().splitlines()) == 2
    again = run("train", "lenet", "--epochs", "1", "--device", "cpu", "-o", str(out))
    assert again.exit_code == 1
    assert "holds an earlier run" in again.stderr


def test_network_is_compiled_for_the_data(tmp_path: Path) -> None:
    args = ["--set", "depths=[1, 1, 1, 1]", "--epochs", "1", "--device", "cpu"]
    done = run("train", "resnet", *args, "-o", str(tmp_path / "run"))
    assert done.exit_code == 0, done.stderr
    assert "3×224×224 → 1×32×32, 1000 → 10 classes, for digits" in done.stdout.splitlines()[0]


def test_module_runs_as_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cnndsl", "--version"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout.startswith("cnndsl 0.")


def test_pipes_may_close_early() -> None:
    command = f"{sys.executable} -m cnndsl build resnet152 | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.startswith("path")
    assert "Traceback" not in done.stderr


# What is asked for and would have no effect is told.


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (["build", "lenet", "-o", "m.onnx"], 2, "`cnndsl export SPEC -o m.onnx` does"),
        (["build", "lenet", "-o", "m.pt2"], 2, "`cnndsl export SPEC -o m.pt2` does"),
        (["build", "lenet", "-o", "m.foo"], 2, "no format `.foo`: name a file that ends in .py"),
        (["build", "lenet", "-o", "m"], 2, "no format"),
        (["draw", "lenet", "-o", "m.foo"], 2, "no format `foo`"),
        (["draw", "lenet", "-o", "m.svg", "--format", "png"], 2, "--format says png"),
        (["compare", "lenet", "-o", "m.foo"], 2, "no format `.foo`"),
        (["compare", "lenet", "--profile", "--sort", "macs"], 2, "order networks"),
        (["export", "lenet", "-o", "m.foo"], 2, "no format `.foo`"),
        (["schema", "-o", "m.yaml"], 2, "a schema ends in .json"),
        (["import", "torchvision:alexnet", "-o", "m.py"], 2, "a spec ends in .yaml or .yml"),
        (["build", "resnet18", "--variant", "resnet34"], 1, "two variants are asked for"),
        (["build", "resnet18:resnet34"], 1, "two variants are asked for"),
        (["build", "two.yaml:v", "--variant", "w"], 1, "`v` and `w`"),
        (["draw", "two.yaml:v", "--variant", "w"], 1, "`v` and `w`"),
        (["export", "two.yaml:v", "--variant", "w", "-o", "m.py"], 1, "`v` and `w`"),
        (["train", "two.yaml:v", "--variant", "w"], 1, "`v` and `w`"),
        (["build", "lenet", "--set", "classes=3", "--set", "classes=4"], 1, "set twice"),
        (["export", "lenet", *2 * ["--set", "classes=3"], "-o", "m.py"], 1, "set twice"),
        (["train", "lenet", *2 * ["--set", "train.epochs=3"]], 1, "set twice"),
        (["compare", "lenet", *2 * ["--set", "classes=3"]], 1, "set twice"),
        (["build", "two.yaml", "--input", "3,9,9"], 1, "several inputs: `a`, `b`"),
        (["build", "two.yaml:v", "--variant", "v"], 0, ""),
        (["build", "resnet:resnet18"], 0, ""),
        (["build", "lenet:lenet_bn"], 0, ""),  # `lenet` is the file and one of its variants
        (["build", "lenet", "--variant", "lenet_bn"], 0, ""),
        (["build", "lenet:lenet_bn", "--variant", "lenet"], 1, "two variants are asked for"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_has_no_effect_is_told(
    args: list[str], code: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("two.yaml").write_text(
        "inputs: {a: [3, 8, 8], b: [3, 8, 8]}\nvariants: {v: {}, w: {}}\n"
        "body: [{add: [[], {from: b}]}]\n"
    )
    done = run(*args)
    assert (done.exit_code, told in done.stderr) == (code, True), done.output
    assert [path.name for path in tmp_path.iterdir()] == ["two.yaml"]


def test_sizes_of_several_inputs_are_parameters(tmp_path: Path) -> None:
    """What the message about `--input` says, followed literally."""
    path = tmp_path / "two.yaml"
    path.write_text(
        "params: {size: 8}\ninputs: {a: [3, $size, $size], b: [3, $size, $size]}\n"
        "body: [{add: [[], {from: b}]}]\n"
    )
    assert "[3, 64, 64]" in run("build", str(path), "--set", "size=64").stdout


def test_arguments_of_build_without_effect() -> None:
    with pytest.raises(TypeError, match="none are given"):
        cnndsl.build("lenet", partial=True)
    with pytest.raises(TypeError, match="a Graph is checked"):
        cnndsl.build(cnndsl.check("lenet"), params={"classes": 3})
