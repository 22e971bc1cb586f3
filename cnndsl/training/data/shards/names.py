"""Which shards a recipe means, and which classes."""

from __future__ import annotations

import re
from pathlib import Path

from cnndsl.recipe.sections import Data
from cnndsl.training.data.shards.cache import fetch_text, is_remote
from cnndsl.training.errors import TrainError

MOST = 100_000
"""Shards that one pattern may name."""


def root_of(data: Data) -> str:
    """The folder or URL of the shards, which has no default."""
    if data.root is None:
        raise TrainError(
            "data set `webdataset` needs the folder or URL of its shards",
            "name it with `--data-root DIR` or `--data-root https://…`",
        )
    if is_remote(data.root):
        return data.root.rstrip("/")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", data.root):
        raise TrainError(
            f"shards cannot be read from {data.root}",
            "they are read from a folder, from http:// or from https://",
        )
    root = Path(data.root).expanduser()
    if not root.is_dir():
        raise TrainError(f"no shards to train on: {root} is not a folder", "see `--data-root DIR`")
    return str(root)


def class_names(data: Data) -> tuple[str, ...]:
    """The lines of `classes.txt` beside the shards, else as many numbers as the recipe says."""
    root = root_of(data)
    names: list[str] = []
    if not is_remote(root) or data.classes is None:
        text = _text(f"{root}/classes.txt")
        names = [line.strip() for line in text.decode(errors="replace").splitlines()]
        names = [name for name in names if name]
    if not names and data.classes is None:
        raise TrainError(
            f"it is not known how many classes the shards of {root} have",
            "say `classes: 10` under `data:`, or name each in a line of classes.txt beside them",
        )
    if names and data.classes not in (None, len(names)):
        raise TrainError(
            f"{root}/classes.txt names {len(names)} classes, the recipe says {data.classes}",
            "leave `data.classes` out",
        )
    return tuple(names or map(str, range(data.classes or 0)))


def _text(location: str) -> bytes:
    if is_remote(location):
        return fetch_text(location) or b""
    path = Path(location)
    return path.read_bytes() if path.is_file() else b""


def find_shards(data: Data, part: str) -> list[str]:
    """The shards to train on, or to validate: paths or URLs."""
    root, pattern = root_of(data), data.train if part == "train" else data.val
    help = f"say `{part}: {part}-{{0000..0127}}.tar` under `data:`"
    if is_remote(root):
        if pattern is None:
            raise TrainError(f"it is not known which shards of {root} are the {part} part", help)
        return [f"{root}/{name}" for name in expand(pattern)]
    names = expand(f"{part}*.tar" if pattern is None else pattern)
    found = [path for name in names for path in _matches(Path(root), name)]
    if not found:
        raise TrainError(f"no shards {root}/{pattern or names[0]}", help)
    return [str(path) for path in found]


def _matches(root: Path, name: str) -> list[Path]:
    if "*" in name:
        return sorted(root.glob(name))
    if not (root / name).is_file():
        raise TrainError(f"there is no shard {root / name}", "see `train` and `val` under `data:`")
    return [root / name]


def expand(pattern: str) -> list[str]:
    """The names that `{0000..0127}` and `{a,b}` stand for."""
    found = re.search(r"\{([^{}]*)\}", pattern)
    if not found:
        return [pattern]
    span = re.fullmatch(r"([0-9]{1,9})\.\.([0-9]{1,9})", found[1])
    items = found[1].split(",")
    if span:
        first, last = int(span[1]), int(span[2])
        if last - first >= MOST:
            raise TrainError(f"`{pattern}` names more than {MOST:,} shards")
        items = [f"{n:0{len(span[1])}}" for n in range(first, last + 1)]
    before, after = pattern[: found.start()], pattern[found.end() :]
    return [name for item in items for name in expand(before + item + after)]
