"""Graph → diagrams: a figure as SVG, PNG or PDF, a page that opens, and DOT for Graphviz."""

from __future__ import annotations

import graphviz

from cnndsl.diagram.dot import write_dot
from cnndsl.diagram.errors import Oversize, RenderError
from cnndsl.diagram.figure import Figure, make_figure
from cnndsl.diagram.notice import notice
from cnndsl.diagram.page import write_page
from cnndsl.diagram.planning import make_plan
from cnndsl.diagram.rendering import FORMATS, render
from cnndsl.diagram.theme import LIGHT, THEMES, Theme
from cnndsl.graph import Graph

__all__ = [
    "FORMATS",
    "THEMES",
    "Figure",
    "Oversize",
    "RenderError",
    "draw_graph",
    "make_figure",
    "make_plan",
    "notice",
    "render",
    "write_page",
]


def draw_graph(
    graph: Graph,
    *,
    depth: int | None = None,
    fold: bool = True,
    fuse: bool = True,
    across: bool = False,
    theme: Theme = LIGHT,
) -> graphviz.Digraph:
    """The network as a Graphviz diagram.

    `depth` is how many levels of blocks are opened, by default as many as give a readable diagram;
    `fold` draws consecutive equal blocks once with ×N, and `fuse` writes the normalization and
    activation behind a layer into its box. `across` goes from left to right.
    """
    return write_dot(make_plan(graph, depth=depth, fold=fold, fuse=fuse), theme, across)
