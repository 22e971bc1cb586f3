"""Graph → values, node by node: what a network means, whatever a compiler makes of it.

It shares nothing with the plan and the emitter. Each node is computed out of place, by its own
module or function, with the tensors of a state dict by the Graph's names.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce
from importlib import import_module
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from cnndsl.graph import Graph, Node
from cnndsl.ops.base import Call

NAMESPACES = {"nn": nn, "F": F, "torch": torch}


class NodeError(Exception):
    """PyTorch does not compute a node; `node` is which, the cause says why."""

    def __init__(self, node: Node, cause: Exception) -> None:
        said = " ".join(str(cause).split()) or type(cause).__name__
        super().__init__(f"{node.path} ({node.op.name}): {said[:300]}")
        self.node = node


class Interpreter:
    """Computes the outputs of a Graph from its inputs, (N, *shape) each."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.modules: dict[int, nn.Module] = {}
        for node in graph.layers:
            call = node.op.module(node.x) if len(node.inputs) == 1 else None
            if call is not None and call.target != "nn.Parameter":
                self.modules[node.id] = _computed(call)

    @property
    def tensors(self) -> set[str]:
        """The names of the parameters and buffers that the network has."""
        named = {
            f"{self.graph.nodes[id].path}.{name}"
            for id, module in self.modules.items()
            for name, _ in [*module.named_parameters(), *module.named_buffers()]
        }
        return named | {name for node in self.graph.layers for name in node.weights}

    def run(
        self, tensors: Mapping[str, Tensor], inputs: Sequence[Tensor], training: bool
    ) -> dict[str, Tensor]:
        """The outputs by name, in inference without those of training alone.

        `tensors` are parameters and buffers by name; buffers are changed in training. Raises
        NodeError where PyTorch refuses a node.
        """
        values = dict(zip((node.id for node in self.graph.inputs), inputs, strict=True))
        outputs = [o for o in self.graph.outputs if training or not o.train_only]
        skipped = frozenset() if training else self.graph.train_only
        nodes = [node for node in self.graph.layers if node.id not in skipped]
        left = Counter(source for node in nodes for source in node.inputs)
        left.update(output.node for output in outputs)
        with torch.random.fork_rng(devices=[]):
            for node in nodes:
                read = [values[source] for source in node.inputs]
                values[node.id] = self.node(node, read, tensors, training)
                left.subtract(node.inputs)
                for source in set(node.inputs):
                    if not left[source]:
                        del values[source]
        return {output.name: values[output.node] for output in outputs}

    def node(
        self, node: Node, values: list[Tensor], tensors: Mapping[str, Tensor], training: bool
    ) -> Tensor:
        """The value of one node; what is random in it depends on the node's path alone."""
        torch.manual_seed(seed_of(node.path))
        try:
            if node.id not in self.modules:
                return _applied(node, values, tensors.get(node.path))
            module = self.modules[node.id].train(training)
            names = [name for name, _ in [*module.named_parameters(), *module.named_buffers()]]
            own = {name: tensors[f"{node.path}.{name}"] for name in names}
            result: Tensor = torch.func.functional_call(module, own, (values[0],))
            return result
        except Exception as e:  # modules fail in as many ways as there are
            raise NodeError(node, e) from e


def seed_of(path: str) -> int:
    """The seed of the random numbers of the node at a path."""
    return zlib.crc32(path.encode())


def _applied(node: Node, values: list[Tensor], parameter: Tensor | None) -> Tensor:
    """The result of a node's function; a merge of many is folded from the left, as its shape is."""
    if len(values) > 2:
        return reduce(lambda one, other: _applied(node, [one, other], parameter), values)
    function = node.op.function(*node.input_shapes[: len(values)])
    assert function is not None, f"{node.op.name} has neither a module nor a function"
    if isinstance(function, Call):
        result: Tensor = _target(function.target)(
            *values, *map(_argument, function.args), **_named(function)
        )
        return result
    names = [f"x{index}" for index in range(len(values))]
    known = {**NAMESPACES, **dict(zip(names, values, strict=True)), "parameter": parameter}
    value: Tensor = eval(function.format(*names, parameter="parameter"), known)
    return value


def _computed(call: Call) -> Any:
    return _target(call.target)(*map(_argument, call.args), **_named(call))


def _named(call: Call) -> dict[str, Any]:
    return {name: _argument(value) for name, value in call.kwargs}


def _argument(value: Any) -> Any:
    return _computed(value) if isinstance(value, Call) else value


def _target(target: str) -> Any:
    """What `nn.…`, `F.…`, `torch.…` or `package.module:name` means."""
    module, _, name = target.rpartition(":")
    head, *attributes = name.split(".")
    found = getattr(import_module(module), head) if module else NAMESPACES[head]
    for attribute in attributes:
        found = getattr(found, attribute)
    return found
