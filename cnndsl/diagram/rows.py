"""What is no sequence and falls into no branches → rows, in which wires that pass have places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cnndsl.diagram.errors import Oversize
from cnndsl.diagram.wiring import Net

Reads = Mapping[str, Mapping[str, Sequence[int]]]
"""For each key other keys, and the numbers of the wires between them."""

MAX_PASSED = 8_000
"""How many places of wires in rows that they pass a net may have."""


@dataclass(frozen=True, slots=True)
class Web:
    """Rows of keys; wires that pass a row have a place in it, one for each value."""

    rows: tuple[tuple[str, ...], ...]


def via(web: str, value: int, row: int) -> str:
    return f"via/{value}/{row}/{web}"


def is_via(key: str) -> bool:
    return key.startswith("via/")


class Rows:
    """The keys in rows, each below all that it reads.

    `vias` are the places of the wires that pass rows or lead from one to another, by their numbers.
    """

    def __init__(self, net: Net, keys: Sequence[str], before: Reads, behind: Reads) -> None:
        self.net = net
        self.before = before
        self.name = keys[0]
        self.source = {wire.value: wire.source for wire in net.wires}
        self.vias: dict[int, tuple[str, ...]] = {}
        self.passed = 0
        own = set(keys)
        row: dict[str, int] = {}
        for key in keys:
            row[key] = 1 + max((row[s] for s in before[key] if s in own), default=-1)
        # Values leave a group at its lower border, below all rows.
        leaving = [key for key in keys if key.startswith("out/")]
        last = max(number + (key not in leaving) for key, number in row.items())
        row |= dict.fromkeys(leaving, last)
        self.rows: list[dict[str, None]] = [{} for _ in range(1 + max(row.values()))]
        for key in keys:
            self.rows[row[key]][key] = None
        for key in keys:
            for source, wires in before[key].items():
                self.passing(row.get(source, -1), row[key], wires)
            for target, wires in behind[key].items():
                if target not in own:
                    self.passing(row[key], len(self.rows), wires)

    def passing(self, start: int, end: int, wires: Sequence[int]) -> None:
        """Note the places of wires between two rows; -1 is above all, and the last below."""
        for number in wires:
            value = self.net.wires[number].value
            self.passed += max(0, end - start - 1)
            if self.passed > MAX_PASSED:
                raise Oversize(f"wires that pass more than {MAX_PASSED:,} places of other boxes")
            places = tuple(via(self.name, value, index) for index in range(start + 1, end))
            for index, place in zip(range(start + 1, end), places, strict=True):
                self.rows[index][place] = None
            if places or (start >= 0 and end < len(self.rows)):
                self.vias[number] = self.vias.get(number, ()) + places

    def web(self) -> Web:
        """The rows, each in the order of what it reads of the rows above."""
        place: dict[str, float] = {}
        found: list[tuple[str, ...]] = []
        for index, row in enumerate(self.rows):
            wish: dict[str, float] = {}
            for key in row:
                known = [place[name] for name in self.above(key, index) if name in place]
                wish[key] = sum(known) / len(known) if known else 0.5
            found.append(tuple(sorted(row, key=lambda key: wish[key])))
            place |= {key: (i + 0.5) / len(found[-1]) for i, key in enumerate(found[-1])}
        return Web(tuple(found))

    def above(self, key: str, row: int) -> Iterable[str]:
        """What leads to a key or place of a row, of all that can stand above it."""
        if is_via(key):
            value = int(key.split("/")[1])
            return self.source[value], via(self.name, value, row - 1)
        read = self.before[key]
        values = [self.net.wires[number].value for wires in read.values() for number in wires]
        return [*read, *(via(self.name, value, row - 1) for value in values)]
