"""Graph → Plan: what is shown, and what is open."""

from __future__ import annotations

from cnndsl.amounts import amount
from cnndsl.costs import cost
from cnndsl.diagram.opening import opened
from cnndsl.diagram.plan import Plan
from cnndsl.diagram.planner import Planner
from cnndsl.graph import Graph


def make_plan(
    graph: Graph,
    *,
    depth: int | None = None,
    fold: bool = True,
    fuse: bool = True,
) -> Plan:
    """Choose what to show of a graph.

    `depth` is how many levels of scopes are opened, by default as many as give a readable diagram;
    `fold` draws consecutive equal scopes once, and `fuse` writes the normalization and activation
    behind a layer into its box.
    """
    total = cost(graph)
    params, macs = amount(total.params), amount(total.macs)
    return Plan(
        title=graph.variant or graph.name,
        subtitle=f"{params} parameters, {macs} multiply-adds",
        about=" ".join(graph.about.split()),
        items=opened(Planner(graph, fold, fuse).all_items(), depth),
        result=f"output/{graph.output.name}",
    )
