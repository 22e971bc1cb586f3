"""Exported files: equal to the module, whole or not there, and what is told where that fails."""

from __future__ import annotations

import json
import runpy
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import safetensors
import torch
from harness import run
from PIL import Image
from torch import Tensor, nn
from typer.testing import CliRunner, Result

import cnndsl
from cnndsl import exporter
from cnndsl.cli import app
from cnndsl.diagnostics import SpecError
from cnndsl.exporter import ExportError, Network, export
from cnndsl.exporter.formats import FORMATS, Run
from cnndsl.graph import Graph

ROOT = Path(__file__).parent.parent
FAMILIES = sorted(path.stem for path in (ROOT / "specs").glob("*.yaml"))
SIDES = (64, 96, 128, 192, 224, 299)
TWO = """
name: two
inputs: {left: [3, 8, 8], right: [3, 8, 8]}
body:
  - add:
      - [{from: left}, {conv: 4}]
      - [{from: right}, {conv: 4}]
  - relu
outputs:
  wide: {body: [flatten, {linear: 5}]}
  small: {body: [global_avg_pool]}
"""


def cn(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


def network(graph: Graph) -> Network:
    """A network whose every tensor is random, of a size that keeps the values in bounds."""
    torch.manual_seed(0)
    module = cnndsl.build(graph)
    for name, tensor in module.state_dict().items():
        if tensor.dim() > 1:
            nn.init.kaiming_normal_(tensor, nonlinearity="relu")
        elif name.endswith(("weight", "running_var")):
            nn.init.uniform_(tensor, 0.5, 1.5)
        elif tensor.is_floating_point():
            nn.init.normal_(tensor, std=0.1)
    return Network(graph, module.eval(), {"spec": graph.name})


def small(name: str) -> Graph:
    """The network for the smallest of some sizes that it takes."""
    channels = cnndsl.check(name).inputs[0].shape[0]
    for side in SIDES:
        try:
            return cnndsl.check(name, input=[channels, side, side])
        except SpecError:
            continue
    raise AssertionError(f"{name} takes none of {SIDES}")


@cache
def known(name: str) -> Network:
    return network(small(name))


def answer(own: Network, images: Tensor) -> Tensor:
    return own.run([images])[0]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run("lenet", train={"epochs": 1}, out=tmp_path_factory.mktemp("run")).folder


def only(path: Path) -> None:
    """The file alone was written: no part of it, no data beside it."""
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


# --- the formats ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        *(("resnet18", ending) for ending in (".pt2", ".safetensors", ".py")),
        *((name, ".pt2") for name in ("googlenet", "mobilenet_v3_small", "shufflenet_v2_x0_5")),
    ],
)
def test_equal_bit_for_bit(tmp_path: Path, name: str, ending: str) -> None:
    path = tmp_path / f"model{ending}"
    done = export(known(name), path)
    assert done.difference == 0
    assert done.size == path.stat().st_size
    only(path)


@pytest.mark.parametrize("name", ["lenet", "resnet18"])
def test_onnx(tmp_path: Path, name: str) -> None:
    own, path = known(name), tmp_path / "model.onnx"
    done = export(own, path)
    assert 0 < done.difference <= exporter.TOLERANCE
    only(path)
    model = onnx.load(path)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert {prop.key: prop.value for prop in model.metadata_props}["spec"] == own.graph.name
    session = onnxruntime.InferenceSession(str(path))
    (given,), (output,) = session.get_inputs(), session.get_outputs()
    assert (given.name, output.name) == (own.inputs[0], own.outputs[0])
    images = torch.randn(5, *own.graph.inputs[0].shape)
    (found,) = session.run(None, {given.name: images.numpy()})
    wanted = answer(own, images).numpy()
    assert np.abs(found - wanted).max() < 1e-5 * np.abs(wanted).max()


def test_pt2_takes_any_batch(tmp_path: Path) -> None:
    own = known("lenet")
    export(own, tmp_path / "model.pt2")
    extra = {"spec": ""}
    program = torch.export.load(tmp_path / "model.pt2", extra_files=extra)
    assert extra == {"spec": "lenet"}
    for count in (1, 2, 7):
        images = torch.randn(count, *own.graph.inputs[0].shape)
        assert torch.equal(program.module()(images), answer(own, images))


