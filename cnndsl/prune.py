"""Leaving out what no output needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cnndsl.diagnostics import Report
from cnndsl.graph import Graph, Node, Scope


def prune(graph: Graph, report: Report) -> Graph:
    """The graph without the nodes that no output needs; each end of such a path is a warning."""
    dead = graph.unneeded
    if not dead:
        return graph
    read = {source for node in graph.nodes for source in node.inputs}
    for index in sorted(dead - read):
        node = graph.nodes[index]
        message = f"the value `{node.path}` is never used, and left out"
        help = "name it in `outputs:`, or start from it with `from:`"
        report.warn("unused", message, node.span, help)
    kept = [node for node in graph.nodes if node.id not in dead]
    ids = {node.id: index for index, node in enumerate(kept)}
    nodes = {
        node.id: replace(node, id=ids[node.id], inputs=tuple(ids[i] for i in node.inputs))
        for node in kept
    }
    return replace(
        graph,
        nodes=tuple(nodes.values()),
        root=_scope(graph.root, nodes),
        outputs=tuple(replace(output, node=ids[output.node]) for output in graph.outputs),
        values={path: ids[node] for path, node in graph.values.items() if node in ids},
    )


def _scope(scope: Scope, nodes: Mapping[int, Node]) -> Scope:
    members = (
        _scope(member, nodes) if isinstance(member, Scope) else nodes.get(member.id)
        for member in scope.members
    )
    return replace(scope, members=tuple(member for member in members if member is not None))
