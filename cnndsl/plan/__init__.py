"""Graph → what runs: modules in chains and classes, and the variables of their forward passes.

The source is written from it, and the memory of a forward pass read off it.
"""

from __future__ import annotations

from cnndsl.graph import Graph
from cnndsl.plan.parts import Class
from cnndsl.plan.planner import Planner

__all__ = ["plan"]


def plan(graph: Graph, probe: bool = False) -> Class:
    """The class of the network; with `probe`, values without a module are shown to `probe`."""
    return Planner(graph, probe).root()
