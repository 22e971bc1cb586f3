"""Training: the recipe, the device, the data, the loop and what it leaves on disk."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import hashlib
import re
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from jsonschema import Draft202012Validator
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

import cnndsl
from cnndsl.diagnostics import SpecError
from cnndsl.graph import Output
from cnndsl.ops.base import Reject
from cnndsl.recipe import Recipe, recipe_schema
from cnndsl.training import checkpoint, device, download, session, target
from cnndsl.training import data as data_module
from cnndsl.training.data import Facts, Split, Stored, View, find_facts, load, mean_std
from cnndsl.training.device import Gpus, choose_device, resolve
from cnndsl.training.errors import TrainError
from cnndsl.training.loop import Metrics, evaluate, fit, loss_of, make_optimizer
from cnndsl.training.order import chunks, order, seed_step, training_chunks
from cnndsl.training.progress import line, watch_for

CPU = torch.device("cpu")
LOGITS = (Output("logits", 0),)


def recipe(**values: Any) -> Recipe:
    return Recipe.create(values)


def tiny() -> nn.Module:
    """Images [1, 8, 8] to 10 classes: convolution, batch normalization, dropout."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(256, 10),
    )


def quiet(epochs: int = 1) -> Any:
    return watch_for(False, epochs)


def digits(size: int = 8) -> Split:
    return load("digits", None, 0, (size, size), CPU, print)


def fitted(with_: Recipe) -> tuple[nn.Module, list[Metrics]]:
    """The tiny network after the whole of a recipe."""
    torch.manual_seed(with_.seed)
    model = tiny().to(memory_format=torch.channels_last)
    optimizer = make_optimizer(model, with_)
    rows = list(fit(model, optimizer, digits(), with_, LOGITS, CPU, quiet()))
    return model, rows


def weights_hash(model: nn.Module) -> str:
    whole = hashlib.sha256()
    for value in model.state_dict().values():
        whole.update(bytes(value.contiguous().flatten().view(torch.uint8).tolist()))
    return whole.hexdigest()


# --- recipe -------------------------------------------------------------------------------------


def test_recipe_checks_each_key() -> None:
    assert recipe() == Recipe()
    assert recipe(lr=1, size=32).lr == 1.0
    for values, key in [
        ({"epochs": 0}, "epochs"),
        ({"data": "imagenet"}, "data"),
        ({"lr": "fast"}, "lr"),
        ({"epoch": 3}, "epoch"),
        ({"nesterov": True, "optimizer": "adam"}, "nesterov"),
        ({"optimizer": "sgd", "nesterov": True, "momentum": 0}, "nesterov"),
    ]:
        with pytest.raises(Reject) as caught:
            Recipe.create(values)
        assert caught.value.arg == key


def test_recipe_schema_takes_what_the_recipe_takes() -> None:
    schema = Draft202012Validator(recipe_schema())
    Draft202012Validator.check_schema(recipe_schema())
    for good in ({}, {"data": "mnist", "epochs": 3}, {"lr": "$(0.1 / 2)"}, {"size": None}):
        assert schema.is_valid(good), good
    for bad in ({"epochs": 0}, {"data": "imagenet"}, {"epoch": 3}, {"nesterov": 1}, []):
        assert not schema.is_valid(bad), bad
    keys = {field.name for field in dataclasses.fields(Recipe)}
    assert set(recipe_schema()["properties"]) == keys | {"params"}


def test_learning_rate() -> None:
    assert recipe().lr_at(9, 10) == 0.01
    assert recipe(optimizer="adamw").lr_at(0, 10) == 0.001
    assert recipe(lr=0.5, schedule="cosine").lr_at(0, 10) == 0.5
    assert recipe(lr=0.5, schedule="cosine").lr_at(5, 10) == pytest.approx(0.25)
    assert recipe(lr=0.5, schedule="cosine").lr_at(10, 10) == pytest.approx(0)


