"""Loading published and saved weights, without a network connection."""

from __future__ import annotations

import json
import pickle
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import safetensors.torch
import torch
import torchvision
from torch import Tensor, nn
from typer.testing import CliRunner, Result

import cnndsl
from cnndsl.cli import app
from cnndsl.weights import WeightsError, compare, find_published, load_weights

NETWORK = "squeezenet1_1"
FILE = "squeezenet1_1-b8a52dc0.pth"
WIDE = "params: {classes: 5, channels: 3}\ninput: [$channels, 8, 8]\nbody:\n"
SPEC = (
    WIDE + "  - {conv: {out: 4, kernel: 3, padding: 1}, name: conv}\n  - {bn: {}, name: bn}\n"
    "  - relu\n  - global_avg_pool\n  - {linear: $classes, name: fc}\n"
)
TENSORS = 9  # two of the convolution, five of the normalisation, two of the linear layer


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of downloaded weights, empty, and no connection."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise URLError("no connection")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def published() -> nn.Module:
    """torchvision's network with random weights, in the place of those that it publishes."""
    torch.manual_seed(1)
    model: nn.Module = torchvision.models.get_model(NETWORK, weights=None)
    return model.eval()


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


@pytest.fixture
def saved(spec: Path) -> dict[str, Tensor]:
    """A state dict of the spec, in which no number is one that a fresh network has."""
    state = cnndsl.build(spec).state_dict()
    return {name: torch.full_like(tensor, 7) for name, tensor in state.items()}


def run(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


def image(side: int = 64) -> Tensor:
    return torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(1))


# --- torchvision's -------------------------------------------------------------------------------


def test_published_weights(cache: Path, published: nn.Module) -> None:
    torch.save(published.state_dict(), cache / FILE)
    for name in ("IMAGENET1K_V1", "DEFAULT", "SqueezeNet1_1_Weights.IMAGENET1K_V1"):
        model = cnndsl.build(NETWORK, weights=f"torchvision:{name}").eval()
        assert torch.equal(model(image()), published(image()))


def test_report_of_published_weights(cache: Path, published: nn.Module) -> None:
    torch.save(published.state_dict(), cache / FILE)
    done = run("build", NETWORK, "--weights", "torchvision:IMAGENET1K_V1")
    assert done.exit_code == 0
    assert done.stdout.endswith("weights: 52 tensors of torchvision:IMAGENET1K_V1 loaded\n")
    assert done.stderr == ""