def test_source_stands_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remark at its end is a program that loads the weights."""
    own = known("lenet")
    for ending in (".py", ".safetensors"):
        export(own, tmp_path / f"model{ending}")
    names = runpy.run_path(str(tmp_path / "model.py"))
    lines = (tmp_path / "model.py").read_text().splitlines()
    _, *remark = [line.removeprefix("# ") for line in lines if line.startswith("# ")]
    monkeypatch.chdir(tmp_path)
    exec("\n".join(remark), names)
    images = torch.randn(2, *own.graph.inputs[0].shape)
    assert torch.equal(names["model"](images), answer(own, images))


@pytest.mark.parametrize("ending", [".onnx", ".pt2", ".safetensors", ".py"])
def test_several_inputs_and_outputs(tmp_path: Path, ending: str) -> None:
    spec = tmp_path / "two.yaml"
    spec.write_text(TWO)
    own = network(cnndsl.check(spec))
    assert (own.inputs, own.outputs) == (["left", "right"], ["wide", "small"])
    assert export(own, tmp_path / f"two{ending}").difference <= exporter.TOLERANCE


# --- the command ---------------------------------------------------------------------------------


def test_a_run(trained: Path, tmp_path: Path) -> None:
    """The weights of the run, and what it knows of its classes and of how it sees images."""
    path = tmp_path / "model.safetensors"
    done = cn("export", trained, "-o", path)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"{path}: 248 kB, equal to the network bit for bit at batches 1 and 3\n"
    assert path.stat().st_mode & 0o044
    best = safetensors.torch.load_file(trained / "best.safetensors")
    written = safetensors.torch.load_file(path)
    assert best.keys() == written.keys()
    assert all(torch.equal(best[name], written[name]) for name in best)
    with safetensors.safe_open(path, framework="pt") as file:
        notes = file.metadata()
    assert notes["spec"] == "lenet"
    assert json.loads(notes["classes"]) == list("0123456789")
    Image.new("L", (8, 8)).save(tmp_path / "digit.png")
    predicted = cn("predict", trained, tmp_path / "digit.png")
    again = cn("predict", "lenet", tmp_path / "digit.png", "--weights", path)
    assert again.exit_code == 0, again.stderr
    assert again.stdout == predicted.stdout


def test_a_spec(tmp_path: Path) -> None:
    done = cn(
        "export", "lenet", "--set", "classes=7", "--input", "1,32,32", "-o", tmp_path / "a.pt2"
    )
    assert done.exit_code == 0, done.stderr
    assert "no weights were named" in done.stderr
    assert done.stdout.endswith("equal to the network bit for bit at batches 1 and 3\n")
    only(tmp_path / "a.pt2")


@pytest.mark.heavy
def test_opset(tmp_path: Path) -> None:
    done = cn("export", "lenet", "-o", tmp_path / "a.onnx", "--opset", 20)
    assert done.exit_code == 0, done.stderr
    assert onnx.load(tmp_path / "a.onnx").opset_import[0].version == 20
    done = cn("export", "lenet", "-o", tmp_path / "b.onnx", "--opset", 999)
    assert done.exit_code == 1
    only(tmp_path / "a.onnx")


def test_in_python(trained: Path, tmp_path: Path) -> None:
    done = cnndsl.export(trained, tmp_path / "model.pt2", weights="last")
    assert done.difference == 0
    with pytest.raises(ExportError, match="no format"):
        cnndsl.export("lenet", tmp_path / "model.tflite")


# --- what is at fault ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (["lenet", "-o", "{}/a.tflite"], 2, "no format `.tflite`"),
        (["lenet", "-o", "{}/a.pt2", "--opset", "18"], 2, "`--opset` is for .onnx"),
        (["lenet", "-o", "{}/none/a.py"], 1, "cannot write"),
        (["lenet", "-o", "{}"], 2, "no format"),
        (["lanet", "-o", "{}/a.py"], 1, "neither a file nor a shipped network"),
        (["lenet", "-o", "{}/a.py", "--weights", "no.pth"], 1, "no.pth does not exist"),
        (["{}", "-o", "{}/a.py"], 1, "it has no run.yaml"),
    ],
)
def test_faults(tmp_path: Path, args: Sequence[str], code: int, told: str) -> None:
    done = cn("export", *(arg.replace("{}", str(tmp_path)) for arg in args))
    assert done.exit_code == code, done.output
    assert told in done.stderr
    assert not list(tmp_path.iterdir())


def test_packages_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ExportError, match="ONNX needs onnx, onnxruntime, onnxscript") as caught:
        export(known("lenet"), tmp_path / "a.onnx")
    assert caught.value.help == "pip install onnx onnxruntime onnxscript"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", [".pt2", ".safetensors", ".py"])
def test_what_differs_is_not_kept(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that does not give what the module gives: the old one stays as it was."""
    path, own = tmp_path / f"model{ending}", known("lenet")
    path.write_text("old")

    def read_another(network: Network, file: Path) -> Run:
        return lambda inputs: [value + 1e-3 for value in network.run(inputs)]

    monkeypatch.setitem(FORMATS, ending, (FORMATS[ending][0], read_another))
    with pytest.raises(ExportError, match=r"was not kept: .* by \d\.\de-04"):
        export(own, path)
    assert path.read_text() == "old"
    only(path)


def test_outputs_that_are_no_numbers(tmp_path: Path) -> None:
    own = network(small("lenet"))
    with torch.no_grad():
        next(own.module.parameters()).fill_(float("nan"))
    with pytest.raises(ExportError, match="was not kept"):
        export(own, tmp_path / "a.pt2")
    assert not list(tmp_path.iterdir())


def test_networks_that_pytorch_cannot_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise RuntimeError("no such\n operator")

    monkeypatch.setattr("torch.export.export", refuse)
    with pytest.raises(ExportError, match=r"a\.pt2 cannot be written: no such operator"):
        export(known("lenet"), tmp_path / "a.pt2")
    assert not list(tmp_path.iterdir())


def test_rounding_of_the_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the module itself is less exact than 1e-5, its own rounding is the measure."""
    own, path = known("lenet"), tmp_path / "model.pt2"
    assert 0 < exporter.rounding_of(own) < 1e-4

    def read_rounded(network: Network, file: Path) -> Run:
        return lambda inputs: [value + 1e-4 for value in network.run(inputs)]

    monkeypatch.setitem(FORMATS, ".pt2", (FORMATS[".pt2"][0], read_rounded))
    with pytest.raises(ExportError, match="was not kept"):
        export(own, path)
    monkeypatch.setattr(exporter, "rounding_of", lambda network: 1e-3)
    assert str(export(own, path)).endswith(" at batches 1 and 3, whose own rounding is 1.0e-03")


# --- every family --------------------------------------------------------------------------------


@pytest.mark.heavy
@pytest.mark.parametrize("ending", [".pt2", ".onnx"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family(tmp_path: Path, family: str, ending: str) -> None:
    path = tmp_path / f"model{ending}"
    done = export(network(small(family)), path)
    assert done.difference <= max(exporter.TOLERANCE, exporter.ALLOWANCE * (done.rounding or 0))
    only(path)
