"""The process that checks: it answers one question after the other until its input ends.

A question and its answer are pickled: both come from this package alone.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cnndsl.serve.answer import Look, answer, schema_of


@dataclass(frozen=True)
class Check:
    """Asks what the page shows of a text, as if the file at `path` held it."""

    text: str
    path: Path
    variant: str
    look: Look


@dataclass(frozen=True)
class Schema:
    """Asks for the JSON Schema of a text."""

    text: str
    path: Path


Question = Check | Schema


@dataclass(frozen=True)
class Answer:
    """The JSON that is asked for, None where a defect kept it back; the files that were read."""

    data: bytes | None
    files: tuple[Path, ...] = ()


def answered(question: Question) -> Answer:
    if isinstance(question, Schema):
        return Answer(_json(schema_of(question.text, question.path)))
    found = answer(question.text, question.path, question.variant, question.look)
    files = tuple(Path(file) for file in found.pop("files"))
    return Answer(_json(found), files)


def _json(data: object) -> bytes:
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def main() -> None:
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what an op of another package prints is no answer
    answer("{input: [1, 2, 2], body: relu}", Path("first.yaml"), "", Look())  # loads what it needs
    work(sys.stdin.buffer, replies)


def work(questions: BinaryIO, replies: BinaryIO) -> None:
    while True:
        try:
            question, limit = pickle.load(questions)
        except EOFError:
            return
        if hasattr(signal, "alarm"):  # ends this process too where nobody is left to do it
            signal.alarm(limit)
        try:
            found = answered(question)
        except Exception:
            traceback.print_exc()
            found = Answer(None)
        if hasattr(signal, "alarm"):
            signal.alarm(0)
        pickle.dump(found, replies)
        replies.flush()
