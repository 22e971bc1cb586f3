"""A user who does what a message's help says, to the letter."""

from __future__ import annotations

import re
from pathlib import Path

import cnndsl
from cnndsl.diagnostics import Diagnostic, SpecError

INPUT = "input: [3, 32, 32]\n"


def told(text: str, folder: Path) -> tuple[Diagnostic, ...]:
    """The errors of a spec; without an input it is [3, 32, 32]."""
    path = folder / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        cnndsl.check(path)
    except SpecError as e:
        return tuple(d for d in e.diagnostics if d.severity == "error")
    return ()


def followed(text: str, diagnostics: tuple[Diagnostic, ...]) -> str:
    """The text with the help of each message followed, the last one in the file first."""
    places = sorted(diagnostics, key=lambda d: (d.span.line, d.span.column))
    for diagnostic in reversed(places):
        text = follow(text, diagnostic)
    return text


def follow(text: str, diagnostic: Diagnostic) -> str:
    """The text with one help followed; AssertionError where it says nothing that can be done."""
    help, span = diagnostic.help, diagnostic.span
    lines = text.split("\n")
    start = offset(lines, span.line, span.column)
    end = offset(lines, span.end_line, span.end_column)
    instead = re.search(r"(?:write|did you mean|the op is) `([^`]+)`", help)
    if instead:
        before = re.search(r", and `([^`]+)` before the pool", help)
        line = offset(lines, span.line, 1)
        head = text[:line] + (f"  - {before[1]}\n" if before else "")
        return head + text[line:start] + instead[1] + text[end:]
    node = re.search(r"a node of its own, behind this one: `([^`]+)`", help)
    if node:  # the argument goes, and the node follows on a line of its own
        word = lines[span.line - 1][span.column - 1 : span.end_column - 1]
        lines[span.line - 1] = re.sub(rf",? ?{word}: ?[^,}}]*", "", lines[span.line - 1])
        return "\n".join([*lines[: span.line], f"  {node[1]}", *lines[span.line :]])
    within = re.search(r"an argument stands within the op: `([^`]+)`", help)
    if within:
        lines[span.line - 1] = f"  - {{{within[1]}}}"
        return "\n".join(lines)
    node = re.search(r"`([^`]+)` in place of the node", help)
    if node:
        lines[span.line - 1] = f"  - {node[1]}"
        return "\n".join(lines)
    side = re.search(r"`(shortcut: .*\])`", help)
    if side:  # the body of `residual: […]` on the line, with the shortcut beside it
        was = re.search(r"residual: (\[.*\])", lines[span.line - 1])
        assert was
        now = f"residual: {{body: {was[1]}, {side[1]}}}"
        lines[span.line - 1] = lines[span.line - 1].replace(was[0], now)
        return "\n".join(lines)
    merge = re.search(r"give the (\w+) a name, `(name: \w+)`", help)
    if merge:
        lines[span.line - 1] = lines[span.line - 1].replace(
            f"{{{merge[1]}:", f"{{{merge[2]}, {merge[1]}:"
        )
        return "\n".join(lines)
    merge = re.search(r"the name of their (\w+): .*`(name: [^`]+)`", help)
    if merge:
        lines[span.line - 1] = lines[span.line - 1].replace(
            f"{{{merge[1]}:", f"{{{merge[2]}, {merge[1]}:"
        )
        text = "\n".join(lines)
        return re.sub(r"repeat: (\d+)", r"for: {i: \1}", text) if "repeat" in help else text
    name = re.search(r"`name: ([^`]+)`", help)
    if name:
        text = text[:start] + name[1] + text[end:]
        return re.sub(r"repeat: (\d+)", r"for: {i: \1}", text) if "repeat" in help else text
    ends = re.search(r"end branch (\d) with `([^`]+)`", help)
    if ends:  # the branches are one node each
        was = re.search(r"concat: \[(.*)\]\}?$", lines[span.line - 1])
        assert was
        branches = was[1].split(" + ") if " + " in was[1] else was[1].split(", ", 1)
        one = int(ends[1]) - 1
        inner = branches[one] if branches[one] != "[]" else ""
        branches[one] = f"[{inner}{', ' if inner else ''}{ends[2]}]"
        lines[span.line - 1] = lines[span.line - 1].replace(was[1], ", ".join(branches))
        return "\n".join(lines)
    line = re.search(r"`(input: [^`]+)`", help)
    if line:
        return re.sub(r"^input: .*$", line[1], text, count=1, flags=re.MULTILINE)
    raise AssertionError(f"cannot be followed: {diagnostic}")


def offset(lines: list[str], line: int, column: int) -> int:
    return sum(len(above) + 1 for above in lines[: line - 1]) + column - 1
