"""What commands take: each runs in a process of its own, whose time and memory are measured.

The process that starts them has loaded all that they need, and is forked for each: what is measured
is the work alone, and a command that takes too much is ended.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from typer.testing import CliRunner

from cnndsl.cli import app

LIMIT = 30
"""Seconds on the processor after which a command is ended."""
DEFECT = 99
"""The exit code of a command that raises what it does not tell."""
WARM = "{input: [4, 8, 8], body: [{residual: {conv: 4}}, {split: [relu, []]}, {conv: 1}]}"
COMMANDS = ["build warm.yaml --check-shapes", "build warm.yaml -o warm.py"]
COMMANDS += [f"draw warm.yaml -o warm.{ending}" for ending in ("svg", "html", "dot")]


@dataclass(frozen=True)
class Taken:
    """Of a command: its exit code, seconds on the processor, megabytes, and what it told."""

    code: int
    seconds: float
    megabytes: float
    told: str


class Commands:
    """Runs commands of cnndsl in a folder."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> Taken:
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps(arguments), file=self.process.stdin, flush=True)
        return Taken(*json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        self.process.communicate()


def serve() -> None:
    """Answer each line, the arguments of a command, with what the command takes."""
    Path("warm.yaml").write_text(WARM)
    for command in COMMANDS:
        assert CliRunner().invoke(app, command.split()).exit_code == 0, command
    for line in sys.stdin:
        with TemporaryFile("w+") as told:
            print(json.dumps(taken(json.loads(line), told)), flush=True)


def taken(arguments: Sequence[str], told: IO[str]) -> tuple[int, float, float, str]:
    """The figures of `Taken` for a command; its process writes what it tells to a file."""
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
        os._exit(outcome(arguments, told))
    _, status, used = os.wait4(child, 0)
    told.seek(0)
    seconds, megabytes = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    return os.waitstatus_to_exitcode(status), seconds, megabytes, told.read()


def outcome(arguments: Sequence[str], told: IO[str]) -> int:
    done = CliRunner().invoke(app, list(arguments))
    told.write(done.stderr)
    code = done.exit_code
    if done.exception and not isinstance(done.exception, SystemExit):
        traceback.print_exception(done.exception, file=told)
        code = DEFECT
    told.flush()
    return code


if __name__ == "__main__":
    serve()
