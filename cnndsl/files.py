"""Reading files that are files, and writing them so that no crash leaves half of one."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

_KINDS = {
    stat.S_IFDIR: "Is a directory",
    stat.S_IFIFO: "it is a FIFO, not a file",
    stat.S_IFSOCK: "it is a socket, not a file",
    stat.S_IFCHR: "it is a device, not a file",
    stat.S_IFBLK: "it is a device, not a file",
}


def read_regular(path: Path, limit: int | None = None) -> bytes:
    """What a file holds, or its first `limit` bytes. Raises OSError and ValueError.

    A FIFO, a socket, a device and a folder raise OSError: reading one might wait for ever.
    """
    _refuse_others(path, os.stat(path))
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(handle, "rb") as file:
        _refuse_others(path, os.fstat(handle))
        return file.read(-1 if limit is None else limit)


def _refuse_others(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "it is not a file")
        raise OSError(errno.EINVAL, kind, str(path))


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Let `write` fill a file beside the target, flush it, and put it in the target's place.

    A crash at any moment leaves the old file or the new one, both whole. Raises OSError.
    """
    target = path.resolve()  # a link stays a link
    fresh = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with open(fresh, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, target)
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def put_in_place(path: Path) -> Iterator[Path]:
    """Give a name in a new folder beside the target, and put what is written there in its place.

    Where the block fails, nothing is left of it, and what the target was stays. Raises OSError.
    """
    target = path.resolve()
    with TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        fresh = Path(folder, target.name)
        yield fresh
        with open(fresh, "rb") as file:
            os.fsync(file.fileno())
        os.replace(fresh, target)
