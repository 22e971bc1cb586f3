"""What a run leaves on disk: checkpoints and metrics, each written whole or not at all."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
import shutil
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import IO, Any

import torch

from cnndsl.files import write_atomically
from cnndsl.training.errors import TrainError
from cnndsl.training.loop import Metrics

BEST, LAST, METRICS = "best.pt", "last.pt", "metrics.csv"


def write(path: Path, fill: Callable[[IO[bytes]], object]) -> None:
    """Write a file whole or not at all; a failure is told in words."""
    try:
        write_atomically(path, fill)
    except (OSError, RuntimeError) as e:  # torch.save tells of a full disk by RuntimeError
        raise TrainError(f"cannot write {path}: {' '.join(str(e).split())}") from e


def save(folder: Path, state: dict[str, Any], best: bool) -> None:
    """Write `last.pt`, and make it `best.pt` too where it is the best so far."""
    last = folder / LAST
    write(last, lambda file: torch.save(state, file))
    if best:
        _share(last, folder / BEST)


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
    """A checkpoint on the CPU, read without running any code that it may hold."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as e:
        raise TrainError(f"there is no checkpoint {path}") from e
    return state


def write_metrics(folder: Path, rows: Sequence[Metrics]) -> None:
    """Write `metrics.csv`, a row an epoch."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(field.name for field in dataclasses.fields(Metrics))
    table.writerows([_cell(value) for value in dataclasses.astuple(row)] for row in rows)
    encoded = text.getvalue().encode()
    write(folder / METRICS, lambda file: file.write(encoded))


def _cell(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def make_folder(asked: Path | None, name: str) -> Path:
    """The folder of a new run; no earlier run is ever written over."""
    if asked is not None:
        if any((asked / file).exists() for file in (BEST, LAST, METRICS)):
            raise TrainError(f"{asked} holds an earlier run", "name another folder with `-o DIR`")
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
