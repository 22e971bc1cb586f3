"""The spec file that is served: its text, and saving it so that nobody's change is lost."""

from __future__ import annotations

import codecs
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from cnndsl.files import read_regular
from cnndsl.serve.lines import ends_of, plain_ends
from cnndsl.serve.replacing import ChangedError, replace
from cnndsl.source import MAX_BYTES

GONE = "gone"
"""The version of a file that is not there."""
UNREADABLE = "unreadable"
"""The version of what is there and cannot be read; it is never written over."""


class UnreadableError(Exception):
    """A file that is no text of the size of a spec; says why."""


class StaleError(Exception):
    """The file holds something else than the one who saves has seen; says its version."""


@dataclass(frozen=True)
class Text:
    """What a file holds, with `\\n` between lines, and the version that tells it from others."""

    text: str
    version: str


@dataclass(frozen=True)
class Document:
    """A spec file; a shipped one is read alone. `variant` is the one that was asked for."""

    path: Path
    variant: str = ""
    writable: bool = True
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    @property
    def version(self) -> str:
        """Equal for equal contents."""
        try:
            return _version(self._bytes())
        except FileNotFoundError:
            return GONE
        except UnreadableError:
            return UNREADABLE

    def read(self) -> Text:
        """Raises UnreadableError."""
        try:
            data = self._bytes()
            return Text(plain_ends(data.decode("utf-8-sig")), _version(data))
        except FileNotFoundError as e:
            raise UnreadableError(f"cannot read {self.path.name}: {e.strerror}") from None
        except UnicodeDecodeError as e:
            why = f"{self.path.name} is not UTF-8 text, at byte {e.start}"
            raise UnreadableError(why) from None

    def save(self, text: str, seen: str) -> str:
        """Write the text if the file is still of the version `seen`; returns the new version.

        Lines keep the ends that the file has, and the file its byte-order mark, its mode, its
        owner and its links. Raises StaleError, UnreadableError, BusyError and OSError.
        """
        with self._lock:
            try:
                before = self._bytes()
            except FileNotFoundError:
                return self._create(text, seen)
            if _version(before) != seen:
                raise StaleError(_version(before))
            data = _written_as(before, text)
            try:
                replace(self.path, before, data)
            except ChangedError:
                raise StaleError(self.version) from None
            return _version(data)

    def _create(self, text: str, seen: str) -> str:
        if seen != GONE:
            raise StaleError(GONE)
        data = text.encode()
        try:
            with self.path.resolve().open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            raise StaleError(self.version) from None
        return _version(data)

    def _bytes(self) -> bytes:
        """Raises FileNotFoundError and UnreadableError."""
        try:
            data = read_regular(self.path, MAX_BYTES + 1)
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as e:
            why = getattr(e, "strerror", None) or str(e)
            raise UnreadableError(f"cannot read {self.path.name}: {why}") from None
        if len(data) > MAX_BYTES:
            raise UnreadableError(f"{self.path.name} has more than {MAX_BYTES} bytes")
        return data


def _written_as(before: bytes, text: str) -> bytes:
    """The bytes of a text, with the byte-order mark and the line ends that were there before."""
    mark = codecs.BOM_UTF8 if before.startswith(codecs.BOM_UTF8) else b""
    old = before.removeprefix(mark).decode("utf-8", "surrogateescape")
    return mark + ends_of(old, text).encode()


def _version(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
