"""How the sizes of an output come about, as one writes it: `(28 + 2·0 − 5)/1 + 1 = 24`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

SIDES = ("channels", "height", "width")


@dataclass(frozen=True, slots=True)
class Sum:
    """How one dimension of an output is computed, numbers in place of sizes and arguments.

    `⌊…⌋` and `⌈…⌉` stand where something is rounded, and nowhere else.
    """

    axis: int
    text: str
    value: int | Fraction

    @property
    def fits(self) -> bool:
        """Whether a dimension can have this size."""
        return self.value >= 1 and self.value == self.value // 1

    def __str__(self) -> str:
        return f"{self.text} = {_mixed(Fraction(self.value))}"


def worded(sums: Sequence[Sum], some: Sequence[Sum] | None = None) -> tuple[str, ...]:
    """A text for each of the sums, or for some of them.

    Equal ones are one; what dimension it is of stands before each, unless all have the same.
    """
    axes: dict[str, list[int]] = {}
    for one in sums:
        axes.setdefault(str(one), []).append(one.axis)
    told = dict.fromkeys(str(one) for one in (sums if some is None else some))
    if len(axes) == 1:
        return tuple(told)
    return tuple(f"{' = '.join(SIDES[axis] for axis in axes[text])} = {text}" for text in told)


def twice(before: int, after: int) -> str:
    """What is added at both ends of a side."""
    return f"2·{before}" if before == after else f"{before} + {after}"


def ratio(axis: int, size: int, factors: Sequence[int]) -> Sum:
    """A size that is divided, and must not leave a rest."""
    under = "·".join(map(str, factors))
    text = f"{size}/({under})" if len(factors) > 1 else f"{size}/{under}"
    return Sum(axis, text, Fraction(size, prod(factors)))


def product(axis: int, factors: Sequence[int]) -> Sum:
    return Sum(axis, "·".join(map(str, factors)), prod(factors))


def _mixed(value: Fraction) -> str:
    """A number with the typographic minus; what is no whole one as `2 + 1/4`."""
    whole, rest = divmod(value, 1)
    told = f"−{-whole}" if whole < 0 else str(whole)
    return f"{told} + {rest}" if rest else told
