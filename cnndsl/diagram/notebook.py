"""Graph → what a notebook shows."""

from __future__ import annotations

from html import escape

from cnndsl.diagram.figure import make_figure
from cnndsl.diagram.page import write_page
from cnndsl.diagram.planning import make_plan
from cnndsl.diagram.svg import write_svg
from cnndsl.diagram.theme import LIGHT
from cnndsl.graph import Graph

HEIGHT = 640
"""Pixels of the page in a notebook."""


def svg(graph: Graph) -> str:
    """The picture, for what shows no page."""
    return write_svg(make_figure(make_plan(graph)), LIGHT)


def html(graph: Graph) -> str:
    """The page in a frame of its own, which sees nothing of the notebook."""
    return (
        f'<iframe srcdoc="{escape(write_page(graph))}" sandbox="allow-scripts" '
        f'style="width: 100%; height: {HEIGHT}px; border: 0"></iframe>'
    )
