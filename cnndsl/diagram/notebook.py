"""Graph → what a notebook shows."""

from __future__ import annotations

from html import escape

from cnndsl.diagram.errors import Oversize
from cnndsl.diagram.figure import make_figure
from cnndsl.diagram.notice import notice
from cnndsl.diagram.page import write_page
from cnndsl.diagram.planning import make_plan
from cnndsl.diagram.svg import write_svg
from cnndsl.diagram.theme import LIGHT
from cnndsl.graph import Graph

HEIGHT = 640
"""Pixels of the page in a notebook."""


def svg(graph: Graph) -> str:
    """The picture, for what shows no page."""
    try:
        return write_svg(make_figure(make_plan(graph)), LIGHT)
    except Oversize as e:
        return notice(e, LIGHT)


def html(graph: Graph) -> str:
    """The page in a frame of its own, which sees nothing of the notebook."""
    try:
        page = write_page(graph)
    except Oversize as e:
        page = notice(e, LIGHT)
    return (
        f'<iframe srcdoc="{escape(page)}" sandbox="allow-scripts" '
        f'style="width: 100%; height: {HEIGHT}px; border: 0"></iframe>'
    )
