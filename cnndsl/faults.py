"""What libyaml finds wrong with a text, in the words of users."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from cnndsl.diagnostics import Source, Span
from cnndsl.expr.foreign import choice
from cnndsl.strays import TEMPLATE, Stray, cleaned, stray_lines

QUOTE = "quote a value that holds a bracket, a brace or a comma"


@dataclass(frozen=True)
class Fault:
    """A mistake in the YAML of a source, and its remedy."""

    message: str
    span: Span
    help: str = ""


def explain(source: Source, error: yaml.MarkedYAMLError) -> list[Fault]:
    """What is wrong, and where a user would look for it."""
    opened = _span(source, error.context_mark)
    span = _span(source, error.problem_mark or error.context_mark)
    strays = stray_lines(source) or stray_lines(source, sorted({opened.line, span.line}))
    if strays and _goes_on(source, strays, span.line):
        return [Fault(message, where, help) for where, message, help in strays]
    return [_choice(span) or _surplus(span) or _explain(error, opened, span)]


def _goes_on(source: Source, strays: list[Stray], line: int) -> bool:
    """Whether the text would be read farther than to the line without its strays."""
    lines = list(source.lines)
    for span, _, _ in strays:
        before, written = lines[span.line - 1][: span.column - 1], lines[span.line - 1]
        lines[span.line - 1] = before + cleaned(written[span.column - 1 : span.end_column - 1])
    return _reads_beyond(lines, line)


def _surplus(span: Span) -> Fault | None:
    """The message about a bracket that closes what is not open, or too early what goes on behind
    it, and without which all can be read."""
    lines = list(span.source.lines)
    line = lines[span.line - 1]
    at = span.column - 1
    if line[at : at + 1] not in ("]", "}"):
        at = len(line[:at].rstrip()) - 1
    if at < 0 or line[at] not in "]}":
        return None
    lines[span.line - 1] = line[:at] + line[at + 1 :]
    if not _reads_beyond(lines, len(lines) + 1):
        return None
    where = Span(span.source, span.line, at + 1, span.line, at + 2)
    return Fault(f"one `{line[at]}` too many", where, "leave it away")


def _reads_beyond(lines: list[str], line: int) -> bool:
    """Whether a text has no fault in its lines up to this one."""
    try:
        for _ in yaml.parse("\n".join(lines), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            pass
    except yaml.MarkedYAMLError as e:
        return e.problem_mark is not None and e.problem_mark.line + 1 > line
    return True


def template(span: Span) -> Fault | None:
    """The message about `{{ name }}`, whose inner braces open at the span."""
    line = span.source.lines[span.line - 1]
    found = TEMPLATE.match(line, max(0, span.column - 2))
    if not found:
        return None
    where = Span(span.source, span.line, found.start() + 1, span.line, found.end() + 1)
    return Fault("`{{ }}` is of templates", where, f"write `$({found[1]})`")


def _choice(span: Span) -> Fault | None:
    """The message about `$(c ? a : b)`, where YAML stops at the colon."""
    line = span.source.lines[span.line - 1]
    mark = line.rfind("?", 0, span.column)
    if mark < 0 or "$(" not in line[:mark]:
        return None
    fault = choice(line, mark)
    where = Span(span.source, span.line, fault.start + 1, span.line, fault.end + 1)
    return Fault(fault.message, where, fault.help)


def _explain(error: yaml.MarkedYAMLError, opened: Span, span: Span) -> Fault:
    problem, context = error.problem or "", error.context or ""
    found = _character(span)
    if "expected ',' or" in problem:
        return _collection(opened, span, found)
    if "did not find expected key" in problem or "expected '-' indicator" in problem:
        return _line(opened, span, found)
    if "cannot start any token" in problem:
        if found == "\t":
            return Fault("a tab", span, "YAML is indented with spaces")
        return Fault(f"a value cannot begin with `{found}`", span, "quote it")
    if "unexpected end of stream" in problem and "quoted" in context:
        return Fault("the quotation mark is not closed", opened)
    if "unknown escape" in problem:
        help = "within '…' a backslash is a plain character"
        return Fault("no such escape in YAML", span, help)
    if "could not find expected ':'" in problem:
        help = "`key: value`, or `- item` in a list"
        return Fault("a line that is neither a key with its value nor an item", opened, help)
    return _other(problem, context, span, found)


def _other(problem: str, context: str, span: Span, found: str) -> Fault:
    if "mapping values are not allowed" in problem:
        help = "quote a value that holds `: `, or check the indentation"
        return Fault("`:` cannot stand here", span, help)
    if "sequence entries are not allowed" in problem:
        return Fault("a list cannot begin here", span, "put its `- ` on a line of its own")
    if "expected node content" in problem:
        what = f", found `{found}`" if found.strip() else ""
        return Fault(f"a value is missing here{what}", span)
    if "<document start>" in problem:
        return Fault("text after the end of the document", span, "a spec file holds one document")
    return Fault(": ".join(part for part in (context, problem) if part) or "not YAML", span)


def _collection(opened: Span, span: Span, found: str) -> Fault:
    """A […] or {…} that goes on with something else than a comma."""
    mark = _character(opened)
    before = (
        opened.source.lines[span.line - 1][: span.column - 1] if span.line == opened.line else ""
    )
    if before.endswith("$") and found == "{":
        return Fault("`${` opens a mapping", span, "an expression is written $(…)")
    if found in ("[", "{") and "$(" in before:
        return Fault(f"`{found}` cuts the expression off", span, 'quote it, as in "$(…)"')
    close = {"[": "]", "{": "}"}.get(mark, "]")
    if span.line > opened.line or not found:
        return Fault(f"`{mark}` is not closed", opened, f"a `{close}` or a comma is missing")
    if found == ":":
        return Fault("a comma is missing before this key", span)
    if found in ("[", "{") and mark == "{" and (lost := _colon(before, span)):
        return lost
    told = f", found `{found}`" if found.strip() else ""
    return Fault(f"expected `,` or `{close}`{told}", span, QUOTE)


def _colon(before: str, span: Span) -> Fault | None:
    """The message about a key that its value follows without a colon, as `{stem {out: 8}}`."""
    key = re.search(r"[{,] *([\w.-]+) +$", before)
    if key is None:
        return None
    lines = list(span.source.lines)
    lines[span.line - 1] = f"{before[: key.end(1)]}:{lines[span.line - 1][key.end(1) :]}"
    if not _reads_beyond(lines, span.line):
        return None
    where = Span(span.source, span.line, key.start(1) + 1, span.line, key.end(1) + 1)
    return Fault(f"a colon is missing after `{key[1]}`", where, f"write `{key[1]}:`")


def _line(opened: Span, span: Span, found: str) -> Fault:
    """A block that goes on with something else than its next key or item."""
    line = span.source.lines[span.line - 1]
    if line[: span.column - 1].strip():
        return Fault(f"unexpected `{found}` after the value", span, "quote the whole value")
    if span.column == opened.column:
        what = "a list" if _character(opened) == "-" else "a mapping"
        message = f"{what} began on line {opened.line}, and this line is no part of one"
        above = span.source.lines[span.line - 2].strip("- ")
        loop = found == "-" and above.startswith(("repeat:", "for:"))
        return Fault(message, span, "`do:` stands on a line before this one" if loop else "")
    message = f"this line begins at column {span.column}, those before it at {opened.column}"
    return Fault(message, span, "lines of one block are indented alike")


def place(source: Source, mark: Any) -> tuple[int, int]:
    """Line and column of a mark; libyaml takes the end of a text for a line of its own."""
    line = min(mark.line + 1, len(source.lines))
    return line, mark.column + 1 if line == mark.line + 1 else len(source.lines[line - 1]) + 1


def _span(source: Source, mark: Any) -> Span:
    if mark is None:
        return Span(source)
    line, column = place(source, mark)
    return Span(source, line, column, line, column + 1)


def _character(span: Span) -> str:
    lines = span.source.lines
    return lines[span.line - 1][span.column - 1 : span.column]
