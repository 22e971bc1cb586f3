"""Running the server until Ctrl-C, on this machine alone."""

from __future__ import annotations

import socket
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn

from cnndsl.serve.app import make_app
from cnndsl.serve.checks import Checks
from cnndsl.serve.document import Document
from cnndsl.serve.guard import Gate

HOST, PORT = "127.0.0.1", 8421


def listen(port: int | None) -> socket.socket:
    """A socket of this machine alone; without a port 8421, or any free one. Raises OSError."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((HOST, PORT if port is None else port))
    except OSError:
        if port is not None:
            sock.close()
            raise
        sock.bind((HOST, 0))
    sock.listen()
    return sock


def run(document: Document, sock: socket.socket, *, open_page: bool) -> None:
    """Serve until a signal ends it; a KeyboardInterrupt is the caller's."""
    gate, checks = Gate(sock.getsockname()[1]), Checks()
    server: _Server

    def stopping() -> bool:
        return server.should_exit

    app = make_app(document, gate, checks, stopping)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, lifespan="off",
        timeout_graceful_shutdown=1, ws="none",
    )  # fmt: skip
    server = _Server(config, checks)
    print(f"{document.path.name}: {gate.address}  (Ctrl-C ends)", flush=True)
    with _opened(gate.address) if open_page else nullcontext():
        server.run(sockets=[sock])


class _Server(uvicorn.Server):
    """Has a process for the first check at hand, and ends those that run when it ends."""

    def __init__(self, config: uvicorn.Config, checks: Checks) -> None:
        super().__init__(config)
        self.checks = checks

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.checks.warm()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.checks.close()
        await super().shutdown(sockets)


@contextmanager
def _opened(address: str) -> Iterator[None]:
    """Shows the address in a browser, until the block ends at the latest.

    The browser is given a file that leads there: others of this machine can read the arguments of
    a command, but not this file.
    """
    with TemporaryDirectory(prefix="cnndsl-") as folder:
        file = Path(folder, "open.html")
        file.write_text(LEADING.format(escape(address)), encoding="utf-8")
        later = threading.Timer(0.3, webbrowser.open, [file.as_uri()])
        later.daemon = True
        later.start()
        yield


LEADING = """\
<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={0}">
<title>cnndsl</title>
<a href="{0}">The page of cnndsl serve</a>
"""
