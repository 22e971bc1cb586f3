"""Where in a network its memory, parameters and multiply-adds lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cnndsl.amounts import amount, size
from cnndsl.cells import csv_text
from cnndsl.columns import breadth, left
from cnndsl.costs import Cost, LayerCost, cost
from cnndsl.graph import Graph, Input, Node, Scope
from cnndsl.ops.base import Family, Shape

MOST = 32
"""How many parts are shown at the most, where scopes can be folded into one."""
JOINED = (Family.NORMALIZATION, Family.ACTIVATION, Family.REGULARIZATION)
BAR = 12
"""Characters of the longest bar."""
EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True)
class Part:
    """A part of a network: a layer with what follows it value by value, or a folded scope.

    `memory` is what autograd keeps of it, in bytes for one sample; `macs` are those of inference.
    """

    path: str
    what: str
    family: Family | None
    """What sort of layer it is; None for a folded scope."""
    shape: Shape
    memory: int
    params: int
    macs: int


@dataclass(frozen=True)
class Measure:
    """A figure of each part."""

    name: str
    figures: tuple[int, ...]
    words: Callable[[float], str]

    @property
    def most(self) -> int:
        return max(self.figures, default=0) or 1

    @property
    def total(self) -> int:
        return sum(self.figures) or 1


@dataclass(frozen=True)
class Profile:
    graph: Graph
    costs: Cost
    parts: tuple[Part, ...]


def profile(graph: Graph, most: int = MOST) -> Profile:
    """The parts of a network in the order they run, its scopes opened as far as `most` allows.

    Parts that cost nothing are left out.
    """
    costs = cost(graph)
    depth, groups = 0, _groups(graph.root, 0)
    while True:
        deeper = _groups(graph.root, depth + 1)
        if len(deeper) > most or deeper == groups:
            break
        depth, groups = depth + 1, deeper
    layers = {layer.node.id: layer for layer in costs.layers}
    parts = (_part(group, layers, costs) for group in groups)
    return Profile(graph, costs, tuple(p for p in parts if p.memory or p.params or p.macs))


@dataclass
class _Group:
    """Nodes that are shown as one; `scope` is the path of the folded scope, if it is one."""

    nodes: list[Node]
    scope: str = ""


def _groups(scope: Scope, depth: int) -> list[_Group]:
    groups: list[_Group] = []
    for member in scope.members:
        if isinstance(member, Scope):
            inner = list(member.nodes())
            if depth and len(inner) > 1:
                groups += _groups(member, depth - 1)
            elif inner:
                groups.append(_Group(inner, member.path))
        elif groups and _follows(member, groups[-1]):
            groups[-1].nodes.append(member)
        else:
            groups.append(_Group([member]))
    return groups


def _follows(node: Node, group: _Group) -> bool:
    """Whether a node is shown with the layer before it, whose values it maps one by one."""
    last = group.nodes[-1]
    plain = node.op.family in JOINED and not isinstance(last.op, Input)
    return plain and not group.scope and node.inputs == (last.id,)


def _part(group: _Group, layers: dict[int, LayerCost], costs: Cost) -> Part:
    first, last = group.nodes[0], group.nodes[-1]
    own = [layers[node.id] for node in group.nodes if node.id in layers]
    block = f"{len(group.nodes)} ops" if group.scope else ""
    return Part(
        path=group.scope or first.path,
        what=block or f"{first.op.name} {first.op.brief()}".rstrip(),
        family=None if group.scope else first.op.family,
        shape=last.shape,
        memory=sum(costs.memory.kept.get(node.id, 0) for node in group.nodes),
        params=sum(layer.params for layer in own),
        macs=sum(layer.macs for layer in own if layer.node.id not in costs.graph.train_only),
    )


def measures(parts: Sequence[Part]) -> tuple[Measure, ...]:
    """What is shown of the parts: names, figures, and how these are told."""
    return (
        Measure("memory in training", tuple(part.memory for part in parts), size),
        Measure("parameters", tuple(part.params for part in parts), amount),
        Measure("multiply-adds", tuple(part.macs for part in parts), amount),
    )


def text(found: Profile) -> Iterator[str]:
    """A line a part, with bars for its shares."""
    parts = found.parts
    paths = _aligned(["part", *(part.path for part in parts)])
    shapes = _aligned(["output", *(str(part.shape) for part in parts)])
    cells = [_bars(measure) for measure in measures(parts)]
    for index, line in enumerate(zip(paths, shapes, *cells, strict=True)):
        yield "  ".join(line).rstrip()
        if index == 0:
            yield "-" * breadth("  ".join(line))


def _bars(measure: Measure) -> list[str]:
    told = [measure.words(number) if number else "" for number in measure.figures]
    width = max(map(len, told))
    shares = zip(measure.figures, told, strict=True)
    cells = [
        f"{bar(n / measure.most)}  {words.rjust(width)} {n / measure.total:6.1%}" if n else ""
        for n, words in shares
    ]
    return _aligned([f"{measure.name} {measure.words(measure.total)}", *cells])


def bar(share: float) -> str:
    """A bar of at most BAR characters, exact to an eighth of one."""
    eighths = round(8 * BAR * share)
    full, rest = divmod(max(eighths, 1), 8)
    return ("█" * full + EIGHTHS[rest].strip()).ljust(BAR)


def _aligned(cells: Sequence[str]) -> list[str]:
    width = max(map(breadth, cells))
    return [left(cell, width) for cell in cells]


def to_json(found: Profile) -> dict[str, Any]:
    """Exact figures of the parts; memory is in bytes of one sample, as autograd keeps it."""
    return {
        "name": found.graph.name,
        "variant": found.graph.variant or None,
        "parts": [
            {
                "path": part.path,
                "what": part.what,
                "output": list(part.shape),
                "memory": part.memory,
                "params": part.params,
                "macs": part.macs,
            }
            for part in found.parts
        ],
    }


def to_csv(found: Profile) -> str:
    """The same as CSV."""
    parts = to_json(found)["parts"]
    return csv_text([*parts[:1], *(part.values() for part in parts)])
