"""What the tests of `cnndsl serve` share: a small spec, and a running server."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

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


def started(spec: Path, *args: str) -> tuple[subprocess.Popen[str], str]:
    """A running server and its address."""
    command = [sys.executable, "-m", "cnndsl", "serve", str(spec), "--no-open", *args]
    server = subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert server.stdout is not None
    line = server.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+/", line)
    assert found, line
    return server, found[0]
