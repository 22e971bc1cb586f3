"""Where in a shard each image stands, and its label."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import IO

from cnndsl.training.errors import TrainError

IMAGES = ("jpg", "jpeg", "png", "webp", "bmp", "ppm", "pgm", "tif", "tiff", "gif")

Member = tuple[str, str, tarfile.TarInfo]
"""The key of a sample, the ending of the name behind it, and the file."""


@dataclass(frozen=True)
class Index:
    """One entry for each sample of a shard of `bytes`."""

    bytes: int
    offsets: list[int]
    sizes: list[int]
    labels: list[int]


def make_index(file: IO[bytes], size: int, name: str) -> Index:
    """The index of a shard of so many bytes, in WebDataset's format.

    Files whose names agree up to the first dot are a sample: one is an image, one ends in `.cls`,
    a number as text, or `.json`, a mapping with the number as `label`.
    """
    index = Index(size, [], [], [])
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            for key, members in groupby(_members(tar), key=lambda member: member[0]):
                image, label = _sample(tar, list(members), f"sample `{key}` of {name}")
                if image.offset_data + image.size > size:
                    raise tarfile.ReadError("unexpected end of data")
                index.offsets.append(image.offset_data)
                index.sizes.append(image.size)
                index.labels.append(label)
    except (tarfile.TarError, OSError, EOFError) as e:
        raise TrainError(
            f"{name} cannot be read as a tar file: {e}", "make it anew, or leave it out"
        ) from e
    if not index.labels:
        raise TrainError(f"{name} holds no samples", "make it anew, or leave it out")
    return index


def _members(tar: tarfile.TarFile) -> Iterator[Member]:
    for file in tar:
        if file.isreg():
            folder, slash, base = file.name.rpartition("/")
            key, _, ending = base.partition(".")
            yield f"{folder}{slash}{key}", ending.lower(), file


def _sample(tar: tarfile.TarFile, members: list[Member], name: str) -> tuple[tarfile.TarInfo, int]:
    """The image and the label of one sample."""
    by_ending = {ending: file for _, ending, file in members}
    image = next((file for ending, file in by_ending.items() if ending in IMAGES), None)
    if image is None:
        raise TrainError(f"{name} has no image", f"images end in {', '.join(IMAGES)}")
    for ending in ("cls", "json"):
        if ending in by_ending:
            held = tar.extractfile(by_ending[ending])
            assert held is not None
            return image, _label(held.read(), ending, name)
    raise TrainError(
        f"{name} has no label", "add a file that ends in .cls, with the class's number"
    )


def _label(text: bytes, ending: str, name: str) -> int:
    try:
        label = json.loads(text)["label"] if ending == "json" else text.decode()
        return int(label)
    except (ValueError, KeyError, TypeError) as e:
        shown = text.decode(errors="replace").strip()[:40]
        raise TrainError(
            f"{name} has no number for a label: `{shown}`", "classes are counted from 0"
        ) from e