# --- device -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "gpus", "expected"),
    [
        ("cpu", 0, "cpu"),
        ("cpu", 2, "cpu"),
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda:0"),
        ("cuda", 1, "cuda:0"),
        ("cuda:0", 1, "cuda:0"),
        ("cuda:1", 2, "cuda:1"),
        ("cuda", 0, "--device cpu"),
        ("cuda:3", 0, "--device cpu"),
        ("cuda:3", 1, "1 GPU is usable"),
        ("cuda:3", 2, "cuda:0 to cuda:1"),
        ("gpu", 1, "no device `gpu`"),
        ("cuda:", 1, "no device `cuda:`"),
        ("cuda:-1", 1, "no device `cuda:-1`"),
        ("", 1, "no device"),
    ],
)
def test_device_table(request_: str, gpus: int, expected: str) -> None:
    found = Gpus(gpus, "" if gpus else "there is none")
    if re.fullmatch(r"cpu|cuda:\d", expected):
        assert resolve(request_, found) == torch.device(expected)
        return
    with pytest.raises(TrainError) as caught:
        resolve(request_, found)
    assert expected in f"{caught.value.message}; {caught.value.help}"


def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_no_gpu_is_an_error_before_the_spec_and_the_data_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_gpu(monkeypatch)
    for request in ("cuda", "cuda:3"):
        with pytest.raises(TrainError, match=f"--device {request}") as caught:
            session.run("no such spec", device=request, data_root="/no/such/folder")
        assert "--device cpu" in caught.value.help
    assert choose_device("auto") == CPU


def test_a_gpu_that_does_not_compute_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Tensor:
        raise RuntimeError("no kernel image is available\nmore")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", broken)
    with pytest.raises(TrainError, match=r"no kernel image is available$"):
        choose_device("cuda")
    assert choose_device("auto") == CPU


def test_gpus_that_compute_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with CudaOnCpu() as mode:
        assert device.find_gpus() == Gpus(2)
    assert mode.served == 1


