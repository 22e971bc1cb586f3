"""Writing files so that no crash leaves half of one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO


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
