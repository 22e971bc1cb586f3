"""How an image is seen without chance: in validation, in prediction, and before it is augmented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import IO

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from cnndsl.recipe import Recipe
from cnndsl.training.augment import cover
from cnndsl.training.errors import TrainError
from cnndsl.training.facts import Facts

Size = tuple[int, int]
"""Height and width."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey, as Pillow converts them."""

FROM_FILES = ("folder", "webdataset")
"""Data sets whose images are read while the network trains, and are of any size."""


@dataclass(frozen=True)
class View:
    """Resizes an image and cuts its middle out."""

    channels: int
    stretch: bool
    """Whether images lie in memory, all of one size, and are stretched to the network's."""
    resize: int | None = None
    """Length of the short side before the crop."""
    interpolation: str = "bilinear"

    def before_crop(self, size: Size) -> Size:
        """What the resized image covers, for a network of a size."""
        short = min(size)
        side = self.resize or (short if self.stretch else round(short * 8 / 7))
        return size[0] * side // short, size[1] * side // short

    def picture(self, image: Image.Image, size: Size) -> Image.Image:
        """One image as a batch takes it: at the size where it is not to be stretched."""
        image = in_mode(image, self.channels)
        if self.stretch:
            return image
        height, width = cover((image.height, image.width), self.before_crop(size))
        mode = Image.Resampling[self.interpolation.upper()]
        top, left = _middle((height, width), size)
        box = (left, top, left + size[1], top + size[0])
        return image.resize((width, height), mode).crop(box)

    def batch(self, images: Tensor, size: Size) -> Tensor:
        """Images [n, height, width, channels] at the size: as bytes, or floats from 0 to 255."""
        if not self.stretch:
            return images
        images = resized(images, self.before_crop(size), self.interpolation)
        top, left = _middle((images.shape[1], images.shape[2]), size)
        return images[:, top : top + size[0], left : left + size[1]]


def validation_view(recipe: Recipe, facts: Facts) -> View:
    """How a recipe sees images in validation and in prediction."""
    stretch = facts.name not in FROM_FILES
    return View(facts.channels, stretch, recipe.val.resize, recipe.augment.interpolation)


class Normalizer:
    """Bytes as the network takes them: floats of mean 0 and deviation 1, on its device."""

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        device: torch.device,
        channels_last: bool = True,
    ) -> None:
        self.device, self.channels_last = device, channels_last
        self._scale = torch.tensor([1 / (255 * s) for s in std], device=device)
        self._shift = torch.tensor([m / s for m, s in zip(mean, std, strict=True)], device=device)

    def __call__(self, images: Tensor) -> Tensor:
        """Images [n, height, width, channels] from 0 to 255 as floats [n, channels, …].

        Where they are floats they are overwritten. Whole rows are computed at a time: loops over
        three channels would be short.
        """
        count, height, width, channels = images.shape
        rows = images.reshape(count * height, width * channels).float()
        rows.mul_(self._scale.repeat(width)).sub_(self._shift.repeat(width))
        floats = rows.view(count, height, width, channels).permute(0, 3, 1, 2)
        if self.channels_last:
            return floats.contiguous(memory_format=torch.channels_last)
        return floats.contiguous()


def view_image(
    image: Image.Image | str | PathLike[str], view: View, normalize: Normalizer, size: Size
) -> Tensor:
    """One image, or the file of one, as a validation batch of one: float [1, channels, …]."""
    opened = image if isinstance(image, Image.Image) else read_image(image, str(image))
    pixels = to_bytes([view.picture(opened, size)]).to(normalize.device)
    return normalize(view.batch(pixels, size))


def read_image(file: str | PathLike[str] | IO[bytes], name: str) -> Image.Image:
    """An image with its pixels; what Pillow cannot read is told by `name`."""
    try:
        with Image.open(file) as image:
            image.load()
            return image
    except Exception as e:  # decoders raise whatever they meet in broken files
        reason = " ".join(str(e).split()) or type(e).__name__
        raise TrainError(f"{name} cannot be read as an image: {reason}", "mend or remove it") from e


def in_mode(image: Image.Image, channels: int) -> Image.Image:
    """Grey for one channel, colour for three; of 16 bits the upper 8 are taken."""
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) // 256).clip(0, 255).astype(np.uint8))
    mode = "L" if channels == 1 else "RGB"
    return image if image.mode == mode else image.convert(mode)


def to_bytes(images: Sequence[Image.Image]) -> Tensor:
    """Images of one size as uint8 [n, height, width, channels]."""
    arrays = np.stack([np.asarray(image) for image in images])
    return torch.from_numpy(arrays if arrays.ndim == 4 else arrays[..., None])


def resized(images: Tensor, size: Size, interpolation: str) -> Tensor:
    """Images [n, height, width, channels] of another size, as floats from 0 to 255."""
    if images.shape[1:3] == size:
        return images
    mode = {"nearest": "nearest-exact"}.get(interpolation, interpolation)
    floats = images.permute(0, 3, 1, 2).contiguous().float()
    result: Tensor = interpolate(floats, size, mode=mode, antialias=mode != "nearest-exact")
    return result.clamp_(0, 255).permute(0, 2, 3, 1)


def _middle(shape: Size, size: Size) -> tuple[int, int]:
    """Top and left of the crop in the middle, rounded as torchvision's."""
    return round((shape[0] - size[0]) / 2), round((shape[1] - size[1]) / 2)


def mean_std(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of uint8 [count, …, channels], from 0 to 1."""
    levels = torch.arange(256, dtype=torch.float64) / 255
    means, stds = [], []
    for channel in images.unbind(-1):
        share = torch.bincount(channel.flatten(), minlength=256).double() / channel.numel()
        mean = float(share @ levels)
        means.append(mean)
        stds.append(max(float(share @ (levels - mean) ** 2) ** 0.5, 1e-6))
    return tuple(means), tuple(stds)


def imagenet_mean_std(channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """ImageNet's, for grey images weighed as its colours are."""
    if channels == 3:
        return IMAGENET_MEAN, IMAGENET_STD
    grey = [sum(a * b for a, b in zip(LUMA, of, strict=True)) for of in _IMAGENET]
    return (grey[0],), (grey[1],)


_IMAGENET = (IMAGENET_MEAN, IMAGENET_STD)
