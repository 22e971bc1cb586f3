"""Greedy training: the network up to a stage, with a head of its own, as a network to train."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cnndsl.diagnostics import Report, suggest
from cnndsl.graph import Graph, Node, Output, Scope
from cnndsl.ops.base import Op
from cnndsl.ops.conv import Linear
from cnndsl.ops.pool import GlobalAvgPool2d
from cnndsl.ops.reshape import Flatten
from cnndsl.prune import prune
from cnndsl.recipe import Recipe
from cnndsl.training.errors import TrainError

HEAD = "stage_head"
"""The scope of a stage's own head; its weights end with the stage."""


@dataclass(frozen=True)
class Phase:
    """A part of a run: a network that is trained for some epochs with some weights frozen."""

    stage: str
    """The name of the stage; empty for the network itself."""
    graph: Graph
    recipe: Recipe
    first: int
    """The number of its first epoch in the run."""
    frozen: frozenset[str] = frozenset()
    """Names of the parameters that keep their values."""

    @property
    def last(self) -> int:
        return self.first + self.recipe.epochs - 1


def phases(graph: Graph, recipe: Recipe, classes: int) -> list[Phase]:
    """The phases of a run: one for each stage of a greedy recipe, and the network itself."""
    plan = recipe.layerwise
    if plan is None:
        return [Phase("", graph, recipe, 1)]
    own = replace(recipe, epochs=plan.epochs, ema=None, early_stopping=None, layerwise=None)
    result: list[Phase] = []
    frozen: frozenset[str] = frozenset()
    for number, name in enumerate(plan.stages):
        stage = stage_graph(graph, name, classes)
        weights = frozenset(_weights(stage))
        if not weights - frozen:
            raise TrainError(
                f"train.layerwise: stage `{name}` has no parameters that the ones before it lack",
                "name the stages in the order they run",
            )
        result.append(Phase(name, stage, own, 1 + number * plan.epochs, frozen))
        frozen |= weights
    first = 1 + len(plan.stages) * plan.epochs
    last = Phase("", graph, recipe, first, frozen if plan.rest == "rest" else frozenset())
    if last.frozen >= frozenset(_weights(graph)):
        raise TrainError(
            "train.layerwise: the stages leave nothing of the network to train",
            "leave the last one away, or set `rest: all`",
        )
    return [*result, last]


def _weights(graph: Graph) -> list[str]:
    """Names of the parameters, those of a stage's own head left out."""
    nodes = (node for node in graph.layers if not node.path.startswith(f"{HEAD}."))
    return [name for node in nodes for name in node.weights]


def stage_graph(graph: Graph, name: str, classes: int) -> Graph:
    """The network up to the value `name`, with global average pooling and a linear layer."""
    if name not in graph.values:
        raise TrainError(
            f"train.layerwise: {graph.name} has no scope or value `{name}`",
            suggest(name, [key for key in graph.values if "." not in key]),
        )
    end = graph.nodes[graph.values[name]]
    kept = graph.nodes[: end.id + 1]
    nodes, last = list(kept), end
    if len(end.shape) == 3:
        last = _then(nodes, last, GlobalAvgPool2d(), "pool")
    elif len(end.shape) > 1:
        last = _then(nodes, last, Flatten(), "pool")
    last = _then(nodes, last, Linear(out=classes), "fc")
    added = tuple(nodes[len(kept) :])
    head = Scope(HEAD, "", {}, added, end.span)
    root = _cut(graph.root, end.id)
    cut = replace(
        graph,
        nodes=tuple(nodes),
        root=replace(root, members=(*root.members, head)),
        outputs=(Output("output", last.id),),
        values={path: i for path, i in graph.values.items() if i <= end.id},
        init={name: made for name, made in graph.init.items() if name in _names(kept)},
    )
    return prune(cut, Report())


def _then(nodes: list[Node], before: Node, op: Op, name: str) -> Node:
    """Append an op that reads one node."""
    shape = op.infer((before.shape,))
    made = Node(
        len(nodes),
        f"{HEAD}.{name}",
        op,
        (before.id,),
        (before.shape,),
        shape,
        before.span,
        name,
        numbered=False,
    )
    nodes.append(made)
    return made


def _names(nodes: tuple[Node, ...]) -> set[str]:
    return {name for node in nodes for name in node.weights}


def _cut(scope: Scope, last: int) -> Scope:
    """The scope without the nodes after `last`."""
    members = (
        _cut(member, last) if isinstance(member, Scope) else member
        for member in scope.members
        if isinstance(member, Scope) or member.id <= last
    )
    return replace(scope, members=tuple(members))
