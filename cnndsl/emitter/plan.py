"""Graph → parts: which scopes are chains, which are classes, and their forward passes."""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from cnndsl.emitter.parts import Chain, Class, Leaf, Line, Part
from cnndsl.graph import Graph, Input, Node, Scope
from cnndsl.ops.base import Call, Family

HINTS = {
    Family.CONVOLUTION: ("in_channels", "out_channels"),
    Family.LINEAR: ("in_features", "out_features"),
    Family.NORMALIZATION: ("channels",),
}


def plan(graph: Graph, probe: bool) -> Class:
    """The class of the network; with `probe`, values without a module are shown to `probe`."""
    return _Planner(graph, probe).root()


@dataclass
class _Planner:
    graph: Graph
    probe: bool

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

    def root(self) -> Class:
        scope = self.graph.root
        members = [m for m in scope.members if not _is_input(m)]
        chain = self.chain(scope, members)
        name = class_name(self.graph.variant or self.graph.name)
        simple = (
            not self.graph.dropped and len(self.graph.outputs) == 1 and len(self.graph.inputs) == 1
        )
        if chain and simple and all(segment.isdigit() for segment, _ in chain.children):
            return Class(name, True, chain.children, ("x",), (), ("x",), {}, {})
        names = (
            ["x"] if len(self.graph.inputs) == 1 else [variable(n.path) for n in self.graph.inputs]
        )
        inputs = dict(zip((node.id for node in self.graph.inputs), names, strict=True))
        outputs = [output.node for output in self.graph.outputs]
        return self.forward_class(name, scope, members, inputs, outputs)

    def part(self, scope: Scope) -> Part:
        members = list(scope.members)
        chain = self.chain(scope, members)
        if chain and not scope.block:
            return chain
        name = class_name(scope.block or scope.name)
        if chain and all(segment.isdigit() for segment, _ in chain.children):
            return Class(name, True, chain.children, ("x",), (), ("x",), scope.args, scope.defaults)
        inputs = self.inputs(scope)
        names: dict[int, str] = {}
        for index, source in enumerate(inputs):
            hint = "x" if index == 0 else variable(self.graph.nodes[source].path.rpartition(".")[2])
            names[source] = free(hint, names.values())
        return self.forward_class(name, scope, members, names, self.outputs(scope))

    # --- boundaries ---

    def inputs(self, scope: Scope) -> list[int]:
        """The values from outside that the scope reads, in the order of their first reading."""
        nodes = list(scope.nodes())
        own = {node.id for node in nodes}
        return list(dict.fromkeys(i for node in nodes for i in node.inputs if i not in own))

    def outputs(self, scope: Scope) -> list[int]:
        """The values of the scope that are read outside."""
        nodes = list(scope.nodes())
        own = {node.id for node in nodes}
        return [
            node.id
            for node in nodes
            if node.id in self.given or any(reader not in own for reader in self.readers[node.id])
        ]

    def chain(self, scope: Scope, members: list[Node | Scope]) -> Chain | None:
        """The scope as modules in a row, if each reads the one before it and nothing else does."""
        children: list[tuple[str, Part]] = []
        last: int | None = None
        parts = [m for m in members if isinstance(m, Node) or any(m.nodes())]
        for index, member in enumerate(parts):
            inputs, outputs = self.ends(member)
            if len(inputs) != 1 or len(outputs) != 1 or (last is not None and inputs != [last]):
                return None
            if index and len(set(self.readers[inputs[0]])) != len(self._inside(member, inputs[0])):
                return None
            if index < len(parts) - 1 and outputs[0] in self.given:
                return None
            if isinstance(member, Node) and not self.is_module(member):
                return None
            last = outputs[0]
            segment = member.path.rpartition(".")[2]
            children.append(
                (segment, self.leaf(member) if isinstance(member, Node) else self.part(member))
            )
        return Chain(tuple(children)) if children else None

    def _inside(self, member: Node | Scope, value: int) -> set[int]:
        """The readers of a value within a member."""
        own = {member.id} if isinstance(member, Node) else {node.id for node in member.nodes()}
        return own & set(self.readers[value])

    def ends(self, member: Node | Scope) -> tuple[list[int], list[int]]:
        if isinstance(member, Node):
            return list(dict.fromkeys(member.inputs)), [member.id]
        return self.inputs(member), self.outputs(member)

    # --- leaves ---

    def is_module(self, node: Node) -> bool:
        """Whether the node can stand in a chain: it has a module that is called with one value."""
        call = node.op.module(node.x) if len(node.inputs) == 1 else None
        return call is not None and call.target != "nn.Parameter"

    def leaf(self, node: Node) -> Leaf:
        call = node.op.module(node.x)
        assert call is not None
        if node.op.inplace and self.may_overwrite(node):
            call = Call(call.target, call.args, (*call.kwargs, ("inplace", True)))
        defaults = {arg.name: arg.default for arg in node.op.args.values() if not arg.required}
        return Leaf(call, defaults, HINTS.get(node.op.family, ()))

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
        train_only = self.graph.train_only if scope is self.graph.root else frozenset()
        forward = _Forward(self, inputs, outputs, members, train_only)
        for member in members:
            forward.take(member)
        given = tuple(forward.names[output] for output in outputs)
        return Class(
            name,
            False,
            tuple(forward.fields),
            tuple(inputs.values()),
            tuple(forward.lines),
            given,
            scope.args,
            scope.defaults,
        )


