"""Running the user's own code: what it raises is told with its line, and what it prints goes by."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import torch

from cnndsl.importer.errors import ModelError

OURS = Path(__file__).parent.parent
THEIRS = Path(torch.__file__).parent

Raised = (Exception, SystemExit)
"""What a user's code may end with; an interrupt is the user's own."""


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """Prints go to standard error, since standard output may hold the spec."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


@contextlib.contextmanager
def on_numbers() -> Iterator[None]:
    """A forward pass with real numbers; ModelError with its line where it fails."""
    try:
        yield
    except Raised as e:
        fact = f"the network itself fails on real numbers{place(e)}: {said(e)}"
        raise ModelError(fact, "run it by itself with a batch of 2 samples of this shape") from e


def said(e: BaseException) -> str:
    """An exception's kind and the first line of its text."""
    text = str(e).strip().split("\n")[0]
    return f"{type(e).__name__}: {text}" if text else type(e).__name__


def place(e: BaseException) -> str:
    """` at FILE:LINE`, the last line of the user's own that an exception came through."""
    for frame in reversed(traceback.extract_tb(e.__traceback__)):
        path = Path(frame.filename)
        if not any(path.is_relative_to(folder) for folder in (OURS, THEIRS)):
            return f" at {_short(path)}:{frame.lineno}" if path.is_file() else ""
    return ""


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