class CudaOnCpu(TorchFunctionMode):
    """Serves every request for a CUDA device on the CPU, and counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.served = 0

    def _swap(self, value: Any) -> Any:
        if isinstance(value, torch.device | str) and str(value).startswith("cuda"):
            self.served += 1
            return CPU
        return value

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.device:
            return func(*args, **(kwargs or {}))
        swapped = {name: self._swap(value) for name, value in (kwargs or {}).items()}
        return func(*(self._swap(value) for value in args), **swapped)


def test_batches_and_forward_on_fake_cuda() -> None:
    """Mixing devices anywhere would raise here."""
    model, cuda = tiny(), torch.device("cuda", 0)
    images = torch.zeros(6, 1, 5, 5, dtype=torch.uint8)
    with FakeTensorMode(allow_non_fake_inputs=True):
        model.to(cuda, memory_format=torch.channels_last)
        stored = Stored(images, torch.zeros(6, dtype=torch.int64), View((8, 8), [0.5], [1], cuda))
        (batch, labels), _ = stored.batches(chunks(torch.arange(6), 4))
        assert batch.shape == (4, 1, 8, 8)
        assert batch.is_contiguous(memory_format=torch.channels_last)
        loss, logits = loss_of(model(batch), labels, LOGITS, 0.1)
    assert {t.device for t in (batch, labels, loss, logits)} == {cuda}


# --- data ---------------------------------------------------------------------------------------


def test_digits_are_intact() -> None:
    text = gzip.decompress(files("cnndsl.training").joinpath("digits.csv.gz").read_bytes())
    known = "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"
    assert hashlib.sha256(text).hexdigest() == known
    images, labels = data_module.read_digits()
    assert images.shape == (1797, 1, 8, 8)
    assert (images.min(), images.max(), len(images.unique())) == (0, 255, 17)
    assert labels.unique().tolist() == list(range(10))


def test_digits_split() -> None:
    (train, train_labels), (val, val_labels) = data_module.split_digits(*data_module.read_digits())
    assert (len(train), len(val)) == (len(train_labels), len(val_labels)) == (1437, 360)
    assert all(34 <= n <= 38 for n in val_labels.bincount().tolist())
    again = data_module.split_digits(*data_module.read_digits())
    assert torch.equal(again[1][0], val)


def test_mean_and_std() -> None:
    images = torch.randint(0, 256, (50, 3, 4, 4), dtype=torch.uint8)
    means, stds = mean_std(images)
    scaled = images.double() / 255
    assert means == pytest.approx(scaled.mean((0, 2, 3)).tolist())
    assert stds == pytest.approx(scaled.std((0, 2, 3), correction=0).tolist())
    assert mean_std(torch.zeros(2, 1, 2, 2, dtype=torch.uint8))[1][0] > 0


def test_images_are_resized_and_normalized() -> None:
    split = digits(32)
    ((images, labels),) = split.train.batches([torch.arange(500)])
    assert images.shape == (500, 1, 32, 32)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert abs(images.mean()) < 0.1
    assert labels.dtype == torch.int64


def test_order_is_a_function_of_seed_and_epoch() -> None:
    assert order(0, 1, 100).tolist() == order(0, 1, 100).tolist()
    assert sorted(order(0, 1, 100).tolist()) == list(range(100))
    assert len({tuple(order(s, e, 100).tolist()) for s in range(3) for e in range(3)}) == 9
    draws = []
    for seed, step in ((0, 1), (0, 2), (1, 1), (0, 1)):
        seed_step(seed, step)
        draws.append(torch.rand(()).item())
    assert draws[0] == draws[3]
    assert len(set(draws)) == 3


def test_chunks() -> None:
    def sizes(parts: list[Tensor]) -> list[int]:
        return [len(part) for part in parts]

    assert sizes(chunks(torch.arange(9), 4)) == [4, 4, 1]
    assert sizes(training_chunks(torch.arange(9), 4)) == [4, 4]
    assert sizes(training_chunks(torch.arange(10), 4)) == [4, 4, 2]
    assert sizes(training_chunks(torch.arange(1), 4)) == [1]
    assert sizes(training_chunks(torch.arange(2), 1)) == [1, 1]


def write_images(root: Path, counts: dict[str, int]) -> None:
    """Pictures of one colour, 12 × 9: the colour is that of the class."""
    from PIL import Image

    for index, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            Image.new("RGB", (12, 9), (200 * index, i, 0)).save(root / name / f"{i}.png")


def test_folder_with_train_and_val(tmp_path: Path) -> None:
    write_images(tmp_path / "train", {"cat": 3, "dog": 2})
    write_images(tmp_path / "val", {"cat": 1, "dog": 1})
    assert find_facts("folder", tmp_path) == Facts("folder", 3, ("cat", "dog"))
    split = load("folder", tmp_path, 0, (4, 6), CPU, print)
    assert (len(split.train), len(split.val)) == (5, 2)
    batches = list(split.train.batches([torch.tensor([0, 4]), torch.tensor([3])]))
    assert [tuple(images.shape) for images, _ in batches] == [(2, 3, 4, 6), (1, 3, 4, 6)]
    assert [labels.tolist() for _, labels in batches] == [[0, 1], [1]]
    red = batches[0][0][:, 0].mean((1, 2)) * 0.229 + 0.485
    assert red.tolist() == pytest.approx([0, 200 / 255], abs=1e-5)


def test_folder_is_split_by_the_seed(tmp_path: Path) -> None:
    write_images(tmp_path, {"cat": 6, "dog": 4})
    first, again, other = (load("folder", tmp_path, s, (4, 4), CPU, print) for s in (0, 0, 1))
    assert (len(first.train), len(first.val)) == (8, 2)
    held_out = [split.val.samples for split in (first, again, other)]  # type: ignore[attr-defined]
    assert held_out[0] == held_out[1] != held_out[2]
    train = first.train.samples  # type: ignore[attr-defined]
    assert not set(train) & set(held_out[0])


def test_folder_errors(tmp_path: Path) -> None:
    with pytest.raises(TrainError) as caught:
        find_facts("folder", None)
    assert "--data-root" in caught.value.help
    with pytest.raises(TrainError, match="is not a folder"):
        find_facts("folder", tmp_path / "none")
    with pytest.raises(TrainError, match="no images"):
        find_facts("folder", tmp_path)
    write_images(tmp_path / "train", {"cat": 1, "dog": 1})
    write_images(tmp_path / "val", {"cat": 1})
    with pytest.raises(TrainError, match="different classes: dog"):
        load("folder", tmp_path, 0, (4, 4), CPU, print)


def read_all(split: Split) -> None:
    for part in (split.train, split.val):
        for _ in part.batches(chunks(torch.arange(len(part)), 2)):
            pass


def test_an_unreadable_image_is_named(tmp_path: Path) -> None:
    write_images(tmp_path, {"cat": 3, "dog": 3})
    broken = tmp_path / "cat" / "1.png"
    broken.write_bytes(broken.read_bytes()[:40])
    split = load("folder", tmp_path, 0, (4, 4), CPU, print)
    with pytest.raises(TrainError, match=re.escape(str(broken))):
        read_all(split)


def test_unknown_data_set() -> None:
    with pytest.raises(TrainError, match="no data set `cifar`") as caught:
        find_facts("cifar", None)
    assert "cifar10" in caught.value.help


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_data_that_can_neither_be_read_nor_downloaded(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: Any, download: bool, **__: Any) -> None:
        raise OSError("no route to host") if download else RuntimeError("Dataset not found.")

    monkeypatch.setitem(download._CLASSES, name, offline)
    said: list[str] = []
    with pytest.raises(TrainError, match="no route to host") as caught:
        load(name, tmp_path, 0, (8, 8), CPU, said.append)
    assert said == [f"{name} is not in {tmp_path}: downloading it"]
    assert str(tmp_path) in caught.value.message
    assert "--data-root" in caught.value.help


def write_idx(path: Path, values: Tensor) -> None:
    """MNIST's own format: a magic number, the sizes, the bytes."""
    sizes = b"".join(n.to_bytes(4, "big") for n in values.shape)
    header = bytes([0, 0, 8, values.dim()]) + sizes
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + bytes(values.flatten().tolist()))


