"""A diagram that would be too tall for a page → the places where columns begin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cnndsl.diagram.geometry import Breaks, Measures, lay_out
from cnndsl.diagram.wiring import is_port

MAX_COLUMNS, MAX_OUTER = 7, 3
"""How many columns are tried, and how many of the whole around a group that stands in columns."""
WIDER = 0.03
"""How much worse each column makes a diagram."""
SHORTER = 0.72
"""How long a diagram in columns may be at the most, as a share of its length in one."""
LEAST = 0.08
"""How long a column is at the least, as a share of the longest: none holds the input alone."""
MOST = 0.4
"""Share of the length above which a group is tried in columns of its own."""


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
    if columns is not None:
        return _breaks(measures, "", max(columns, 1), {})
    page = ACROSS if measures.across else DOWN
    breadth, length = _size(measures, {})
    if length <= max(page.short, page.longest * breadth):
        return {}
    worth = [one for one in _options(measures) if _size(measures, one)[1] <= SHORTER * length]
    return min(worth, key=lambda breaks: _largeness(measures, breaks, page), default={})


def _options(measures: Measures) -> Iterator[Breaks]:
    for net in _candidates(measures):
        for count in range(2, MAX_COLUMNS + 1):
            breaks = _breaks(measures, net, count, {})
            yield breaks
            for outer in range(2, MAX_OUTER + 1) if net else ():
                yield {**breaks, **_breaks(measures, "", outer, breaks)}


def _size(measures: Measures, breaks: Breaks) -> tuple[float, float]:
    block = lay_out(measures, breaks)[""]
    return block.left + block.right, block.length


def _largeness(measures: Measures, breaks: Breaks, page: Page) -> float:
    """How broad the page is that it needs."""
    breadth, length = _size(measures, breaks)
    columns = 1 + sum(len(places) for places in breaks.values())
    return max(breadth, length / page.goal) * (1 + WIDER * columns)


def _candidates(measures: Measures) -> Iterator[str]:
    """The whole, and the groups that are most of the length of what they are in."""
    blocks, net = lay_out(measures, {}), ""
    while True:
        yield net
        parts = [p for p in measures.structures[net].parts if isinstance(p, str)]
        inner = [part for part in parts if part in measures.nets]
        longest = max(inner, key=lambda part: blocks[part].length, default="")
        if not longest or blocks[longest].length < MOST * blocks[net].length:
            return
        net = longest


def _breaks(measures: Measures, net: str, columns: int, given: Breaks) -> Breaks:
    """The places for at most so many columns, the longest as short as can be."""
    block = lay_out(measures, given)[net]
    parts = measures.structures[net].parts
    # A column may begin where one wire leads from an item to the next.
    single = Counter((wire.source, wire.target) for wire in measures.nets[net].wires)
    places = [
        index
        for index, ends in enumerate(pairwise(parts), 1)
        if single[str(ends[0]), str(ends[1])] == 1 and not any(is_port(str(end)) for end in ends)
    ]
    tops = [block.spots[str(parts[place])].y for place in places]
    low, high = 0.0, block.length
    best: tuple[int, ...] = ()
    for _ in range(24):
        middle = (low + high) / 2
        found = _fill(places, tops, block.length, middle)
        if found is not None and len(found) < columns:
            best, high = found, middle
        else:
            low = middle
    ends = [0.0, *(block.spots[str(parts[place])].y for place in best), block.length]
    lengths = [b - a for a, b in pairwise(ends)]
    return {net: best} if best and min(lengths) >= LEAST * max(lengths) else {}


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