class _Forward:
    """Writes the lines of one forward pass; a variable is reused once its value is read no more."""

    def __init__(
        self,
        planner: _Planner,
        inputs: dict[int, str],
        outputs: list[int],
        members: list[Node | Scope],
        train_only: frozenset[int],
    ) -> None:
        self.planner, self.graph, self.train_only = planner, planner.graph, train_only
        self.names = dict(inputs)
        self.fields: list[tuple[str, Part]] = []
        self.lines: list[Line] = []
        self.left = Counter(outputs)
        inner = ((m,) if isinstance(m, Node) else m.nodes() for m in members)
        self.own = {node.id for nodes in inner for node in nodes}
        for member in members:
            self.left.update(planner.ends(member)[0])

    def take(self, member: Node | Scope) -> None:
        inputs, outputs = self.planner.ends(member)
        if not outputs:
            return  # an empty scope, or a value that nobody reads
        segment = member.path.rpartition(".")[2]
        values = [self.names[i] for i in inputs]
        sign, text = "=", ""
        if isinstance(member, Scope):
            self.fields.append((segment, self.planner.part(member)))
            text = f"{access(segment)}({', '.join(values)})"
        else:
            values = [self.names[i] for i in member.inputs]
            sign, text = self.node(member, segment, values)
        self.left.subtract(inputs)
        targets = [self.target(member, inputs, outputs, index) for index in range(len(outputs))]
        if sign != "=":
            targets = [values[0]]
        self.names.update(zip(outputs, targets, strict=True))
        train_only = outputs[0] in self.train_only
        shape = str(self.graph.nodes[outputs[0]].shape) if len(outputs) == 1 else ""
        self.lines.append(Line(", ".join(targets), text, sign, train_only, shape))

    def target(
        self, member: Node | Scope, inputs: list[int], outputs: list[int], index: int
    ) -> str:
        """The variable for a result: the first input's if that is read no more, else a new one."""
        live = {name for value, name in self.names.items() if self.left[value] > 0}
        live |= {self.names[o] for o in outputs[:index] if o in self.names}
        segment = variable(member.path.rpartition(".")[2])
        value, named = outputs[index], len(outputs) > 1 or isinstance(member, Scope)
        if segment and named and (self.is_merged(value) or value in self.planner.given):
            return free(segment, live)
        reusable = index == 0 and inputs and outputs[0] not in self.train_only
        if reusable and self.names[inputs[0]] not in live:
            return self.names[inputs[0]]
        return free("out", live)

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
        if node.op.name == "add" and self.in_place_add(node):
            return self.shown(node, "+=", " + ".join(values[1:]))
        if isinstance(function, str):
            text = function.format(*values, parameter=access(segment))
            return self.shown(node, "=", text)
        extra = (("inplace", True),) if self.overwrites(node) else ()
        defaults = {arg.name: arg.default for arg in node.op.args.values() if not arg.required}
        kwargs = [(n, v) for n, v in function.kwargs if n not in defaults or defaults[n] != v]
        told = [*values, *map(literal, function.args)]
        told += [f"{name}={literal(value)}" for name, value in (*kwargs, *extra)]
        return self.shown(node, "=", f"{function_name(function.target)}({', '.join(told)})")

    def overwrites(self, node: Node) -> bool:
        return node.op.inplace and self.planner.may_overwrite(node)

    def in_place_add(self, node: Node) -> bool:
        same = all(shape == node.shape for shape in node.input_shapes)
        return (
            same
            and len(node.inputs) == 2
            and self.planner.may_overwrite(node)
            and not self.planner.probe
        )

    def shown(self, node: Node, sign: str, text: str) -> tuple[str, str]:
        return (sign, f'probe("{node.path}", {text})') if self.planner.probe else (sign, text)


def access(segment: str) -> str:
    """How a child is read: `self.conv1`, or by getattr where its name is no identifier."""
    return f"self.{segment}" if is_identifier(segment) else f'getattr(self, "{segment}")'


def is_identifier(word: str) -> bool:
    return word.isidentifier() and not keyword.iskeyword(word)


def variable(segment: str) -> str:
    """A variable's name for a path segment, empty where it is a number."""
    word = segment.replace("-", "_").replace(".", "_").lower()
    if not word or word.isdigit():
        return ""
    return word if is_identifier(word) and word not in RESERVED else f"{word}_".lstrip("0123456789")


RESERVED = {"self", "nn", "torch", "tensor", "probe", "super", "getattr"}


def free(word: str, taken: Iterable[str]) -> str:
    """`word`, or with a number behind it, whatever is not taken."""
    word = word or "out"
    used = set(taken)
    n, candidate = 1, word
    while candidate in used or candidate in RESERVED:
        n += 1
        candidate = f"{word}{n}"
    return candidate


def class_name(word: str) -> str:
    """A class's name for a block or segment: `ConvBN` stays, `denseblock1` → `Denseblock1`."""
    parts = re.split(r"[^A-Za-z0-9]+", word)
    name = ""
    for part in parts:
        digits = name[-1:].isdigit() and part[:1].isdigit()
        name += f"{'_' * digits}{part[:1].upper()}{part[1:]}"
    return name if is_identifier(name) else f"Net{name}"


def literal(value: object) -> str:
    """A constant as source text."""
    if isinstance(value, tuple) and len(value) == 1:
        return f"({value[0]!r},)"
    if isinstance(value, str):
        return '"' + value + '"'
    return (
        f'float("{value}")'
        if isinstance(value, float) and value in (float("inf"), float("-inf"))
        else repr(value)
    )


def function_name(target: str) -> str:
    return target.rpartition(":")[2]


def _is_input(member: Node | Scope) -> bool:
    return isinstance(member, Node) and isinstance(member.op, Input)
