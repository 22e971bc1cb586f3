"""What is written for a column: a constant, an expression, or a variable of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cnndsl.importer.columns import collapsed, depth, innermost, literal, plain, prefix
from cnndsl.importer.conditions import condition
from cnndsl.importer.formulas import channels_formula
from cnndsl.importer.terms import ABSENT, Channels, Column, Rows, Term, filled, mapped, values
from cnndsl.importer.variables import (
    Code,
    Kind,
    Mix,
    Variable,
    code,
    compatible,
    equal,
    even_growth,
    snake,
    uniform,
)

FEW = 8
"""Up to so many rounds, their numbers are listed."""


@dataclass
class Frame:
    """A loop that is being written, or the block (or network) that all stands in."""

    variables: list[Variable] = field(default_factory=list)
    counter: Variable | None = None
    count: Column = ()


class Chooser:
    """The variables of one block, or of the network, and of the loops around the current node."""

    def __init__(self, entry: Column) -> None:
        self.frames = [Frame()]
        self.entry = entry
        """The channels that enter the block, by instance; empty for the network."""
        self.entered = Variable("channels", "channels", entry)
        """The same as a value of the block's `let`, which is written where something reads it."""
        self.labels: list[str] = []
        self.around: list[Column] = []
        """Of the nodes that the current one stands in, for whom they are present."""
        self.letters: set[str] = set()
        """Counters of the loops within the outermost."""
        self.every: list[Variable] = []
        """All variables of parameters and columns."""

    @property
    def depth(self) -> int:
        return len(self.frames) - 1

    def value(
        self,
        column: Column,
        hint: str,
        kind: Kind,
        term: Term | None = None,
        *,
        kernel: Any = None,
        block: str = "",
    ) -> Any:
        """A value that serves all instances and rounds: a constant or an expression."""
        if uniform(column):
            found = next(values(column), None)
            return (
                code("x.channels", column=column) if isinstance(found, Channels) else plain(found)
            )
        known = self.known(column, hint, kind, term, kernel)
        if known is not None:
            return known
        grown = self.growing(column)
        if grown is not None:
            return grown
        while self.steady(column):
            column = collapsed(column)
        level = depth(column)
        if level == 0:
            return self.variable(column, hint, kind, block)
        if not uniform(self.frames[level].count):
            parted = self.first_and_rest(column, hint, kind, block)
            if parted is not None:
                return parted
        return self.variable(column, hint, kind, block)

    def known(
        self, column: Column, hint: str, kind: Kind, term: Term | None, kernel: Any
    ) -> Code | None:
        """An expression of variables that are there already."""
        for variable in self.visible():
            alike = variable.hint == hint or (kind == "channels" == variable.kind)
            if not alike or variable.kind == "flag" or len(variable.column) != len(column):
                continue
            if depth(variable.column) > depth(column):
                continue
            if equal(column, variable.column):
                return code(variable, column=column)
            fills = not variable.nullable and depth(variable.column) == depth(column)
            if fills and variable.hint == hint and compatible(column, variable.column):
                variable.column = filled(variable.column, column)
                return code(variable, column=column)
        if isinstance(kernel, Code) and kernel.column:
            halves = mapped(lambda k: k // 2 if isinstance(k, int) else ABSENT, kernel.column)
            if equal(column, halves):
                return code(kernel, " // 2", column=column)
        if kind == "channels" and term is not None:
            return channels_formula(self, column, term)
        return None

    def visible(self) -> Iterator[Variable]:
        for frame in self.frames:
            yield from frame.variables

    def variable(self, column: Column, hint: str, kind: Kind, block: str = "") -> Code:
        """A new parameter of the block, or a new column of a loop."""
        label = "_".join(label for label in self.labels if label)
        variable = Variable(hint, kind, column, label, block)
        self.frames[depth(column)].variables.append(variable)
        self.every.append(variable)
        return code(variable, column=column)

    def growing(self, column: Column) -> Code | None:
        """`(0.2 * i / 16)`: a number that grows evenly from round to round, as in EfficientNet."""
        level = depth(column)
        if len(column) != 1 or level not in (1, 2) or level != self.depth:
            return None
        stages = [column[0]] if level == 1 else list(column[0])
        if any(not isinstance(stage, Rows) for stage in stages):
            return None
        flat = [value for stage in stages for value in stage]
        found = even_growth(flat)
        if found is None:
            return None
        most, last = found
        if level == 1:
            return code(f"{most} * ", self.counter(1), f" / {last}", column=column)
        starts = Rows(sum(map(len, stages[:n])) for n in range(len(stages)))
        start = self.value((starts,), "start", "other")
        told = code("(", start, " + ", self.counter(2), ")") if isinstance(start, Code) else None
        return told and code(f"{most} * ", told, f" / {last}", column=column)

    def steady(self, column: Column) -> bool:
        """Whether the value is the same for all rounds of the innermost loop."""
        return depth(column) > 0 and all(
            len({repr(v) for v in rows if v is not ABSENT}) <= 1 for rows in innermost(column)
        )

    def first_and_rest(self, column: Column, hint: str, kind: Kind, block: str) -> Code | None:
        """`(a if i == 0 else b)`, where only the first round differs."""
        rows = list(innermost(column))
        if any(ABSENT in r for r in rows) or max(map(len, rows)) < 3:
            return None
        if any(len({repr(v) for v in r[1:]}) > 1 for r in rows):
            return None
        rest = {repr(r[1]) for r in rows if len(r) > 1}
        if len(rest) != 1:
            return None
        later = next(r[1] for r in rows if len(r) > 1)
        first = self.value(collapsed(column), hint, kind, block=block)
        counter = self.counter(depth(column))
        told = first if isinstance(first, Code) else literal(first)
        return code(told, " if ", counter, f" == 0 else {literal(later)}", column=column)

    def counter(self, level: int) -> Variable:
        """The counter of a loop, whose letter no other loop around or within it has."""
        frame = self.frames[level]
        if frame.counter is None:
            letter = next(letter for letter in "ijklmn" if letter not in self.letters)
            self.letters.add(letter)
            frame.counter = Variable(letter, "other", (), name=letter)
        return frame.counter

    def numbered_name(self, column: Column) -> Mix:
        """`layer$stage` for layer1, layer2 …"""
        word = prefix([str(v) for v in values(column)])
        numbers = mapped(lambda v: v if v is ABSENT else int(str(v)[len(word) :]), column)
        rows = list(innermost(numbers))
        start = rows[0][0]
        ordered = all(all(n in (ABSENT, start + i) for i, n in enumerate(r)) for r in rows)
        listed = self.depth == 1 and len(rows[0]) <= FEW and start != 0
        if ordered and not listed:
            counter = self.counter(depth(column))
            told = code(counter) if start == 0 else code(counter, f" + {start}")
            return Mix((word, told))
        known = self.value(numbers, "stage", "other")
        return Mix((word, known if isinstance(known, Code) else str(known)))

    def condition(self, wanted: Column, term: Term, own: list[Variable]) -> Code:
        found = condition(self, wanted, term, own)
        if found is not None:
            return found
        while self.steady(wanted):
            wanted = collapsed(wanted)
        label = next((label for label in reversed(self.labels) if label), "")
        hint = _word(term) or label or term.kind
        return self.variable(wanted, hint, "flag")


def _word(term: Term) -> str:
    return snake(term.head_text) if term.kind in ("op", "call") else ""
