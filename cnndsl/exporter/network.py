"""What is exported, and what can go wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn

from cnndsl.graph import Graph
from cnndsl.interpreter import Interpreter


class ExportError(Exception):
    """A file that cannot be made: a lower-case fact in `message`, and a `help`."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(f"{message}\nhelp: {help}" if help else message)
        self.message, self.help = message, help


@dataclass(frozen=True)
class Network:
    """What is exported: a graph, its module, and what a file shall say of it."""

    graph: Graph
    module: nn.Module
    notes: Mapping[str, str] = field(default_factory=dict)
    opset: int | None = None
    """Of ONNX; None leaves the choice to PyTorch."""

    @property
    def inputs(self) -> list[str]:
        return [node.path for node in self.graph.inputs]

    @property
    def outputs(self) -> list[str]:
        return [output.name for output in self.graph.outputs if not output.train_only]

    def batch(self, count: int) -> tuple[Tensor, ...]:
        """Samples that are the same each time."""
        generator = torch.Generator().manual_seed(count)
        shapes = [(count, *node.shape) for node in self.graph.inputs]
        return tuple(torch.randn(shape, generator=generator) for shape in shapes)

    @cached_property
    def interpreter(self) -> Interpreter:
        return Interpreter(self.graph)

    @torch.no_grad()
    def run(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """The outputs of inference as the graph means them, with the module's weights."""
        tensors = dict([*self.module.named_parameters(), *self.module.named_buffers()])
        given = self.interpreter.run(tensors, inputs, training=False)
        return [given[name] for name in self.outputs]


def several(result: Tensor | tuple[Tensor | None, ...]) -> Sequence[Tensor]:
    """The outputs of inference: one alone is given as it is, and None for those of training."""
    values = result if isinstance(result, tuple | list) else (result,)
    return [value for value in values if value is not None]
