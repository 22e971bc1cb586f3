"""What became of the nodes and edges of a graph: the union of two, compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cnndsl.diagram.plan import Link, Mark
from cnndsl.graph import Node


@dataclass(frozen=True)
class Changes:
    """`marks` say what became of each node, and `was` is the earlier one of a node that both have.

    `edges` are the marks of edges, (source, reader), that only one of the graphs has. `outputs` are
    the marks of outputs by name, and `ends` the nodes that they were before, if others.
    """

    marks: Mapping[int, Mark] = field(default_factory=dict)
    was: Mapping[int, Node] = field(default_factory=dict)
    edges: Mapping[tuple[int, int], Mark] = field(default_factory=dict)
    ends: Mapping[str, int] = field(default_factory=dict)
    outputs: Mapping[str, Mark] = field(default_factory=dict)

    @property
    def gone(self) -> frozenset[int]:
        """The nodes that the later graph no longer has."""
        return frozenset(node for node, mark in self.marks.items() if mark is Mark.REMOVED)

    def mark(self, nodes: Iterable[int]) -> Mark | None:
        """The mark that all nodes have, or that they have changed; None where nothing is known."""
        found = {self.marks.get(node) for node in nodes}
        return found.pop() if len(found) == 1 else Mark.CHANGED

    def link(self, source: int, reader: int, link: Link) -> Link:
        """What an edge is for, or that it is new or gone."""
        mark = self.edges.get((source, reader))
        return LINKS[mark] if mark else link


REMOVED = "~"
"""Ends the path of what was removed, where something else has the path now."""
LINKS = {Mark.ADDED: Link.ADDED, Mark.REMOVED: Link.REMOVED}
NOTHING = Changes()
"""Of a graph that is compared with none."""
