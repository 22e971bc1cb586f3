"""Figure → SVG; equal figures give equal text."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import pairwise

from cnndsl.diagram.figure import Area, Figure, PlacedBox, PlacedGroup
from cnndsl.diagram.heading import Heading, heading
from cnndsl.diagram.labels import (
    ABOVE,
    FIRST_LINE,
    NAME,
    NEXT_LINE,
    PADDING,
    STRIPE,
    WORDS,
    has_stripe,
    tooltip,
)
from cnndsl.diagram.metrics import FONTS, text_width
from cnndsl.diagram.plan import Mark
from cnndsl.diagram.routes import Line, Point
from cnndsl.diagram.theme import Theme

MARGIN = 16.0
ROUND, CORNER = 6.0, 7.0
"""Radii of boxes' corners, and of lines' turns."""
STACK = 3.0
"""How far the cards of a repeated block lie behind each other."""
ARROW = 6.0


def write_svg(figure: Figure, theme: Theme) -> str:
    """The figure with its heading and legend as an SVG document."""
    head = heading(figure.plan, theme)
    width = max(figure.width, head.width) + 2 * MARGIN
    height = figure.height + head.height + 2 * MARGIN
    left = (width - figure.width) / 2
    parts = [
        *_heading(head, theme),
        f'<g transform="translate({_at(left, MARGIN + head.height)})">',
        *(part for group in figure.groups for part in _group(group, theme)),
        *(_line(line, theme, figure.across) for line in figure.lines),
        *(part for box in figure.boxes for part in _box(box, theme)),
        "</g>",
    ]
    body = "\n".join(part for part in parts if part)
    about = printable(figure.plan.about or figure.plan.title)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(width)}" height="{_n(height)}" '
        f'viewBox="0 0 {_n(width)} {_n(height)}" role="img" font-family="{FONTS}" '
        f'font-size="{_n(WORDS)}">\n'
        f"<title>{escape(about)}</title>\n"
        f'<rect width="{_n(width)}" height="{_n(height)}" fill="{theme.background}"/>\n'
        f"{body}\n</svg>\n"
    )


def _n(number: float) -> str:
    """A length with at most one decimal."""
    return f"{number:.1f}".removesuffix(".0")


def text(
    words: str, x: float, y: float, color: str, size: float = WORDS, *, bold: bool = False,
    end: bool = False,
) -> str:  # fmt: skip
    """A line of text; its length is given, so that another font takes the same room."""
    if not words:
        return ""
    shown = printable(words)
    width = text_width(shown, size, bold)
    x = x - width if end else x
    weight = ' font-weight="bold"' if bold else ""
    scale = f' font-size="{_n(size)}"' if size != WORDS else ""
    return (
        f'<text x="{_n(x)}" y="{_n(y)}" fill="{color}"{scale}{weight} '
        f'textLength="{_n(width)}">{escape(shown)}</text>'
    )


def printable(words: str) -> str:
    """Text without the characters that XML cannot hold."""
    return "".join(c if c.isprintable() else " " for c in words)


# --- boxes ---


def _box(placed: PlacedBox, theme: Theme) -> Iterator[str]:
    box, area, paint = placed.box, placed.area, theme.paint(placed.box)
    yield f'<g class="{box.kind.name.lower()}"><title>{escape(printable(tooltip(box)))}</title>'
    dash = _dash(box.train_only, box.mark)
    radius = ROUND if has_stripe(box) else 11.0
    for step in (2, 1) if box.times > 1 else ():
        card = Area(area.x + STACK * step, area.y + STACK * step, area.width, area.height)
        yield _rect(card, radius, theme.background, paint.border)
    yield _rect(area, radius, paint.fill, paint.border, dash)
    if has_stripe(box):
        yield _stripe(area, paint.border)
    yield from _label(placed, theme)
    yield "</g>"


def _dash(train_only: bool, mark: Mark | None) -> str:
    if mark is Mark.REMOVED:
        return ' stroke-dasharray="2 3"'
    return ' stroke-dasharray="4 3"' if train_only else ""


def _rect(area: Area, radius: float, fill: str, border: str, more: str = "") -> str:
    place = f'x="{_n(area.x)}" y="{_n(area.y)}" width="{_n(area.width)}" height="{_n(area.height)}"'
    return f'<rect {place} rx="{_n(radius)}" fill="{fill}" stroke="{border}"{more}/>'


def _stripe(area: Area, color: str) -> str:
    """The bar of the kind's colour along the left side."""
    inner = area.height - 2 * ROUND
    return (
        f'<path d="M{_n(area.x + ROUND)} {_n(area.y)}a{_n(ROUND)} {_n(ROUND)} 0 0 0 '
        f"{_n(-ROUND)} {_n(ROUND)}v{_n(inner)}a{_n(ROUND)} {_n(ROUND)} 0 0 0 {_n(ROUND)} "
        f'{_n(ROUND)}z" fill="{color}"/>'
    )


