"""YAML text → values that know where they stand.

YAML 1.2 core scalars (`no` is a string, `1e-3` a number), no tags, no duplicate keys, and bounds on
size, nesting and alias expansion, so that no file makes the reader hang.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from cnndsl.diagnostics import Related, Report, Source, Span
from cnndsl.expr import FUNCTIONS
from cnndsl.faults import explain, place, template
from cnndsl.files import read_regular
from cnndsl.strays import conflict, stray
from cnndsl.words import normal, skeleton

MAX_BYTES = 300_000
MAX_DEPTH = 60
MAX_VALUES = 20_000

_CALL = re.compile(rf"(?:{'|'.join(FUNCTIONS)})\([\w., +*/-]*\)")
Plain = None | bool | int | float | str
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WORDS: dict[str, Plain] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


@dataclass(frozen=True, slots=True)
class Scalar:
    """A null, boolean, number or string; `flow` where it is written plain within […] or {…}."""

    value: Plain
    span: Span
    flow: bool = False


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple[Located, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Entry:
    key: Scalar
    value: Located

    @property
    def name(self) -> str:
        return str(self.key.value)


@dataclass(frozen=True)
class Mapping:
    entries: tuple[Entry, ...]
    span: Span

    @cached_property
    def index(self) -> dict[str, Entry]:
        return {entry.name: entry for entry in self.entries}

    def get(self, name: str) -> Located | None:
        entry = self.index.get(name)
        return entry.value if entry else None


Located = Scalar | Sequence | Mapping


def read_file(path: Path, shown: str, report: Report) -> Located | None:
    """Read a spec file; a missing or unreadable one is a diagnostic, under the name `shown`."""
    span = Span(Source(shown, ""))
    try:
        data = read_regular(path, MAX_BYTES + 1)
    except (OSError, ValueError) as e:
        reason = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
        report.error("file", f"cannot read {shown}: {reason}", span)
        return None
    return read_bytes(data, shown, report)


def read_bytes(data: bytes, shown: str, report: Report) -> Located | None:
    """Read what a spec file holds, under the name `shown`."""
    span = Span(Source(shown, ""))
    if len(data) > MAX_BYTES:
        report.error("bound", f"more than {MAX_BYTES} bytes; a spec is a page of text", span)
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        report.error("syntax", f"not UTF-8 text: byte {e.start} is 0x{data[e.start]:02x}", span)
        return None
    return read(Source(shown, text.replace("\r\n", "\n")), report)


def read(source: Source, report: Report, start: int = 0) -> Located | None:
    """Parse one YAML document; returns nothing where it has no usable value.

    The first `start` characters of the source are not read.
    """
    text = " " * start + source.text[start:]
    forbidden = _FORBIDDEN.search(source.text)
    if forbidden:
        message = f"the character U+{ord(forbidden[0]):04X} is not allowed in YAML"
        report.error("syntax", message, _position_span(source, forbidden.start()))
        return None
    merged = conflict(source)
    if merged:
        span, message, help = merged
        report.error("syntax", message, span, help)
        return None
    try:
        reader = _Reader(source, report)
        for event in yaml.parse(text, Loader=_Loader):
            reader.take(event)
        return None if reader.broken else reader.root
    except _TooMuch as e:
        report.error("bound", e.message, e.span)
    except yaml.MarkedYAMLError as e:
        for fault in explain(source, e):
            report.error("syntax", fault.message, fault.span, fault.help)
    return None


def plain(value: Located) -> Any:
    """The value without its places, as JSON has it."""
    if isinstance(value, Scalar):
        return value.value
    if isinstance(value, Sequence):
        return [plain(item) for item in value.items]
    return {entry.name: plain(entry.value) for entry in value.entries}


def locate(value: Located, path: Iterator[str | int]) -> Located:
    """The value at a path of keys and indices, or the last one on the way that exists."""
    for step in path:
        found: Located | None = None
        if isinstance(value, Mapping):
            found = value.get(str(step))
        elif isinstance(value, Sequence) and isinstance(step, int) and step < len(value.items):
            found = value.items[step]
        if found is None:
            return value
        value = found
    return value


def moved(value: Located, span: Span) -> Located:
    """The value as an alias at `span` gives it: each part stands there, and keeps its origin."""
    at = replace(span, origin=value.span)
    if isinstance(value, Scalar):
        return replace(value, span=at)
    if isinstance(value, Sequence):
        return Sequence(tuple(moved(item, span) for item in value.items), at)
    entries = (
        Entry(replace(e.key, span=replace(span, origin=e.key.span)), moved(e.value, span))
        for e in value.entries
    )
    return Mapping(tuple(entries), at)


def height(value: Located) -> int:
    """How deep lists and mappings are nested in a value."""
    if isinstance(value, Scalar):
        return 0
    inner = value.items if isinstance(value, Sequence) else [e.value for e in value.entries]
    return 1 + max(map(height, inner), default=0)


def resolve(text: str) -> Plain:
    """The value of a plain scalar by the core schema of YAML 1.2."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) <= 400 and _INT.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