def test_download(cache: Path, published: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that the cache lacks is downloaded, with its hash checked, in bounded time."""
    asked = []

    def download(url: str, path: str, digest: str, progress: bool) -> None:
        asked.append((url.rpartition("/")[2], digest, progress, socket.getdefaulttimeout()))
        torch.save(published.state_dict(), path)

    monkeypatch.setattr("torch.hub.download_url_to_file", download)
    for _ in range(2):
        done = run("build", NETWORK, "--json", "--weights", "torchvision:IMAGENET1K_V1")
        assert done.exit_code == 0
        assert json.loads(done.stdout)["weights"]["loaded"] == 52
    assert asked == [(FILE, "b8a52dc0", False, 30)]
    assert socket.getdefaulttimeout() is None


def test_offline(cache: Path) -> None:
    done = run("build", NETWORK, "--weights", "torchvision:IMAGENET1K_V1")
    assert done.exit_code == 1
    told = done.stderr
    assert f"error: {FILE} could not be downloaded from https://download.pytorch.org/" in told
    assert "no connection" in told
    assert f"put the file {FILE} into {cache}" in told
    assert not list(cache.iterdir())


@pytest.mark.parametrize(
    ("network", "name", "told"),
    [
        ("resnet50", "V1", "known: IMAGENET1K_V1, IMAGENET1K_V2, DEFAULT"),
        ("resnet50", "ResNet50_Weights.V1", "no weights `V1` of ResNet50_Weights"),
        ("resnet50", "ResNet5_Weights.V1", "did you mean `ResNet50_Weights`?"),
        ("resnet50", "", "no weights `` of ResNet50_Weights"),
        ("lenet", "DEFAULT", "torchvision has no network `lenet`"),
        ("resnet", "DEFAULT", "choose a variant"),
    ],
)
def test_unknown_weights(network: str, name: str, told: str) -> None:
    done = run("build", network, "--weights", f"torchvision:{name}")
    assert done.exit_code == 1
    assert told in done.stderr


def test_weights_of_the_variant() -> None:
    """The variant's name decides, whatever its parameters are."""
    graph = cnndsl.check("resnet18", params={"classes": 3})
    assert find_published("DEFAULT", graph).url.endswith("resnet18-f37072fd.pth")
    graph = cnndsl.check("lenet")
    assert find_published("ResNet50_Weights.IMAGENET1K_V1", graph).url.endswith("0676ba61.pth")


def save_googlenet(cache: Path) -> None:
    with torch.device("meta"):
        theirs = torchvision.models.get_model("googlenet", weights=None, init_weights=False)
    torch.save(theirs.to_empty(device="cpu").state_dict(), cache / "googlenet-1378be20.pth")


def test_images_of_googlenet(cache: Path) -> None:
    """torchvision alters the images of these weights; who loads them is told."""
    save_googlenet(cache)
    done = run("build", "googlenet", "--weights", "torchvision:IMAGENET1K_V1", "--json")
    told = json.loads(done.stdout)["weights"]
    assert told["left"] == []
    assert "mean 0.5 and deviation 0.5" in told["note"]


def test_heads_that_are_left_out(cache: Path) -> None:
    save_googlenet(cache)
    with pytest.warns(UserWarning, match="deviation 0.5"):
        cnndsl.build("googlenet_no_aux", weights="torchvision:GoogLeNet_Weights.DEFAULT")


def test_names_of_old_densenets(tmp_path: Path) -> None:
    """The files that torchvision publishes have names from before the modules were renamed."""
    state = cnndsl.build("densenet121").state_dict()
    old = {
        name.replace(".norm1.", ".norm.1.").replace(".conv2.", ".conv.2."): tensor
        for name, tensor in state.items()
        if not name.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "old.pth")
    model = cnndsl.build("densenet121", weights=tmp_path / "old.pth")
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())


# --- files ---------------------------------------------------------------------------------------

FORMS: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "plain": lambda state: state,
    "state_dict": lambda state: {"epoch": 3, "state_dict": state, "optimizer": {"state": {}}},
    "model": lambda state: {"model": state, "lr_scheduler": {}, "args": None},
    "parallel": lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
    "compiled": lambda state: {
        "model": {f"module._orig_mod.{name}": tensor for name, tensor in state.items()}
    },
    "lightning": lambda state: {
        "state_dict": {f"model.{name}": tensor for name, tensor in state.items()}
    },
    "old": lambda state: {n: t for n, t in state.items() if "num_batches" not in n},
    "half": lambda state: {n: t.half() if t.is_floating_point() else t for n, t in state.items()},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("zipped", [True, False])
