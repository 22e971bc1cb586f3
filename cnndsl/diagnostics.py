"""What we tell users: places in their files, and messages about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Severity = Literal["error", "warning", "info"]

MAX_ERRORS = 50


@dataclass(frozen=True)
class Source:
    """A text that users wrote: a file, or a value given on the command line."""

    path: str
    text: str = field(repr=False)

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a source; lines and columns count characters from 1, the end is exclusive."""

    source: Source
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 2

    def inside(self, text: str, start: int, end: int) -> Span:
        """Narrow to `text[start:end]`, where `text` is written in this span on one line.

        A text that is not written there to the letter (escapes, folded lines) keeps the whole span.
        """
        line = self.source.lines[self.line - 1] if self.line <= len(self.source.lines) else ""
        offset = line.find(text, self.column - 1) if self.line == self.end_line else -1
        if offset < 0 or offset + len(text) > self.end_column - 1:
            return self
        column = offset + start + 1
        end_column = max(offset + end + 1, column + 1)
        return Span(self.source, self.line, column, self.line, end_column)

    def __str__(self) -> str:
        return f"{self.source.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Frame:
    """One step of the chain of block calls that led to a message."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A message about a place: a lower-case fact with its numbers, and a remedy in `help`."""

    code: str
    message: str
    span: Span
    help: str = ""
    frames: tuple[Frame, ...] = ()
    severity: Severity = "error"

    def to_json(self) -> dict[str, str | int]:
        return {
            "file": self.span.source.path,
            "line": self.span.line,
            "column": self.span.column,
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "help": self.help,
        }

    def __str__(self) -> str:
        return "\n".join(_render(self))


def _render(diagnostic: Diagnostic) -> Iterator[str]:
    span = diagnostic.span
    yield f"{span}: {diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"
    if span.source.text and 1 <= span.line <= len(span.source.lines):
        # Control characters would shift the caret; a tab takes one column, as editors count it.
        line = "".join(c if c.isprintable() else " " for c in span.source.lines[span.line - 1])
        end = span.end_column if span.end_line == span.line else len(line) + 1
        left, width = _window(line, span.column)
        carets = "^" * max(1, min(end - span.column, width - (span.column - 1 - left)))
        yield f"{span.line:5} | {line[left : left + width]}"
        yield f"      | {' ' * (span.column - 1 - left)}{carets}"
    for frame in diagnostic.frames:
        yield f"   in {frame.text}, used at {frame.span}"
    if diagnostic.help:
        yield f"   help: {diagnostic.help}"


def _window(line: str, column: int, width: int = 120) -> tuple[int, int]:
    """The part of a long line that is shown: where it begins, and how much of it."""
    return (0, width) if column <= width - 20 else (column - width // 2, width)


@dataclass
class Report:
    """The diagnostics of one run, each place and fact told once."""

    diagnostics: list[Diagnostic] = field(default_factory=list)
    _seen: set[tuple[str, Span]] = field(default_factory=set)

    def add(self, diagnostic: Diagnostic) -> None:
        key = (diagnostic.code, diagnostic.span)
        if key not in self._seen and len(self.diagnostics) < MAX_ERRORS:
            self._seen.add(key)
            self.diagnostics.append(diagnostic)

    def error(
        self, code: str, message: str, span: Span, help: str = "", frames: tuple[Frame, ...] = ()
    ) -> None:
        self.add(Diagnostic(code, message, span, help, frames))

    @property
    def failed(self) -> bool:
        return any(d.severity == "error" for d in self.diagnostics)

    def raise_errors(self) -> None:
        """Raise SpecError, with all that was found, if an error is among it."""
        if self.failed:
            raise SpecError(tuple(self.diagnostics))


class SpecError(Exception):
    """A spec, or what was asked of it, is at fault; `diagnostics` say where and why."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__("\n".join(str(d) for d in diagnostics))
        self.diagnostics = diagnostics


def suggest(word: str, known: list[str]) -> str:
    """`did you mean …?` for the nearest known word, else the list of them, else nothing."""
    from difflib import get_close_matches

    near = get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"known: {', '.join(sorted(known))}" if known else ""
