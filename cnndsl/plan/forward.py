"""The lines of one forward pass, and its variables."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cnndsl.graph import Node, Scope
from cnndsl.ops.base import Family
from cnndsl.plan.parts import Line, Part
from cnndsl.plan.variables import Variables
from cnndsl.plan.words import access, function_name, literal, variable

if TYPE_CHECKING:
    from cnndsl.plan.planner import Planner


class Forward:
    """Writes the lines of one forward pass; a variable is reused once its value is read no more."""

    def __init__(
        self,
        planner: Planner,
        inputs: dict[int, str],
        outputs: list[int],
        members: list[Node | Scope],
        train_only: frozenset[int],
    ) -> None:
        self.planner, self.graph, self.train_only = planner, planner.graph, train_only
        self.names = dict(inputs)
        self.variables = Variables(planner.called)
        self.fields: list[tuple[str, Part]] = []
        self.lines: list[Line] = []
        self.left = Counter(outputs)
        inner = ((m,) if isinstance(m, Node) else m.nodes() for m in members)
        self.own = {node.id for nodes in inner for node in nodes}
        for member in members:
            self.left.update(planner.ends(member)[0])
        for value, name in inputs.items():
            if self.left[value] > 0:
                self.variables.hold(name)

    def take(self, member: Node | Scope) -> None:
        inputs, outputs = self.planner.ends(member)
        if not outputs:
            return  # an empty scope, or a value that nobody reads
        segment = member.path.rpartition(".")[2]
        values = [self.names[i] for i in inputs]
        sign, inplace = "=", False
        if isinstance(member, Scope):
            self.fields.append((segment, self.planner.part(member)))
            given = (self.argument(i, outputs) for i in inputs)
            text = f"{access(segment)}({', '.join(given)})"
        else:
            values, inplace = [self.names[i] for i in member.inputs], self.planner.inplace(member)
            sign, text = self.node(member, segment, values)
        for value in inputs:
            self.left[value] -= 1
            if not self.left[value]:
                self.variables.drop(self.names[value])
        targets = self.targets(member, inputs, outputs) if sign == "=" else [values[0]]
        self.names.update(zip(outputs, targets, strict=True))
        for value, name in zip(outputs, targets, strict=True):
            if self.left[value] > 0:
                self.variables.hold(name)
            else:
                self.variables.drop(name)
        train_only = self.train_only.issuperset(outputs)
        shape = str(self.graph.nodes[outputs[0]].shape) if len(outputs) == 1 else ""
        reads = tuple(values)
        self.lines.append(
            Line(member.path, reads, tuple(targets), text, sign, inplace, train_only, shape)
        )

    def argument(self, value: int, outputs: list[int]) -> str:
        """How a value is handed to a scope, which in inference may run without it."""
        name = self.names[value]
        absent = value in self.train_only and not self.train_only.issuperset(outputs)
        return f"{name} if self.training else None" if absent else name

    def targets(self, member: Node | Scope, inputs: list[int], outputs: list[int]) -> list[str]:
        """A variable for each result, none of them one whose value is still to be read."""
        reused = self.names[inputs[0]] if inputs else ""
        first = [self.target(member, value, reused) for value in outputs[:1]]
        return first + [self.target(member, value, "") for value in outputs[1:]]

    def target(self, member: Node | Scope, value: int, reused: str) -> str:
        """The variable for a result: the first input's if that is read no more, else a new one."""
        segment = variable(member.path.rpartition(".")[2])
        named = isinstance(member, Scope)
        if segment and named and (self.is_merged(value) or value in self.planner.given):
            return self.variables.new(segment)
        if reused and reused not in self.variables.live and value not in self.train_only:
            return self.variables.hold(reused)
        return self.variables.new("out")

    def is_merged(self, value: int) -> bool:
        """Whether a merge of this scope reads the value: its variable then bears its name."""
        readers = (self.graph.nodes[r] for r in self.planner.readers[value] if r in self.own)
        return any(reader.op.family is Family.MERGE for reader in readers)

    def node(self, node: Node, segment: str, values: list[str]) -> tuple[str, str]:
        """(sign, expression) of a node's line; a node with a module becomes a field."""
        function = node.op.function(*node.input_shapes)
        module = node.op.module(node.x) if len(node.inputs) == 1 else None
        named = node.label and not node.numbered and module is not None
        if module is not None and (function is None or named or module.target == "nn.Parameter"):
            self.fields.append((segment, self.planner.leaf(node)))
            if module.target != "nn.Parameter":
                return "=", f"{access(segment)}({values[0]})"
        assert function is not None, f"{node.op.name} has neither a module nor a function"
        if node.op.name == "add" and self.planner.inplace(node):
            return self.shown(node, "+=", " + ".join(values[1:]))
        if isinstance(function, str):
            text = function.format(*values, parameter=access(segment))
            return self.shown(node, "=", text)
        extra = (("inplace", True),) if self.planner.inplace(node) else ()
        defaults = {arg.name: arg.default for arg in node.op.args.values() if not arg.required}
        kwargs = [(n, v) for n, v in function.kwargs if n not in defaults or defaults[n] != v]
        told = [*values, *map(literal, function.args)]
        told += [f"{name}={literal(value)}" for name, value in (*kwargs, *extra)]
        return self.shown(node, "=", f"{function_name(function.target)}({', '.join(told)})")

    def shown(self, node: Node, sign: str, text: str) -> tuple[str, str]:
        return (sign, f'probe("{node.path}", {text})') if self.planner.probe else (sign, text)
