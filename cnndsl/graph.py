"""The network as the stages after elaboration see it: nodes with shapes, as they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any

from cnndsl.diagnostics import Diagnostic, Span
from cnndsl.ops.base import Call, Family, Op, Shape

NOTEBOOK = "cnndsl.diagram.notebook"
"""The back end that notebooks ask the graph itself for; nothing else here knows of one."""


class Input(Op):
    """A value that the network is given."""

    name = "input"
    family = Family.INPUT
    arity = 0


@dataclass(frozen=True, slots=True)
class Node:
    """One op at one place: `inputs` are the ids of the nodes it reads, all smaller than its own."""

    id: int
    path: str
    op: Op
    inputs: tuple[int, ...]
    input_shapes: tuple[Shape, ...]
    shape: Shape
    span: Span
    label: str = ""
    """The name or branch label that the spec gives the node, empty where it has none."""
    numbered: bool = True
    """Whether the last segment of the path is a number that was counted, not a name."""

    @property
    def x(self) -> Shape:
        """The shape of the first input."""
        return self.input_shapes[0] if self.input_shapes else self.shape

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the learned tensors by their full name, as in the state dict."""
        own = self.op.weights(self.x) if self.inputs else {}
        return {f"{self.path}.{name}" if name else self.path: shape for name, shape in own.items()}


@dataclass(frozen=True, slots=True)
class Scope:
    """What lies under one path: nodes and inner scopes, in the order they run.

    `block` is the user block that opened the scope, if one did, and `args` are its parameters and
    `let` values.
    """

    path: str
    block: str
    args: Mapping[str, Any]
    members: tuple[Node | Scope, ...]
    span: Span
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """The parameters of the block that have a literal default, with it."""

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    def nodes(self) -> Iterator[Node]:
        """The nodes under the path, inner scopes included, in the order they run."""
        ahead = [iter(self.members)]
        while ahead:  # no recursion: a node costs the same however deep it lies
            for member in ahead[-1]:
                if isinstance(member, Scope):
                    ahead.append(iter(member.members))
                    break
                yield member
            else:
                ahead.pop()


@dataclass(frozen=True, slots=True)
class Output:
    """A value that the network gives; `train_only` ones are computed in training alone."""

    name: str
    node: int
    train_only: bool = False
    loss_weight: float = 1.0


@dataclass(frozen=True)
class Graph:
    """A network with all its shapes: what check returns, and cost, emit, build and draw read."""

    name: str
    variant: str
    about: str
    params: Mapping[str, Any]
    nodes: tuple[Node, ...]
    root: Scope
    outputs: tuple[Output, ...]
    values: Mapping[str, int]
    """The node of every named value: of each node by its path, and of each scope its result."""
    dropped: tuple[str, ...] = ()
    """Paths of heads that `when` left out; a checkpoint may hold their weights."""
    init: Mapping[str, Call] = field(default_factory=dict)
    """How weights begin, by their name, where the spec says it; else as PyTorch's modules do."""
    train: Mapping[str, Any] = field(default_factory=dict)
    """The recipe of the spec's `train:`, evaluated, as nested mappings."""
    recipes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The other recipes of `train:`, by name."""
    published: Mapping[str, Any] = field(default_factory=dict)
    """Figures that were published of the trained network, as `top1`, where the spec has them."""
    contracts: int = 0
    """How many `shape:` contracts were confirmed."""
    facts: int = 0
    """How many facts of `expect:` were confirmed."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """Warnings and notes; a graph exists only where there was no error."""

    @cached_property
    def inputs(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if isinstance(node.op, Input))

    @cached_property
    def layers(self) -> tuple[Node, ...]:
        """The nodes that compute something: all but the inputs."""
        return tuple(node for node in self.nodes if not isinstance(node.op, Input))

    @cached_property
    def train_only(self) -> frozenset[int]:
        """Ids of the nodes that only train-only outputs need."""
        return frozenset(range(len(self.nodes))) - self._needed(inference=True)

    @cached_property
    def unneeded(self) -> frozenset[int]:
        """Ids of the nodes that no output needs."""
        return frozenset(range(len(self.nodes))) - self._needed(inference=False)

    @property
    def output(self) -> Output:
        """The first output that inference gives."""
        return next(output for output in self.outputs if not output.train_only)

    def _needed(self, inference: bool) -> frozenset[int]:
        ahead = [o.node for o in self.outputs if not (inference and o.train_only)]
        needed: set[int] = {node.id for node in self.inputs}
        while ahead:
            node = ahead.pop()
            if node not in needed:
                needed.add(node)
                ahead.extend(self.nodes[node].inputs)
        return frozenset(needed)

    def _repr_svg_(self) -> str:
        """The network as a picture, in notebooks."""
        return str(import_module(NOTEBOOK).svg(self))

    def _repr_html_(self) -> str:
        """The network as a page whose blocks open, in notebooks."""
        return str(import_module(NOTEBOOK).html(self))

    def verify(self) -> None:
        """Assert what every stage relies on; a failure is a defect of cnndsl, not of a spec."""
        paths = [node.path for node in self.nodes]
        assert len(set(paths)) == len(paths), "a path stands for two nodes"
        assert tuple(self.root.nodes()) == self.nodes, "the scopes do not hold the nodes in order"
        for index, node in enumerate(self.nodes):
            assert node.id == index
            assert all(i < index for i in node.inputs), f"{node.path} reads a later node"
            shapes = tuple(self.nodes[i].shape for i in node.inputs)
            assert shapes == node.input_shapes, f"{node.path}: input shapes differ"
            if node.inputs:
                assert node.op.infer(shapes) == node.shape, f"{node.path}: shape differs"
        assert not self.unneeded, "a node is left that no output needs"
        assert any(not o.train_only for o in self.outputs), "no output in inference"