def test_mnist_from_disk(tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    for part, count in (("train", 7), ("t10k", 3)):
        images = torch.randint(0, 256, (count, 28, 28))
        write_idx(raw / f"{part}-images-idx3-ubyte", images)
        write_idx(raw / f"{part}-labels-idx1-ubyte", torch.arange(count))
    split = load("mnist", tmp_path, 0, (28, 28), CPU, pytest.fail)
    assert (len(split.train), len(split.val)) == (7, 3)
    ((batch, labels),) = split.train.batches([torch.tensor([6, 2])])
    assert batch.shape == (2, 1, 28, 28)
    assert labels.tolist() == [6, 2]


# --- loop ---------------------------------------------------------------------------------------


class Heads(NamedTuple):
    aux: Tensor
    logits: Tensor


class TwoHeads(nn.Module):
    """A train-only head first, as a compiled network gives it."""

    def __init__(self) -> None:
        super().__init__()
        self.flat, self.aux, self.main = nn.Flatten(), nn.Linear(64, 10), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor | Heads:
        x = self.flat(x)
        main: Tensor = self.main(x)
        return Heads(self.aux(x), main) if self.training else main


def test_loss_weighs_the_heads() -> None:
    heads = (Output("aux", 0, train_only=True, loss_weight=0.3), Output("logits", 1))
    labels = torch.tensor([1, 2])
    values = Heads(torch.randn(2, 10), torch.randn(2, 10))
    loss, logits = loss_of(values, labels, heads, 0)
    each = [nn.functional.cross_entropy(value, labels) for value in values]
    assert loss == pytest.approx(0.3 * each[0].item() + each[1].item())
    assert logits is values.logits


def test_train_only_heads_are_trained() -> None:
    heads = (Output("aux", 0, train_only=True, loss_weight=0.3), Output("logits", 1))
    with_, model = recipe(epochs=1, optimizer="adam", lr=0.01), TwoHeads()
    before = weights_hash(model.aux)
    (row,) = fit(model, make_optimizer(model, with_), digits(), with_, heads, CPU, quiet())
    assert weights_hash(model.aux) != before
    assert row.val_accuracy > 0.5


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_the_tiny_network_learns_the_digits(optimizer: str) -> None:
    _, rows = fitted(recipe(optimizer=optimizer, epochs=4, lr=0.01, schedule="cosine"))
    assert [row.epoch for row in rows] == [1, 2, 3, 4]
    assert rows[-1].val_accuracy > 0.9
    assert rows[-1].train_loss < rows[0].train_loss
    assert 0 < rows[-1].lr < 0.001 < rows[0].lr < 0.01


def test_the_same_seed_gives_the_same_weights() -> None:
    first, again, other = (fitted(recipe(epochs=2, seed=s))[0] for s in (3, 3, 4))
    assert weights_hash(first) == weights_hash(again) != weights_hash(other)


def test_validation_leaves_the_network_as_it_is() -> None:
    model, split = tiny(), digits()
    before = weights_hash(model)
    first, again = (evaluate(model, split.val, recipe(), LOGITS, CPU).read() for _ in range(2))
    assert first == again
    assert weights_hash(model) == before


def test_a_loss_that_is_no_number_ends_the_run() -> None:
    with pytest.raises(TrainError, match="loss became nan in epoch 1") as caught:
        fitted(recipe(optimizer="sgd", lr=1e30, epochs=2))
    assert "--lr 1e+29" in caught.value.help


def test_bar_and_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with watch_for(True, 3)(1, 10) as tick:
        tick(5, 1.5, 0.5)
        tick(10, 1.2, 0.6)
    assert "epoch 1/3" in capsys.readouterr().err
    row = Metrics(2, 1.0, 0.5, 0.9, 0.75, 3.0, 1234.0, 0.1)
    shown = line(row, 10, best=True)
    assert shown.startswith("epoch  2/10  loss 1.0000")
    assert "75.00%" in shown
    assert shown.endswith("best")


# --- checkpoints --------------------------------------------------------------------------------


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
        monkeypatch.delattr("os.link")
        monkeypatch.setattr("os.link", lambda *_: (_ for _ in ()).throw(OSError), raising=False)
    for epoch, best in ((1, True), (2, True), (3, False)):
        checkpoint.save(tmp_path, {"epoch": epoch, "model": torch.ones(2) * epoch}, best)
    assert checkpoint.load(tmp_path / "best.pt")["epoch"] == 2
    assert checkpoint.load(tmp_path / "last.pt")["epoch"] == 3
    assert {path.name for path in tmp_path.iterdir()} == {"best.pt", "last.pt"}


def test_missing_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="no checkpoint"):
        checkpoint.load(tmp_path / "best.pt")


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


