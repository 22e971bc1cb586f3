"""Which scopes are chains, which are classes, and what runs in place."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from cnndsl.graph import Graph, Input, Node, Scope
from cnndsl.ops.base import Call, Family
from cnndsl.plan.calls import called
from cnndsl.plan.forward import Forward
from cnndsl.plan.parts import Chain, Class, Leaf, Part
from cnndsl.plan.variables import Variables
from cnndsl.plan.words import class_name, variable

HINTS = {
    Family.CONVOLUTION: ("in_channels", "out_channels"),
    Family.LINEAR: ("in_features", "out_features"),
    Family.NORMALIZATION: ("channels",),
}


@dataclass
class Planner:
    graph: Graph
    probe: bool
    known: dict[int, tuple[list[int], list[int]]] = field(default_factory=dict)
    """The ends of scopes, by the identity of the scope."""
    spans: dict[int, range] = field(default_factory=dict)
    """The ids of the nodes of scopes, likewise."""

    @cached_property
    def readers(self) -> dict[int, list[int]]:
        """The nodes that read each node, one entry a reading."""
        readers: dict[int, list[int]] = {node.id: [] for node in self.graph.nodes}
        for node in self.graph.nodes:
            for source in node.inputs:
                readers[source].append(node.id)
        return readers

    @cached_property
    def given(self) -> frozenset[int]:
        """The nodes that are outputs of the network."""
        return frozenset(output.node for output in self.graph.outputs)

    @cached_property
    def called(self) -> frozenset[str]:
        """The names that the source takes from elsewhere."""
        return called(self.graph)

    def root(self) -> Class:
        scope = self.graph.root
        members = [m for m in scope.members if not _is_input(m)]
        row = self.row(members)
        name = class_name(self.graph.variant or self.graph.name)
        simple = (
            not self.graph.dropped and len(self.graph.outputs) == 1 and len(self.graph.inputs) == 1
        )
        if row and simple and _numbered(row):
            return self.chain_class(name, scope, row)
        variables, single = Variables(self.called), len(self.graph.inputs) == 1
        inputs = {
            node.id: variables.new("x" if single else variable(node.path))
            for node in self.graph.inputs
        }
        outputs = [output.node for output in self.graph.outputs]
        return self.forward_class(name, scope, members, inputs, outputs)

    def part(self, scope: Scope) -> Part:
        members = list(scope.members)
        row = self.row(members)
        if row and not scope.block:
            return Chain(self.children(row))
        name = class_name(scope.block or scope.name)
        if row and _numbered(row):
            return self.chain_class(name, scope, row)
        inputs, outputs = self.ends(scope)
        names: dict[int, str] = {}
        variables = Variables(self.called)
        for index, source in enumerate(inputs):
            hint = "x" if index == 0 else variable(self.graph.nodes[source].path.rpartition(".")[2])
            names[source] = variables.new(hint)
        return self.forward_class(name, scope, members, names, outputs)

    # --- boundaries ---

    def ends(self, member: Node | Scope) -> tuple[list[int], list[int]]:
        """The values from outside that a member reads, and those of its own that others read."""
        if isinstance(member, Node):
            return list(dict.fromkeys(member.inputs)), [member.id]
        if id(member) not in self.known:
            self.known[id(member)] = self.ends_of_scope(member)
        return self.known[id(member)]

    def ends_of_scope(self, scope: Scope) -> tuple[list[int], list[int]]:
        own = self.span(scope)
        nodes = self.graph.nodes[own.start : own.stop]
        inputs = dict.fromkeys(i for node in nodes for i in node.inputs if i not in own)
        outputs = [
            node.id
            for node in nodes
            if node.id in self.given or any(reader not in own for reader in self.readers[node.id])
        ]
        return list(inputs), outputs

    def span(self, member: Node | Scope) -> range:
        """The ids of a member's nodes: they run one after the other."""
        if isinstance(member, Node):
            return range(member.id, member.id + 1)
        if id(member) not in self.spans:
            inner = [own for own in map(self.span, member.members) if own]
            span = range(inner[0].start, inner[-1].stop) if inner else range(0)
            self.spans[id(member)] = span
        return self.spans[id(member)]

    def row(self, members: list[Node | Scope]) -> list[Node | Scope] | None:
        """The members that are modules in a row: each reads the one before it, nothing else does.

        None where they are not.
        """
        last: int | None = None
        row = [m for m in members if isinstance(m, Node) or self.span(m)]
        for index, member in enumerate(row):
            inputs, outputs = self.ends(member)
            if len(inputs) != 1 or len(outputs) != 1 or (last is not None and inputs != [last]):
                return None
            if index and not set(self.readers[inputs[0]]) <= set(self.span(member)):
                return None
            if index < len(row) - 1 and outputs[0] in self.given:
                return None
            if isinstance(member, Node) and not self.is_module(member):
                return None
            last = outputs[0]
        return row or None

    def children(self, row: list[Node | Scope]) -> tuple[tuple[str, Part], ...]:
        """The modules of a row, by the last segments of their paths."""
        return tuple(
            (m.path.rpartition(".")[2], self.leaf(m) if isinstance(m, Node) else self.part(m))
            for m in row
        )

    # --- leaves ---

    def is_module(self, node: Node) -> bool:
        """Whether the node can stand in a chain: it has a module that is called with one value."""
        call = node.op.module(node.x) if len(node.inputs) == 1 else None
        return call is not None and call.target != "nn.Parameter"

    def leaf(self, node: Node) -> Leaf:
        call = node.op.module(node.x)
        assert call is not None
        if self.inplace(node):
            call = Call(call.target, call.args, (*call.kwargs, ("inplace", True)))
        defaults = {arg.name: arg.default for arg in node.op.args.values() if not arg.required}
        return Leaf(call, defaults, HINTS.get(node.op.family, ()))

    def inplace(self, node: Node) -> bool:
        """Whether the node writes its result over its first input: some ops, and `a += b`."""
        sum_of_two = (
            node.op.name == "add"
            and len(node.inputs) == 2
            and all(shape == node.shape for shape in node.input_shapes)
            and not self.probe
        )
        return (node.op.inplace or sum_of_two) and self.may_overwrite(node)

    def may_overwrite(self, node: Node) -> bool:
        """Whether the node may write its result over its first input.

        Only over fresh memory of a neighbour in the same scope that nobody else reads: then every
        instance of a block decides alike.
        """
        source = self.graph.nodes[node.inputs[0]]
        beside = source.path.rpartition(".")[0] == node.path.rpartition(".")[0]
        alone = self.readers[source.id] == [node.id] and source.id not in self.given
        same_phase = (source.id in self.graph.train_only) == (node.id in self.graph.train_only)
        return beside and alone and same_phase and source.op.overwritable

    # --- forward passes ---

    def forward_class(
        self,
        name: str,
        scope: Scope,
        members: list[Node | Scope],
        inputs: dict[int, str],
        outputs: list[int],
    ) -> Class:
        train_only = self.graph.train_only
        if train_only.issuperset(outputs):
            train_only = frozenset()  # whoever calls it does so in training alone
        forward = Forward(self, inputs, outputs, members, train_only)
        for member in members:
            forward.take(member)
        return Class(
            name,
            False,
            tuple(forward.fields),
            tuple(inputs.values()),
            tuple(forward.lines),
            tuple(forward.names[output] for output in outputs),
            (
                tuple(value in train_only for value in inputs),
                tuple(value in train_only for value in outputs),
            ),
            scope.args,
            scope.defaults,
        )

    def chain_class(self, name: str, scope: Scope, row: list[Node | Scope]) -> Class:
        """The class of a block whose members run one after the other."""
        children = self.children(row)
        ends = ("x",), ((False,), (False,))
        return Class(name, True, children, ("x",), (), *ends, scope.args, scope.defaults)


def _is_input(member: Node | Scope) -> bool:
    return isinstance(member, Node) and isinstance(member.op, Input)


def _numbered(row: list[Node | Scope]) -> bool:
    """Whether all are named by numbers, as the modules of an unnamed sequence."""
    return all(member.path.rpartition(".")[2].isdigit() for member in row)
