"""What the commands say: diagnostics, errors with a remedy, and files written whole."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import typer

from cnndsl.diagnostics import Diagnostic, SpecError
from cnndsl.files import put_in_place

Failure = Callable[[SpecError], dict[str, Any]]
"""The JSON object of a command where a check failed."""
Beside = Callable[[SpecError], Iterable[str]]
"""Lines that a command shows below the diagnostics."""


@contextmanager
def told(failure: Failure | None = None, beside: Beside | None = None) -> Iterator[None]:
    """Print the diagnostics of a SpecError and what is `beside` them, or `failure` as JSON, and
    end with exit code 1."""
    try:
        yield
    except SpecError as error:
        e = SpecError(tuple(d.by_flag for d in error.diagnostics), error.reached)
        if failure:
            print(json.dumps(failure(e), indent=2))
        else:
            told_of(e.diagnostics)
            lines = list(beside(e)) if beside else []
            for line in ["", *lines, ""] if lines else []:
                print(line, file=sys.stderr)
            errors = sum(d.severity == "error" for d in e.diagnostics)
            print(f"{errors} error{'s' if errors != 1 else ''}", file=sys.stderr)
        raise typer.Exit(1) from None


def told_of(diagnostics: Sequence[Diagnostic]) -> None:
    for diagnostic in diagnostics:
        typer.echo(highlighted(diagnostic), err=True)


def highlighted(diagnostic: Diagnostic) -> str:
    """The message with its first line in bold, where the terminal shows it."""
    first, *rest = str(diagnostic).split("\n")
    return "\n".join([typer.style(first, bold=True), *rest])


def write(path: Path, data: bytes) -> None:
    """Write a file that the user named, whole or not at all."""
    try:
        with put_in_place(path) as fresh:
            fresh.write_bytes(data)
    except OSError as e:
        fail(f"cannot write {path}: {e.strerror or e}")


def fail(message: str, help: str = "") -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    if help:
        print(f"help: {help}", file=sys.stderr)
    raise typer.Exit(1)


def usage(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    raise typer.Exit(2)