# --- a whole run --------------------------------------------------------------------------------

NET = """
cnndsl: 1
name: net
params: {classes: 5, width: 16}
input: [3, 24, 20]
body:
  - {conv: {out: $width, kernel: 3, padding: 1, bias: false}}
  - bn
  - relu
  - {max_pool: 2, name: pool}
  - flatten
  - linear: $classes
train: {epochs: 2, lr: 0.01, optimizer: adam, size: 8}
"""
HEAD = """
outputs:
  aux: {from: pool, body: [flatten, {linear: $classes}], train_only: true, loss_weight: 0.3}
  logits: {}
"""
DIGITS = find_facts("digits", None)


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A spec in the working directory, which is empty but for it."""
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(NET)
    return "net.yaml"


def run(spec: str, **options: Any) -> session.Result:
    return session.run(spec, **{"device": "cpu", "echo": lambda _: None, **options})


def test_a_run_from_spec_to_checkpoints(net: str) -> None:
    said: list[str] = []
    result = run(net, seed=1, echo=said.append)
    assert said[0] == "net: 3×24×20 → 1×8×8, 5 → 10 classes, for digits"
    assert said[-1].startswith("best: ")
    assert result.folder == Path("runs/net-digits")
    assert {path.name for path in result.folder.iterdir()} == {"best.pt", "last.pt", "metrics.csv"}
    with open(result.folder / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["val_accuracy"]) == pytest.approx(result.epochs[1].val_accuracy, abs=1e-5)
    assert result.best.val_accuracy > 0.8
    assert run(net, epochs=1).folder == Path("runs/net-digits-2")


def test_a_checkpoint_says_what_it_is_of(net: str) -> None:
    result = run(net, seed=1)
    state = checkpoint.load(result.last_checkpoint)
    assert (state["epoch"], state["step"], state["recipe"]["seed"]) == (2, 46, 1)
    assert (state["spec"], state["input"], len(state["classes"])) == ("net", [1, 8, 8], 10)
    model = cnndsl.build(net, params=state["params"], input=state["input"])
    model.load_state_dict(state["model"])
    assert weights_hash(model) == weights_hash(result.model)
    make_optimizer(model, Recipe(**state["recipe"])).load_state_dict(state["optimizer"])
    best = max(result.epochs, key=lambda row: row.rank)
    assert checkpoint.load(result.best_checkpoint)["epoch"] == best.epoch == result.best.epoch


def test_a_run_with_a_train_only_head(net: str) -> None:
    Path(net).write_text(NET + HEAD)
    result = run(net)
    assert result.best.val_accuracy > 0.8
    assert isinstance(result.model.eval()(torch.zeros(2, 1, 8, 8)), Tensor)


def test_a_whole_run_on_cuda(net: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line of the run for `--device cuda`, with the GPU's work done by the CPU."""
    monkeypatch.setattr(device, "find_gpus", lambda: Gpus(1))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a fake")
    said: list[str] = []
    plain = run(net, epochs=1)
    with CudaOnCpu() as mode:
        result = run(net, epochs=1, device="cuda", echo=said.append)
    assert mode.served > 40
    assert any(text.endswith("on cuda:0 (a fake)") for text in said)
    assert weights_hash(result.model) == weights_hash(plain.model)
    with pytest.raises(TrainError, match="no `cuda:3`: 1 GPU is usable"), CudaOnCpu():
        run(net, device="cuda:3")


