"""The memory of a forward pass, read off the plan of the source that runs.

Counted are the tensors that hold activations, in float32 and for one sample: the input, what each
op makes, and what an op makes for itself on the way (the indices of a pooling, a padded copy).
Tensors that share memory count once. Weights are left out, and workspaces within PyTorch's kernels.

In inference a value lives as long as the running Python holds it: in a variable that is not
overwritten yet, or as the argument of a module that has not returned. In training it lives where
autograd keeps it for the gradient, by PyTorch's rules for a processor.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cnndsl.graph import Graph, Node
from cnndsl.ops.base import Shape
from cnndsl.ops.memory import FLOAT
from cnndsl.plan import plan
from cnndsl.plan.parts import Chain, Class, Leaf, Part


@dataclass(frozen=True)
class Memory:
    """Bytes of activations, for one sample.

    `inference` is the most that is alive at once, and `peak` the node that then runs. `training` is
    what autograd keeps until the backward pass, and `kept` how much of it are tensors that each
    node made, by the node's id. `batch` is kept beside it, once for a batch of any size.
    """

    inference: int
    peak: Node
    training: int
    batch: int
    kept: Mapping[int, int]


def memory(graph: Graph) -> Memory:
    """The memory of the network's forward pass."""
    root = plan(graph)
    inference, training = _Inference(graph), _Training(graph)
    inference.run(root)
    training.run(root)
    kept = training.kept
    return Memory(inference.most, inference.peak, kept.total(), training.batch, kept)


@dataclass(eq=False, slots=True)
class Block:
    """The memory of one tensor, and of all that share it; `maker` is the id of a node."""

    size: int
    maker: int
    holders: int = 0


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor: its memory, and whether the gradient is computed through it."""

    block: Block
    learns: bool


class _Pass(ABC):
    """Runs the plan as Python does, with blocks of memory for tensors."""

    training: bool

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes = {node.path: node for node in graph.nodes}

    def run(self, root: Class) -> None:
        given = [Value(Block(FLOAT * n.shape.size, n.id), False) for n in self.graph.inputs]
        for value in given:
            self.hold(value)
        self.part(root, "", given)

    def part(self, part: Part, path: str, values: Sequence[Value | None]) -> list[Value | None]:
        """What a module gives for its arguments, which its caller holds; each result is held.

        None stands for a value of training alone, in inference.
        """
        if isinstance(part, Class) and not part.chain:
            return self.forward(part, values)
        if isinstance(part, Leaf):
            return [self.node(path, _present(values), part.inplace)]
        (x,) = _present(values)
        return [self.chain(part, path, x)]

    def chain(self, part: Chain | Class, path: str, x: Value) -> Value:
        self.hold(x)
        for name, child in part.children if isinstance(part, Chain) else part.fields:
            (y,) = self.part(child, f"{path}.{name}" if path else name, [x])
            assert y is not None, "a chain gives its result always"
            self.drop(x)
            x = y
        return x

    def forward(self, part: Class, values: Sequence[Value | None]) -> list[Value | None]:
        modules = dict(part.fields)
        variables: dict[str, Value] = {}
        for name, value, absent in zip(part.inputs, values, part.absent[0], strict=True):
            if value is not None and (self.training or not absent):
                variables[name] = value
                self.hold(value)
        for line in part.lines:
            if line.train_only and not self.training:
                continue
            read = [variables.get(name) for name in line.reads]
            module = modules.get(line.path.rpartition(".")[2])
            if module is None or isinstance(module, Leaf):
                results: list[Value | None] = [self.node(line.path, _present(read), line.inplace)]
            else:
                results = self.part(module, line.path, read)
            for name, result in zip(line.targets, results, strict=True):
                if name in variables:
                    self.drop(variables.pop(name))
                if result is not None:
                    variables[name] = result
        names = zip(part.outputs, part.absent[1], strict=True)
        given = [None if only and not self.training else variables[name] for name, only in names]
        for result in given:
            if result is not None:
                self.hold(result)
        for held in variables.values():
            self.drop(held)
        return given

    def node(self, path: str, values: Sequence[Value], inplace: bool) -> Value:
        node = self.nodes[path]
        shares = inplace or node.op.shares(*node.input_shapes, training=self.training)
        block = values[0].block if shares else Block(FLOAT * node.shape.size, node.id)
        learns = any(value.learns for value in values) or bool(node.op.weights(node.x))
        made = Value(block, learns)
        self.hold(made)
        self.computed(node, values, made, inplace)
        return made

    @abstractmethod
    def hold(self, value: Value) -> None:
        """Another variable or argument has the value."""

    @abstractmethod
    def drop(self, value: Value) -> None:
        """A variable or argument has the value no more."""

    @abstractmethod
    def computed(self, node: Node, values: Sequence[Value], made: Value, inplace: bool) -> None:
        """A node has made a value, and its inputs are still held."""


def _present(values: Sequence[Value | None]) -> list[Value]:
    return [value for value in values if value is not None]


class _Inference(_Pass):
    training = False

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.now = 0
        self.most, self.peak = sum(FLOAT * n.shape.size for n in graph.inputs), graph.nodes[0]

    def hold(self, value: Value) -> None:
        self.now += 0 if value.block.holders else value.block.size
        value.block.holders += 1

    def drop(self, value: Value) -> None:
        value.block.holders -= 1
        self.now -= 0 if value.block.holders else value.block.size

    def computed(self, node: Node, values: Sequence[Value], made: Value, inplace: bool) -> None:
        now = self.now + node.op.scratch(*node.input_shapes)
        if now > self.most:
            self.most, self.peak = now, node


class _Training(_Pass):
    training = True

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.kept: Counter[int] = Counter()
        self.batch = 0
        self.blocks: set[Block] = set()

    def hold(self, value: Value) -> None:
        pass

    def drop(self, value: Value) -> None:
        pass

    def computed(self, node: Node, values: Sequence[Value], made: Value, inplace: bool) -> None:
        if len(values) < 3:
            self.step(node, values, node.input_shapes, made, inplace)
            return
        # A merge of many is computed from the left, two at a time.
        left, shape = values[0], node.input_shapes[0]
        for right, other in zip(values[1:], node.input_shapes[1:], strict=True):
            joined = node.op.infer((shape, other))
            learns = left.learns or right.learns
            result = Value(Block(FLOAT * joined.size, node.id), learns)
            self.step(node, (left, right), (shape, other), result, inplace=False)
            left, shape = result, joined

    def step(
        self,
        node: Node,
        values: Sequence[Value],
        shapes: Sequence[Shape],
        made: Value,
        inplace: bool,
    ) -> None:
        """Keep what the gradient of an op of one or two values needs."""
        if not made.learns:
            return
        kept = node.op.kept(*shapes, inplace=inplace)
        if kept.own:
            self.kept[node.id] += kept.own
        self.batch += kept.batch
        if kept.output:
            self.keep(made)
        if kept.learning_input and values[0].learns:
            self.keep(values[0])
        if kept.input:
            # One of two is kept for the gradient of the other.
            for value, other in zip(values, values[::-1], strict=True):
                if len(values) == 1 or other.learns:
                    self.keep(value)

    def keep(self, value: Value) -> None:
        if value.block not in self.blocks:
            self.blocks.add(value.block)
            self.kept[value.block.maker] += value.block.size
