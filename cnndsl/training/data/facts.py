"""What the parts of a data set can do, wherever its images lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from cnndsl.training.order import Chunk

Batch = tuple[Tensor, Tensor]
"""Images, float [n, channels, height, width], and labels, int64 [n]; on the device."""


class Samples(Protocol):
    """Labelled images that are read chunk by chunk."""

    def __len__(self) -> int: ...

    def order(self, seed: int, epoch: int) -> Tensor:
        """The images in the order of an epoch; int64 [count]."""

    def batches(self, chunks: Sequence[Chunk]) -> Iterator[Batch]:
        """A batch for each chunk."""

    def close(self) -> None:
        """End the processes that read, if any; later batches begin others."""


@dataclass(frozen=True)
class Split:
    """The images that are learned from, and those that the network is judged by.

    `mean` and `std` are those by which the images of both are normalized, from 0 to 1.
    """

    train: Samples
    val: Samples
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def close(self) -> None:
        """End the processes that read."""
        self.train.close()
        self.val.close()
