"""The data sets of torchvision: read from disk, downloaded where they are not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torchvision import datasets

from cnndsl.patience import patience
from cnndsl.training.data.digits import Bytes
from cnndsl.training.data.locks import locked
from cnndsl.training.errors import TrainError

_SETS = {
    "mnist": datasets.MNIST,
    "fashion_mnist": datasets.FashionMNIST,
    "cifar10": datasets.CIFAR10,
    "cifar100": datasets.CIFAR100,
}


def read_torchvision(name: str, root: Path, echo: Callable[[str], None]) -> tuple[Bytes, Bytes]:
    """The training and the test part, as bytes; of several processes one downloads them."""
    with locked(root):
        return _bytes(_open(name, root, True, echo)), _bytes(_open(name, root, False, echo))


def _open(name: str, root: Path, train: bool, echo: Callable[[str], None]) -> Any:
    kind = _SETS[name]
    try:
        return kind(str(root), train=train, download=False)
    except RuntimeError:  # what torchvision raises where files are missing or damaged
        echo(f"{name} is not in {root}: downloading it")
    except Exception as e:
        raise _unreadable(name, root, e) from e
    try:
        with patience(seconds=30):
            return kind(str(root), train=train, download=True)
    except Exception as e:
        raise _unreadable(name, root, e) from e


def _unreadable(name: str, root: Path, error: Exception) -> TrainError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return TrainError(
        f"data set `{name}` could be neither read in {root} nor downloaded: {reason}",
        "name the folder that holds it, as torchvision lays it out, with `--data-root DIR`; "
        "`--data digits` needs no download",
    )


def _bytes(data: Any) -> Bytes:
    """[count, height, width] or [count, height, width, channels], the latter as it is."""
    images = torch.as_tensor(data.data)
    images = images.unsqueeze(-1) if images.dim() == 3 else images
    return images, torch.as_tensor(data.targets, dtype=torch.int64)
