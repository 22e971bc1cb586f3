"""Images that processes beside the training read, and change, one by one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing.synchronize import Semaphore
from multiprocessing.util import Finalize
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from cnndsl.training.augment import BatchAugmenter, ImageAugmenter, own_draws, seed_image
from cnndsl.training.data.facts import Batch
from cnndsl.training.data.view import Normalizer, Size, View, in_mode, to_bytes
from cnndsl.training.errors import TrainError, reader_ended
from cnndsl.training.order import Chunk, order

Request = tuple[int, list[int], list[int], Size]
"""A chunk as processes are told of it: epoch, indices, copies, size."""


class Source(Protocol):
    """Where images come from, one by one."""

    labels: Tensor

    def image(self, index: int) -> Image.Image:
        """An image with its pixels, of any mode and size; raises TrainError."""

    def order(self, seed: int, epoch: int) -> Tensor:
        """The images in an order that is good to read, shuffled for an epoch."""

    def ahead(self, chunks: Sequence[Chunk]) -> Iterator[None]:
        """Advanced as each chunk is asked for, to prepare what follows."""


class Listed:
    """Images that are as good to read in any order."""

    labels: Tensor

    def order(self, seed: int, epoch: int) -> Tensor:
        return order(seed, epoch, len(self.labels))

    def ahead(self, chunks: Sequence[Chunk]) -> Iterator[None]:
        yield from (None for _ in chunks)


class Arrays(Listed):
    """Images in memory as pictures."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels

    def image(self, index: int) -> Image.Image:
        pixels = self.images[index].numpy()
        return Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0])


class Reader(Dataset[Tensor | TrainError]):
    """Batches of bytes, [n, height, width, channels]; an image that cannot be read is a value."""

    def __init__(
        self, source: Source, view: View, augmenter: ImageAugmenter | None, seed: int
    ) -> None:
        self.source, self.view, self.augmenter, self.seed = source, view, augmenter, seed

    def __getitem__(self, request: Request) -> Tensor | TrainError:
        epoch, indices, copies, size = request
        try:
            with own_draws():
                pairs = zip(indices, copies, strict=True)
                return to_bytes([self._picture(epoch, *pair, size) for pair in pairs])
        except TrainError as e:
            return e

    def _picture(self, epoch: int, index: int, copy: int, size: Size) -> Image.Image:
        image = in_mode(self.source.image(index), self.view.channels)
        if self.augmenter is None:
            return self.view.picture(image, size)
        seed_image(self.seed, epoch, index, copy)
        return self.augmenter(image, size)


class Requests(Sampler[Request]):
    """The chunks of one pass, which may begin anywhere."""

    def __init__(self, source: Source) -> None:
        self.source, self.chunks = source, list[Chunk]()

    def __iter__(self) -> Iterator[Request]:
        for chunk, _ in zip(self.chunks, self.source.ahead(self.chunks), strict=False):
            yield chunk.epoch, chunk.indices.tolist(), chunk.copies.tolist(), chunk.size


class Loaded:
    """Images read by a DataLoader, whose processes stay from epoch to epoch."""

    def __init__(
        self,
        reader: Reader,
        normalize: Normalizer,
        workers: int,
        augmenter: BatchAugmenter | None = None,
    ) -> None:
        self.reader, self.normalize, self.augmenter = reader, normalize, augmenter
        self._requests = Requests(reader.source)
        self._workers = workers
        self._begin = _make_begin() if workers else None
        self._loader = self._make_loader()

    def _make_loader(self) -> DataLoader[Any]:
        """A loader, whose processes begin with its first batch."""
        return DataLoader(
            self.reader,
            batch_size=None,
            sampler=self._requests,
            collate_fn=_as_it_is,
            num_workers=self._workers,
            persistent_workers=self._workers > 0,
            worker_init_fn=self._begin,
            pin_memory=pinned(self.normalize.device),
            generator=torch.Generator(),
        )

    def __len__(self) -> int:
        return len(self.reader.source.labels)

    def order(self, seed: int, epoch: int) -> Tensor:
        return self.reader.source.order(seed, epoch)

    def batches(self, chunks: Sequence[Chunk]) -> Iterator[Batch]:
        device, labels = self.normalize.device, self.reader.source.labels
        for chunk, pixels in zip(chunks, self._read(chunks), strict=True):
            images = self.normalize(pixels.to(device, non_blocking=True))
            if self.augmenter is not None:
                images = self.augmenter.erase(images, chunk)
            yield images, labels[chunk.indices].to(device, non_blocking=True)

    def close(self) -> None:
        """End the processes; the next batch begins others."""
        iterator, self._loader = self._loader._iterator, self._make_loader()
        if iterator is not None:
            iterator._shutdown_workers()  # type: ignore[attr-defined]

    def _read(self, chunks: Sequence[Chunk]) -> Iterator[Tensor]:
        """The bytes of each chunk."""
        self._requests.chunks = list(chunks)
        try:
            for pixels in self._loader if chunks else ():
                if isinstance(pixels, TrainError):
                    raise TrainError(pixels.message, pixels.help)
                yield pixels
        except (TrainError, KeyboardInterrupt):
            self.close()
            raise
        except RuntimeError as e:
            self.close()
            if ended := reader_ended(e):
                raise ended from e
            raise


def pinned(device: torch.device) -> bool:
    """Whether batches pass through page-locked memory, from which a GPU copies on its own."""
    return device.type == "cuda"


def worker_count(asked: int | None) -> int:
    """How many processes read images for this one: what is asked, or the cores at hand."""
    if asked is not None:
        return asked
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    processes = int(os.environ.get("LOCAL_WORLD_SIZE") or 1)
    return max(1, min(8, (cores or 1) // processes))


def _as_it_is(value: Any) -> Any:
    return value


def _make_begin() -> Callable[[int], None]:
    """How processes begin that end with this one."""
    ended = multiprocessing.Semaphore(0)
    Finalize(None, ended.release, exitpriority=1)
    return partial(_leave_signals_to_main, ended)


def _leave_signals_to_main(ended: Semaphore, worker: int) -> None:
    """Let only the main process end this one; it may have a step to finish when a signal comes."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_await_end, args=(ended,), daemon=True).start()


def _await_end(ended: Semaphore) -> None:
    ended.acquire()
    ended.release()  # for the next process
    os._exit(0)
