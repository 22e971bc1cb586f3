"""Augmentation and mixing: what is done to training images, and that nothing else decides it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from images import (
    CHANGED,
    CROPPED,
    Cifar,
    chunk,
    chunked,
    images_of,
    in_both_ways,
    loaded,
    recipe,
    write_folder,
)
from torch import Tensor
from torchvision.transforms import v2

from cnndsl.training import augment, mixing
from cnndsl.training.data import download
from cnndsl.training.data.loader import Loaded
from cnndsl.training.errors import TrainError
from cnndsl.training.order import Share, training_steps


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path)


@pytest.fixture
def cifar(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """The `data` of a recipe with images of CIFAR's form."""
    monkeypatch.setitem(download._SETS, "cifar10", Cifar)
    return {"name": "cifar10", "root": str(tmp_path)}


# --- augmentation of batches --------------------------------------------------------------------


def test_batches_are_changed_image_by_image() -> None:
    """Whatever the batch; and each of epoch, copy, image and seed changes it."""
    split = loaded(recipe(augment=CHANGED))
    whole = images_of(split.train, [chunk(range(60), (12, 10))])
    parts = images_of(split.train, chunked(60, 7, (12, 10))[3:])
    assert torch.equal(whole[21:], parts)
    backwards = images_of(split.train, [chunk(range(59, -1, -1), (12, 10))])
    assert torch.equal(whole, backwards.flip(0))
    others = [
        images_of(split.train, [chunk(range(60), (12, 10), epoch=2)]),
        images_of(split.train, [chunk(range(60), (12, 10), copy=1)]),
        images_of(loaded(recipe(augment=CHANGED, seed=1)).train, [chunk(range(60), (12, 10))]),
    ]
    assert all((whole != other).flatten(1).any(1).float().mean() > 0.9 for other in others)
    assert torch.equal(
        images_of(split.val, [chunk([0])]), images_of(loaded(recipe()).val, [chunk([0])])
    )


def moved(count: int = 400, **changes: Any) -> Tensor:
    """Images [5, 6] of the numbers 1 … 30, after a batch's changes."""
    pixels = torch.arange(1, 31, dtype=torch.uint8).view(1, 5, 6, 1).expand(count, 5, 6, 1)
    own = augment.BatchAugmenter(recipe(augment=changes).augment, 0)
    return own.move(pixels, chunk(range(count)))[..., 0]


def test_mirrors() -> None:
    plain = torch.arange(1, 31, dtype=torch.uint8).view(5, 6)
    assert (moved(flip=1) == plain.flip(1)).all()
    assert (moved(vertical_flip=1) == plain.flip(0)).all()
    share = (moved(flip=0.25) == plain.flip(1)).all(2).all(1).float().mean()
    assert 0.2 < share < 0.3
    both = moved(flip=0.5, vertical_flip=0.5)
    assert len({tuple(image.flatten().tolist()) for image in both}) == 4


def test_pad_and_crop() -> None:
    plain = torch.arange(1, 31, dtype=torch.uint8).view(5, 6)
    padded = torch.nn.functional.pad(plain, (1, 1, 1, 1))
    crops = [padded[y : y + 5, x : x + 6] for y in range(3) for x in range(3)]
    found = moved(900, pad_crop=1)
    counts = [int((found == crop).all(2).all(1).sum()) for crop in crops]
    assert sum(counts) == 900
    assert all(70 < count < 130 for count in counts)


