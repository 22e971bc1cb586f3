"""The data sets: what is known of each beforehand, and their images as batches on the device."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from cnndsl.diagnostics import suggest
from cnndsl.recipe import DATA_NAMES
from cnndsl.training.errors import TrainError

Batch = tuple[Tensor, Tensor]
"""Images, float [batch, channels, height, width], and labels, int64 [batch]; on the device."""


@dataclass(frozen=True)
class Facts:
    """What a network must be compiled for."""

    name: str
    channels: int
    classes: tuple[str, ...]


class Samples(Protocol):
    """Labelled images that are read batch by batch."""

    def __len__(self) -> int: ...

    def batches(self, chunks: Sequence[Tensor]) -> Iterator[Batch]:
        """The images with these indices, a batch for each chunk."""


@dataclass(frozen=True)
class Split:
    """The images that are learned from, and those that the network is judged by."""

    train: Samples
    val: Samples


class View:
    """Raw images as the network takes them: moved, resized and normalized, on the device."""

    def __init__(
        self,
        size: tuple[int, int],
        mean: Sequence[float],
        std: Sequence[float],
        device: torch.device,
    ) -> None:
        self.size, self.device = size, device
        self.mean = torch.tensor(mean, device=device).view(-1, 1, 1)
        self.std = torch.tensor(std, device=device).view(-1, 1, 1)

    def __call__(self, images: Tensor) -> Tensor:
        """Images of bytes, uint8 [batch, channels, …], as floats of the network's size."""
        scaled = images.to(self.device, torch.float32) / 255
        if scaled.shape[-2:] != self.size:
            scaled = torch.nn.functional.interpolate(
                scaled, self.size, mode="bilinear", antialias=True
            )
        normal = (scaled - self.mean) / self.std
        return normal.contiguous(memory_format=torch.channels_last)


class Stored:
    """Images that lie in memory, on the device, as bytes; a batch costs an index operation."""

    def __init__(self, images: Tensor, labels: Tensor, view: View) -> None:
        self.images, self.labels = images.to(view.device), labels.to(view.device)
        self.view = view

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, chunks: Sequence[Tensor]) -> Iterator[Batch]:
        for chunk in chunks:
            index = chunk.to(self.view.device)
            yield self.view(self.images[index]), self.labels[index]


Bytes = tuple[Tensor, Tensor]
"""Images, uint8 [count, channels, height, width], and labels, int64 [count]."""

_DIGITS = tuple("0123456789")
_CLOTHES = (
    *("t-shirt", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
_CIFAR = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
_FACTS = {
    "digits": Facts("digits", 1, _DIGITS),
    "mnist": Facts("mnist", 1, _DIGITS),
    "fashion_mnist": Facts("fashion_mnist", 1, _CLOTHES),
    "cifar10": Facts("cifar10", 3, _CIFAR),
}


def find_facts(name: str, root: Path | None) -> Facts:
    """What is known of a data set before its images are read; a folder is listed."""
    if name == "folder":
        from cnndsl.training.folder import class_names

        return Facts(name, 3, class_names(folder_root(root)))
    if name not in _FACTS:
        raise TrainError(f"there is no data set `{name}`", suggest(name, list(DATA_NAMES)))
    return _FACTS[name]


def folder_root(root: Path | None) -> Path:
    """The folder of images, which has no default."""
    if root is None:
        raise TrainError(
            "data set `folder` needs a folder of images",
            "name it with `--data-root DIR`: DIR/train/CLASS/*.png and DIR/val/CLASS/*.png, "
            "or DIR/CLASS/*.png",
        )
    return root


def load(
    name: str,
    root: Path | None,
    seed: int,
    size: tuple[int, int],
    device: torch.device,
    echo: Callable[[str], None],
) -> Split:
    """The two parts of a data set, for a network of this height and width."""
    if name == "folder":
        from cnndsl.training.folder import read_folder

        return read_folder(folder_root(root), seed, size, device)
    if name == "digits":
        train, val = split_digits(*read_digits())
    else:
        from cnndsl.training.download import read_torchvision

        train, val = read_torchvision(name, root or Path("data"), echo)
    view = View(size, *mean_std(train[0]), device)
    return Split(Stored(*train, view), Stored(*val, view))


def read_digits() -> Bytes:
    """The 1,797 embedded digits: 8 × 8 pixels, their 17 levels of grey spread over a byte."""
    packed = files("cnndsl.training").joinpath("digits.csv.gz").read_bytes()
    text = gzip.decompress(packed).decode("ascii")
    table = torch.tensor([[int(cell) for cell in row.split(",")] for row in text.split()])
    levels = table[:, :-1].view(-1, 1, 8, 8)
    return (levels * 255 / 16).round().to(torch.uint8), table[:, -1]


def split_digits(images: Tensor, labels: Tensor) -> tuple[Bytes, Bytes]:
    """1,437 images to train on and 360 to validate: always the same, every fifth one of a class."""
    by_class = labels.argsort(stable=True)
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    held_out[by_class[::5]] = True
    return (images[~held_out], labels[~held_out]), (images[held_out], labels[held_out])


def mean_std(images: Tensor) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel of uint8 [count, channels, …], from 0 to 1."""
    levels = torch.arange(256, dtype=torch.float64) / 255
    means, stds = [], []
    for channel in images.unbind(1):
        share = torch.bincount(channel.flatten(), minlength=256).double() / channel.numel()
        mean = float(share @ levels)
        means.append(mean)
        stds.append(max(float(share @ (levels - mean) ** 2) ** 0.5, 1e-6))
    return means, stds
