"""What the tests of `cnndsl serve` share: a small spec, clients, and a running server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from cnndsl.serve.app import make_app
from cnndsl.serve.checks import Checks
from cnndsl.serve.document import Document
from cnndsl.serve.guard import Gate

HOST = "127.0.0.1:8421"

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "cnndsl" / "serve" / "page"
TINY = """\
name: tiny
params: {width: 8}
variants:
  wide: {width: 16}
input: [3, 32, 32]
body:
  - {conv: {out: $width, kernel: 3}, name: stem}
  - relu
  - global_avg_pool
  - {linear: 10, name: head}
"""
BROKEN = TINY.replace("kernel: 3", "kernel: 99")


SLOW = "# slow\n"
"""What a text begins with that `SLUGGISH` never ends to check."""
SLUGGISH = f"""\
import cnndsl.serve.worker as worker
quick = worker.answered
def answered(question):
    while question.text.startswith({SLOW!r}):
        pass
    return quick(question)
worker.answered = answered
worker.main()
"""


LET_SLOW = f"import cnndsl.serve.checks as checks; checks._WORK = {SLUGGISH!r}"
"""What a server begins with whose checks are sluggish."""


def started(spec: Path, first: str = "", port: str = "") -> tuple[subprocess.Popen[str], str]:
    """A running server and the address that it prints; `first` is code that it begins with."""
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heed}\n{first}\nfrom cnndsl.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", str(spec), "--no-open"]
    command += ["--port", port] if port else []
    server = subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,  # as a command in a terminal, whose Ctrl-C goes to its group
    )  # fmt: skip
    assert server.stdout is not None
    line = server.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+/#token=[\w-]{43}", line)
    assert found, line
    return server, found[0]


@contextmanager
def checking(limit: float = 30.0) -> Iterator[Checks]:
    """Checks whose processes end with the block."""
    checks = Checks(limit)
    try:
        yield checks
    finally:
        checks.close()


def client_of(document: Document, checks: Checks, gate: Gate | None = None) -> TestClient:
    """A client that has the secret, and sends JSON; of a server that sends no second event."""
    gate = gate or Gate(8421)
    app = make_app(document, gate, checks, stopping=lambda: True)
    client = TestClient(app, base_url=f"http://{HOST}")
    client.headers |= {"x-token": gate.token, "content-type": "application/json"}
    return client


def save(client: TestClient, text: str, version: str) -> Any:
    headers = {"if-match": f'"{version}"'}
    return client.put("/api/spec", content=json.dumps({"text": text}), headers=headers)
