"""WebDataset shards: tar files in a folder or behind a URL, read as one large list of images.

Every image is known by its place in its shard, so an epoch takes each once, on any number of
processes, and may begin anywhere. Groups of shards are shuffled, and the images within a group:
what is read at a time lies in few files.
"""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import IO

import torch
from PIL import Image
from torch import Tensor

from cnndsl.recipe.sections import Data
from cnndsl.training.data.shards.cache import Cache, cache_folder, is_remote
from cnndsl.training.data.shards.index import index_shards
from cnndsl.training.data.shards.names import find_shards
from cnndsl.training.data.shards.tar import Index
from cnndsl.training.data.view import read_image
from cnndsl.training.errors import TrainError
from cnndsl.training.order import Chunk, order

GROUP = 4
"""Shards whose images are mixed."""


def read_shards(data: Data, classes: int, echo: Callable[[str], None]) -> tuple[Shards, Shards]:
    """The shards to train on, and those to validate."""
    cache = Cache(cache_folder(), data.cache_gb * 1e9)
    both = find_shards(data, "train"), find_shards(data, "val")
    indexes = index_shards([*both[0], *both[1]], cache, echo)
    for location, index in indexes.items():
        _check_labels(location, index, classes)
    largest = max(index.bytes for index in indexes.values())
    if is_remote(both[0][0]) and cache.limit < 2 * GROUP * largest:
        echo(
            f"the cache of {data.cache_gb:g} GB holds fewer than {2 * GROUP} shards, which are "
            "fetched anew again and again: see `data.cache_gb`"
        )
    train, val = ({name: indexes[name] for name in part} for part in both)
    return Shards(train, cache), Shards(val, cache)


def _check_labels(location: str, index: Index, classes: int) -> None:
    for number, label in enumerate(index.labels):
        if not 0 <= label < classes:
            raise TrainError(
                f"sample {number} of {location} is of class {label}, but there are {classes} "
                f"classes, 0 to {classes - 1}",
                "see `data.classes`, or the lines of classes.txt",
            )


class Shards:
    """The images of shards, by their places."""

    def __init__(self, indexes: dict[str, Index], cache: Cache) -> None:
        self.locations, self.cache = list(indexes), cache
        every = list(indexes.values())
        self.labels = torch.cat([torch.tensor(index.labels) for index in every])
        self._offsets = torch.cat([torch.tensor(index.offsets) for index in every])
        self._sizes = torch.cat([torch.tensor(index.sizes) for index in every])
        self._bytes = [index.bytes for index in every]
        self._counts = [len(index.labels) for index in every]
        self._starts = [0, *accumulate(self._counts)]
        self._shard = torch.arange(len(every)).repeat_interleave(torch.tensor(self._counts))
        self._open: OrderedDict[int, IO[bytes]] = OrderedDict()

    def image(self, index: int) -> Image.Image:
        shard, size = int(self._shard[index]), int(self._sizes[index])
        name = f"sample {index - self._starts[shard]} of {self.locations[shard]}"
        try:
            file = self._file(shard)
            file.seek(int(self._offsets[index]))
            held = file.read(size)
        except OSError as e:
            raise TrainError(f"{name} cannot be read: {e.strerror}") from e
        return read_image(io.BytesIO(held), name)

    def _file(self, shard: int) -> IO[bytes]:
        """A shard, open; those of two groups stay so."""
        if shard not in self._open:
            location = self.locations[shard]
            file = self.cache.open(location)
            if os.fstat(file.fileno()).st_size != self._bytes[shard]:
                raise TrainError(
                    f"{location} has changed since it was indexed",
                    "begin the run anew; behind a URL, write its index anew too",
                )
            self._open[shard] = file
            if len(self._open) > 2 * GROUP:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(shard)
        return self._open[shard]

    def order(self, seed: int, epoch: int) -> Tensor:
        shards = order(seed, f"{epoch} shards", len(self._counts)).tolist()
        parts = []
        for first in range(0, len(shards), GROUP):
            group = [
                torch.arange(self._starts[shard], self._starts[shard + 1])
                for shard in shards[first : first + GROUP]
            ]
            together = torch.cat(group)
            parts.append(together[order(seed, f"{epoch} group {first}", len(together))])
        return torch.cat(parts)

    def ahead(self, chunks: Sequence[Chunk]) -> Iterator[None]:
        """Fetch the shards that come next, while those at hand are read."""
        first_use = self._first_use(chunks)
        pool = ThreadPoolExecutor(max_workers=2)
        try:
            used = asked = 0
            for number, _ in enumerate(chunks):
                while used < len(first_use) and first_use[used][1] <= number:
                    used += 1
                for shard, _ in first_use[asked : used + GROUP]:
                    pool.submit(self.cache.fetch, self.locations[shard])
                asked = used + GROUP
                yield
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _first_use(self, chunks: Sequence[Chunk]) -> list[tuple[int, int]]:
        """Each shard to be fetched, with the number of the chunk that needs it first; in order."""
        if not any(is_remote(location) for location in self.locations):
            return []
        first: dict[int, int] = {}
        for number, chunk in enumerate(chunks):
            for shard in torch.unique(self._shard[chunk.indices]).tolist():
                first.setdefault(shard, number)
        return list(first.items())
