"""Images that lie in memory, on the device, as bytes: a batch costs an index operation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from cnndsl.training.augment import BatchAugmenter
from cnndsl.training.data.facts import Batch
from cnndsl.training.data.view import Normalizer, View
from cnndsl.training.order import Chunk, order


class Stored:
    """Images of one size, uint8 [count, height, width, channels], changed a batch at a time."""

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        view: View,
        normalize: Normalizer,
        augmenter: BatchAugmenter | None = None,
    ) -> None:
        self.images, self.labels = images.to(normalize.device), labels.to(normalize.device)
        self.view, self.normalize, self.augmenter = view, normalize, augmenter

    def __len__(self) -> int:
        return len(self.labels)

    def order(self, seed: int, epoch: int) -> Tensor:
        return order(seed, epoch, len(self))

    def batches(self, chunks: Sequence[Chunk]) -> Iterator[Batch]:
        for chunk in chunks:
            index = chunk.indices.to(self.normalize.device, non_blocking=True)
            yield self._floats(self.images[index], chunk), self.labels[index]

    def close(self) -> None:
        """There are no processes."""

    def _floats(self, images: Tensor, chunk: Chunk) -> Tensor:
        images = self.view.batch(images, chunk.size)
        if self.augmenter is None:
            return self.normalize(images)
        moved = self.augmenter.move(images, chunk)
        return self.augmenter.erase(self.normalize(moved), chunk)
