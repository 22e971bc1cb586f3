"""Randomness without state: every draw is a function of the seed and of where in the run it falls.

A run can therefore go on from a checkpoint that holds no generator states, on another number of
processes too, and gives the same weights as an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import torch
from torch import Tensor


def mix(*parts: int | str) -> int:
    """A seed of 63 bits from numbers and words, different where any of them differs."""
    digest = blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def seed_step(seed: int, step: int, rank: int = 0) -> None:
    """Fix what PyTorch draws in one step of the run: dropout and its like, on every device."""
    torch.manual_seed(mix("step", seed, step, rank))


def draw(count: int, *parts: int | str) -> int:
    """One of 0 … count - 1, decided by the parts."""
    return mix("draw", *parts) % count


def order(seed: int, epoch: int | str, count: int) -> Tensor:
    """The indices 0 … count - 1 in the order of one epoch; int64 [count]."""
    generator = torch.Generator().manual_seed(mix("order", seed, epoch))
    return torch.randperm(count, generator=generator)


@dataclass(frozen=True)
class Chunk:
    """Images that one process computes at a time: the batch of a step, or a part of it."""

    epoch: int
    """Counted from 1; 0 for validation."""
    indices: Tensor
    """Which images; int64 [count]."""
    copies: Tensor
    """Which of its augmented copies in the epoch each one is, from 0; int64 [count]."""
    size: tuple[int, int]
    """Height and width that the network takes."""
    weight: float = 1.0
    """Share of the mean loss that this process contributes; 0 marks a stand-in."""


@dataclass(frozen=True)
class Share:
    """Which part of each step's images a process computes, and in how many parts."""

    rank: int = 0
    world: int = 1
    accumulate: int = 1


Step = tuple[Chunk, ...]
"""What a process computes in one step of the optimizer."""


def steps_of(count: int, batch_size: int) -> list[tuple[int, int]]:
    """Where each step's batch begins and ends among the images of an epoch.

    No single image is left over at the end: batch normalization cannot train on one value.
    """
    ends = [(start, min(start + batch_size, count)) for start in range(0, count, batch_size)]
    lone = len(ends) > 1 and ends[-1][1] - ends[-1][0] == 1 < batch_size
    return ends[:-1] if lone else ends


def training_steps(
    seed: int,
    epoch: int,
    count: int,
    batch_size: int,
    sizes: Sequence[tuple[int, int]],
    share: Share,
    repeats: int = 1,
    indices: Tensor | None = None,
) -> list[Step]:
    """What one process does in an epoch; `indices` is another order than the shuffled one."""
    shuffled = order(seed, epoch, count) if indices is None else indices
    chosen = shuffled.repeat_interleave(repeats)[:count]
    copies = (torch.arange(count) % repeats) if repeats > 1 else torch.zeros_like(chosen)
    return [
        _step(
            epoch,
            chosen[start:end],
            copies[start:end],
            sizes[draw(len(sizes), "size", seed, epoch, number)],
            share,
        )
        for number, (start, end) in enumerate(steps_of(count, batch_size))
    ]


def _step(epoch: int, indices: Tensor, copies: Tensor, size: tuple[int, int], share: Share) -> Step:
    """The parts of a batch that one process computes.

    Their weights make the mean over all processes of the sums over the parts the batch's mean loss,
    also where the parts are of different lengths.
    """
    parts = share.world * share.accumulate
    own = slice(share.rank * share.accumulate, (share.rank + 1) * share.accumulate)
    pairs = list(zip(indices.tensor_split(parts), copies.tensor_split(parts), strict=True))[own]
    chunks = tuple(
        Chunk(epoch, part, copy, size, len(part) * share.world / len(indices))
        for part, copy in pairs
        if len(part)
    )
    return chunks or (Chunk(epoch, indices[:2], copies[:2], size, 0.0),)


def validation_chunks(
    count: int, batch_size: int, size: tuple[int, int], share: Share
) -> list[Chunk]:
    """The images that one process validates on, each image in one process alone.

    Every process has as many chunks: where its images are too few, stand-ins of weight 0.
    """
    own = torch.arange(count)[share.rank :: share.world]
    parts = list(torch.split(own, batch_size)) if len(own) else []
    longest = -(-count // share.world)
    missing = -(-longest // batch_size) - len(parts)
    chunks = [Chunk(0, part, torch.zeros_like(part), size) for part in parts]
    first = torch.zeros(1, dtype=torch.int64)
    return chunks + [Chunk(0, first, first, size, 0.0)] * missing
