"""The profile of a network → its picture: bars for memory, parameters and multiply-adds."""

from __future__ import annotations

from collections.abc import Sequence

from cnndsl.amounts import seen, size
from cnndsl.compare.drawing import GRID, INK, MUTED, Box, Line, Sheet, Words, width_of
from cnndsl.compare.profile import Measure, Part, Profile, measures
from cnndsl.ops.base import Family
from cnndsl.summary import title

ROW, BAR, TOP, EDGE = 19.0, 12.0, 86.0, 20.0
PANEL, BETWEEN = 250.0, 28.0
NAME = 10.5
# Of different lightness, too, so that they are told apart in print and by all readers.
CONVOLUTION, LINEAR, POOLING, FOLDED, OTHER = "#0b3c6f", "#d55e00", "#f5e663", "#7fb2d9", "#c4c4c4"
COLOURS = {
    Family.CONVOLUTION: CONVOLUTION,
    Family.LINEAR: LINEAR,
    Family.POOLING: POOLING,
    None: FOLDED,
}
LEGEND = (
    ("convolution", CONVOLUTION),
    ("linear", LINEAR),
    ("pooling", POOLING),
    ("several layers", FOLDED),
    ("other", OTHER),
)


def bars(found: Profile) -> Sheet:
    """A row a part, in the order they run, and a panel for each of the three figures."""
    parts = found.parts
    labels = max(width_of(part.path, NAME) for part in parts) + 8
    shapes = max(width_of(str(part.shape), NAME) for part in parts) + 16
    left = EDGE + labels + shapes
    shown = measures(parts)
    width = left + len(shown) * (PANEL + BETWEEN)
    sheet = Sheet(width, TOP + ROW * len(parts) + EDGE + 10)
    heading(sheet, found, parts)
    for index, part in enumerate(parts):
        line = TOP + ROW * (index + 1) - 5
        sheet.add(Words(EDGE, line, part.path, NAME))
        sheet.add(Words(EDGE + labels + shapes - 16, line, str(part.shape), NAME, "end", MUTED))
    for index, measure in enumerate(shown):
        panel(sheet, left + index * (PANEL + BETWEEN), measure, parts)
    return sheet


def heading(sheet: Sheet, found: Profile, parts: Sequence[Part]) -> None:
    memory, field = found.costs.memory, found.costs.field
    told = f"inference holds {size(memory.inference)} at most, while {memory.peak.path} runs"
    told += f"; depth {found.costs.depth}"
    if field and field.window:
        told += f"; receptive field {seen(field.window, field.size)}"
    sheet.add(Words(EDGE, 26, title(found.graph), 14, bold=True), Words(EDGE, 44, told, 11))
    x = sheet.width - EDGE
    used = {COLOURS.get(part.family, OTHER) for part in parts}
    for word, colour in reversed(LEGEND):
        if colour in used:
            x -= width_of(word, 10.5)
            sheet.add(Words(x, 26, word, 10.5, "start", MUTED), Box(x - 15, 17, 10, 10, colour))
            x -= 30


def panel(sheet: Sheet, left: float, measure: Measure, parts: Sequence[Part]) -> None:
    """Bars of one figure, the longest for the largest part, with figures where there is room."""
    total = f"{measure.name}: {measure.words(measure.total)}"
    bottom = TOP + ROW * len(parts) + 6
    sheet.add(Words(left, TOP - 12, total, 11.5, bold=True))
    sheet.add(Line(((left, TOP - 2), (left, bottom)), MUTED))
    room = PANEL - width_of("00.0 MB  00%", 9.5) - 4
    for index, (part, figure) in enumerate(zip(parts, measure.figures, strict=True)):
        top = TOP + ROW * index
        sheet.add(Line(((left, top + ROW - 0.5), (left + PANEL, top + ROW - 0.5)), GRID, 0.6))
        if not figure:
            continue
        length = max(1.0, room * figure / measure.most)
        share = figure / measure.total
        told = f"{part.path} ({part.what}): {measure.words(figure)}, {share:.1%}"
        colour = COLOURS.get(part.family, OTHER)
        sheet.add(Box(left, top + (ROW - BAR) / 2, length, BAR, colour, told))
        if share >= 0.005:
            words = f"{measure.words(figure)}  {share:.0%}"
            sheet.add(Words(left + length + 5, top + ROW - 5.5, words, 9.5, fill=INK))
