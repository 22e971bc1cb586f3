"""What the page tells about a node or block: its arguments, shapes, costs, and line in the spec."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from cnndsl.costs import cost, layer_cost
from cnndsl.diagnostics import Span
from cnndsl.diagram.diff.union import Union
from cnndsl.expr import show
from cnndsl.graph import Graph, Node, Scope

MAX_LINE = 120
"""Characters of a spec's line that are shown."""


def activations(graph: Graph) -> Mapping[int, int]:
    """Bytes that training keeps of what each node makes, by its id, for one sample."""
    if not isinstance(graph, Union):
        return cost(graph).memory.kept
    before, after = activations(graph.before), activations(graph.after)
    return {
        number: before.get(old or 0, 0) if new is None else after.get(new, 0)
        for number, (old, new) in enumerate(graph.origins)
    }


class Facts:
    """The facts about one graph; ops and lines of the spec are told once."""

    def __init__(self, graph: Graph, gone: Collection[int] = ()) -> None:
        self.graph = graph
        self.gone = gone
        self.folder = Path(graph.root.span.source.path).parent
        self.scopes = {scope.path: scope for scope in _scopes(graph.root)}
        self.lines: dict[str, int] = {}
        self.texts: list[tuple[str, str]] = []
        self.files: dict[str, str] = {}

    def to_json(self) -> dict[str, Any]:
        ops: dict[str, int] = {}
        known: dict[int, int] = {}  # by the identity of the op
        kept = activations(self.graph)
        told: list[Any] = []
        nodes = []
        for node in self.graph.nodes:
            if id(node.op) not in known:
                known[id(node.op)] = ops.setdefault(repr(node.op), len(told))
                if len(ops) > len(told):
                    told.append([node.op.name, _arguments(node)])
            own = layer_cost(node) if node.inputs else None
            costs = (own.params, own.macs) if own else (0, 0)
            shapes = [_shape(shape) for shape in node.input_shapes], _shape(node.shape)
            train, gone = node.id in self.graph.train_only, node.id in self.gone
            line = self.line(node.span)
            phase = [int(train), int(gone)]
            nodes.append(
                [node.path, known[id(node.op)], *shapes, *costs, kept.get(node.id, 0), line, *phase]
            )
        return {"ops": told, "nodes": nodes, "lines": self.texts}

    def block(self, path: str) -> list[Any] | None:
        """The block that opened a scope, its arguments and values, and its line."""
        scope = self.scopes.get(path)
        if scope is None:
            return None
        values = [[name, show(value)] for name, value in scope.args.items()]
        return [scope.block, values, self.line(scope.span)]

    def line(self, span: Span) -> int:
        """The number of the spec's line among those that are told."""
        place = f"{self.file(span.source.path)}:{span.line}"
        if place not in self.lines:
            lines = span.source.lines
            text = lines[span.line - 1].strip() if span.line <= len(lines) else ""
            self.lines[place] = len(self.texts)
            self.texts.append((place, text[:MAX_LINE]))
        return self.lines[place]

    def file(self, path: str) -> str:
        """A file as seen from the spec's folder, or its name where it lies elsewhere."""
        if path not in self.files:
            relative = os.path.relpath(path, self.folder)
            outside = relative.startswith("..")
            self.files[path] = Path(path).name if outside else Path(relative).as_posix()
        return self.files[path]


def _scopes(scope: Scope) -> Iterator[Scope]:
    yield scope
    for member in scope.members:
        if isinstance(member, Scope):
            yield from _scopes(member)


def _arguments(node: Node) -> list[list[Any]]:
    """Name and value of each argument, and whether it was given another than the default."""
    op = node.op
    return [
        [arg.name, show(getattr(op, arg.name)), int(getattr(op, arg.name) != arg.default)]
        for arg in op.args.values()
    ]


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
