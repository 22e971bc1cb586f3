"""Checkpoints: written whole or not at all, verified when they are read."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from cnndsl import shipped
from cnndsl.files import write_atomically
from cnndsl.training.errors import TrainError

BEST, LAST, WEIGHTS = "best.pt", "last.pt", "best.safetensors"
METRICS, RUN = "metrics.csv", "run.yaml"

VERSION = 1
"""Of what a checkpoint holds; one that differs is refused."""


def write(path: Path, fill: Callable[[IO[bytes]], object]) -> None:
    """Write a file whole or not at all; a failure is told in words."""
    try:
        write_atomically(path, fill)
    except (OSError, RuntimeError) as e:  # torch.save tells of a full disk by RuntimeError
        raise TrainError(f"cannot write {path}: {' '.join(str(e).split())}") from e


def save_last(folder: Path, state: Mapping[str, Any]) -> None:
    """Write `last.pt`."""
    whole = {"version": VERSION, **state}
    write(folder / LAST, lambda file: torch.save(whole, file))


def save_best(folder: Path, weights: Mapping[str, Tensor]) -> None:
    """Make `last.pt` also `best.pt`, and write the weights that were judged alone."""
    from safetensors.torch import save

    _share(folder / LAST, folder / BEST)
    data = save({name: value.detach().cpu().contiguous() for name, value in weights.items()})
    write(folder / WEIGHTS, lambda file: file.write(data))


def _share(source: Path, path: Path) -> None:
    """Give a file, which is only ever replaced as a whole, a second name; copy where links fail."""
    fresh = path.with_name(f".{path.name}.tmp")
    try:
        os.link(source, fresh)
    except OSError:
        with open(source, "rb") as whole:
            write(path, lambda file: shutil.copyfileobj(whole, file))
    else:
        os.replace(fresh, path)


def load(path: Path) -> dict[str, Any]:
    """A checkpoint on the CPU, read without running code that it may hold, every byte verified."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"{damaged} differs from its checksum")
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as e:
        raise TrainError(f"there is no checkpoint {path}") from e
    except Exception as e:  # torch.load tells of damage in many ways
        reason = " ".join(str(e).split())[:200]
        raise TrainError(f"{path} is damaged or no checkpoint: {reason}", _other(path)) from e
    if not isinstance(state, dict) or state.get("version") != VERSION:
        raise TrainError(f"{path} is no checkpoint of this version of cnndsl", _other(path))
    return state


def _other(path: Path) -> str:
    other = path.with_name(BEST if path.name == LAST else LAST)
    return f"{other} may be whole" if other.exists() else "begin the run anew"


def run_folder(source: str | Path) -> Path | None:
    """The folder of the run that a user names; None for a spec.

    A bare name that is also a shipped network's is the network: `./lenet` is the folder.
    """
    path = Path(source)
    if path.name == RUN and path.is_file():
        return path.parent
    bare = isinstance(source, str) and "/" not in source and shipped.find(source)
    return path if not bare and (path / RUN).is_file() else None


def make_folder(asked: Path | None, name: str) -> Path:
    """The folder of a new run; no earlier run is ever written over."""
    if asked is not None:
        if any((asked / file).exists() for file in (BEST, LAST, METRICS, RUN)):
            raise TrainError(
                f"{asked} holds an earlier run",
                "go on with it by `--resume`, or name another folder with `-o DIR`",
            )
        return _made(asked, exist_ok=True)
    for number in count(1):
        folder = Path("runs", name if number == 1 else f"{name}-{number}")
        try:
            return _made(folder, exist_ok=False)
        except FileExistsError:
            continue
    raise AssertionError("unreachable")


def _made(folder: Path, exist_ok: bool) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
    except FileExistsError:
        if not exist_ok:
            raise
        raise TrainError(f"{folder} is not a folder", "name another with `-o DIR`") from None
    except OSError as e:
        raise TrainError(f"cannot make {folder}: {e.strerror}", "name another with `-o DIR`") from e
    return folder