class _TooMuch(Exception):  # noqa: N818 - named for what it says
    def __init__(self, message: str, span: Span) -> None:
        self.message, self.span = message, span


@dataclass
class _Open:
    """A sequence or mapping that is being read."""

    event: Any
    flow: bool
    before: int
    items: list[Located] = field(default_factory=list)


@dataclass
class _Reader:
    """Builds located values from the parser's events, with a stack of its own, never recursing."""

    source: Source
    report: Report
    root: Located | None = None
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Located, int]] = field(default_factory=dict)
    documents: int = 0
    values: int = 0
    broken: bool = False
    """Whether the values are not those that were meant, as where a comma cut an expression."""

    def take(self, event: Any) -> None:
        span = self.span(event)
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents == 2:
                self.report.error("syntax", "a second document; a spec file holds one", span)
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            self.check_tag(event, span)
            if len(self.stack) >= MAX_DEPTH:
                raise _TooMuch(f"nested more than {MAX_DEPTH} deep", span)
            self.stack.append(_Open(event, bool(event.flow_style), self.values))
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            self.close(event)
        elif isinstance(event, yaml.ScalarEvent):
            self.check_tag(event, span)
            is_plain = event.implicit[0]
            flow = is_plain and any(o.flow for o in self.stack)
            # A key is its text as written: the path 0.10 is not the number 0.1.
            value = resolve(event.value) if is_plain and not self.at_key() else event.value
            self.put(Scalar(value, span, flow), event.anchor)
            if flow:
                self.check_cut(event.value, span)
        elif isinstance(event, yaml.AliasEvent):
            self.alias(str(event.anchor), span)

    def at_key(self) -> bool:
        """Whether the next value is a key of a mapping."""
        top = self.stack[-1] if self.stack else None
        is_mapping = top is not None and isinstance(top.event, yaml.MappingStartEvent)
        return is_mapping and top is not None and len(top.items) % 2 == 0

    def check_cut(self, text: str, span: Span) -> None:
        """Report an expression or a list that a comma of its own ends: `{conv: $(max(a, b))}`."""
        if "(" not in text or text.count("(") <= text.count(")"):
            return
        rest = self.source.lines[span.end_line - 1][span.end_column - 1 :]
        if text.startswith("(") and re.match(r"[^()\[\]{}:]*\)", rest):
            self.broken = True
            end = span.end_column + rest.index(")") + 1
            inner = (text + rest)[1:].partition(")")[0]
            whole = Span(self.source, span.line, span.column, span.end_line, end)
            self.report.error("syntax", "a list has brackets", whole, f"write `[{inner}]`")
        elif "$(" in text and rest.lstrip().startswith(","):
            self.broken = True
            help = f'quote it, as in "{text[-80:]}, …)": within {{…}} and […] a comma ends a value'
            self.report.error("expression", "a comma cuts the expression off", span, help)
        elif (call := _CALL.match(text + rest)) and "$" not in text:
            self.broken = True
            end = span.column + call.end()
            whole = Span(self.source, span.line, span.column, span.line, end)
            help = f"write `'$({call[0]})'`"
            self.report.error("expression", "an expression is written $(…)", whole, help)

    def close(self, event: Any) -> None:
        top = self.stack.pop()
        start, end = top.event.start_mark, event.end_mark
        if (
            not top.flow and top.items
        ):  # a block's end mark lies at the next token: use the last item
            last = top.items[-1].span
            line, column = place(self.source, start)
            until = max(
                (last.end_line, last.end_column), (line, column + 1)
            )  # an alias ends before
            span = Span(self.source, line, column, *until)
        else:
            span = _span(self.source, start, end)
        value: Located
        if isinstance(event, yaml.SequenceEndEvent):
            value = Sequence(tuple(top.items), span)
        else:
            value = Mapping(self.pairs(top.items), span)
        self.put(value, top.event.anchor, self.values - top.before)

    def pairs(self, items: list[Located]) -> tuple[Entry, ...]:
        entries: dict[str, Entry] = {}
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, Scalar):
                self.broken = True
                inner = template(key.span)
                if inner:
                    self.report.error("syntax", inner.message, inner.span, inner.help)
                    continue
                help = "a value that begins with a brace or a bracket is quoted"
                self.report.error(
                    "syntax", "a key is a word, not a list or mapping", key.span, help
                )
                continue
            if key.value == "<<":
                self.report.error(
                    "syntax",
                    "merge keys (<<) are not of YAML 1.2",
                    key.span,
                    "write a block instead",
                )
                continue
            entry = Entry(replace(key, value=normal(str(key.value))), value)
            if told := stray(entry.name, key.span):
                self.broken = True
                self.report.error("syntax", told[1], told[0], told[2])
                continue
            first = entries.setdefault(skeleton(entry.name), entry)
            if first is not entry:
                self.report_second(entry, first)
        return tuple(entries.values())

    def report_second(self, entry: Entry, first: Entry) -> None:
        """Report a key that stands in a mapping already, or looks like one that does."""
        message, help = f"the key `{entry.name}` stands here again", ""
        if entry.name != first.name:
            message = f"the key `{entry.name}` looks like `{first.name}`, in other letters"
            help = "choose a word that can be told apart"
        related = (Related("first used", first.key.span),)
        self.report.error("duplicate", message, entry.key.span, help, related=related)

    def put(self, value: Located, anchor: str | None, inner: int = 0) -> None:
        self.count(1, value.span)
        if anchor:
            self.anchors[anchor] = (value, inner + 1)
        self.attach(value)

    def attach(self, value: Located) -> None:
        if self.stack:
            self.stack[-1].items.append(value)
        elif self.root is None and self.documents == 1:
            self.root = value

    def alias(self, name: str, span: Span) -> None:
        value, size = self.anchors.get(name, (None, 1))
        if value is None:
            still_open = any(o.event.anchor == name for o in self.stack)
            what = "stands within itself" if still_open else "is not defined above"
            self.report.error("syntax", f"the alias *{name} {what}", span)
            self.broken = True
            self.attach(Scalar(None, span))
            return
        self.count(size, span)
        if len(self.stack) + height(value) > MAX_DEPTH:
            raise _TooMuch(f"nested more than {MAX_DEPTH} deep, aliases expanded", span)
        self.attach(moved(value, span))

    def count(self, size: int, span: Span) -> None:
        self.values += size
        if self.values > MAX_VALUES:
            raise _TooMuch(f"more than {MAX_VALUES} values, aliases expanded", span)

    def check_tag(self, event: Any, span: Span) -> None:
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self.report.error("syntax", f"the tag {tag} is not allowed", span, "remove it")

    def span(self, event: Any) -> Span:
        return _span(self.source, event.start_mark, event.end_mark)


def _span(source: Source, start: Any, end: Any) -> Span:
    line, column = place(source, start)
    until = max(place(source, end), (line, column + 1))
    return Span(source, line, column, *until)


def _position_span(source: Source, position: int) -> Span:
    before = Source(source.path, source.text[:position]).lines
    line, column = len(before), len(before[-1]) + 1
    return Span(source, line, column, line, column + 1)
