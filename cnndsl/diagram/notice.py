"""What stands in the place of a picture that is too large to lay out."""

from __future__ import annotations

from cnndsl.diagram.errors import Oversize
from cnndsl.diagram.metrics import FONTS, text_width
from cnndsl.diagram.svg import text
from cnndsl.diagram.theme import Theme

SIZE, MARGIN, LINE = 12.0, 16.0, 20.0


def notice(error: Oversize, theme: Theme) -> str:
    """An SVG that says what is too large, and what to do about it."""
    lines = [error.message, error.help]
    width = max(text_width(line, SIZE) for line in lines) + 2 * MARGIN
    height = 2 * MARGIN + LINE * len(lines)
    told = [
        text(line, MARGIN, MARGIN + LINE * (n + 0.7), theme.text, SIZE)
        for n, line in enumerate(lines)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" font-family="{FONTS}" '
        f'font-size="{SIZE:g}">\n'
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="{theme.background}"/>\n'
        + "\n".join(told)
        + "\n</svg>\n"
    )
