"""What the tests of the data of training share: images, recipes and chunks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cnndsl.recipe import Recipe
from cnndsl.training.data import Samples, Split, find_facts, load
from cnndsl.training.order import Chunk

CPU = torch.device("cpu")

CHANGED = {"flip": 0.5, "vertical_flip": 0.5, "pad_crop": 2, "erase": 0.5}

CROPPED = {"random_resized_crop": [0.3, 1], "flip": 0.5, "color_jitter": 0.2, "erase": 0.5}


def recipe(data: dict[str, Any] | None = None, **values: Any) -> Recipe:
    return Recipe.create({"data": {"workers": 0, **(data or {})}, **values})


def loaded(made: Recipe, size: tuple[int, int] = (8, 8), channels: int | None = None) -> Split:
    facts = find_facts(made.data)
    facts = dataclasses.replace(facts, channels=channels or facts.channels)
    return load(made, facts, size, CPU, lambda _: None)


def chunk(
    indices: Sequence[int], size: tuple[int, int] = (8, 8), epoch: int = 1, copy: int = 0
) -> Chunk:
    whole = torch.tensor(indices)
    return Chunk(epoch, whole, torch.full_like(whole, copy), size)


def chunked(count: int, by: int, size: tuple[int, int] = (8, 8), epoch: int = 1) -> list[Chunk]:
    return [chunk(part.tolist(), size, epoch) for part in torch.arange(count).split(by)]


def images_of(samples: Samples, chunks: Sequence[Chunk]) -> Tensor:
    return torch.cat([images for images, _ in samples.batches(chunks)])


def noise(height: int, width: int, seed: int = 0) -> Image.Image:
    drawn = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(drawn)


def write_images(root: Path, counts: dict[str, int], height: int = 9, width: int = 12) -> None:
    """Pictures of noise whose red is that of the class: 0, 100, 200."""
    for number, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            pixels = np.array(noise(height, width, 100 * number + i))
            pixels[..., 0] = 100 * number
            Image.fromarray(pixels).save(root / name / f"{i:02}.png")


def in_both_ways(folder: Path, **values: Any) -> list[Samples]:
    """The training images of a folder, read by this process and by two others."""
    data = {"name": "folder", "root": str(folder)}
    return [loaded(recipe({**data, "workers": n}, **values)).train for n in (0, 2)]


def write_folder(root: Path) -> Path:
    """A folder of two classes: 11 images to train on, 5 to validate."""
    write_images(root / "train", {"cat": 6, "dog": 5})
    write_images(root / "val", {"cat": 3, "dog": 2})
    return root


class Cifar:
    """What torchvision's CIFAR sets are once they are read."""

    def __init__(self, root: str, train: bool, download: bool) -> None:
        count = 20 if train else 5
        drawn = np.random.default_rng(count)
        self.data = drawn.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
        self.targets = [i % 10 for i in range(count)]
