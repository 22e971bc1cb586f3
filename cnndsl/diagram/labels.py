"""The text of boxes and groups, line by line, with its size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cnndsl.diagram.metrics import text_width
from cnndsl.diagram.plan import Box, Group, Kind, Mark, Was

NAME, WORDS, TITLE = 11.0, 10.0, 16.0
"""Sizes of a font: of names, of all other words, of the heading."""
FIRST_LINE, NEXT_LINE = 14.0, 13.0
PADDING, STRIPE = 7.0, 5.0
"""Left and right of a box's text, and the bar of its colour at the left."""
ABOVE, BELOW = 4.0, 5.0
SPACE = 10.0
"""Between a name and the shape."""
MAX_LINE, MAX_LINES = 36, 3
"""Characters of a line of words, and how many lines they take at the most."""
_OUTER_COMMA = re.compile(r", (?![^\[]*\])")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a box: `name` in bold, then words, and the `shape` at the right end."""

    name: str = ""
    words: str = ""
    shape: str = ""

    @property
    def width(self) -> float:
        parts = (
            text_width(self.name, NAME, bold=True),
            text_width(self.words, WORDS),
            text_width(self.shape, WORDS),
        )
        filled = [part for part in parts if part]
        return sum(filled) + SPACE * (len(filled) - 1)


@dataclass(frozen=True, slots=True)
class Label:
    """All lines of a box, and how large it is for them."""

    lines: tuple[Line, ...]
    width: float
    height: float


def label(box: Box) -> Label:
    """The bold name left and the shape right; below, what is computed, and what was before."""
    head, rest = head_and_rest(box)
    times = f" ×{box.times}" if box.times > 1 else ""
    first = Line(name=f"{signed(box.mark)}{head}{times}", shape=box.shape)
    lines = (first, *(_changed(box.was, rest, box.shape) if box.was else _plain(rest)))
    stripe = STRIPE if has_stripe(box) else 0
    width = max(line.width for line in lines) + 2 * PADDING + stripe
    height = ABOVE + FIRST_LINE + NEXT_LINE * (len(lines) - 1) + BELOW
    return Label(lines, round(width, 1), height)


def signed(mark: Mark | None) -> str:
    """The sign of what became of something, before its name."""
    return f"{mark.sign} " if mark and mark.sign else ""


def _plain(rest: str) -> Iterator[Line]:
    yield from (Line(words=part) for part in _wrap(rest))


def _changed(was: Was, rest: str, shape: str) -> Iterator[Line]:
    """What a box said before and says now, as lines of a difference."""
    old_shape = was.shape if was.shape != shape else ""
    if was.now:
        yield from _plain(rest)
    if was.words or old_shape:
        yield Line(words=f"– {was.words}".rstrip(), shape=old_shape)
    if was.now or (was.words and rest):
        yield Line(words=f"+ {was.now or rest}")
    elif rest:
        yield from _plain(rest)


def head_and_rest(box: Box) -> tuple[str, str]:
    """The bold words of a box and those below: the op's name is left out where it is the name."""
    if not box.name:
        return box.op, box.text
    if box.name.replace("_", "").lower() == box.op.lower():
        return box.name, box.text
    return box.name, f"{box.op} {box.text}".strip()


def tooltip(box: Box) -> str:
    """The whole path of a box, and what it says."""
    head, rest = head_and_rest(box)
    words = f"{head} {rest}".strip()
    return f"{box.id}: {words}" if words else box.id


def _wrap(text: str) -> Iterator[str]:
    """The text in lines of about MAX_LINE characters, cut behind commas, but not within a list."""
    line, count = "", 1
    head, plus, fused = text.partition(" + ")
    if len(text) > MAX_LINE and plus and len(head) < MAX_LINE:
        yield from (head, f"+ {fused}")
        return
    for part in _OUTER_COMMA.split(text) if text else ():
        longer = f"{line}, {part}" if line else part
        if line and len(longer) > MAX_LINE:
            if count == MAX_LINES:
                yield f"{line}, …"
                return
            yield f"{line},"
            longer, count = part, count + 1
        line = longer
    if line:
        yield line


@dataclass(frozen=True, slots=True)
class Title:
    """The title of a group: its name in bold, and words behind it."""

    name: str
    words: str

    @property
    def width(self) -> float:
        words = text_width(self.words, WORDS)
        return round(text_width(self.name, NAME, bold=True) + (6 + words if words else 0), 1)


def title(group: Group) -> Title:
    """What a group is called: a block whose name is a number by the block."""
    numbered = group.name.replace("…", "").isdigit()
    names = (group.name, group.block)
    name, other = reversed(names) if group.block and numbered else names
    times = f" ×{group.times}" if group.times > 1 else ""
    notes = [other, "training only" if group.train_only else ""]
    return Title(signed(group.mark) + name + times, " · ".join(note for note in notes if note))


def is_joint(box: Box) -> bool:
    """Whether a box only joins branches: it is drawn as small as its words."""
    return box.kind is Kind.MERGE


def has_stripe(box: Box) -> bool:
    """Whether a box has a bar of its colour at the left; small round ones have not."""
    return box.kind.explained and not is_joint(box)
