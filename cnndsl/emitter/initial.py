"""The lines that give weights their initial values: one pass over the modules, as written by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from cnndsl.emitter.layout import Group, lay_out
from cnndsl.emitter.plan import literal
from cnndsl.graph import Graph, Node
from cnndsl.ops.base import Call

Chosen = tuple[tuple[str, Call], ...]
"""For one node, its tensors that a rule gives initial values, and how."""


def initial_lines(graph: Graph) -> Iterator[str]:
    """Statements for the end of the network's constructor; none where the spec has no rules.

    The commonest choice for each class of module is written by class, the others by path before it.
    """
    chosen = {node: _chosen(node, graph.init) for node in graph.layers}
    nodes = [node for node, calls in chosen.items() if calls]
    own = [node for node in nodes if any(not tensor for tensor, _ in chosen[node])]
    by_class: dict[str, list[Node]] = {}
    for node in graph.layers:
        call = node.op.module(node.x) if node.weights else None
        if call and node not in own:
            by_class.setdefault(_base(call.target), []).append(node)
    common: dict[str, Chosen] = {}
    by_path: dict[Chosen, list[str]] = {}
    for target, alike in by_class.items():
        common[target] = _commonest(alike, chosen)
        for node in alike:
            if chosen[node] != _kept(common[target], _tensors(node)):
                by_path.setdefault(chosen[node], []).append(node.path)
    yield from _loop(by_path, {t: c for t, c in common.items() if c})
    for node in own:
        yield from _statement(chosen[node][0][1], f'self.get_parameter("{node.path}")', 8)


def _chosen(node: Node, init: Mapping[str, Call]) -> Chosen:
    names = {tensor: f"{node.path}.{tensor}" if tensor else node.path for tensor in _tensors(node)}
    return tuple((tensor, init[name]) for tensor, name in names.items() if name in init)


def _tensors(node: Node) -> tuple[str, ...]:
    return tuple(node.op.weights(node.x)) if node.weights else ()


def _commonest(nodes: list[Node], chosen: Mapping[Node, Chosen]) -> Chosen:
    """The choice that serves most nodes: one with a bias serves those without it too."""
    kinds = Counter((chosen[node], _tensors(node)) for node in nodes)

    def served(choice: Chosen) -> int:
        return sum(n for (own, names), n in kinds.items() if own == _kept(choice, names))

    return max((choice for choice, _ in kinds), key=served)


def _kept(choice: Chosen, names: tuple[str, ...]) -> Chosen:
    """Of a choice, what concerns the tensors that there are."""
    return tuple((tensor, call) for tensor, call in choice if tensor in names)


def _base(target: str) -> str:
    """The class that `isinstance` asks for: helpers derive from PyTorch's classes."""
    return {"cnndsl.modules:PaddedConv2d": "nn.Conv2d"}.get(target, target)


def _loop(by_path: Mapping[Chosen, list[str]], common: Mapping[str, Chosen]) -> Iterator[str]:
    if not by_path and not common:
        return
    yield f"        for {'name, module in self.named_modules' if by_path else 'module in self.modules'}():"
    keyword = "if"
    for calls, paths in by_path.items():
        doc = Group(f"{keyword} name in (", tuple(f'"{path}"' for path in (*paths,)), "):")
        if len(paths) == 1:
            yield f'            {keyword} name == "{paths[0]}":'
        else:
            yield from lay_out(doc, 12)
        yield from _statements(calls, False)
        keyword = "elif"
    for target, calls in common.items():
        yield f"            {keyword} isinstance(module, {target.rpartition(':')[2]}):"
        yield from _statements(calls, True)
        keyword = "elif"


def _statements(calls: Chosen, by_class: bool) -> Iterator[str]:
    """A module's tensors; by class, a bias may be absent."""
    if not calls:
        yield "                pass"
    for tensor, call in calls:
        if by_class and tensor == "bias":
            yield "                if module.bias is not None:"
            yield from _statement(call, "module.bias", 20)
        else:
            yield from _statement(call, f"module.{tensor}", 16)


def _statement(call: Call, tensor: str, indent: int) -> list[str]:
    args = (tensor, *(f"{name}={literal(value)}" for name, value in call.kwargs))
    return lay_out(Group(f"{call.target}(", args), indent)
