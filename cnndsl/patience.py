"""Downloads that end even where the server falls silent."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Give a silent server up, which torch and torchvision would wait for without end."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
