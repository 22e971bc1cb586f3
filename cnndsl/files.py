"""Reading files that are files, and writing them so that no crash leaves half of one."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import copyfileobj
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

    For files of our own, which are only ever replaced as a whole: other names of the old one keep
    what it held. A crash at any moment leaves the old file or the new one. Raises OSError.
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

    For files that users name. The target stays the file that it was: mode, owner, attributes and
    links are kept. A crash at any moment leaves the old one or the new one, both whole, unless it
    was written over: one with several names, one that no new file can be made like, and what is no
    file (a device, a pipe). Where the block fails, nothing is left of it, and what the target was
    stays. Raises OSError.
    """
    target = path.resolve()  # a link stays a link
    known = path.exists()
    if known and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "it may only be read", str(path))
    beside = not known or (path.is_file() and os.access(target.parent, os.W_OK))
    folder = target.parent if beside else None
    with TemporaryDirectory(prefix=f".{target.name[:100]}.", dir=folder) as inner:
        fresh = Path(inner, target.name)
        yield fresh
        with open(fresh, "rb+") as file:
            os.fsync(file.fileno())
            takes = beside and (not known or made_like(file.fileno(), target))
        if takes:
            os.replace(fresh, target)
        else:
            _write_over(path, fresh)


def made_like(handle: int, old: int | Path) -> bool:
    """Give a file the owner, the attributes and the mode of another, so that it can take its place.

    False where it cannot be, or where the old one has other names too.
    """
    given, own = os.stat(old), os.fstat(handle)
    if given.st_nlink > 1:
        return False
    try:
        if (given.st_uid, given.st_gid) != (own.st_uid, own.st_gid):
            os.fchown(handle, given.st_uid, given.st_gid)
        attributes, others = _attributes(old), _attributes(handle)
        for name in others.keys() - attributes.keys():
            os.removexattr(handle, name)
        for name, value in attributes.items():
            if others.get(name) != value:
                os.setxattr(handle, name, value)
        if stat.S_IMODE(given.st_mode) != stat.S_IMODE(os.fstat(handle).st_mode):
            os.fchmod(handle, stat.S_IMODE(given.st_mode))
    except OSError:
        return False
    return True


def _attributes(file: int | Path) -> dict[str, bytes]:
    """The extended attributes of a file, access lists among them."""
    with suppress(OSError, AttributeError):  # there are none here
        return {name: os.getxattr(file, name) for name in os.listxattr(file)}
    return {}


def _write_over(path: Path, fresh: Path) -> None:
    """Write into what stands there, so that every name of it shows the data."""
    with open(fresh, "rb") as data, open(path, "wb") as file:
        copyfileobj(data, file)
        file.flush()
        if path.is_file():
            os.fsync(file.fileno())
