"""Ranges of numbers, `16..128`, as a sweep tries them one after the other or draws from them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

_NUMBER = r"[-+]?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?::(.*))?")

ROUNDING = 1e-9
"""What a broken count of steps may lack for a whole one."""


class RangeError(ValueError):
    """A range that holds nothing; the message says why, `help` what would."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.help = help


@dataclass(frozen=True)
class Range:
    """The numbers from `low` to `high`, both included: each `step`-th, or any of them.

    Two whole numbers without a fraction stand for the whole numbers between them. `log` draws so
    that each power of ten is as likely as the next.
    """

    low: int | float
    high: int | float
    step: int | float | None = None
    log: bool = False

    @property
    def whole(self) -> bool:
        return all(isinstance(end, int) for end in (self.low, self.high, self.step or 1))

    @property
    def count(self) -> int | None:
        """How many numbers it holds; None where they lie densely."""
        step = self.step or (1 if self.whole else None)
        return None if step is None else math.floor((self.high - self.low) / step + ROUNDING) + 1

    def values(self) -> Iterator[int | float]:
        """Its numbers in order; it must not be dense."""
        assert self.count is not None
        return (self._at(place) for place in range(self.count))

    def draw(self, random: Random) -> int | float:
        """One number, with three digits where the numbers lie densely."""
        if self.log:
            half = 0.5 if self.whole else 0.0  # each whole number stands for those around it
            low, high = math.log(self.low - half), math.log(self.high + half)
            drawn = math.exp(random.uniform(low, high))
            return self._within(round(drawn) if self.whole else float(f"{drawn:.3g}"))
        if self.count is not None:
            return self._at(random.randrange(self.count))
        return self._within(float(f"{random.uniform(self.low, self.high):.3g}"))

    def _at(self, place: int) -> int | float:
        number = self.low + place * (self.step or 1)
        return number if self.whole else float(f"{number:.10g}")

    def _within(self, number: int | float) -> int | float:
        return min(max(number, self.low), self.high)


def read_range(text: str) -> Range | None:
    """The range that a text stands for, None where it looks like none; raises RangeError."""
    match = _RANGE.fullmatch(text)
    if not match:
        return None
    low, high, how = _number(match[1]), _number(match[2]), match[3]
    if low > high:
        raise RangeError(
            f"{text} holds no number", f"the smaller one stands first: {match[2]}..{match[1]}"
        )
    if how is None:
        return Range(low, high)
    if how == "log":
        if low <= 0:
            raise RangeError(f"a logarithmic range begins above 0, not at {match[1]}")
        return Range(low, high, log=True)
    if not re.fullmatch(_NUMBER, how) or _number(how) <= 0:
        raise RangeError(
            f"`{how}` is no step", f"as in {match[1]}..{match[2]}:2, or :log for a logarithmic one"
        )
    return Range(low, high, _number(how))


def _number(text: str) -> int | float:
    return int(text) if re.fullmatch(r"[-+]?[0-9]+", text) else float(text)


def size(value: Any) -> int | None:
    """How many values a value with ranges in it stands for; None where they lie densely."""
    if isinstance(value, Range):
        return value.count
    if not isinstance(value, list):
        return 1
    sizes = [size(item) for item in value]
    return None if None in sizes else math.prod(filter(None, sizes))


def spelled(value: Any) -> Iterator[Any]:
    """The values that a value with ranges in it stands for, in order; none may be dense."""
    if isinstance(value, Range):
        yield from value.values()
    elif isinstance(value, list) and value:
        for first in spelled(value[0]):
            yield from ([first, *rest] for rest in spelled(value[1:]))
    else:
        yield value


def drawn(value: Any, random: Random) -> Any:
    """The value with a number for each range in it."""
    if isinstance(value, Range):
        return value.draw(random)
    return [drawn(item, random) for item in value] if isinstance(value, list) else value


def ends(value: Any) -> Iterator[Any]:
    """The value with the low end of each range in it, then with the high one."""
    for end in ("low", "high"):
        yield _at_end(value, end)


def _at_end(value: Any, end: str) -> Any:
    if isinstance(value, Range):
        return getattr(value, end)
    return [_at_end(item, end) for item in value] if isinstance(value, list) else value
