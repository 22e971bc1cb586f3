"""Checking in a process of its own, which can be ended: one question at a time of each page."""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from math import ceil
from typing import IO

from starlette.concurrency import run_in_threadpool

from cnndsl.serve.guard import RefusedError
from cnndsl.serve.worker import Answer, Question

LIMIT = 30.0
"""Seconds that a check may take."""
MAX_ASKED = 8
"""Checks at the same time; each has a process."""

Left = Callable[[], Coroutine[None, None, None]]
"""Waits until nobody wants the answer any more."""


_WORK = "from cnndsl.serve.worker import main; main()"


class Worker:
    """A process that answers one question after the other, warm for the next one."""

    def __init__(self) -> None:
        path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _WORK], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C is the server's, which then ends this
        )  # fmt: skip

    def ask(self, question: Question, limit: float) -> Answer | None:
        """Wait for the answer; None where the process ends before."""
        try:
            pickle.dump((question, ceil(limit) + 1), self._pipe(self._process.stdin))
            self._pipe(self._process.stdin).flush()
            found = pickle.load(self._pipe(self._process.stdout))
        except (OSError, EOFError, pickle.UnpicklingError, ValueError):
            self.end()
            return None
        assert isinstance(found, Answer)
        return found

    def end(self) -> None:
        """End it at once, whatever it does."""
        self._process.kill()
        self._process.wait()

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe


@dataclass(eq=False)
class _Asked:
    """A question that is being answered; `reason` says why it was ended."""

    worker: Worker
    reason: RefusedError | None = None

    def end(self, status: int, reason: str) -> None:
        self.reason = self.reason or RefusedError(status, reason)
        self.worker.end()


@dataclass
class Checks:
    """The questions of all pages. `limit` is the time in seconds that one may take."""

    limit: float = LIMIT
    _idle: list[Worker] = field(default_factory=list)
    _asked: dict[str, _Asked] = field(default_factory=dict)
    _closed: bool = False

    def warm(self) -> None:
        """Have a process at hand for the next question."""
        if not self._idle:
            self._idle.append(Worker())

    def close(self) -> None:
        self._closed = True
        for asked in self._asked.values():
            asked.end(*_ENDS)
        while self._idle:
            self._idle.pop().end()

    async def answer(self, question: Question, page: str, left: Left) -> Answer:
        """The answer, unless the page has left, it asks anew, or it takes too long.

        Raises RefusedError, which then says which of these it was.
        """
        key = f"{type(question).__name__} {page}"
        if self._closed:
            raise RefusedError(*_ENDS)
        if older := self._asked.get(key):
            older.end(409, "a newer text came")
        elif len(self._asked) >= MAX_ASKED:
            raise RefusedError(503, f"more than {MAX_ASKED} checks at the same time")
        asked = self._asked[key] = _Asked(self._taken())
        try:
            found = await self._awaited(asked, question, left)
        finally:
            if self._asked.get(key) is asked:
                del self._asked[key]
            self._release(asked.worker)
        if asked.reason or found is None:
            raise asked.reason or RefusedError(500, "the check's process has ended")
        return found

    async def _awaited(self, asked: _Asked, question: Question, left: Left) -> Answer | None:
        work = asyncio.create_task(run_in_threadpool(asked.worker.ask, question, self.limit))
        gone = asyncio.create_task(left())
        try:
            done, _ = await asyncio.wait(
                {work, gone}, timeout=self.limit, return_when=asyncio.FIRST_COMPLETED
            )
            if work not in done:
                asked.end(*(_LEFT if gone in done else (504, _too_long(self.limit))))
            return await work
        finally:
            gone.cancel()
            if not work.done():
                asked.worker.end()

    def _taken(self) -> Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.lives:
                return worker
        return Worker()

    def _release(self, worker: Worker) -> None:
        if worker.lives and not self._idle:
            self._idle.append(worker)
        else:
            worker.end()
        if not self._closed:
            self.warm()


_LEFT = 499, "the page has gone"
_ENDS = 503, "the server ends"


def _too_long(limit: float) -> str:
    return f"the check took more than {limit:g} s and was ended"
