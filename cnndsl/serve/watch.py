"""Word of changes on disk: a look at the few files that matter, while a page is open.

Looking at a dozen files costs microseconds, needs no folder to be watched however large it is, and
sees changes on every file system.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cnndsl.serve.document import Document

EVERY = 0.25
"""Seconds between two looks."""
MAX_FILES = 200


@dataclass
class Watch:
    """The files whose changes are told; those that the spec imports are added as they are read."""

    document: Document
    stopping: Callable[[], bool]
    imported: dict[Path, None] = field(default_factory=dict)

    def also(self, files: Iterable[Path]) -> None:
        self.imported |= dict.fromkeys(files)
        while len(self.imported) > MAX_FILES:
            del self.imported[next(iter(self.imported))]

    async def changes(self) -> AsyncIterator[dict[str, str | bool]]:
        """The spec's version, at first and at each change; `imports` where another file changed."""
        mark, version = _mark(self.document.path), self.document.version
        others = {file: _mark(file) for file in self.imported}
        yield {"version": version, "imports": False}
        while not self.stopping():
            await asyncio.sleep(EVERY)
            now = _mark(self.document.path)
            changed = False
            if now != mark:
                mark, before, version = now, version, self.document.version
                changed = version != before
            found = {file: _mark(file) for file in self.imported}
            imports = any(others.get(file, stamp) != stamp for file, stamp in found.items())
            others = found
            if changed or imports:
                yield {"version": version, "imports": imports}


def _mark(path: Path) -> tuple[int, int, int] | None:
    """What tells a file from the one that was there; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
