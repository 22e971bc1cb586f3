"""The variables of one forward pass: which are in use, and the first free one of a word."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from heapq import heappop, heappush

from cnndsl.plan.words import RESERVED


class Variables:
    """Names that values have, each until it is dropped; as many are found as fast as few."""

    def __init__(self, foreign: Collection[str] = ()) -> None:
        self.foreign = foreign
        """Names that stand for something else in the source."""
        self.live: set[str] = set()
        self.next: dict[str, int] = {}
        """For a word the number from which on it was never tried."""
        self.dropped: dict[str, list[int]] = {}
        """For a word the smaller numbers that were dropped since, the least one first."""

    def hold(self, name: str) -> str:
        self.live.add(name)
        return name

    def drop(self, name: str) -> None:
        if name in self.live:
            self.live.remove(name)
            for word, number in _readings(name):
                if number < self.next.get(word, 1):
                    heappush(self.dropped.setdefault(word, []), number)

    def new(self, word: str) -> str:
        """`word`, or with the least number behind it, whatever is not in use."""
        word = word or "out"
        for number in self.numbers(word):
            name = word if number == 1 else f"{word}{number}"
            if not (name in self.live or name in RESERVED or name in self.foreign):
                return self.hold(name)
        raise AssertionError("there is always a next number")

    def numbers(self, word: str) -> Iterator[int]:
        dropped = self.dropped.get(word, [])
        while dropped:
            yield heappop(dropped)
        while True:
            number = self.next.get(word, 1)
            self.next[word] = number + 1
            yield number


def _readings(name: str) -> Iterator[tuple[str, int]]:
    """The words and numbers that a name can be made of: `out12` of `out` and of `out1` too."""
    yield name, 1
    place = len(name)
    while place > 1 and name[place - 1].isdigit():
        place -= 1
        if name[place] != "0":
            yield name[:place], int(name[place:])
