"""The data of a run: facts, sets in memory, folders, views, and the processes that read."""

from __future__ import annotations

import gzip
import hashlib
import multiprocessing
import os
import pickle
import re
import signal
import threading
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from harness import CudaOnCpu
from images import (
    CHANGED,
    CPU,
    CROPPED,
    Cifar,
    chunk,
    chunked,
    images_of,
    in_both_ways,
    loaded,
    noise,
    recipe,
    write_folder,
    write_images,
)
from PIL import Image
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torchvision.transforms import v2

from cnndsl.training import augment, mixing
from cnndsl.training.data import (
    Facts,
    Normalizer,
    Samples,
    View,
    download,
    find_facts,
    load,
    loader,
    validation_view,
    view_image,
)
from cnndsl.training.data.digits import read_digits, split_digits
from cnndsl.training.data.folder import Files, split
from cnndsl.training.data.loader import Loaded, Reader, worker_count
from cnndsl.training.data.stored import Stored
from cnndsl.training.data.view import imagenet_mean_std, mean_std
from cnndsl.training.errors import TrainError
from cnndsl.training.order import order


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path)


# --- facts and sets in memory -------------------------------------------------------------------


def test_facts_of_the_known_sets() -> None:
    found = {name: find_facts(recipe({"name": name}).data) for name in ("digits", "cifar100")}
    assert found["digits"] == Facts("digits", 1, tuple("0123456789"))
    fine = found["cifar100"].classes
    assert (len(fine), list(fine)) == (100, sorted(set(fine)))
    assert (fine[0], fine[52], fine[99]) == ("apple", "oak_tree", "worm")
    for name in ("mnist", "fashion_mnist", "cifar10"):
        assert len(find_facts(recipe({"name": name}).data).classes) == 10


def test_digits_are_intact() -> None:
    text = gzip.decompress(files("cnndsl.training").joinpath("digits.csv.gz").read_bytes())
    known = "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"
    assert hashlib.sha256(text).hexdigest() == known
    images, labels = read_digits()
    assert images.shape == (1797, 8, 8, 1)
    assert (images.min(), images.max(), len(images.unique())) == (0, 255, 17)
    assert labels.unique().tolist() == list(range(10))


def test_digits_split() -> None:
    (train, train_labels), (val, val_labels) = split_digits(*read_digits())
    assert (len(train), len(val)) == (len(train_labels), len(val_labels)) == (1437, 360)
    assert all(34 <= n <= 38 for n in val_labels.bincount().tolist())
    assert torch.equal(split_digits(*read_digits())[1][0], val)


def test_mean_and_std() -> None:
    images = torch.randint(0, 256, (50, 4, 4, 3), dtype=torch.uint8)
    means, stds = mean_std(images)
    scaled = images.double() / 255
    assert means == pytest.approx(scaled.mean((0, 1, 2)).tolist())
    assert stds == pytest.approx(scaled.std((0, 1, 2), correction=0).tolist())
    assert mean_std(torch.zeros(2, 2, 2, 1, dtype=torch.uint8))[1][0] > 0


def test_grey_images_are_normalized_by_the_grey_of_imagenet() -> None:
    (mean,), (std,) = imagenet_mean_std(1)
    assert (mean, std) == pytest.approx((0.459, 0.2256), abs=5e-4)


def test_mean_and_std_of_the_recipe() -> None:
    split = loaded(recipe({"mean": [0.5], "std": [0.25]}))
    assert (split.mean, split.std) == ((0.5,), (0.25,))
    ((images, _),) = split.val.batches([chunk(range(360))])
    assert (images.min(), images.max()) == (-2, 2)
    with pytest.raises(TrainError, match=r"data.mean: 3 numbers, .* digits have 1 channels"):
        loaded(recipe({"mean": [0.5] * 3, "std": [1] * 3}))


@pytest.mark.parametrize("channels_last", [True, False])
def test_images_are_resized_and_normalized(channels_last: bool) -> None:
    split = loaded(recipe(channels_last=channels_last))
    ((images, labels),) = split.train.batches([chunk(range(500), (32, 20))])
    assert images.shape == (500, 1, 32, 20)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert images.is_contiguous()  # one channel lies in both ways
    assert abs(images.mean()) < 0.1
    assert labels.dtype == torch.int64
    assert images_of(split.train, [chunk([3], (16, 16)), chunk([4], (16, 16))]).shape[-1] == 16


