"""Running the server until Ctrl-C, on this machine alone."""

from __future__ import annotations

import socket
import threading
import webbrowser

import uvicorn

from cnndsl.serve.app import make_app
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
    port = sock.getsockname()[1]
    server: uvicorn.Server

    def stopping() -> bool:
        return server.should_exit

    app = make_app(document, Gate(port), stopping)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, lifespan="off",
        timeout_graceful_shutdown=2, ws="none",
    )  # fmt: skip
    server = uvicorn.Server(config)
    url = f"http://{HOST}:{port}/"
    print(f"{document.path.name}: {url}  (Ctrl-C ends)", flush=True)
    if open_page:
        later = threading.Timer(0.3, webbrowser.open, [url])
        later.daemon = True
        later.start()
    server.run(sockets=[sock])
