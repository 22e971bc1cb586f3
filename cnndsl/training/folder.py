"""A folder of images, a subfolder for each class: read while training, by threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision.datasets import ImageFolder

from cnndsl.training.data import Batch, Split, View
from cnndsl.training.errors import TrainError
from cnndsl.training.order import order

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Sample = tuple[str, int]
"""The path of an image and its class."""


class Files:
    """Images that are decoded as they are needed, two batches ahead.

    Threads serve: decoding and resizing in Pillow release the interpreter's lock, and an unreadable
    image is an ordinary exception here.
    """

    def __init__(self, samples: Sequence[Sample], view: View) -> None:
        self.samples, self.view = samples, view

    def __len__(self) -> int:
        return len(self.samples)

    def batches(self, chunks: Sequence[Tensor]) -> Iterator[Batch]:
        pool = ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1))
        ahead: deque[list[Future[tuple[Tensor, int]]]] = deque()
        try:
            for chunk in chunks:
                ahead.append([pool.submit(self._read, i) for i in chunk.tolist()])
                if len(ahead) > 2:
                    yield self._collect(ahead.popleft())
            while ahead:
                yield self._collect(ahead.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _collect(self, pending: list[Future[tuple[Tensor, int]]]) -> Batch:
        images, labels = zip(*(future.result() for future in pending), strict=True)
        return self.view(torch.stack(images)), torch.tensor(labels).to(self.view.device)

    def _read(self, index: int) -> tuple[Tensor, int]:
        """One image, uint8 [3, height, width] of the network's size, and its class."""
        path, label = self.samples[index]
        height, width = self.view.size
        try:
            with Image.open(path) as image:
                small = image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
        except (OSError, ValueError, SyntaxError) as e:
            raise TrainError(f"{path} cannot be read as an image: {e}", "mend or remove it") from e
        pixels = torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8)
        return pixels.view(height, width, 3).permute(2, 0, 1), label


def class_names(root: Path) -> tuple[str, ...]:
    """The classes of a folder: the names of the subfolders."""
    return tuple(_listed(root / "train" if _is_split(root) else root).classes)


def read_folder(root: Path, seed: int, size: tuple[int, int], device: torch.device) -> Split:
    """`train` and `val` of a folder where it has both, else four fifths and one fifth of it."""
    train, val = _parts(root, seed)
    view = View(size, IMAGENET_MEAN, IMAGENET_STD, device)
    return Split(Files(train, view), Files(val, view))


def _parts(root: Path, seed: int) -> tuple[list[Sample], list[Sample]]:
    if _is_split(root):
        train, val = _listed(root / "train"), _listed(root / "val")
        if train.classes != val.classes:
            differ = ", ".join(sorted(set(train.classes) ^ set(val.classes)))
            raise TrainError(
                f"{root}/train and {root}/val hold different classes: {differ}",
                "each class needs images in both",
            )
        return train.samples, val.samples
    samples = _listed(root).samples
    if len(samples) < 2:
        raise TrainError(f"{root} holds one image", "training and validation need one each")
    shuffled = [samples[i] for i in order(seed, "split", len(samples)).tolist()]
    held_out = max(1, len(samples) // 5)
    return shuffled[held_out:], shuffled[:held_out]


def _is_split(root: Path) -> bool:
    return (root / "train").is_dir() and (root / "val").is_dir()


def _listed(folder: Path) -> ImageFolder:
    try:
        return ImageFolder(str(folder))
    except OSError as e:
        reason = str(e) if folder.is_dir() else f"{folder} is not a folder"
        raise TrainError(
            f"no images to train on: {' '.join(reason.split())}",
            "a subfolder for each class is needed, with images in it; see `--data-root DIR`",
        ) from e
