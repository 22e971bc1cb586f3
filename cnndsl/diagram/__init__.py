"""Graph → diagrams: DOT, SVG, PNG and PDF."""

from __future__ import annotations

import graphviz

from cnndsl.diagram.dot import write
from cnndsl.diagram.planner import make_plan
from cnndsl.diagram.rendering import FORMATS, RenderError, render
from cnndsl.diagram.theme import LIGHT, Theme
from cnndsl.graph import Graph

__all__ = ["FORMATS", "RenderError", "draw_graph", "make_plan", "render"]


def draw_graph(
    graph: Graph,
    *,
    depth: int | None = None,
    fold: bool = True,
    fuse: bool = True,
    columns: int | None = None,
    theme: Theme = LIGHT,
) -> graphviz.Digraph:
    """The network as a Graphviz diagram.

    `depth` is how many levels of blocks are opened, by default as many as give a readable diagram;
    `fold` draws consecutive equal blocks once with ×N, and `fuse` writes the normalization and
    activation behind a layer into its box. `columns` is how many stand side by side, by default as
    many as give a page's proportions.
    """
    return write(make_plan(graph, depth=depth, fold=fold, fuse=fuse, columns=columns), theme)
