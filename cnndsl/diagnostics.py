"""What we tell users: places in their files, and messages about them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from heapq import nlargest
from itertools import pairwise
from typing import Any, Literal

from cnndsl.words import MAX_WORD, visible

Severity = Literal["error", "warning", "info"]

MAX_ERRORS = 50
"""And so many warnings, and notes."""
MAX_MESSAGE = 600
MAX_KNOWN = 1_000
"""How many known words are looked at when one is suggested."""
MAX_COMPARED = 12
"""How many of them are compared letter by letter: those with the most letters in common."""

_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""What YAML takes for the end of a line."""


@dataclass(frozen=True)
class Source:
    """A text that users wrote: a file, or a value given on the command line."""

    path: str
    text: str = field(repr=False)
    flag: str = field(default="", repr=False)
    """What the command line calls a value that is given to a function in Python."""

    @cached_property
    def lines(self) -> list[str]:
        return _BREAK.split(self.text)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a source; lines and columns count characters from 1, the end is exclusive.

    `origin` is where the text stands that an alias here stands for.
    """

    source: Source
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 2
    origin: Span | None = None

    def inside(self, text: str, start: int, end: int) -> Span:
        """Narrow to `text[start:end]`, where `text` is written in this span on one line.

        A text that is not written there to the letter (escapes, folded lines) keeps the whole span;
        that of an alias is narrowed where it stands.
        """
        if self.origin is not None:
            return replace(self, origin=self.origin.inside(text, start, end))
        line = self.source.lines[self.line - 1] if self.line <= len(self.source.lines) else ""
        offset = line.find(text, self.column - 1) if self.line == self.end_line else -1
        if offset < 0 or offset + len(text) > self.end_column - 1:
            return self
        column = offset + start + 1
        end_column = max(offset + end + 1, column + 1)
        return Span(self.source, self.line, column, self.line, end_column)

    def covers(self, other: Span) -> bool:
        """Whether another stretch lies in this one."""
        begins = (self.line, self.column) <= (other.line, other.column)
        ends = (other.end_line, other.end_column) <= (self.end_line, self.end_column)
        return begins and ends and self.source == other.source

    @property
    def root(self) -> Span:
        """Where the text itself stands: the end of a chain of aliases."""
        span = self
        while span.origin is not None:
            span = span.origin
        return span

    @property
    def by_flag(self) -> Span:
        """The same place, of a value given in Python, as the command line calls it."""
        flag = self.source.flag
        return replace(self, source=replace(self.source, path=flag)) if flag else self

    def __str__(self) -> str:
        return f"{self.source.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that a message is about, and what happened there, as "first used"."""

    words: str
    span: Span

    @property
    def message(self) -> str:
        return f"{self.words} here"

    def __str__(self) -> str:
        return f"{self.words} at {self.span}"


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
    related: tuple[Related, ...] = ()

    @property
    def places(self) -> tuple[Related, ...]:
        """The other places that the message is about, and where each alias was defined."""
        own = (Related("defined", self.span.root),) if self.span.origin else ()
        return (*own, *(r for r in self.related if r.span != self.span))

    @property
    def by_flag(self) -> Diagnostic:
        """The same message for a user of the command line."""
        related = tuple(replace(place, span=place.span.by_flag) for place in self.related)
        return replace(self, span=self.span.by_flag, related=related)

    def to_json(self) -> dict[str, Any]:
        return {
            "file": self.span.source.path,
            "line": self.span.line,
            "column": self.span.column,
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "help": self.help,
            "related": [
                {
                    "file": place.span.source.path,
                    "line": place.span.line,
                    "column": place.span.column,
                    "message": place.message,
                }
                for place in self.places
            ],
        }

    def __str__(self) -> str:
        return "\n".join(_render(self))


def _render(diagnostic: Diagnostic) -> Iterator[str]:
    span = diagnostic.span
    yield f"{span}: {diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"
    yield from _excerpt(span, "^")
    for place in diagnostic.places:
        yield f"   {place}"
        yield from _excerpt(place.span, "-")
    for frame in diagnostic.frames:
        yield f"   in {frame.text}, used at {frame.span}"
    if diagnostic.help:
        yield f"   help: {diagnostic.help}"