def test_forms_of_checkpoints(
    form: str, zipped: bool, spec: Path, saved: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "weights.pth"
    torch.save(FORMS[form](saved), path, _use_new_zipfile_serialization=zipped)
    found = cnndsl.build(spec, weights=path).state_dict()
    counters = {name for name in saved if form == "old" and "num_batches" in name}
    assert all(torch.equal(found[name], saved[name]) for name in saved.keys() - counters)
    assert all(found[name] == 0 for name in counters)


def test_a_network_whose_own_names_begin_with_module(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text("input: [3]\nbody: {seq: [{linear: 2}], name: module}\n")
    state = cnndsl.build(path).state_dict()
    torch.save(state, tmp_path / "a.pt")
    found = cnndsl.build(path, weights=tmp_path / "a.pt").state_dict()
    assert all(torch.equal(found[name], state[name]) for name in state)


@pytest.mark.parametrize("ending", ["safetensors", "pth", "pt"])
def test_weights_are_written(
    ending: str, spec: Path, saved: dict[str, Tensor], tmp_path: Path
) -> None:
    source, target = tmp_path / "in.safetensors", tmp_path / f"out.{ending}"
    safetensors.torch.save_file(saved, source)
    done = run("build", spec, "--weights", source, "-o", target)
    assert done.exit_code == 0
    assert done.stdout == f"weights: {TENSORS} tensors of {source} loaded\n"
    read = safetensors.torch.load_file if ending == "safetensors" else torch.load
    found = read(target)
    assert found.keys() == saved.keys()
    assert all(torch.equal(found[name], saved[name]) for name in saved)


def test_source_holds_no_weights(spec: Path, saved: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(saved, tmp_path / "in.pt")
    done = run("build", spec, "--weights", tmp_path / "in.pt", "-o", tmp_path / "model.py")
    assert done.exit_code == 0
    assert "class Net" in (tmp_path / "model.py").read_text()
    assert "model.py holds no weights; `-o FILE.safetensors` writes them" in done.stderr


@pytest.mark.parametrize("args", [["-o", "x.pth"], ["--weights-partial"]], ids=" ".join)
def test_usage(args: list[str]) -> None:
    done = run("build", "lenet", *args)
    assert done.exit_code == 2
    assert "need `--weights`" in done.stderr
    assert not Path("x.pth").exists()


def test_what_cannot_be_written(spec: Path, saved: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(saved, tmp_path / "in.pt")
    done = run("build", spec, "--weights", tmp_path / "in.pt", "-o", tmp_path / "no" / "out.pth")
    assert done.exit_code == 1
    assert "error: cannot write" in done.stderr


# --- tensors that do not fit ---------------------------------------------------------------------


def test_another_number_of_classes(spec: Path, saved: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(saved, tmp_path / "in.pt")
    done = run("build", spec, "--set", "classes=3", "--weights", tmp_path / "in.pt")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[1:3] == [
        "  fc.weight: [5, 4] in the weights, [3, 4] in the network",
        "  fc.bias: [5] in the weights, [3] in the network",
    ]
    assert f"`--weights-partial`, in Python `partial=True`, loads the {TENSORS - 2}" in done.stderr


def test_the_tensors_that_fit(spec: Path, saved: dict[str, Tensor], tmp_path: Path) -> None:
    """Another number of classes and of input channels: the first and the last layer stay fresh."""
    torch.save(saved, tmp_path / "in.pt")
    torch.manual_seed(2)
    fresh = cnndsl.build(spec, params={"classes": 3, "channels": 1}).state_dict()
    torch.manual_seed(2)
    with pytest.warns(UserWarning, match="3 left:") as told:
        found = cnndsl.build(
            spec,
            params={"classes": 3, "channels": 1},
            weights=tmp_path / "in.pt",
            partial=True,
        ).state_dict()
    left = {"conv.weight", "fc.weight", "fc.bias"}
    assert all(name in str(told[0].message) for name in left)
    assert all(torch.equal(found[n], (fresh if n in left else saved)[n]) for n in saved)


def test_report_of_what_was_left(spec: Path, saved: dict[str, Tensor], tmp_path: Path) -> None:
    del saved["bn.weight"]
    torch.save({**saved, "head.bias": torch.zeros(2)}, tmp_path / "in.pt")
    args = ["build", spec, "--input", "1,8,8", "--weights", tmp_path / "in.pt"]
    assert run(*args).exit_code == 1
    done = run(*args, "--weights-partial")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-4:] == [
        f"weights: {TENSORS - 2} tensors of {tmp_path / 'in.pt'} loaded, 3 left:",
        "  conv.weight: [4, 3, 3, 3] in the weights, [4, 1, 3, 3] in the network",
        "  bn.weight: missing, [4] in the network",
        "  head.bias: unexpected, [2] in the weights",
    ]


def test_weights_of_another_network(spec: Path, tmp_path: Path) -> None:
    """Many differences are counted, and where nothing fits nothing is loaded."""
    many = {f"layer{i}.weight": torch.zeros(2) for i in range(40)}
    torch.save(many, tmp_path / "in.pt")
    for extra in ([], ["--weights-partial"]):
        done = run("build", spec, "--weights", tmp_path / "in.pt", *extra)
        assert done.exit_code == 1
        assert "  … and 28 more" in done.stderr  # 40 and 8 but the counter, less 20
        assert "no tensor fits" in done.stderr


def test_differences_in_order() -> None:
    found = {"b": (1,), "x": (), "c": (2, 2)}
    wanted = {"a": (3,), "b": (1,), "c": (2,), "bn.num_batches_tracked": ()}
    assert [str(d) for d in compare(found, wanted)] == [
        "a: missing, [3] in the network",
        "c: [2, 2] in the weights, [2] in the network",
        "x: unexpected, [] in the weights",
    ]


# --- files that are no checkpoints ---------------------------------------------------------------


class Bomb:
    """What a file may hold that runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.path), "w")


def assert_refused(spec: Path, path: Path, told: str) -> None:
    done = run("build", spec, "--weights", path)
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert done.stderr.startswith(f"error: {path} ")
    assert told in done.stderr
    assert "\nhelp: " in done.stderr
    assert "delete" not in done.stderr


@pytest.mark.parametrize("make", [lambda b: b, lambda b: {"state_dict": {"a": b}}])
def test_code_is_not_run(make: Callable[[Any], Any], spec: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    torch.save(make(Bomb(mark)), tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(pickle.dumps(make(Bomb(mark)), protocol=2))
    (tmp_path / "c.pth").write_bytes(pickle.dumps(make(Bomb(mark))))
    told = f"holds Python objects ({open.__module__}.open)"
    assert_refused(spec, tmp_path / "a.pth", told)
    assert_refused(spec, tmp_path / "b.pth", told)
    assert_refused(spec, tmp_path / "c.pth", "no checkpoint")
    assert not mark.exists()


def test_whole_modules(spec: Path, tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "a.pt")
    assert_refused(spec, tmp_path / "a.pt", "torch.nn.modules.linear.Linear")


@pytest.mark.parametrize(
    "content", [None, 3, [torch.zeros(2)], {}, {"a": 1}, {1: torch.zeros(2)}, {"model": {"a": 1}}]
)
def test_checkpoints_without_a_state_dict(content: Any, spec: Path, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "a.pt")
    assert_refused(spec, tmp_path / "a.pt", "holds no state dict")


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
@pytest.mark.parametrize(
    "content", [b"", b"\x80", b"hello there", b"<html>404</html>", b"PK\x03\x04"]
)
def test_other_files(content: bytes, ending: str, spec: Path, tmp_path: Path) -> None:
    path = tmp_path / f"a.{ending}"
    path.write_bytes(content)
    assert_refused(spec, path, "is damaged, incomplete, or no checkpoint")


@pytest.mark.parametrize(
    ("ending", "what"),
    [("yaml", "a spec"), ("yml", "a spec"), ("py", "source"), ("onnx", "an ONNX file")],
)
def test_files_of_networks_that_are_no_weights(
    ending: str, what: str, spec: Path, tmp_path: Path
) -> None:
    path = tmp_path / f"net.{ending}"
    path.write_bytes(spec.read_bytes())
    assert_refused(spec, path, f"is {what}, no state dict")


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
def test_truncated_files(form: str, spec: Path, saved: dict[str, Tensor], tmp_path: Path) -> None:
    """Wherever a file ends too early; within a name, it seems to hold an object of that name."""
    path = tmp_path / ("a.safetensors" if form == "safetensors" else "a.pth")
    if form == "safetensors":
        safetensors.torch.save_file(saved, path)
    else:
        torch.save(saved, path, _use_new_zipfile_serialization=form == "zip")
    whole = path.read_bytes()
    graph = cnndsl.check(spec)
    module = cnndsl.build(graph)
    for end in range(0, len(whole) - 1, max(1, len(whole) // 60)):
        path.write_bytes(whole[:end])
        with pytest.raises(WeightsError, match=r"damaged|holds Python objects"):
            load_weights(module, graph, str(path))


def test_files_that_are_not_there(spec: Path, tmp_path: Path) -> None:
    assert_refused(spec, tmp_path / "none.pth", "does not exist")
    assert_refused(spec, tmp_path, "is no file")
    assert run("build", spec, "--weights", "").exit_code == 1
    done = run("build", spec, "--weights", "IMAGENET1K_V1")
    assert "as in `torchvision:IMAGENET1K_V1`" in done.stderr


def test_error_in_python(spec: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.pth does not exist\nhelp: name") as told:
        cnndsl.build(spec, weights="none.pth")
    assert told.value.message == "none.pth does not exist"
