"""Random changes of training images: each is a function of seed, epoch, image and copy alone.

Defaults and order are those of torchvision's classification presets: crop, mirror, policy, colours,
normalization, erasing. What needs pixels as a picture is done by torchvision one image at a time;
padding, mirroring and erasing have a form for whole batches, which runs where the batch lies.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import shake_128
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from cnndsl.recipe.sections import Augment
from cnndsl.training.errors import TrainError
from cnndsl.training.order import Chunk, mix

ERASED_AREA = (0.02, 0.33)
"""Share of the image that a rectangle covers, as torchvision's RandomErasing has it."""
ERASED_RATIO = (0.3, 3.3)


def needs_pictures(augment: Augment) -> bool:
    """Whether images must be changed one by one, not as a batch."""
    crops = augment.random_resized_crop or augment.resize
    return bool(crops or augment.policy or _jitter(augment))


def uniforms(count: int, word: str, seed: int, chunk: Chunk) -> Tensor:
    """Numbers from 0 to 1 for each image of a chunk, the same in any chunk; float64 [n, count]."""
    keys = zip(chunk.indices.tolist(), chunk.copies.tolist(), strict=True)
    drawn = b"".join(
        shake_128(repr((word, seed, chunk.epoch, *key)).encode()).digest(8 * count) for key in keys
    )
    bits = torch.frombuffer(bytearray(drawn), dtype=torch.int64).view(-1, count)
    return ((bits >> 11) & (2**53 - 1)).double() * 2.0**-53


class BatchAugmenter:
    """Changes that a whole batch goes through at once, on its device."""

    def __init__(self, augment: Augment, seed: int) -> None:
        self.augment, self.seed = augment, seed

    def move(self, images: Tensor, chunk: Chunk) -> Tensor:
        """Pad, crop and mirror images [n, height, width, channels]."""
        own = self.augment
        if not (own.pad_crop or own.flip or own.vertical_flip):
            return images
        drawn = uniforms(4, "move", self.seed, chunk)
        corner = _sent((drawn[:, :2] * (2 * own.pad_crop + 1)).long(), images.device)
        mirrored = drawn[:, 2:] < torch.tensor([own.vertical_flip, own.flip])
        mirrored = _sent(mirrored, images.device)
        _, height, width, _ = images.shape
        rows = corner[:, :1] + _ways(height, mirrored[:, :1])
        columns = corner[:, 1:] + _ways(width, mirrored[:, 1:])
        return _gather(images, rows, columns, own.pad_crop)

    def erase(self, images: Tensor, chunk: Chunk) -> Tensor:
        """Set a rectangle of some images to 0, in place; normalized, [n, channels, height, width].

        A rectangle that is longer than the image is shortened to it.
        """
        if not self.augment.erase:
            return images
        drawn = uniforms(5, "erase", self.seed, chunk)
        sides = _rectangles(drawn[:, 1:3], images.shape[-2], images.shape[-1])
        sides *= drawn[:, :1] < self.augment.erase
        space = torch.tensor(images.shape[-2:]) - sides + 1
        corner = (drawn[:, 3:] * space).long()
        ends = _sent(torch.cat([corner, corner + sides], 1), images.device)
        top, left, bottom, right = (end.view(-1, 1, 1, 1) for end in ends.unbind(1))
        row = torch.arange(images.shape[-2], device=images.device).view(-1, 1)
        column = torch.arange(images.shape[-1], device=images.device)
        hit = (row >= top) & (row < bottom) & (column >= left) & (column < right)
        return images.masked_fill_(hit, 0.0)


def _sent(draws: Tensor, device: torch.device) -> Tensor:
    return draws.to(device, non_blocking=True)


def _ways(length: int, mirrored: Tensor) -> Tensor:
    """The positions along a side, backwards where mirrored; int64 [n, length]."""
    there = torch.arange(length, device=mirrored.device)
    return torch.where(mirrored, there.flip(0), there)


def _gather(images: Tensor, rows: Tensor, columns: Tensor, pad: int) -> Tensor:
    """The pixels at these rows and columns, [n, height] and [n, width], of padded images."""
    padded = torch.nn.functional.pad(images, (0, 0, pad, pad, pad, pad)) if pad else images
    count, height, width, channels = padded.shape
    first = torch.arange(count, device=images.device).view(-1, 1, 1) * height
    pixels = ((first + rows.unsqueeze(2)) * width + columns.unsqueeze(1)).view(-1)
    return padded.reshape(-1, channels).index_select(0, pixels).view(images.shape)


