"""Randomness without state: every draw is a function of the seed and of where in the run it falls.

A run can therefore go on from a checkpoint that holds no generator states, and gives the same
weights as an uninterrupted one.
"""

from __future__ import annotations

from hashlib import blake2b

import torch
from torch import Tensor


def mix(*parts: int | str) -> int:
    """A seed of 63 bits from numbers and words, different where any of them differs."""
    digest = blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def order(seed: int, epoch: int | str, count: int) -> Tensor:
    """The indices 0 … count - 1 in the order of one epoch; int64 [count]."""
    generator = torch.Generator().manual_seed(mix("order", seed, epoch))
    return torch.randperm(count, generator=generator)


def chunks(indices: Tensor, size: int) -> list[Tensor]:
    """The indices of one batch after the other, the last one perhaps smaller."""
    return [indices[start : start + size] for start in range(0, len(indices), size)]


def training_chunks(indices: Tensor, size: int) -> list[Tensor]:
    """The same without a single image left over at the end.

    Batch normalization cannot train on one value a channel.
    """
    batches = chunks(indices, size)
    return batches[:-1] if len(batches) > 1 and len(batches[-1]) == 1 < size else batches


def seed_step(seed: int, step: int) -> None:
    """Fix what PyTorch draws in one step of the run: dropout and its like, on every device."""
    torch.manual_seed(mix("step", seed, step))
