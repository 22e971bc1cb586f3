"""The command line: a file for each command's arguments, output and exit code.

0: fine. 1: the spec, the weights, the data or the device is at fault. 2: wrong usage.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from typing import Annotated, Any

import typer

from cnndsl import __version__
from cnndsl.cli.build import build
from cnndsl.cli.compare import compare
from cnndsl.cli.draw import draw
from cnndsl.cli.evaluate import evaluate
from cnndsl.cli.export import export
from cnndsl.cli.importing import import_
from cnndsl.cli.predict import predict
from cnndsl.cli.schema import schema
from cnndsl.cli.serve import serve
from cnndsl.cli.sweep import sweep
from cnndsl.cli.train import train

app = typer.Typer(
    name="cnndsl",
    help="Convolutional networks as one page of YAML: checked, drawn, compiled and trained.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def top(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"cnndsl {__version__}")
        raise typer.Exit


for command in (build, draw, compare, train, sweep, evaluate, predict, export, schema, serve):
    app.command()(command)
app.command("import")(import_)


COLLECT_EVERY = 20_000
"""New objects before Python looks for unreachable circles among them.

A long network is a million objects that all live: with Python's 700 a check of it spent a quarter
of its time on looking.
"""


def main() -> Any:
    """The entry point; Ctrl-C ends with 130, a reader that went away with 0."""
    gc.set_threshold(COLLECT_EVERY)
    try:
        app()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as e:
        if e.errno != errno.ENOSPC:
            raise
        print(f"error: cannot write: {e.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