def _rectangles(drawn: Tensor, height: int, width: int) -> Tensor:
    """Height and width of each rectangle to erase, from two numbers an image; int64 [n, 2]."""
    low, high = ERASED_AREA
    area = (low + (high - low) * drawn[:, 0]) * height * width
    low, high = map(math.log, ERASED_RATIO)
    ratio = (low + (high - low) * drawn[:, 1]).exp()
    sides = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], 1).round().long()
    return sides.minimum(torch.tensor([height, width]))


class ImageAugmenter:
    """Changes that images go through one by one, as torchvision does them on Pillow's images."""

    def __init__(self, augment: Augment, stretch: bool, cifar: bool) -> None:
        """`stretch` images to the size where they are not cropped; `cifar` has a learned policy."""
        self.augment, self.stretch = augment, stretch
        self._mode = v2.InterpolationMode(augment.interpolation)
        self._then = [*self._mirrors(), *self._policies(cifar), *_color_jitter(augment)]
        self._steps: dict[tuple[int, int], Any] = {}

    def __call__(self, image: Image.Image, size: tuple[int, int]) -> Image.Image:
        """The image at a size, changed by what PyTorch's generator draws."""
        if size not in self._steps:
            self._steps[size] = v2.Compose([*self._crop(size), *self._then])
        changed: Image.Image = self._steps[size](image)
        return changed

    def _crop(self, size: tuple[int, int]) -> list[Any]:
        own = self.augment
        if own.random_resized_crop:
            return [
                v2.RandomResizedCrop(
                    size, own.random_resized_crop, own.crop_ratio, interpolation=self._mode
                )
            ]
        if own.resize:
            low, high = own.resize if isinstance(own.resize, tuple) else (own.resize, own.resize)
            sides = list(range(low, high + 1))
            pad = own.pad_crop or None
            return [
                v2.RandomShortestSize(sides, interpolation=self._mode),
                v2.RandomCrop(size, pad, pad_if_needed=True),
            ]
        resize = v2.Resize(size, self._mode) if self.stretch else Cover(size, self._mode)
        crop = v2.RandomCrop(size, own.pad_crop) if own.pad_crop else v2.CenterCrop(size)
        return [resize, crop]

    def _mirrors(self) -> list[Any]:
        own = self.augment
        both = {v2.RandomHorizontalFlip: own.flip, v2.RandomVerticalFlip: own.vertical_flip}
        return [mirror(share) for mirror, share in both.items() if share]

    def _policies(self, cifar: bool) -> list[Any]:
        own, mode = self.augment, self._mode
        if own.policy == "autoaugment":
            learned = v2.AutoAugmentPolicy.CIFAR10 if cifar else v2.AutoAugmentPolicy.IMAGENET
            return [v2.AutoAugment(learned, mode)]
        if own.policy == "randaugment":
            return [v2.RandAugment(own.ops, own.magnitude, interpolation=mode)]
        if own.policy == "trivialaugment":
            return [v2.TrivialAugmentWide(interpolation=mode)]
        return [v2.AugMix(interpolation=mode)] if own.policy == "augmix" else []


class Cover:
    """Resize an image, keeping its proportions, to the smallest that covers a size."""

    def __init__(self, size: tuple[int, int], mode: Any) -> None:
        self.size, self.mode = size, mode

    def __call__(self, image: Image.Image) -> Any:
        sides = cover((image.height, image.width), self.size)
        return v2.functional.resize(image, list(sides), self.mode)


def cover(shape: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """The smallest height and width in a shape's proportions that cover a size; rounded down."""
    (height, width), (high, wide) = shape, size
    if high * width >= wide * height:
        return high, high * width // height
    return wide * height // width, wide


def _jitter(augment: Augment) -> tuple[float, ...]:
    """Brightness, contrast, saturation and hue; empty where none changes."""
    given = augment.color_jitter
    each = given if isinstance(given, tuple) else (given, given, given, 0.0)
    return each if any(each) else ()


def _color_jitter(augment: Augment) -> list[Any]:
    jitter = _jitter(augment)
    if jitter and jitter[3] > 0.5:
        raise TrainError("train.augment.color_jitter: the hue changes by 0.5 at most")
    return [v2.ColorJitter(*jitter)] if jitter else []


@contextmanager
def own_draws() -> Iterator[None]:
    """Leave PyTorch's generator as it was."""
    before = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(before)


def seed_image(seed: int, epoch: int, index: int, copy: int) -> None:
    """Fix what PyTorch draws for one copy of an image on the CPU; other devices are left alone."""
    torch.default_generator.manual_seed(mix("augment", seed, epoch, index, copy))
