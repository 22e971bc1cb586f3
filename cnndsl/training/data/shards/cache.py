"""Files from the network, kept whole on disk until others need the space."""

from __future__ import annotations

import http.client
import os
import shutil
import threading
import time
import urllib.error
import urllib.request
from contextlib import AbstractContextManager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

from cnndsl.training.data.locks import locked
from cnndsl.training.errors import TrainError

PATIENCE = 30.0
"""Seconds that a silent server is given."""
TRIES = 3
PAUSE = 2.0
"""Seconds before the second try; each further pause is twice as long."""
ABANDONED = 600.0
"""Seconds after which a part that has not grown was left by a process that died."""

_FAULTS = (OSError, http.client.HTTPException)


def cache_folder() -> Path:
    """Where shards and their indexes are kept for all runs of a user."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "cnndsl" / "shards"


def kept_name(location: str) -> str:
    """A file's name that no other location has."""
    return f"{blake2b(location.encode(), digest_size=8).hexdigest()}-{location.rpartition('/')[2]}"


def fetch_text(url: str) -> bytes | None:
    """A small file; none where the server has none."""
    try:
        with _open(url) as response:
            text: bytes = response.read()
            return text
    except _FAULTS:
        return None


def is_remote(location: str) -> bool:
    """Whether it is a URL, not a path."""
    return location.startswith(("http://", "https://"))


class Cache:
    """A folder of fetched files, of `limit` bytes in all; those used least recently go first.

    Any number of processes may use it at once: one of them fetches, the others wait. A file that is
    open can be read on when it is gone from the folder.
    """

    def __init__(self, folder: Path, limit: float) -> None:
        self.folder, self.limit = folder, limit

    def open(self, location: str) -> IO[bytes]:
        """A file, which is fetched where it lies behind a URL and is not here."""
        if not is_remote(location):
            return Path(location).open("rb")
        while True:
            self.fetch(location)
            with suppress(FileNotFoundError):  # another process needed the space
                return (self.folder / kept_name(location)).open("rb")

    def fetch(self, url: str) -> None:
        """Have a file here."""
        path = self.folder / kept_name(url)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise TrainError(f"cannot make {self.folder}: {e.strerror}", _ELSEWHERE) from e
        if _touched(path):
            return
        with locked(path.with_name(f"{path.name}.lock")):
            if not _touched(path):
                self._download(url, path)

    def _download(self, url: str, path: Path) -> None:
        part = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.part")
        for attempt in range(TRIES):
            try:
                self._transfer(url, part)
                with self._room():  # who makes room sees each file under one of its names
                    os.replace(part, path)
                return
            except _FAULTS as e:
                missing = isinstance(e, urllib.error.HTTPError) and e.code < 500
                if missing or attempt == TRIES - 1:
                    part.unlink(missing_ok=True)
                    reason = " ".join(str(e).split()) or type(e).__name__
                    raise TrainError(f"{url} cannot be fetched: {reason}", _ELSEWHERE) from e
            time.sleep(PAUSE * 2**attempt)

    def _transfer(self, url: str, part: Path) -> None:
        """Write what a server sends to a file, whole; raises OSError."""
        with _open(url) as response:
            length = int(response.headers.get("Content-Length") or 0)
            with self._room():
                self._make_room(length)
                part.write_bytes(b"")
                os.truncate(part, length)  # counts as taken from now on
            with part.open("r+b") as file:
                shutil.copyfileobj(response, file, 1 << 20)
                got = file.tell()
        if length and got != length:
            raise OSError(f"{got:,} of {length:,} bytes came")

    def _room(self) -> AbstractContextManager[None]:
        """Hold what the files of the folder take still."""
        return locked(self.folder / "room.lock")

    def _make_room(self, needed: int) -> None:
        """Remove files until so many bytes fit; the file to come may be the only one."""
        files: list[tuple[float, int, Path]] = []
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):
                if path.suffix not in (".lock", ".json"):
                    files.append((path.stat().st_mtime, path.stat().st_size, path))
        taken = sum(size for _, size, _ in files)
        for used, size, path in sorted(files):
            if taken + needed <= self.limit:
                return
            if path.suffix != ".part" or time.time() - used > ABANDONED:
                path.unlink(missing_ok=True)
                taken -= size


_ELSEWHERE = "see `data.root`; what was fetched is kept below XDG_CACHE_HOME or ~/.cache"


def _open(url: str) -> Any:
    return urllib.request.urlopen(url, timeout=PATIENCE)


def _touched(path: Path) -> bool:
    """Whether a file is here; it counts as used now."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True
