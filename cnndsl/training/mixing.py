"""Mixup and cutmix: batches whose images, and with them their labels, are mixtures of two."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from cnndsl.recipe.sections import Augment
from cnndsl.training.order import mix


@dataclass(frozen=True)
class Mixer:
    """Mixes each image of a batch with another of it; one share and one way for a whole step.

    torchvision mixes neighbours. Here partners are a drawn distance apart, for neighbours may be
    copies of one image.
    """

    mixup: float
    cutmix: float
    classes: int

    def __call__(
        self, images: Tensor, labels: Tensor, seed: int, step: int
    ) -> tuple[Tensor, Tensor]:
        """Mixed images, and the share of each class in them, float [n, classes]."""
        draws = random.Random(mix("mix", seed, step))
        cut = self.cutmix > 0 and (self.mixup == 0 or draws.random() < 0.5)
        alpha = self.cutmix if cut else self.mixup
        share = draws.betavariate(alpha, alpha)
        distance = draws.randrange(1, len(images)) if len(images) > 1 else 0
        if cut:
            mixed, share = _cut(images, distance, share, (draws.random(), draws.random()))
        else:
            mixed = torch.lerp(images.roll(distance, 0), images, share)
        targets = one_hot(labels, self.classes).to(images.dtype)
        return mixed, torch.lerp(targets.roll(distance, 0), targets, share)


def make_mixer(augment: Augment, classes: int) -> Mixer | None:
    """The mixer of a recipe; none where neither mixup nor cutmix is wanted."""
    if not (augment.mixup or augment.cutmix):
        return None
    return Mixer(augment.mixup, augment.cutmix, classes)


def _cut(
    images: Tensor, distance: int, share: float, center: tuple[float, float]
) -> tuple[Tensor, float]:
    """Images with a rectangle of their partners, and the share that stays their own."""
    height, width = images.shape[-2:]
    top, bottom = _span(height, center[0], share)
    left, right = _span(width, center[1], share)
    cut = images.clone()
    cut[..., top:bottom, left:right] = images[..., top:bottom, left:right].roll(distance, 0)
    return cut, 1 - (bottom - top) * (right - left) / (height * width)


def _span(side: int, center: float, share: float) -> tuple[int, int]:
    """Where the rectangle begins and ends along a side; what lies outside is cut off."""
    middle, half = int(center * side), int(0.5 * math.sqrt(1 - share) * side)
    return max(middle - half, 0), min(middle + half, side)
