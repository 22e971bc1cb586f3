"""A folder of images, a subfolder for each class."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.datasets import ImageFolder

from cnndsl.recipe.sections import Data
from cnndsl.training.data.loader import Listed
from cnndsl.training.data.view import read_image
from cnndsl.training.errors import TrainError
from cnndsl.training.order import order

Sample = tuple[str, int]
"""The path of an image and its class."""

LAYOUT = "images of each class stand in DIR/train/CLASS and DIR/val/CLASS, or in DIR/CLASS"


class Files(Listed):
    """Images in files; the paths stand in one array, which processes share without copying it."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._paths = np.array([os.fsencode(path) for path, _ in samples])
        self.labels = torch.tensor([label for _, label in samples])

    def path(self, index: int) -> str:
        return os.fsdecode(bytes(self._paths[index]))

    def image(self, index: int) -> Image.Image:
        path = self.path(index)
        return read_image(path, path)


def class_names(data: Data) -> tuple[str, ...]:
    """The classes of a folder: the names of the subfolders."""
    root = _root(data)
    folder = root / "train" if _is_split(root) else root
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    except OSError as e:
        raise TrainError(f"no images to train on: {folder} is not a folder", LAYOUT) from e
    if not names:
        raise TrainError(f"no images to train on: {folder} has no subfolders", LAYOUT)
    return tuple(names)


def read_folder(data: Data, seed: int) -> tuple[Files, Files]:
    """`train` and `val` of a folder where it has both, else a split of it that the seed chooses."""
    root = _root(data)
    if not _is_split(root):
        train, val = split(_listed(root).samples, data.val_share, seed)
        return Files(train), Files(val)
    both = _listed(root / "train"), _listed(root / "val")
    if both[0].classes != both[1].classes:
        differ = ", ".join(sorted(set(both[0].classes) ^ set(both[1].classes)))
        raise TrainError(
            f"{root}/train and {root}/val hold different classes: {differ}",
            "each class needs images in both",
        )
    return Files(both[0].samples), Files(both[1].samples)


def split(samples: list[Sample], share: float, seed: int) -> tuple[list[Sample], list[Sample]]:
    """A share of the images of each class to validate, and the others; both have one at least."""
    if len(samples) < 2:
        raise TrainError("the folder holds one image", "training and validation need one each")
    shuffled = [samples[i] for i in order(seed, "split", len(samples)).tolist()]
    shuffled.sort(key=lambda sample: sample[1])
    count = min(max(round(share * len(samples)), 1), len(samples) - 1)
    held = {(2 * k + 1) * len(samples) // (2 * count) for k in range(count)}
    parts: tuple[list[Sample], list[Sample]] = [], []
    for number, sample in enumerate(shuffled):
        parts[number in held].append(sample)
    return parts


def _root(data: Data) -> Path:
    if data.root is None:
        raise TrainError(
            "data set `folder` needs a folder of images",
            f"name it with `--data-root DIR`: {LAYOUT}",
        )
    return Path(data.root).expanduser()


def _is_split(root: Path) -> bool:
    return (root / "train").is_dir() and (root / "val").is_dir()


def _listed(folder: Path) -> ImageFolder:
    try:
        return ImageFolder(str(folder))
    except OSError as e:
        reason = str(e) if folder.is_dir() else f"{folder} is not a folder"
        raise TrainError(f"no images to train on: {' '.join(reason.split())}", LAYOUT) from e