def _excerpt(span: Span, mark: str) -> Iterator[str]:
    """The line that a span begins on, the span underlined."""
    if not span.source.text or not 1 <= span.line <= len(span.source.lines):
        return
    line = span.source.lines[span.line - 1]
    end = span.end_column if span.end_line == span.line else len(line) + 1
    left, width = _window(span.column)
    marks = mark * max(1, min(end - span.column, width - (span.column - 1 - left)))
    # Control characters would shift the marks; a tab takes one column, as editors count it.
    shown = "".join(c if c.isprintable() else " " for c in line[left : left + width])
    yield f"{span.line:5} | {shown}"
    yield f"      | {' ' * (span.column - 1 - left)}{marks}"


def _window(column: int, width: int = 120) -> tuple[int, int]:
    """The part of a long line that is shown: where it begins, and how much of it."""
    return (0, width) if column <= width - 20 else (column - width // 2, width)


Sizes = tuple[int, ...]
"""A shape, of one sample."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of a network that does not hold; an input of it has no `inputs`.

    `brief` are its arguments in a few characters. The one that failed has an `output` only where a
    contract refuses it, and `arithmetic` tells how its sizes come about, as
    `(4 + 2·0 − 5)/1 + 1 = 0`, where they are at fault.
    """

    path: str
    op: str
    brief: str
    span: Span
    inputs: tuple[Sizes, ...]
    output: Sizes | None
    params: int = 0
    macs: int = 0
    arithmetic: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reached:
    """The layers before the first one that failed, in the order they run, and that one.

    Where all layers hold, but facts of the whole do not, `failed` is None. A check that fails for
    another reason than a layer, as the form of the file, reaches nowhere.
    """

    name: str = ""
    variant: str = ""
    layers: tuple[Layer, ...] = ()
    failed: Layer | None = None


NOWHERE = Reached()


Help = str | Callable[[], str]
"""A remedy, or what finds it: that is asked of messages alone that are told."""


@dataclass
class Report:
    """The diagnostics of one run, each place and fact told once."""

    diagnostics: list[Diagnostic] = field(default_factory=list)
    reached: Reached = NOWHERE
    _seen: set[tuple[str, str | None, Span]] = field(default_factory=set)
    _wrong: set[Span] = field(default_factory=set)
    """The places of values that were told as wrong for what reads them elsewhere."""
    _reading: list[tuple[Span, Diagnostic]] = field(default_factory=list)
    """Expressions that cannot be computed, by the one value that they read."""
    _count: Counter[Severity] = field(default_factory=Counter)

    def add(self, diagnostic: Diagnostic, *, distinct: bool = False) -> None:
        """Take a diagnostic, unless the same fact was told of its place.

        A place has one of a code, or with `distinct` one of a message: a value that is read in
        several places may be wrong for each in another way.
        """
        code, message, span = diagnostic.code, diagnostic.message, diagnostic.span
        if self._count[diagnostic.severity] >= MAX_ERRORS:
            return
        if self._has(code, message, span, distinct):
            return
        self._seen |= {(code, message if distinct else None, span), (code, message, span)}
        self._count[diagnostic.severity] += 1
        self.diagnostics.append(diagnostic)

    @property
    def full(self) -> bool:
        """Whether no more errors would be told: then no one need look for them."""
        return self._count["error"] >= MAX_ERRORS

    def error(
        self,
        code: str,
        message: str,
        span: Span,
        help: Help = "",
        frames: tuple[Frame, ...] = (),
        related: tuple[Related, ...] = (),
        *,
        distinct: bool = False,
    ) -> None:
        message = _clip(message)
        if self.knows(code, message, span, distinct=distinct):
            return
        found = help if isinstance(help, str) else help()
        told = Diagnostic(code, message, span, _clip(found), frames, related=related)
        self.add(told, distinct=distinct)

    def knows(self, code: str, message: str, span: Span, *, distinct: bool = False) -> bool:
        """Whether an error is not told: its place, or where an alias is defined that stands there,
        has been, or there are enough. See `add` for `distinct`.
        """
        return self.full or self._has(code, message, span, distinct)

    def _has(self, code: str, message: str, span: Span, distinct: bool) -> bool:
        place = (code, message if distinct else None, span)
        return not self._seen.isdisjoint((place, (code, message, span.root)))

    def blame(self, diagnostic: Diagnostic, value: Span) -> None:
        """Take an error of an expression that one value may have caused, written at `value`.

        It is left out where that value is told itself, before or after.
        """
        if value not in self._wrong:
            self.add(diagnostic)
            self._reading.append((value, diagnostic))

    def is_wrong(self, value: Span) -> bool:
        """Whether a value was told as wrong where it was written."""
        return value in self._wrong

    def accuse(self, value: Span) -> None:
        """Note that a value was told as wrong where it was written: what reads it follows."""
        self._wrong.add(value)
        for other, diagnostic in self._reading:
            if other == value and diagnostic in self.diagnostics:
                self.diagnostics.remove(diagnostic)
                self._count[diagnostic.severity] -= 1

    def warn(
        self,
        code: str,
        message: str,
        span: Span,
        help: str = "",
        related: tuple[Related, ...] = (),
    ) -> None:
        own = (code, _clip(message), span, _clip(help))
        self.add(Diagnostic(*own, severity="warning", related=related))

    def take(self, other: SpecError) -> None:
        """Take the errors of another network of the same file; equal ones are told once."""
        for diagnostic in other.diagnostics:
            self.add(diagnostic, distinct=True)
        if self.reached == NOWHERE:
            self.reached = other.reached

    @property
    def failed(self) -> bool:
        return self._count["error"] > 0

    @property
    def told(self) -> tuple[Diagnostic, ...]:
        """The errors, those of each file in the order of its lines; where there are none, the
        warnings and notes, which wait until then."""
        if not self.failed:
            return tuple(self.diagnostics)
        errors = [d for d in self.diagnostics if d.severity == "error"]
        files = {d.span.source.path: number for number, d in reversed([*enumerate(errors)])}
        places = [(files[d.span.source.path], d.span.line, d.span.column) for d in errors]
        return tuple(errors[i] for i in sorted(range(len(errors)), key=places.__getitem__))

    def raise_errors(self) -> None:
        """Raise SpecError, with the errors, if there are any."""
        if self.failed:
            raise SpecError(self.told, self.reached)


class SpecError(Exception):
    """A spec, or what was asked of it, is at fault; `diagnostics` say where and why.

    `reached` is how far the check came, where the fault is in the network.
    """

    def __init__(self, diagnostics: tuple[Diagnostic, ...], reached: Reached = NOWHERE) -> None:
        super().__init__("\n".join(str(d) for d in diagnostics))
        self.diagnostics = diagnostics
        self.reached = reached

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers up to the first one that failed."""
        return self.reached.layers

    @property
    def failed(self) -> Layer | None:
        """The first layer that failed, if one did."""
        return self.reached.failed


def _clip(text: str) -> str:
    """A text for a message: its beginning and its end, where it is long."""
    return _ends(visible(_ends(text)))


def _ends(text: str) -> str:
    half = MAX_MESSAGE // 2
    return text if len(text) <= MAX_MESSAGE else f"{text[:half]}…{text[-half:]}"


def suggest(word: str, known: list[str]) -> str:
    """`did you mean …?` for the nearest known word, else the list of them, else nothing."""
    from difflib import get_close_matches

    words = [k for k in known[:MAX_KNOWN] if len(k) <= MAX_WORD]
    word, own = word[:MAX_WORD], _pairs(word[:MAX_WORD])
    near = [k for k in words if k.lower() == word.lower() and k != word]
    near += sorted((k for k in words if typo(word, k)), key=lambda k: TYPOS.index(typo(word, k)))
    if not near:
        alike = nlargest(MAX_COMPARED, words, key=lambda one: _overlap(own, _pairs(one)))
        near = get_close_matches(word, alike, n=1, cutoff=0.65)
    near = near or [k for k in words if len(k) > 2 and word.startswith(k)]
    if near:
        return f"did you mean `{near[0]}`?"
    return f"known: {', '.join(sorted(words))}" if words else ""


@lru_cache(2 * MAX_KNOWN)
def _pairs(word: str) -> frozenset[str]:
    """The letters of a word, and each with the next one."""
    return frozenset(word) | {a + b for a, b in pairwise(word)}


def _overlap(a: frozenset[str], b: frozenset[str]) -> float:
    """What part of two sets is common to both."""
    return len(a & b) / max(1, len(a | b))


TYPOS = ("swapped", "missing", "other", "extra")
"""What one wrong key does to a word, the likelier first."""


def typo(word: str, meant: str) -> str:
    """Which of TYPOS makes this word of the one that was meant, if one does."""
    if min(len(word), len(meant)) < 2 or word == meant:
        return ""
    pairs = zip(word, meant, strict=False)
    same = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(word), len(meant)))
    a, b = word[same:], meant[same:]
    made = (a[:2] == b[1::-1] and a[2:] == b[2:], a == b[1:], a[1:] == b[1:], a[1:] == b)
    return next((name for name, is_so in zip(TYPOS, made, strict=True) if is_so), "")
