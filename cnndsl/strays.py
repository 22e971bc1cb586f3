"""Characters that keyboards, editors and other programs leave in a text, and what is meant."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cnndsl.diagnostics import Source, Span

_SPACES = "\u00a0\u2000-\u200b\u202f\u205f\u3000\ufeff"
_QUOTES = "“”„‟«»‘’‚‛‹›"
_WIDE = dict(zip("：，；（）［］｛｝＃", ":,;()[]{}#", strict=True))
_BULLET = re.compile(rf"^(?P<indent>[ {_SPACES}]*)[–—−•·*●‣](?=[ {_SPACES}])")
_STRAY = re.compile(rf"[{_SPACES}{_QUOTES}{''.join(_WIDE)}]")
_INDENTED = re.compile(rf"^ *[{_SPACES}]")
_MARKER = re.compile(r"^(<{7} .*|={7}|>{7} .*)$")
TEMPLATE = re.compile(r"\{\{\s*(.*?)\s*\}\}")

Stray = tuple[Span, str, str]
"""Where characters are that are not those that were meant; a message; a remedy."""


def stray(text: str, span: Span) -> Stray | None:
    """The message about a word, a value or a line, all of which stands in the span."""
    bullet = _BULLET.match(text)
    found = bullet or _STRAY.search(text)
    if not found:
        return None
    wrong = text[found.end() - 1]
    message = f"`{wrong}` stands where `{cleaned(wrong)}` is meant"
    if bullet:
        message = f"`{wrong}` begins no item of a list"
    elif re.match(f"[{_SPACES}]", wrong):
        kind = "an invisible character" if wrong in "\u200b\ufeff" else "a space of another kind"
        message = f"{kind} (U+{ord(wrong):04X}) stands here"
    return span, message, f"write `{cleaned(text)}`"


def cleaned(text: str) -> str:
    """The text with the characters that are meant."""
    whole = re.fullmatch(rf"[{_QUOTES}]([\w.]+)[{_QUOTES}]", text)
    if whole:
        return whole[1]
    text = _BULLET.sub(lambda found: f"{found['indent']}-", text)
    text = re.sub("[\u200b\ufeff]", "", text)
    text = re.sub(f"[{_SPACES}]", " ", text)
    text = re.sub(f"[{_QUOTES}]", "'", text)
    return "".join(_WIDE.get(character, character) for character in text)


def stray_lines(source: Source, lines: Sequence[int] = ()) -> list[Stray]:
    """Messages about lines that begin with such a character; about all of `lines` if given."""
    found = []
    for number in lines or range(1, len(source.lines) + 1):
        line = source.lines[number - 1].partition(" #")[0].rstrip()
        if lines or _BULLET.match(line) or _INDENTED.match(line):
            start = len(line) - len(line.lstrip(" "))
            span = Span(source, number, start + 1, number, len(line) + 1)
            told = stray(line[start:], span)
            found += [told] if told else []
    return found


def conflict(source: Source) -> Stray | None:
    """The message about a merge of versions that was left half done."""
    for number, line in enumerate(source.lines, start=1):
        if _MARKER.match(line):
            span = Span(source, number, 1, number, len(line) + 1)
            help = "keep one side, and remove the lines with `<<<<<<<`, `=======` and `>>>>>>>`"
            return span, "a conflict between two versions is not resolved", help
    return None
