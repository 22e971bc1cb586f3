"""The ends of a text's lines: one kind within the editor, and on disk as each line had it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

_END = re.compile("\r\n|\r|\n")
MAX_COMPARED = 10_000
"""Changed lines among which equal ones are looked for."""


def plain_ends(text: str) -> str:
    """The text with `\\n` after each line."""
    return _END.sub("\n", text)


def ends_of(before: str, text: str) -> str:
    """The text with the ends of `before`: a line that stays keeps its own, a new one takes that of
    the line above."""
    ends = _END.findall(before) or ["\n"]
    lines = plain_ends(text).split("\n")
    if len(set(ends)) == 1:
        return str(ends[0]).join(lines)
    kept = {new: ends[old] for old, new in _pairs(_END.split(before), lines) if old < len(ends)}
    end, written = ends[0], ""
    for number, line in enumerate(lines[:-1]):
        end = kept.get(number, end)
        written += line + end
    return written + lines[-1]


def _pairs(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The numbers of lines that stay, in `old` and in `new`."""
    shorter = min(len(old), len(new))
    head = next((i for i in range(shorter) if old[i] != new[i]), shorter)
    rest = shorter - head
    tail = next((i for i in range(rest) if old[-1 - i] != new[-1 - i]), rest)
    yield from zip(range(head), range(head), strict=True)
    middle = old[head : len(old) - tail], new[head : len(new) - tail]
    if max(map(len, middle)) <= MAX_COMPARED:
        for block in SequenceMatcher(None, *middle).get_matching_blocks():
            for i in range(block.size):
                yield head + block.a + i, head + block.b + i
    yield from ((len(old) - i, len(new) - i) for i in range(tail, 0, -1))
