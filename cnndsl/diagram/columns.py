"""A diagram that would be too tall for a page → the places where columns begin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from cnndsl.diagram.geometry import Block, Breaks, Measures, lay_out
from cnndsl.diagram.wiring import is_port

MAX_COLUMNS, MAX_OUTER, MAX_NETS = 7, 3, 4
"""How many columns are tried, how many of the whole around a group that stands in columns, and in
how many groups within each other."""
WIDER = 0.03
"""How much worse each column makes a diagram."""
SHORTER = 0.72
"""How long a diagram in columns may be at the most, as a share of its length in one."""
LEAST = 0.08
"""How long a column is at the least, as a share of the longest: none holds the input alone."""
MOST = 0.4
"""Share of the length above which a group is tried in columns of its own."""

Places = frozenset[tuple[str, tuple[int, ...]]]
"""Where the columns of nets begin, as a key."""


@dataclass(frozen=True, slots=True)
class Page:
    """What proportions are wanted, length over breadth, for a diagram that grows along its length.

    One that is no longer than `short`, or no longer for its breadth than `longest`, stays whole;
    several columns are to fill a page of the proportions `goal`.
    """

    short: float
    longest: float
    goal: float


DOWN, ACROSS = Page(860.0, 1.7, 1.1), Page(1150.0, 6.0, 2.2)


def in_columns(measures: Measures, columns: int | None) -> Breaks:
    """Where columns begin; without their number, the choice that fills a page best."""
    trials = _Trials(measures)
    if columns is not None:
        return trials.breaks("", max(columns, 1), {})
    page = ACROSS if measures.across else DOWN
    breadth, length = trials.size({})
    if length <= max(page.short, page.longest * breadth):
        return {}
    worth = [one for one in trials.options() if trials.size(one)[1] <= SHORTER * length]
    return min(worth, key=lambda breaks: trials.largeness(breaks, page), default={})


@dataclass
class _Trials:
    """Layouts of one diagram with columns that begin here and there, each made once."""

    measures: Measures
    sizes: dict[Places, tuple[float, float]] = field(default_factory=dict)
    """Breadth and length by where columns begin."""
    last: tuple[Places, Mapping[str, Block]] | None = None

    def laid(self, breaks: Breaks) -> Mapping[str, Block]:
        places = _places(breaks)
        if self.last is None or self.last[0] != places:
            self.last = places, lay_out(self.measures, breaks)
            whole = self.last[1][""]
            self.sizes[places] = whole.left + whole.right, whole.length
        return self.last[1]

    def size(self, breaks: Breaks) -> tuple[float, float]:
        if _places(breaks) not in self.sizes:
            self.laid(breaks)
        return self.sizes[_places(breaks)]

    def largeness(self, breaks: Breaks, page: Page) -> float:
        """How broad the page is that it needs."""
        breadth, length = self.size(breaks)
        columns = 1 + sum(len(places) for places in breaks.values())
        return max(breadth, length / page.goal) * (1 + WIDER * columns)

    def options(self) -> Iterator[Breaks]:
        for net in self.candidates():
            inner = [self.breaks(net, count, {}) for count in range(2, MAX_COLUMNS + 1)]
            for breaks in inner:
                yield breaks
                for outer in range(2, MAX_OUTER + 1) if net else ():
                    yield {**breaks, **self.breaks("", outer, breaks)}

    def candidates(self) -> Iterator[str]:
        """The whole, and the groups that are most of the length of what they are in."""
        blocks, net = self.laid({}), ""
        for _ in range(MAX_NETS):
            yield net
            parts = [p for p in self.measures.structures[net].parts if isinstance(p, str)]
            inner = [part for part in parts if part in self.measures.nets]
            longest = max(inner, key=lambda part: blocks[part].length, default="")
            if not longest or blocks[longest].length < MOST * blocks[net].length:
                return
            net = longest

    def breaks(self, net: str, columns: int, given: Breaks) -> Breaks:
        """The places for at most so many columns, the longest as short as can be."""
        block = self.laid(given)[net]
        parts = self.measures.structures[net].parts
        # A column may begin where one wire leads from an item to the next.
        single = Counter((wire.source, wire.target) for wire in self.measures.nets[net].wires)
        places = [
            index
            for index, ends in enumerate(pairwise(parts), 1)
            if single[str(ends[0]), str(ends[1])] == 1
            and not any(is_port(str(end)) for end in ends)
        ]
        tops = [block.spots[str(parts[place])].y for place in places]
        best = _shortest(places, tops, block.length, columns)
        ends = [0.0, *(block.spots[str(parts[place])].y for place in best), block.length]
        lengths = [b - a for a, b in pairwise(ends)]
        return {net: best} if best and min(lengths) >= LEAST * max(lengths) else {}


def _places(breaks: Breaks) -> Places:
    return frozenset((net, tuple(places)) for net, places in breaks.items())


def _shortest(
    places: Sequence[int], tops: Sequence[float], length: float, columns: int
) -> tuple[int, ...]:
    """At most so many columns, the longest as short as can be."""
    low, high = 0.0, length
    best: tuple[int, ...] = ()
    for _ in range(24):
        middle = (low + high) / 2
        found = _fill(places, tops, length, middle)
        if found is not None and len(found) < columns:
            best, high = found, middle
        else:
            low = middle
    return best


def _fill(
    places: Sequence[int], tops: Sequence[float], length: float, limit: float
) -> tuple[int, ...] | None:
    """Columns filled one after the other up to the limit; None where a part is longer."""
    found: list[int] = []
    start = 0.0
    for index, place in enumerate(places):
        end = tops[index + 1] if index + 1 < len(places) else length
        if end - start > limit and tops[index] > start:
            found.append(place)
            start = tops[index]
        if end - start > limit:
            return None
    return tuple(found)
