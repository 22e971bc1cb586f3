"""The data of a run: what is known of it beforehand, and its images as batches on the device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from cnndsl.recipe import Recipe
from cnndsl.training.augment import BatchAugmenter, ImageAugmenter, needs_pictures
from cnndsl.training.data.digits import Bytes, read_digits, split_digits
from cnndsl.training.data.facts import Batch, Samples, Split
from cnndsl.training.data.loader import Arrays, Loaded, Reader, Source, worker_count
from cnndsl.training.data.stored import Stored
from cnndsl.training.data.view import (
    FROM_FILES,
    Normalizer,
    View,
    imagenet_mean_std,
    mean_std,
    validation_view,
    view_image,
)
from cnndsl.training.errors import TrainError
from cnndsl.training.facts import Facts, find_facts

__all__ = [
    "Batch",
    "Facts",
    "Normalizer",
    "Samples",
    "Split",
    "View",
    "find_facts",
    "load",
    "validation_view",
    "view_image",
]

Numbers = tuple[float, ...]


def load(
    recipe: Recipe,
    facts: Facts,
    size: tuple[int, int],
    device: torch.device,
    echo: Callable[[str], None],
) -> Split:
    """The two parts of a data set, for a network of this height and width."""
    _check_crop(recipe, size)
    if facts.name in FROM_FILES:
        return _from_files(recipe, facts, device, echo)
    return _in_memory(recipe, facts, device, echo)


def _from_files(
    recipe: Recipe, facts: Facts, device: torch.device, echo: Callable[[str], None]
) -> Split:
    """Images that processes read while the network trains."""
    mean, std = _normal(recipe, facts, imagenet_mean_std(facts.channels))
    train, val = _sources(recipe, facts, echo)
    view = validation_view(recipe, facts)
    normalize = Normalizer(mean, std, device, recipe.channels_last)
    workers = worker_count(recipe.data.workers)
    judged = Loaded(Reader(val, view, None, recipe.seed), normalize, workers)
    return Split(_augmented(recipe, train, view, normalize, workers), judged, mean, std)


def _sources(recipe: Recipe, facts: Facts, echo: Callable[[str], None]) -> tuple[Source, Source]:
    if facts.name == "folder":
        from cnndsl.training.data.folder import read_folder

        return read_folder(recipe.data, recipe.seed)
    from cnndsl.training.data.shards import read_shards

    return read_shards(recipe.data, len(facts.classes), echo)


def _in_memory(
    recipe: Recipe, facts: Facts, device: torch.device, echo: Callable[[str], None]
) -> Split:
    """Images that lie on the device, or beside it where they are changed one by one."""
    train, val = _read_bytes(recipe, facts, echo)
    mean, std = _normal(recipe, facts, mean_std(train[0]))
    normalize = Normalizer(mean, std, device, recipe.channels_last)
    view = validation_view(recipe, facts)
    judged = Stored(*val, view, normalize)
    if needs_pictures(recipe.augment):
        source, workers = Arrays(*train), recipe.data.workers or 0
        return Split(_augmented(recipe, source, view, normalize, workers), judged, mean, std)
    whole = View(view.channels, view.stretch, None, view.interpolation)
    learned = Stored(*train, whole, normalize, BatchAugmenter(recipe.augment, recipe.seed))
    return Split(learned, judged, mean, std)


def _read_bytes(recipe: Recipe, facts: Facts, echo: Callable[[str], None]) -> tuple[Bytes, Bytes]:
    if facts.name == "digits":
        return split_digits(*read_digits())
    from cnndsl.training.data.download import read_torchvision

    return read_torchvision(facts.name, Path(recipe.data.root or "data").expanduser(), echo)


def _augmented(
    recipe: Recipe, source: Source, view: View, normalize: Normalizer, workers: int
) -> Loaded:
    """Images to train on that are changed one by one."""
    cifar = recipe.data.name.startswith("cifar")
    pictures = ImageAugmenter(recipe.augment, view.stretch, cifar)
    reader = Reader(source, view, pictures, recipe.seed)
    return Loaded(reader, normalize, workers, BatchAugmenter(recipe.augment, recipe.seed))


def _normal(recipe: Recipe, facts: Facts, own: tuple[Numbers, Numbers]) -> tuple[Numbers, Numbers]:
    """Mean and deviation of each channel: the recipe's, else the set's own."""
    mean, std = recipe.data.mean, recipe.data.std
    if mean is None or std is None:
        return own
    if len(mean) != facts.channels:
        raise TrainError(
            f"train.data.mean: {len(mean)} numbers, but the images of {facts.name} have "
            f"{facts.channels} channels",
            "leave `mean` and `std` out, or give one number for each channel",
        )
    return mean, std


def _check_crop(recipe: Recipe, size: tuple[int, int]) -> None:
    resize, crop = recipe.val.resize, recipe.val.crop or min(size)
    if resize is not None and resize < crop:
        raise TrainError(
            f"train.val.resize: the short side, {resize}, is less than the crop, {crop}",
            f"use {crop} or more, or leave it out",
        )