def test_erased_rectangles() -> None:
    own = augment.BatchAugmenter(recipe(augment={"erase": 0.5}).augment, 0)
    images = own.erase(torch.ones(600, 3, 20, 30), chunk(range(600)))
    hit = (images == 0).all(1)
    assert torch.equal(hit, (images == 0).any(1))
    area = hit.flatten(1).sum(1)
    assert 0.4 < (area > 0).float().mean() < 0.6
    shares = area[area > 0] / 600
    assert 0.01 < shares.min() < 0.05
    assert 0.28 < shares.max() < 0.36
    for one in hit[area > 0][:50]:
        rows, columns = one.any(1).nonzero(), one.any(0).nonzero()
        assert one.sum() == len(rows) * len(columns)
        assert one[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()


def test_uniform_numbers() -> None:
    drawn = augment.uniforms(3, "word", 0, chunk(range(2000)))
    assert drawn.shape == (2000, 3)
    assert 0 <= drawn.min() < 0.001 < 0.999 < drawn.max() < 1
    assert drawn.mean(0).tolist() == pytest.approx([0.5] * 3, abs=0.03)
    assert drawn.T.corrcoef().triu(1).abs().max() < 0.07
    assert not torch.equal(drawn, augment.uniforms(3, "other", 0, chunk(range(2000))))


# --- augmentation of pictures, and processes ----------------------------------------------------


def test_processes_change_nothing(folder: Path) -> None:
    """Nor does where an epoch begins, how long its batches are, or what was read before."""
    steps = training_steps(3, 2, 11, 4, [(8, 8), (12, 10)], Share(), repeats=2)
    chunks = [part for step in steps for part in step]
    assert {part.size for part in chunks} == {(8, 8), (12, 10)}
    alone, together = in_both_ways(folder, augment=CROPPED, seed=3)
    expected = list(alone.batches(chunks))
    for samples, begin in ((together, 0), (together, 2), (alone, 1), (together, 1)):
        found = list(samples.batches(chunks[begin:]))
        assert len(found) == len(chunks) - begin
        for (images, labels), (others, same) in zip(found, expected[begin:], strict=True):
            assert torch.equal(images, others)
            assert torch.equal(labels, same)
    left = together.batches(chunks)
    next(left)
    del left  # an interrupted epoch
    assert torch.equal(next(together.batches(chunks[2:]))[0], expected[2][0])
    single = [dataclasses.replace(c, indices=c.indices[:1], copies=c.copies[:1]) for c in chunks]
    for (images, _), (others, _) in zip(alone.batches(single), expected, strict=True):
        assert torch.equal(images, others[:1])


def test_each_copy_and_epoch_is_another_picture(folder: Path) -> None:
    samples, _ = in_both_ways(folder, augment=CROPPED)
    drawn = [(1, 0), (2, 0), (1, 1), (1, 0)]
    first, *others, again = [images_of(samples, [chunk([5], epoch=e, copy=c)]) for e, c in drawn]
    assert torch.equal(first, again)
    assert all(not torch.equal(first, other) for other in others)


POLICIES = ["autoaugment", "randaugment", "trivialaugment", "augmix"]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", ["digits", "cifar10", "folder"])
def test_policies(policy: str, name: str, cifar: dict[str, Any], folder: Path) -> None:
    data = {"digits": {}, "cifar10": cifar, "folder": {"name": "folder", "root": str(folder)}}
    samples = loaded(recipe(data[name], augment={"policy": policy})).train
    plain = loaded(recipe(data[name])).train
    chunks = chunked(11, 4, (16, 12))
    changed = images_of(samples, chunks)
    assert torch.equal(changed[4:], images_of(samples, chunks[1:]))
    assert changed.shape == images_of(plain, chunks).shape
    assert (changed - images_of(plain, chunks)).abs().amax((1, 2, 3)).gt(0.1).sum() > 2


@pytest.mark.parametrize(
    ("changes", "transforms"),
    [
        ({}, [v2.Resize(16), v2.CenterCrop(16)]),
        (
            {"random_resized_crop": [0.08, 1], "flip": 0.5, "policy": "randaugment", "ops": 1},
            [
                v2.RandomResizedCrop(16),
                v2.RandomHorizontalFlip(),
                v2.RandAugment(1, interpolation=v2.InterpolationMode.BILINEAR),
            ],
        ),
        (
            {"pad_crop": 3, "vertical_flip": 0.3, "color_jitter": [0.1, 0.2, 0.3, 0.4]},
            [
                v2.Resize(16),
                v2.RandomCrop(16, 3),
                v2.RandomVerticalFlip(0.3),
                v2.ColorJitter(0.1, 0.2, 0.3, 0.4),
            ],
        ),
        (
            {"resize": [18, 24], "flip": 0.5},
            [
                v2.RandomShortestSize(list(range(18, 25))),
                v2.RandomCrop(16),
                v2.RandomHorizontalFlip(),
            ],
        ),
        ({"resize": 20}, [v2.Resize(20), v2.RandomShortestSize([20]), v2.RandomCrop(16)]),
        (
            {
                "random_resized_crop": [0.5, 0.6],
                "crop_ratio": [1, 1],
                "policy": "autoaugment",
                "interpolation": "bicubic",
            },
            [
                v2.RandomResizedCrop(16, (0.5, 0.6), (1, 1), v2.InterpolationMode.BICUBIC),
                v2.AutoAugment(interpolation=v2.InterpolationMode.BICUBIC),
            ],
        ),
    ],
)
def test_pictures_are_changed_as_by_torchvision(
    folder: Path, changes: dict[str, Any], transforms: list[Any]
) -> None:
    data = {"name": "folder", "root": str(folder)}
    split = loaded(recipe(data, augment=changes, seed=5))
    assert isinstance(split.train, Loaded)
    images = images_of(split.train, chunked(11, 4, (16, 16), epoch=3))
    then = [v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True)]
    preset = v2.Compose([*transforms, *then, v2.Normalize(split.mean, split.std)])
    for index in range(11):
        augment.seed_image(5, 3, index, 0)
        picture = split.train.reader.source.image(index)
        torch.testing.assert_close(images[index], preset(picture), atol=1e-5, rtol=1e-5)