def test_memory_format() -> None:
    pixels = torch.zeros(2, 4, 4, 3, dtype=torch.uint8)
    for wanted in (True, False):
        images = Normalizer([0.5] * 3, [1] * 3, CPU, wanted)(pixels)
        assert images.is_contiguous(memory_format=torch.channels_last) == wanted
        assert images.is_contiguous() != wanted
    assert images.unique().tolist() == [-0.5]


def write_idx(path: Path, values: Tensor) -> None:
    """MNIST's own format: a magic number, the sizes, the bytes."""
    sizes = b"".join(n.to_bytes(4, "big") for n in values.shape)
    header = bytes([0, 0, 8, values.dim()]) + sizes
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + bytes(values.flatten().tolist()))


def test_mnist_from_disk(tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    for part, count in (("train", 7), ("t10k", 3)):
        write_idx(raw / f"{part}-images-idx3-ubyte", torch.randint(0, 256, (count, 28, 28)))
        write_idx(raw / f"{part}-labels-idx1-ubyte", torch.arange(count))
    made = recipe({"name": "mnist", "root": str(tmp_path)})
    split = load(made, find_facts(made.data), (28, 28), CPU, pytest.fail)
    assert (len(split.train), len(split.val)) == (7, 3)
    ((batch, labels),) = split.train.batches([chunk([6, 2], (28, 28))])
    assert batch.shape == (2, 1, 28, 28)
    assert labels.tolist() == [6, 2]


@pytest.fixture
def cifar(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """The `data` of a recipe with images of CIFAR's form."""
    monkeypatch.setitem(download._SETS, "cifar10", Cifar)
    return {"name": "cifar10", "root": str(tmp_path)}


def test_cifar_as_bytes(cifar: dict[str, Any]) -> None:
    split = loaded(recipe(cifar, channels_last=False))
    ((batch, labels),) = split.val.batches([chunk([4], (32, 32))])
    pixels = torch.from_numpy(Cifar("", False, False).data[4]).permute(2, 0, 1)
    mean, std = (torch.tensor(numbers).view(-1, 1, 1) for numbers in (split.mean, split.std))
    torch.testing.assert_close(batch[0], (pixels / 255 - mean) / std)
    assert labels.tolist() == [4]


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10", "cifar100"])
def test_data_that_can_neither_be_read_nor_downloaded(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: Any, download: bool, **__: Any) -> None:
        raise OSError("no route to host") if download else RuntimeError("Dataset not found.")

    monkeypatch.setitem(download._SETS, name, offline)
    said: list[str] = []
    made = recipe({"name": name, "root": str(tmp_path)})
    with pytest.raises(TrainError, match="no route to host") as caught:
        load(made, find_facts(made.data), (8, 8), CPU, said.append)
    assert said == [f"{name} is not in {tmp_path}: downloading it"]
    assert str(tmp_path) in caught.value.message
    assert "--data-root" in caught.value.help


def test_one_of_several_processes_downloads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads stand for processes: both hold locks of their own."""
    downloads = []

    def slow(root: str, train: bool, download: bool) -> Cifar:
        there = Path(root, f"there-{train}")
        if not download and not there.exists():
            raise RuntimeError("Dataset not found.")
        if download:
            downloads.append(train)
            time.sleep(0.1)
            there.touch()
        return Cifar(root, train, download)

    monkeypatch.setitem(download._SETS, "cifar10", slow)
    made = recipe({"name": "cifar10", "root": str(tmp_path / "new")})
    threads = [threading.Thread(target=lambda: loaded(made)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(downloads) == [False, True]


# --- views --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(300, 401), (333, 260), (30, 41), (256, 256)])
@pytest.mark.parametrize(("resize", "crop"), [(None, 64), (72, 64), (64, 64), (91, 50)])
def test_validation_sees_what_torchvisions_presets_see(
    height: int, width: int, resize: int | None, crop: int
) -> None:
    image = noise(height, width)
    preset = v2.Compose([v2.Resize(resize or round(crop * 8 / 7)), v2.CenterCrop(crop)])
    seen = View(3, stretch=False, resize=resize).picture(image, (crop, crop))
    assert np.array_equal(np.asarray(seen), np.asarray(preset(image)))


@pytest.mark.parametrize("size", [(20, 32), (32, 20), (7, 50)])
def test_views_of_images_that_are_not_square(size: tuple[int, int]) -> None:
    seen = View(3, stretch=False).picture(noise(40, 60), size)
    assert (seen.height, seen.width) == size
    pixels = torch.zeros(2, 8, 8, 1, dtype=torch.uint8)
    assert View(1, stretch=True).batch(pixels, size).shape == (2, *size, 1)
    assert View(1, stretch=True, resize=60).batch(pixels, size).shape == (2, *size, 1)


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_resizing_in_memory_is_that_of_pillow(mode: str) -> None:
    image = noise(32, 32)
    pixels = torch.from_numpy(np.array(image)).unsqueeze(0)
    for side in (16, 64) if mode == "nearest" else (20, 64):  # no ties
        ours = View(3, True, None, mode).batch(pixels, (side, side))[0]
        theirs = np.array(image.resize((side, side), Image.Resampling[mode.upper()]))
        apart = (ours - torch.from_numpy(theirs)).abs()
        assert apart.mean() < 0.7
        assert apart.max() < 1.01 or mode == "bicubic"  # Pillow clips between its two passes
    assert View(3, stretch=True).batch(pixels, (32, 32)).dtype == torch.uint8


def test_validation_crops_digits_as_the_recipe_says() -> None:
    split = loaded(recipe(val={"resize": 12, "crop": 8}))
    large = loaded(recipe())
    ((cut, _),) = split.val.batches([chunk([0], (8, 8))])
    ((whole, _),) = large.val.batches([chunk([0], (12, 12))])
    assert torch.equal(cut, whole[:, :, 2:10, 2:10])
    with pytest.raises(TrainError, match=r"val.resize: the short side, 6, is less than the crop"):
        loaded(recipe(val={"resize": 6}))


def test_prediction_sees_what_validation_sees(folder: Path, tmp_path: Path) -> None:
    made = recipe({"name": "folder", "root": str(folder)}, val={"resize": 9})
    split, view = loaded(made), validation_view(made, find_facts(made.data))
    assert isinstance(split.val, Loaded)
    assert isinstance(split.val.reader.source, Files)
    normalize = Normalizer(split.mean, split.std, CPU)
    seen = view_image(split.val.reader.source.path(4), view, normalize, (8, 8))
    assert torch.equal(seen, images_of(split.val, [chunk([3, 4])])[1:])
    made = recipe()
    split, view = loaded(made), validation_view(made, find_facts(made.data))
    image = split_digits(*read_digits())[1][0][5, ..., 0]
    Image.fromarray(image.numpy()).save(tmp_path / "five.png")
    normalize = Normalizer(split.mean, split.std, CPU)
    for size in ((8, 8), (32, 20)):
        seen = view_image(tmp_path / "five.png", view, normalize, size)
        assert torch.equal(seen, images_of(split.val, [chunk([1, 5], size)])[1:])
    with pytest.raises(TrainError, match=r"gone.png cannot be read as an image"):
        view_image(tmp_path / "gone.png", view, normalize, (8, 8))


def test_grey_and_colour(folder: Path) -> None:
    made = recipe({"name": "folder", "root": str(folder)})
    for channels in (1, 3):
        split = loaded(made, channels=channels)
        assert len(split.mean) == len(split.std) == channels
        for part in (split.train, split.val):
            assert images_of(part, [chunk([0, 1])]).shape == (2, channels, 8, 8)
    grey = recipe({"name": "folder", "root": str(folder), "mean": [0.5], "std": [0.5]})
    assert find_facts(grey.data).channels == 1
    for mode in ("1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I", "F"):
        image = Image.new(mode, (8, 8))
        for channels in (1, 3):
            view = View(channels, stretch=False)
            seen = view_image(
                image, view, Normalizer([0.5] * channels, [1] * channels, CPU), (8, 8)
            )
            assert seen.shape == (1, channels, 8, 8)


def test_images_of_16_bits(tmp_path: Path) -> None:
    pixels = np.array([[0, 0x00FF, 0x0100], [0x8000, 0x8012, 0xFFFF]], dtype=np.uint16)
    Image.fromarray(pixels).save(tmp_path / "deep.png")
    seen = view_image(tmp_path / "deep.png", View(1, True), Normalizer([0], [1], CPU), (2, 3))
    assert (seen[0, 0] * 255).round().tolist() == [[0, 0, 1], [128, 128, 255]]


# --- processes -----------------------------------------------------------------------------------


def test_worker_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(12)), raising=False)
    assert (worker_count(0), worker_count(3), worker_count(None)) == (0, 3, 8)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert worker_count(None) == 3
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "64")
    assert worker_count(None) == 1


class Killed(Files):
    """A source whose process is ended from outside."""

    def image(self, index: int) -> Image.Image:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")


def test_a_process_that_is_killed(folder: Path) -> None:
    reader = Reader(Killed([("a.png", 0)]), View(3, stretch=False), None, 0)
    samples = Loaded(reader, Normalizer([0.5] * 3, [1] * 3, CPU), workers=1)
    with pytest.raises(TrainError, match="process that reads images ended") as caught:
        list(samples.batches([chunk([0])]))
    assert "--workers" in caught.value.help


def test_only_the_main_process_ends_the_others(folder: Path) -> None:
    _, samples = in_both_ways(folder)
    assert isinstance(samples, Loaded)
    begun = samples.batches(chunked(11, 1))
    for _ in range(2):  # one of each process
        next(begun)
    processes = samples._loader._iterator._workers  # type: ignore[union-attr]
    for number in (signal.SIGINT, signal.SIGTERM):
        for process in processes:
            os.kill(process.pid, number)
    assert len(list(begun)) == 9
    assert all(process.is_alive() for process in processes)
    assert len(images_of(samples, chunked(11, 4))) == 11


def test_processes_end_with_what_read(folder: Path) -> None:
    """Also where reading failed, or was left in the midst."""
    for name in ("00", "01"):
        _, samples = in_both_ways(folder)
        assert isinstance(samples, Loaded)
        begun = samples.batches(chunked(11, 1))
        next(begun)
        processes = list(samples._loader._iterator._workers)  # type: ignore[union-attr]
        if name == "01":
            (folder / "train" / "dog" / "04.png").write_bytes(b"")
            with pytest.raises(TrainError, match=r"04\.png cannot be read"):
                list(begun)
        else:
            samples.close()
            del begun
        for process in processes:
            process.join(10)
            assert process.exitcode == 0


def test_a_program_ends_with_its_processes_at_work(folder: Path) -> None:
    def program() -> None:
        global kept
        _, samples = in_both_ways(folder)
        kept = samples, samples.batches(chunked(11, 1))
        next(kept[1])

    process = multiprocessing.get_context("fork").Process(target=program)
    process.start()
    process.join(4)  # less than after what the others look for it
    assert process.exitcode == 0


# --- folders ------------------------------------------------------------------------------------


def test_folder_with_train_and_val(folder: Path) -> None:
    made = recipe({"name": "folder", "root": str(folder)}, channels_last=False)
    assert find_facts(made.data) == Facts("folder", 3, ("cat", "dog"))
    split = loaded(made, (4, 6))
    assert (len(split.train), len(split.val)) == (11, 5)
    batches = list(split.train.batches([chunk([0, 7], (4, 6)), chunk([6], (4, 6))]))
    assert [tuple(images.shape) for images, _ in batches] == [(2, 3, 4, 6), (1, 3, 4, 6)]
    assert [labels.tolist() for _, labels in batches] == [[0, 1], [1]]
    red = batches[0][0][:, 0].mean((1, 2)) * 0.229 + 0.485
    assert red.tolist() == pytest.approx([0, 100 / 255], abs=1e-5)
    assert torch.equal(split.train.order(4, 2), order(4, 2, 11))


def paths(samples: Samples) -> list[str]:
    assert isinstance(samples, Loaded)
    source = samples.reader.source
    assert isinstance(source, Files)
    return [source.path(i) for i in range(len(samples))]


def test_folder_is_split_by_the_seed(tmp_path: Path) -> None:
    write_images(tmp_path, {"cat": 6, "dog": 4})
    data = {"name": "folder", "root": str(tmp_path)}
    first, again, other = (loaded(recipe(data, seed=seed)) for seed in (0, 0, 1))
    assert (len(first.train), len(first.val)) == (8, 2)
    assert paths(first.val) == paths(again.val) != paths(other.val)
    assert not set(paths(first.train)) & set(paths(first.val))
    half = loaded(recipe({**data, "val_share": 0.5}))
    assert (len(half.train), len(half.val)) == (5, 5)
    for share in (0, 1):
        least = loaded(recipe({**data, "val_share": share}))
        assert min(len(least.train), len(least.val)) == 1


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
def test_every_class_gives_its_share(share: float) -> None:
    samples = [(f"{label}/{i}", label) for label in range(5) for i in range(20 + 20 * label)]
    train, val = split(samples, share, 3)
    assert sorted(train + val) == sorted(samples)
    for label in range(5):
        held = sum(1 for _, own in val if own == label)
        assert abs(held - share * (20 + 20 * label)) <= 1


def folder_error(root: Path | None, **data: Any) -> TrainError:
    own = {"name": "folder", **({"root": str(root)} if root else {}), **data}
    with pytest.raises(TrainError) as caught:
        loaded(recipe(own))
    return caught.value


def test_folder_errors(tmp_path: Path) -> None:
    assert "--data-root" in folder_error(None).help
    assert "is not a folder" in folder_error(tmp_path / "none").message
    assert "has no subfolders" in folder_error(tmp_path).message
    write_images(tmp_path / "train", {"cat": 1, "dog": 1})
    error = folder_error(tmp_path)
    assert "holds one class, `train`" in error.message
    assert "DIR/val/CLASS" in error.help
    write_images(tmp_path / "val", {"cat": 1})
    assert "different classes: dog" in folder_error(tmp_path).message
    (tmp_path / "val" / "dog").mkdir()
    assert "dog" in folder_error(tmp_path).message
    write_images(tmp_path / "val", {"cat": 1, "dog": 1})
    (tmp_path / "train" / "empty").mkdir()
    assert "empty" in folder_error(tmp_path).message
    assert "3 channels" in folder_error(tmp_path / "val", mean=[0.5] * 2, std=[1] * 2).message


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("part", ["train", "val"])
def test_an_unreadable_image_is_named(folder: Path, workers: int, part: str) -> None:
    broken = folder / part / "cat" / "01.png"
    broken.write_bytes(broken.read_bytes()[:40])
    split = loaded(recipe({"name": "folder", "root": str(folder), "workers": workers}))
    samples = getattr(split, part)
    with pytest.raises(TrainError, match=re.escape(str(broken))) as caught:
        list(samples.batches(chunked(len(samples), 2)))
    assert caught.value.help == "mend or remove it"


# --- devices ------------------------------------------------------------------------------------


def test_batches_on_fake_cuda() -> None:
    """Mixing devices anywhere would raise here."""
    cuda = torch.device("cuda", 0)
    pixels, labels = torch.zeros(6, 5, 5, 3, dtype=torch.uint8), torch.zeros(6, dtype=torch.int64)
    chunks = chunked(6, 4)
    with FakeTensorMode(allow_non_fake_inputs=True):
        normalize = Normalizer([0.5] * 3, [1] * 3, cuda)
        wanted = recipe(augment={**CHANGED, "cutmix": 1.0}).augment
        own, mixer = augment.BatchAugmenter(wanted, 0), mixing.make_mixer(wanted, 5)
        assert mixer is not None
        stored = Stored(pixels, labels, View(3, stretch=True, resize=12), normalize, own)
        (images, found), _ = stored.batches(chunks)
        assert images.shape == (4, 3, 8, 8)
        assert images.is_contiguous(memory_format=torch.channels_last)
        mixed, targets = mixer(images, found, 0, 1)
    assert {t.device for t in (images, found, mixed, targets)} == {cuda}


@pytest.mark.parametrize("name", ["digits", "folder"])
def test_a_split_on_cuda(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line for `cuda`, with the GPU's work done by the CPU."""
    monkeypatch.setattr(loader, "pinned", lambda _: False)
    made = recipe({"name": name, "root": str(folder), "workers": 1}, augment=CHANGED)
    facts = find_facts(made.data)
    plain = load(made, facts, (8, 8), CPU, print)
    with CudaOnCpu() as mode:
        split = load(made, facts, (8, 8), torch.device("cuda", 0), print)
        for ours, theirs in ((split.train, plain.train), (split.val, plain.val)):
            found, expected = (images_of(part, chunked(5, 2)) for part in (ours, theirs))
            assert torch.equal(found, expected)
    assert mode.served > 10


def test_only_a_gpu_needs_pinned_memory() -> None:
    assert loader.pinned(torch.device("cuda", 1))
    assert not loader.pinned(CPU)


def test_what_processes_need_is_pickled(folder: Path) -> None:
    """As where processes are not forked but started anew."""
    for data in ({"name": "folder", "root": str(folder)}, {}):
        samples = loaded(recipe(data, augment=CROPPED)).train
        assert isinstance(samples, Loaded)
        reader: Reader = pickle.loads(pickle.dumps(samples.reader))
        asked = (1, [0, 1], [0, 0], (8, 8))
        found, expected = reader[asked], samples.reader[asked]
        assert isinstance(found, Tensor)
        assert isinstance(expected, Tensor)
        assert torch.equal(found, expected)
