"""The embedded digits: a data set that is always there."""

from __future__ import annotations

import gzip
from importlib.resources import files

import torch
from torch import Tensor

Bytes = tuple[Tensor, Tensor]
"""Images, uint8 [count, height, width, channels], and labels, int64 [count]."""


def read_digits() -> Bytes:
    """The 1,797 embedded digits: 8 × 8 pixels, their 17 levels of grey spread over a byte."""
    packed = files("cnndsl.training").joinpath("digits.csv.gz").read_bytes()
    text = gzip.decompress(packed).decode("ascii")
    table = torch.tensor([[int(cell) for cell in row.split(",")] for row in text.split()])
    levels = table[:, :-1].view(-1, 8, 8, 1)
    return (levels * 255 / 16).round().to(torch.uint8), table[:, -1].contiguous()


def split_digits(images: Tensor, labels: Tensor) -> tuple[Bytes, Bytes]:
    """1,437 images to train on and 360 to validate: always the same, every fifth one of a class."""
    by_class = labels.argsort(stable=True)
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    held_out[by_class[::5]] = True
    return (images[~held_out], labels[~held_out]), (images[held_out], labels[held_out])