def test_reading_leaves_the_generator_of_the_run_alone(folder: Path) -> None:
    for samples in (*in_both_ways(folder, augment=CROPPED), loaded(recipe(augment=CHANGED)).train):
        torch.manual_seed(7)
        before = torch.get_rng_state()
        images_of(samples, chunked(11, 4))
        assert torch.equal(torch.get_rng_state(), before)


def test_a_hue_out_of_range() -> None:
    with pytest.raises(TrainError, match="hue"):
        loaded(recipe(augment={"color_jitter": [0, 0, 0, 0.7]}))


# --- mixing -------------------------------------------------------------------------------------


def mixer(**values: Any) -> mixing.Mixer:
    made = mixing.make_mixer(recipe(augment=values).augment, 5)
    assert made is not None
    return made


def test_mixup() -> None:
    images = torch.eye(8).view(8, 8, 1, 1).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(8) % 5
    mixed, targets = mixer(mixup=1.0)(images, labels, 3, 10)
    share = mixed.view(8, 8).diagonal()
    assert share.min() == share.max()
    assert 0 < share[0] < 1
    torch.testing.assert_close(mixed.sum(1).flatten(), torch.ones(8))
    expected = mixed.view(8, 8) @ torch.nn.functional.one_hot(labels, 5).float()
    torch.testing.assert_close(targets, expected)


def test_cutmix_shares_are_those_of_the_areas() -> None:
    images = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 3, 10, 14).contiguous()
    labels = torch.arange(8) % 5
    cuts = 0
    for step in range(50):
        mixed, targets = mixer(cutmix=1.0)(images, labels, 3, step)
        torch.testing.assert_close(targets.sum(1), torch.ones(8))
        for image, target in zip(mixed, targets, strict=True):
            known = torch.zeros(5)
            for value, count in zip(*image[0].unique(return_counts=True), strict=True):
                known[int(value) % 5] += count / 140
            torch.testing.assert_close(target, known)
            cuts += len(image.unique()) == 2
        assert torch.equal(mixed[:, 0], mixed[:, 2])
    assert cuts > 200


def test_mixing_is_a_function_of_seed_and_step() -> None:
    images, labels = torch.randn(6, 3, 8, 8), torch.arange(6) % 5
    own = mixer(mixup=0.2, cutmix=1.0)
    before = torch.get_rng_state()
    drawn = [own(images, labels, seed, step)[0] for seed, step in ((0, 1), (0, 2), (1, 1), (0, 1))]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(drawn[0], drawn[3])
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    blended = 0
    for step in range(100):
        mixed, _ = own(images, labels, 0, step)
        blended += bool((mixed[:, :, 0, 0] != images[:, :, 0, 0]).all())
    assert 30 < blended < 75


def test_mixing_keeps_the_form() -> None:
    assert mixing.make_mixer(recipe().augment, 5) is None
    for own in (mixer(mixup=0.5), mixer(cutmix=0.5)):
        images = torch.randn(4, 3, 6, 6).contiguous(memory_format=torch.channels_last)
        mixed, targets = own(images, torch.arange(4), 0, 1)
        assert mixed.is_contiguous(memory_format=torch.channels_last)
        assert (targets.shape, targets.dtype) == ((4, 5), torch.float32)
        alone, target = own(images[:1], torch.tensor([2]), 0, 1)
        torch.testing.assert_close(alone, images[:1])
        assert target.tolist() == [[0, 0, 1, 0, 0]]