def _label(placed: PlacedBox, theme: Theme) -> Iterator[str]:
    area = placed.area
    stripe = STRIPE if has_stripe(placed.box) else 0
    left, right = area.x + stripe + PADDING, area.x + area.width - PADDING
    lines = placed.label.lines
    color = theme.muted if placed.box.mark is Mark.SAME else theme.text
    y = area.y + (area.height - placed.label.height) / 2 + ABOVE + 0.75 * FIRST_LINE
    for line in lines:
        yield text(line.name, left, y, color, NAME, bold=True)
        yield text(line.words, left, y, color)
        yield text(line.shape, right, y, theme.muted, end=True)
        y += NEXT_LINE


# --- groups ---


def _group(placed: PlacedGroup, theme: Theme) -> Iterator[str]:
    group, area = placed.group, placed.area
    fill = theme.clusters[placed.depth % len(theme.clusters)]
    yield f"<g><title>{escape(printable(group.id))}</title>"
    border = theme.marks[group.mark].border if group.mark else theme.cluster_border
    for step in (2, 1) if group.times > 1 else ():
        card = Area(area.x + STACK * step, area.y + STACK * step, area.width, area.height)
        yield _rect(card, ROUND, theme.background, border)
    yield _rect(area, ROUND, fill, border, _dash(group.train_only, group.mark))
    x, y = placed.title_at
    yield text(placed.title.name, x, y, theme.text, NAME, bold=True)
    x += text_width(placed.title.name, NAME, bold=True) + 6
    yield text(placed.title.words, x, y, theme.muted)
    yield "</g>"


# --- lines ---


def _line(line: Line, theme: Theme, across: bool) -> str:
    stroke = theme.strokes[line.wire.link]
    dash = f' stroke-dasharray="{stroke.dash}"' if stroke.dash else ""
    end = line.points[-1]
    points, arrow = line.points, ""
    if line.arrow:
        # A slanting line ends straight.
        dx, dy = _direction(*line.points[-2:]) if not line.curved else (across, not across)
        points = (*points[:-1], (end[0] - dx * ARROW, end[1] - dy * ARROW))
        arrow = _arrow(end, dx, dy, stroke.color)
    path = _slanting(points, across) if line.curved else _turning(points)
    stroked = f'fill="none" stroke="{stroke.color}" stroke-width="1.3"{dash}'
    return f'<path d="{path}" {stroked}/>{arrow}'


def _arrow(end: Point, dx: float, dy: float, color: str) -> str:
    (x, y), length, half = end, 1.2 * ARROW, 0.45 * ARROW
    bx, by = x - dx * length, y - dy * length
    corners = f"{_n(bx - dy * half)} {_n(by + dx * half)}L{_n(bx + dy * half)} {_n(by - dx * half)}"
    return f'<path d="M{_n(x)} {_n(y)}L{corners}z" fill="{color}"/>'


def _direction(a: Point, b: Point) -> Point:
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    return dx / length, dy / length


def _turning(points: tuple[Point, ...]) -> str:
    """Straight stretches with round turns."""
    path = f"M{_at(*points[0])}"
    for a, b, c in zip(points, points[1:], points[2:], strict=False):
        radius = min(CORNER, _length(a, b) / 2, _length(b, c) / 2)
        (bx, by), (ix, iy), (ox, oy) = b, _direction(a, b), _direction(b, c)
        path += f"L{_at(bx - ix * radius, by - iy * radius)}"
        path += f"Q{_at(bx, by)} {_at(bx + ox * radius, by + oy * radius)}"
    return f"{path}L{_at(*points[-1])}"


def _slanting(points: tuple[Point, ...], across: bool) -> str:
    """Straight within rows, and smooth from one to the next."""
    path = f"M{_at(*points[0])}"
    for (ax, ay), (bx, by) in pairwise(points):
        x, y = (ax + bx) / 2, (ay + by) / 2
        turns = f"{_at(x, ay)} {_at(x, by)}" if across else f"{_at(ax, y)} {_at(bx, y)}"
        path += f"C{turns} {_at(bx, by)}"
    return path


def _length(a: Point, b: Point) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def _at(x: float, y: float) -> str:
    return f"{_n(x)} {_n(y)}"


# --- heading ---


def _heading(head: Heading, theme: Theme) -> Iterator[str]:
    yield text(head.title, MARGIN, MARGIN + 14, theme.text, 16, bold=True)
    yield text(head.subtitle, MARGIN + head.after_title, MARGIN + 14, theme.muted)
    for entry in head.legend:
        x, y = MARGIN + entry.x, MARGIN + entry.y
        yield _rect(Area(x, y, 16, 10), 2, entry.fill, entry.border, entry.dash)
        if entry.stripe:
            yield f'<rect x="{_n(x)}" y="{_n(y)}" width="5" height="10" fill="{entry.border}"/>'
        yield text(entry.words, x + 21, y + 8.5, theme.muted, 9)
