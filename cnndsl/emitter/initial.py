"""The lines that give weights their initial values, in one pass over the modules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from cnndsl.emitter.layout import Group, flat, lay_out
from cnndsl.graph import Graph, Node
from cnndsl.ops.base import Call
from cnndsl.plan.words import literal

Choice = tuple[tuple[str, Call], ...]
"""The tensors of a module that a rule gives initial values, and how."""


@dataclass(frozen=True)
class Common:
    """The choice that most modules of a class share, and whether all of them have a bias."""

    choice: Choice
    biased: bool


def initial_lines(graph: Graph) -> Iterator[str]:
    """Statements for the end of the network's constructor; none where the spec has no rules.

    What most modules of a class share is written by class, the rest by path before it.
    """
    if not graph.init:
        return
    nodes = [node for node in graph.layers if node.weights]
    bare = [node for node in nodes if "" in node.op.weights(node.x)]
    by_class: dict[str, list[Node]] = {}
    for node in nodes:
        if node not in bare:
            by_class.setdefault(_class(node), []).append(node)
    common = {name: _common(members, graph) for name, members in by_class.items()}
    by_path: dict[Choice, list[str]] = {}
    for name, members in by_class.items():
        for node in members:
            if not _agrees(node, common[name].choice, graph):
                by_path.setdefault(_choice(node, graph), []).append(node.path)
    yield from _loop(by_path, {name: c for name, c in common.items() if c.choice})
    for node in bare:
        for _, call in _choice(node, graph):
            yield from _statement(call, f'self.get_parameter("{node.path}")', 8)


def _class(node: Node) -> str:
    """The class that `isinstance` asks for: helpers derive from PyTorch's classes."""
    call = node.op.module(node.x)
    assert call is not None, f"{node.op.name} has weights and no module"
    derived = {"cnndsl.modules:PaddedConv2d": "nn.Conv2d"}
    return derived.get(call.target, call.target).rpartition(":")[2]


def _choice(node: Node, graph: Graph) -> Choice:
    tensors = node.op.weights(node.x)
    names = {tensor: f"{node.path}.{tensor}" if tensor else node.path for tensor in tensors}
    return tuple((t, graph.init[name]) for t, name in names.items() if name in graph.init)


def _common(nodes: list[Node], graph: Graph) -> Common:
    tensors = dict.fromkeys(tensor for node in nodes for tensor in node.op.weights(node.x))
    choice: list[tuple[str, Call]] = []
    for tensor in tensors:
        calls = Counter(dict(_choice(n, graph)).get(tensor) for n in nodes if tensor in _own(n))
        call = calls.most_common(1)[0][0]
        if call is not None:
            choice.append((tensor, call))
    agreeing = [node for node in nodes if _agrees(node, tuple(choice), graph)]
    without = any("bias" not in _own(node) for node in agreeing)
    return Common(tuple(choice), not ("bias" in dict(choice) and without))


def _own(node: Node) -> Mapping[str, tuple[int, ...]]:
    return node.op.weights(node.x)


def _agrees(node: Node, choice: Choice, graph: Graph) -> bool:
    """Whether the node's tensors begin as the choice says."""
    own = dict(_choice(node, graph))
    return all(own.get(tensor) == dict(choice).get(tensor) for tensor in _own(node))


def _loop(by_path: Mapping[Choice, list[str]], common: Mapping[str, Common]) -> Iterator[str]:
    if not by_path and not common:
        return
    names = "name, module in self.named_modules" if by_path else "module in self.modules"
    yield f"        for {names}():"
    branches = [(_by_name(paths), tuple(_statements(c, True))) for c, paths in by_path.items()]
    alike: dict[Common, list[str]] = {}
    for name, found in common.items():
        alike.setdefault(found, []).append(name)
    for found, classes in alike.items():
        lines = tuple(_statements(found.choice, found.biased))
        branches.append((_by_class(classes), lines))
    keyword = "if"
    for lines, run in groupby(branches, key=lambda branch: branch[1]):
        conditions = [condition for condition, _ in run]
        if len(conditions) == 1:
            condition = conditions[0]
            after = Group(f"{keyword} {condition.head}", condition.items, f"{condition.close}:")
            yield from lay_out(after, 12)
        else:
            yield f"            {keyword} {' or '.join(map(flat, conditions))}:"
        yield from lines
        keyword = "elif"


def _by_name(paths: list[str]) -> Group:
    told = tuple(f'"{path}"' for path in paths)
    return Group("name in (", told, ")") if len(told) > 1 else Group(f"name == {told[0]}", (), "")


def _by_class(classes: list[str]) -> Group:
    told = classes[0] if len(classes) == 1 else f"({', '.join(classes)})"
    return Group("isinstance(", ("module", told))


def _statements(choice: Choice, biased: bool) -> Iterator[str]:
    if not choice:
        yield "                pass"
    for tensor, call in choice:
        if tensor == "bias" and not biased:
            yield "                if module.bias is not None:"
            yield from _statement(call, "module.bias", 20)
        else:
            yield from _statement(call, f"module.{tensor}", 16)


def _statement(call: Call, tensor: str, indent: int) -> list[str]:
    args = (tensor, *(f"{name}={literal(value)}" for name, value in call.kwargs))
    return lay_out(Group(f"{call.target}(", args), indent)