def test_a_run_that_fails_at_once_leaves_no_folder(net: str) -> None:
    with pytest.raises(TrainError, match="loss became"):
        run(net, lr=1e30, out="mine")
    assert not Path("mine").exists()


def test_an_interrupted_run_keeps_the_last_finished_epoch(net: str) -> None:
    def echo(text: str) -> None:
        if text.startswith("epoch 1"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(net, out="mine", echo=echo)
    assert checkpoint.load(Path("mine/last.pt"))["epoch"] == 1


@pytest.mark.parametrize(
    ("options", "message", "help"),
    [
        ({"epochs": 0}, "train.epochs", ""),
        ({"data": "imagenet"}, "train.data", ""),
        ({"params": {"classes": 3}}, "digits has 10 classes", "--set classes=10"),
        ({"input": (3, 9, 8)}, "1 channels, the input has 3", "--input 1,9,8"),
        ({"data": "folder"}, "needs a folder", "--data-root"),
        ({"data": "folder", "data_root": "/no/such/folder"}, "is not a folder", ""),
    ],
)
def test_what_a_run_refuses(net: str, options: dict[str, Any], message: str, help: str) -> None:
    with pytest.raises(TrainError, match=message) as caught:
        run(net, **options)
    assert help in caught.value.help
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("old", "new", "message", "help"),
    [
        ("linear: $classes", "linear: 7", "`output` of net is [7]", "--set classes=10"),
        ("  - flatten\n  - linear: $classes\n", "", "is [16, 4, 4]", "global_avg_pool"),
        ("[3, 24, 20]", "[64]", "", ""),
    ],
)
def test_networks_that_are_no_classifiers(
    net: str, old: str, new: str, message: str, help: str
) -> None:
    Path(net).write_text(NET.replace(old, new))
    with pytest.raises((TrainError, SpecError)) as caught:
        run(net)
    assert message in str(caught.value)
    assert help in getattr(caught.value, "help", "")


def test_the_network_is_fitted_to_the_data(net: str) -> None:
    graph = cnndsl.check(net)
    aim = target.aim(graph, {}, recipe(size=32), DIGITS, fixed=False)
    assert (aim.input, aim.params, aim.size) == ((1, 32, 32), {"classes": 10}, (32, 32))
    aim = target.aim(graph, {"classes": 7}, recipe(), DIGITS, fixed=False)
    assert (aim.input, aim.params) == ((1, 24, 20), {"classes": 7})
    narrow = cnndsl.check(net, input=(1, 20, 20))
    assert target.aim(narrow, {}, recipe(size=32), DIGITS, fixed=True).input == (1, 20, 20)
    assert target.describe(graph, graph, DIGITS) == ""


def test_the_recipe_sets_parameters_below_the_command_line() -> None:
    graph = cnndsl.check("mobilenet_v3_small")
    aim = target.aim(graph, {}, recipe(), DIGITS, fixed=False)
    assert aim.params == {"momentum": 0.1, "classes": 10}
    aim = target.aim(graph, {"momentum": 0.2}, recipe(), DIGITS, fixed=False)
    assert aim.params == {"momentum": 0.2, "classes": 10}


def test_a_network_that_does_not_fit_the_size(net: str) -> None:
    Path(net).write_text(NET.replace("size: 8", "size: 1"))
    with pytest.raises(TrainError, match=r"for digits at 1×1×1: net.yaml:\d+:\d+: a window") as e:
        run(net)
    assert "--input 1,2,2" in e.value.help


def test_batch_normalization_over_one_value(net: str) -> None:
    Path(net).write_text(NET.replace("- flatten", "- flatten\n  - bn\n"))
    with pytest.raises(TrainError, match="batch normalization") as caught:
        run(net, batch_size=1)
    assert "--batch-size" in caught.value.help


def test_the_static_side_does_not_import_torch() -> None:
    import subprocess
    import sys

    code = "import sys, cnndsl.training, cnndsl.recipe; sys.exit('torch' in sys.modules)"
    root = Path(__file__).parent.parent
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0
