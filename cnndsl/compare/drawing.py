"""Pictures as data: circles, lines, boxes and words on a sheet of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

FONT = "'DejaVu Sans', Verdana, Arial, sans-serif"
INK, MUTED, GRID = "#111827", "#4b5563", "#e5e7eb"
NARROW, WIDE = frozenset("ijltrf.,:;'|!()[] "), frozenset("mwMW%—")


@dataclass(frozen=True)
class Circle:
    x: float
    y: float
    radius: float
    fill: str
    stroke: str = INK
    opacity: float = 1.0
    title: str = ""


@dataclass(frozen=True)
class Line:
    points: tuple[tuple[float, float], ...]
    stroke: str
    width: float = 1.0
    dash: tuple[float, ...] = ()


@dataclass(frozen=True)
class Box:
    x: float
    y: float
    width: float
    height: float
    fill: str
    title: str = ""


@dataclass(frozen=True)
class Words:
    """A text that stands on the line `y`; `anchor` is which of its ends lies at `x`."""

    x: float
    y: float
    text: str
    size: float = 11.0
    anchor: str = "start"
    fill: str = INK
    bold: bool = False
    upright: bool = False
    """Whether it runs from the bottom to the top."""


Mark = Circle | Line | Box | Words


@dataclass
class Sheet:
    width: float
    height: float
    marks: list[Mark] = field(default_factory=list)

    def add(self, *marks: Mark) -> None:
        self.marks += marks


def width_of(text: str, size: float) -> float:
    """How wide a text is, within a few percent, and rather too much."""
    return size * sum(0.36 if c in NARROW else 0.94 if c in WIDE else 0.645 for c in text)


def to_svg(sheet: Sheet, name: str = "") -> str:
    """The picture as SVG; what has a title shows it under the mouse."""
    size = f'width="{sheet.width:g}" height="{sheet.height:g}"'
    view = f'viewBox="0 0 {sheet.width:g} {sheet.height:g}"'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view} font-family="{FONT}">']
    lines += [f"<title>{escape(name)}</title>"] if name else []
    lines.append('<rect width="100%" height="100%" fill="#ffffff"/>')
    return "\n".join([*lines, *map(_element, sheet.marks), "</svg>", ""])


def _element(mark: Mark) -> str:
    match mark:
        case Circle(x, y, radius, fill, stroke, opacity, title):
            shape = f'cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{fill}" stroke="{stroke}"'
            return _titled("circle", f'{shape} fill-opacity="{opacity:g}"', title)
        case Line(points, stroke, width, dash):
            places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            dashes = f' stroke-dasharray="{_list(dash)}"' if dash else ""
            look = f'fill="none" stroke="{stroke}" stroke-width="{width:g}"{dashes}'
            return f'<polyline points="{places}" {look}/>'
        case Box(x, y, width, height, fill, title):
            place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
            return _titled("rect", f'{place} fill="{fill}"', title)
    return _words(mark)


def _words(mark: Words) -> str:
    place = f'x="{mark.x:.1f}" y="{mark.y:.1f}"'
    if mark.upright:
        place = f'transform="translate({mark.x:.1f} {mark.y:.1f}) rotate(-90)"'
    look = f'font-size="{mark.size:g}" text-anchor="{mark.anchor}" fill="{mark.fill}"'
    bold = ' font-weight="bold"' if mark.bold else ""
    return f"<text {place} {look}{bold}>{escape(mark.text)}</text>"


def _titled(tag: str, attributes: str, title: str) -> str:
    if not title:
        return f"<{tag} {attributes}/>"
    return f"<{tag} {attributes}><title>{escape(title)}</title></{tag}>"


def _list(numbers: Sequence[float]) -> str:
    return " ".join(f"{number:g}" for number in numbers)
