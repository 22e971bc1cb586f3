"""How far a walk came: the layers up to the first one that failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cnndsl import syntax
from cnndsl.costs import layer_cost
from cnndsl.diagnostics import Layer, Report, Span
from cnndsl.elaborate.asking import Ref
from cnndsl.elaborate.figuring import too_small
from cnndsl.graph import Node
from cnndsl.ops.base import Op, Shape


@dataclass
class Reaching:
    """Keeps the first layer that fails in a walk, which goes on, and the number of those before."""

    report: Report
    nodes: Sequence[Node]
    """Those of the walk so far."""
    told: int = 0
    """How many messages there were before the current step."""
    failed: Layer | None = None
    count: int = 0
    lost: int = 0
    """How many layers have no value: by the end of the walk an error must have told why."""

    def begins(self) -> None:
        """A step begins."""
        self.told = len(self.report.diagnostics)

    def fails(self, path: str, op: Op | str, inputs: Sequence[Ref], span: Span) -> None:
        """A layer has no value. It is the first one if its inputs have theirs, and if its step told
        why: what is wrong in its form was told before the walk."""
        self.lost += 1
        if not self._news() or self.failed or None in inputs:
            return
        shapes = tuple(self.nodes[ref].shape for ref in inputs if ref is not None)
        self.count = len(self.nodes)
        if isinstance(op, str):
            self.failed = Layer(path, op, "", span, shapes, None)
        else:
            sums = too_small(op, shapes).whole
            self.failed = Layer(path, op.name, op.brief(), span, shapes, None, arithmetic=sums)

    def refused(self, node: Node, sums: tuple[str, ...]) -> None:
        """A contract does not hold of a layer."""
        if not self._news() or self.failed:
            return
        last = node.id == len(self.nodes) - 1
        self.count = len(self.nodes) - last
        shapes, op = node.input_shapes, node.op
        shown = node.path, op.name, op.brief(), node.span, shapes, node.shape
        self.failed = Layer(*shown, arithmetic=sums)

    @property
    def layers(self) -> tuple[Layer, ...]:
        return tuple(layers_of(self.nodes[: self.count]))

    def _news(self) -> bool:
        return len(self.report.diagnostics) > self.told


def layers_of(nodes: Iterable[Node]) -> Iterator[Layer]:
    """Nodes as data; what is of an op with its input is computed once."""
    known: dict[tuple[int, Shape], tuple[str, int, int]] = {}
    for node in nodes:
        key = id(node.op), node.x
        if key not in known:
            cost = layer_cost(node)
            known[key] = node.op.brief(), cost.params, cost.macs
        brief, params, macs = known[key]
        shapes, output = node.input_shapes, node.shape
        yield Layer(node.path, node.op.name, brief, node.span, shapes, output, params, macs)


def word_of(node: syntax.Node) -> str:
    """The key that says what a node is."""
    match node:
        case syntax.OpCall(op=word) | syntax.Merge(op=word) | syntax.BlockCall(block=word):
            return word
        case syntax.For():
            return "repeat" if node.is_repeat else "for"
        case syntax.Take():
            return "from"
    return type(node).__name__.lower()
