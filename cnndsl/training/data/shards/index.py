"""The indexes of shards: read where they are kept, made where there are none."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from cnndsl.files import write_atomically
from cnndsl.training.data.locks import locked
from cnndsl.training.data.shards.cache import Cache, fetch_text, is_remote, kept_name
from cnndsl.training.data.shards.tar import Index, make_index
from cnndsl.training.errors import TrainError

AT_ONCE = 4
"""Shards that are indexed at a time."""
SUFFIX = ".index.json"


def index_shards(
    locations: Sequence[str], cache: Cache, echo: Callable[[str], None]
) -> dict[str, Index]:
    """The index of each shard. One that is kept nowhere is made, for which a shard is read once.

    An index lies beside its shard, where it can be written there, else in the cache; beside a shard
    behind a URL one is looked for, so a set that was indexed before it went to a server starts at
    once.
    """
    known = {location: _kept(location, cache) for location in locations}
    missing = [location for location, index in known.items() if index is None]
    if missing:
        echo(f"indexing {len(missing):,} shards, once")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        made = dict(zip(missing, pool.map(lambda name: _made(name, cache), missing), strict=True))
    return {location: index or made[location] for location, index in known.items()}


def _kept(location: str, cache: Cache) -> Index | None:
    """The index as an earlier run left it; that of a file that has changed since is not taken."""
    for place in _places(location, cache):
        with suppress(OSError):
            index = read_index(place.read_bytes())
            if index is not None and (is_remote(location) or _fits(index, location, place)):
                return index
    return None


def _fits(index: Index, location: str, place: Path) -> bool:
    shard = Path(location).stat()
    return index.bytes == shard.st_size and place.stat().st_mtime >= shard.st_mtime


def _places(location: str, cache: Cache) -> list[Path]:
    """Where the index of a shard may be kept, the better place first."""
    beside = [] if is_remote(location) else [Path(f"{location}{SUFFIX}").absolute()]
    whole = location if is_remote(location) else str(Path(location).absolute())
    return [*beside, cache.folder / f"{kept_name(whole)}{SUFFIX}"]


def _made(location: str, cache: Cache) -> Index:
    """A new index, kept for later runs; of several processes one makes it."""
    places = _places(location, cache)
    lock = places[0].with_name(f"{places[0].name}.lock")
    with locked(lock if is_remote(location) else places[0].parent):
        index = _kept(location, cache)
        if index is not None:
            return index
        index = _published(location) or _indexed(location, cache)
        for place in places:
            with suppress(OSError):
                place.parent.mkdir(parents=True, exist_ok=True)
                write_index(place, index)
                break
        return index


def _published(location: str) -> Index | None:
    """The index that lies beside a shard on its server."""
    text = fetch_text(f"{location}{SUFFIX}") if is_remote(location) else None
    return read_index(text) if text else None


def _indexed(location: str, cache: Cache) -> Index:
    try:
        file = cache.open(location)
    except OSError as e:
        raise TrainError(f"{location} cannot be opened: {e.strerror}") from e
    with file:
        size = file.seek(0, 2)
        file.seek(0)
        return make_index(file, size, location)


def read_index(text: str | bytes) -> Index | None:
    """An index as it was written; none where the text is another's."""
    try:
        given = json.loads(text)
        index = Index(**given)
        columns = [index.offsets, index.sizes, index.labels]
        whole = all(isinstance(n, int) for column in columns for n in column)
        fits = whole and len({len(column) for column in columns}) == 1
    except (ValueError, TypeError):
        return None
    return index if fits and isinstance(index.bytes, int) else None


def write_index(path: Path, index: Index) -> None:
    """Raises OSError."""
    text = json.dumps(asdict(index), separators=(",", ":")).encode()
    write_atomically(path, lambda file: file.write(text))
