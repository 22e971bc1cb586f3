"""Images a second as training gets them: our data beside torchvision's sets and torch's DataLoader.

    python benchmarks/data.py [--workers 2] [--rounds 5]

The same changes on the same images, normalized and in batches; both in turn in one process, medians
of the ratio, above 1 where ours is faster. `small`: 32 × 32, padded, cropped and mirrored, in
memory, for which we use no processes; `policy`: the same with trivialaugment; `folder`: JPEG files,
a random crop of 224 × 224, mirrored.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from cnndsl.recipe import Recipe
from cnndsl.training.augment import BatchAugmenter, ImageAugmenter
from cnndsl.training.data import Normalizer, Samples, View, find_facts, load
from cnndsl.training.data.loader import Arrays, Loaded, Reader
from cnndsl.training.data.stored import Stored
from cnndsl.training.order import Share, training_steps

CPU = torch.device("cpu")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TENSOR = [v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]

Epoch = Callable[[int], int]
"""Reads the batches of an epoch, of this number, and counts the images."""


class Pictures(Dataset[Any]):
    """Images in memory, one by one, as torchvision's CIFAR sets give them."""

    def __init__(self, images: np.ndarray, transform: Any) -> None:
        self.images, self.transform = images, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        return self.transform(Image.fromarray(self.images[index])), index % 10


def count(batches: Iterable[Any]) -> int:
    return sum(len(labels) for _, labels in batches)


def ours(samples: Samples, size: int, batch_size: int) -> Epoch:
    def epoch(number: int) -> int:
        shuffled = samples.order(0, number)
        sizes, own = [(size, size)], Share()
        steps = training_steps(0, number, len(samples), batch_size, sizes, own, indices=shuffled)
        return count(samples.batches([chunk for step in steps for chunk in step]))

    return epoch


def theirs(dataset: Dataset[Any], batch_size: int, workers: int) -> Epoch:
    loader = DataLoader(
        dataset, batch_size, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    return lambda number: count(loader)


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def small(workers: int) -> tuple[Epoch, Epoch]:
    images, labels = noise(6400), torch.arange(6400) % 10
    own = Recipe.create({"augment": {"pad_crop": 4, "flip": 0.5}}).augment
    view, normalize = View(3, stretch=True), Normalizer(MEAN, STD, CPU)
    stored = Stored(torch.from_numpy(images), labels, view, normalize, BatchAugmenter(own, seed=0))
    changes = v2.Compose([v2.RandomCrop(32, 4), v2.RandomHorizontalFlip(), *TENSOR])
    return ours(stored, 32, 128), theirs(Pictures(images, changes), 128, workers)


def policy(workers: int) -> tuple[Epoch, Epoch]:
    images, labels = noise(2560), torch.arange(2560) % 10
    named = {"pad_crop": 4, "flip": 0.5, "policy": "trivialaugment"}
    own = Recipe.create({"augment": named}).augment
    source, view = Arrays(torch.from_numpy(images), labels), View(3, stretch=True)
    reader = Reader(source, view, ImageAugmenter(own, stretch=True, cifar=True), seed=0)
    changed = v2.TrivialAugmentWide(interpolation=v2.InterpolationMode.BILINEAR)
    changes = v2.Compose([v2.RandomCrop(32, 4), v2.RandomHorizontalFlip(), changed, *TENSOR])
    return (
        ours(Loaded(reader, Normalizer(MEAN, STD, CPU), workers), 32, 128),
        theirs(Pictures(images, changes), 128, workers),
    )


def folder(root: Path, workers: int) -> tuple[Epoch, Epoch]:
    augment = {"random_resized_crop": [0.08, 1], "flip": 0.5}
    data = {"name": "folder", "root": str(root), "workers": workers}
    recipe = Recipe.create({"data": data, "augment": augment})
    samples = load(recipe, find_facts(recipe.data), (224, 224), CPU, print).train
    changes = v2.Compose([v2.RandomResizedCrop(224), v2.RandomHorizontalFlip(), *TENSOR])
    files = ImageFolder(str(root / "train"), changes)
    return ours(samples, 224, 32), theirs(files, 32, workers)


def write_jpegs(root: Path, each: int) -> None:
    """Photographs as large as ImageNet's: colours that change smoothly, with some noise."""
    draws = np.random.default_rng(0)
    for part, number in (("train", each), ("val", 1)):
        for name in ("cat", "dog"):
            (root / part / name).mkdir(parents=True)
            for i in range(number):
                coarse = Image.fromarray(draws.integers(0, 256, (12, 16, 3), dtype=np.uint8))
                image = np.asarray(coarse.resize((500, 375), Image.Resampling.BICUBIC), np.int16)
                image = image + draws.integers(-12, 13, image.shape)
                pixels = image.clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(root / part / name / f"{i}.jpg", quality=90)


def compare(name: str, pair: tuple[Epoch, Epoch], rounds: int) -> None:
    """Alternate epochs; the first of each starts the processes and is not counted."""
    speeds = []
    for number in range(1, rounds + 2):
        row = []
        for epoch in pair if number % 2 else pair[::-1]:
            start = time.perf_counter()
            done = epoch(number)
            row.append(done / (time.perf_counter() - start))
        speeds.append(row if number % 2 else row[::-1])
    ratio = statistics.median(own / other for own, other in speeds[1:])
    own, other = (statistics.median(column) for column in zip(*speeds[1:], strict=True))
    print(f"{name:20} {own:10,.0f} {other:12,.0f} {ratio:8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, default=2, help="processes that read")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    print("images a second            ours  torchvision's    ratio")
    for workers in {0, given.workers}:
        compare(f"small, {workers} workers", small(workers), given.rounds)
    compare(f"policy, {given.workers} workers", policy(given.workers), given.rounds)
    with tempfile.TemporaryDirectory() as root:
        write_jpegs(Path(root), each=80)
        compare(f"folder, {given.workers} workers", folder(Path(root), given.workers), given.rounds)


if __name__ == "__main__":
    main()
