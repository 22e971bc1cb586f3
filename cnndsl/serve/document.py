"""The spec file that is served: its text, and saving it so that nobody's change is lost."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from cnndsl.files import write_atomically
from cnndsl.source import MAX_BYTES

GONE = "gone"
"""The version of a file that is not there, or that cannot be read."""


class UnreadableError(Exception):
    """A file that is no text of the size of a spec; says why."""


class StaleError(Exception):
    """The file holds something else than the one who saves has seen; says its version."""


@dataclass(frozen=True)
class Text:
    """What a file holds, with `\\n` between lines, and the version that tells it from others."""

    text: str
    version: str
    newline: str = "\n"


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
        except UnreadableError:
            return GONE

    def read(self) -> Text:
        """Raises UnreadableError."""
        data = self._bytes()
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as e:
            raise UnreadableError(
                f"{self.path.name} is not UTF-8 text, at byte {e.start}"
            ) from None
        newline = "\r\n" if "\r\n" in text else "\n"
        return Text(text.replace("\r\n", "\n"), _version(data), newline)

    def save(self, text: str, seen: str) -> str:
        """Write the text if the file is still of the version `seen`; returns the new version.

        Lines keep the ends that the file has. Raises StaleError and OSError.
        """
        with self._lock:
            version = self.version
            if version != seen:
                raise StaleError(version)
            data = text.replace("\n", self._newline()).encode()
            write_atomically(self.path, lambda file: file.write(data))
            return _version(data)

    def _newline(self) -> str:
        try:
            return self.read().newline
        except UnreadableError:
            return "\n"

    def _bytes(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as e:
            raise UnreadableError(f"cannot read {self.path.name}: {e.strerror or e}") from None
        if len(data) > MAX_BYTES:
            raise UnreadableError(f"{self.path.name} has more than {MAX_BYTES} bytes")
        return data


def _version(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
