"""New contents in the place of a file's, which stays the same file, and of which nobody's part is
lost.

A file beside it, made like it, takes its place in one step, so that no crash leaves half a text. A
file with several names, and one that no new file can be made like, is written over instead.

Where the system lends a lease (Linux, for the file's owner, on local disks), no other program can
open the file for writing meanwhile without that being seen. Elsewhere the contents are compared
just before the step and just after it.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp

from cnndsl.files import made_like

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]

PATIENCE = 1.0
"""Seconds to wait for others to close the file."""


class ChangedError(Exception):
    """The file holds something else than was expected."""


class BusyError(Exception):
    """Another program has the file open, and may write to it at any moment."""


def replace(path: Path, before: bytes, data: bytes) -> None:
    """Put `data` in the place of `before`. Mode, owner, attributes and links stay.

    Raises ChangedError, BusyError and OSError; the file is then as others left it.
    """
    target = path.resolve()  # a link stays a link
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "it may only be read", str(path))
    with target.open("rb", buffering=0) as old:
        fresh = _made_like(target, old.fileno(), data)
        if fresh is not None and _exchange(target, old.fileno(), fresh, before):
            return
    _write_over(target, before, data)


def _made_like(target: Path, old: int, data: bytes) -> Path | None:
    """A file of the data beside the target; None where it would not be like the old one."""
    if fcntl is None:  # Windows replaces no file that is open
        return None
    try:
        handle, name = mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError:
        return None
    fresh = Path(name)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
            alike = made_like(handle, old)
    except OSError:
        fresh.unlink()
        raise
    if not alike:
        fresh.unlink()
    return fresh if alike else None


def _exchange(target: Path, old: int, fresh: Path, before: bytes) -> bool:
    """Put a fresh file in the target's place, and the old one back where others came first.

    False where the old one cannot be kept for that.
    """
    kept = fresh.with_name(f"{fresh.name}.old")
    try:
        with _leased(old, "F_RDLCK") as wanted:
            _expect(old, before)
            try:
                os.link(target, kept)
            except OSError:
                return False
            if not _same(old, kept):
                raise ChangedError
            os.replace(fresh, target)
            if wanted() or not _holds(old, before):
                os.replace(kept, target)
                raise ChangedError
            return True
    finally:
        kept.unlink(missing_ok=True)
        fresh.unlink(missing_ok=True)


def _write_over(target: Path, before: bytes, data: bytes) -> None:
    """Write into the file itself, so that every name of it shows the data."""
    with target.open("r+b", buffering=0) as file, _leased(file.fileno(), "F_WRLCK"):
        _expect(file.fileno(), before)
        try:
            _fill(file.fileno(), data)
        except OSError:
            _fill(file.fileno(), before)
            raise


def _fill(handle: int, data: bytes) -> None:
    os.lseek(handle, 0, os.SEEK_SET)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]
    os.ftruncate(handle, len(data))
    os.fsync(handle)


def _expect(handle: int, data: bytes) -> None:
    if not _holds(handle, data):
        raise ChangedError


def _holds(handle: int, data: bytes) -> bool:
    """Whether a file holds this and no more."""
    os.lseek(handle, 0, os.SEEK_SET)
    with open(handle, "rb", closefd=False) as file:
        return file.read(len(data) + 1) == data


def _same(handle: int, path: Path) -> bool:
    return os.path.samestat(os.fstat(handle), path.stat())


@contextmanager
def _leased(handle: int, kind: str) -> Iterator[Callable[[], bool]]:
    """Lets nobody open the file to write (F_RDLCK), or at all (F_WRLCK), until the block ends.

    Gives what says whether somebody waits to. Where the system lends no lease, nobody is kept out.
    """
    lease = getattr(fcntl, kind, None) if _lent(handle, kind) else None
    try:
        yield lambda: lease is not None and fcntl.fcntl(handle, fcntl.F_GETLEASE) != lease
    finally:
        if lease is not None:
            fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)


def _lent(handle: int, kind: str) -> bool:
    """Whether the lease was lent; raises BusyError where others keep the file open."""
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    end = time.monotonic() + PATIENCE
    # Whoever waits makes the system send a signal; this one is ignored, its default ends us.
    fcntl.fcntl(handle, fcntl.F_SETSIG, signal.SIGURG)
    while True:
        try:
            fcntl.fcntl(handle, fcntl.F_SETLEASE, getattr(fcntl, kind))
            return True
        except BlockingIOError:
            if time.monotonic() > end:
                raise BusyError from None
            time.sleep(0.002)
        except OSError:  # not ours, or no file system for it
            return False
