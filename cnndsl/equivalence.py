"""Whether a compiled module is the network of its Graph: its values against the interpreter's.

Both compute from the same random weights and inputs, in inference and in training. Compared are the
outputs, the gradients of every input and parameter, and the buffers afterwards.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from cnndsl.costs.smallest import min_input, replay
from cnndsl.graph import Graph
from cnndsl.interpreter import Interpreter, NodeError, seed_of
from cnndsl.ops.base import Shape

BATCH = 4
"""Samples in a batch: of two, a batch norm of one place makes 1 and -1 whatever they are."""
TOLERANCE = 1e-5
"""Largest difference that rounding explains in float32, of a tensor's largest value."""
EXACT = 1e-10
"""The same in double precision, which decides where float32 differs by more."""
FAINT = 1e-3
"""A gradient whose largest value is a smaller part of all gradients' is measured by that part: some
are zero but for rounding, as a bias's before a batch norm."""
LEAST = 8
"""The least side of images, where the spec's are as large: of one pixel a window sees its middle
alone."""
STEADY = (0.5, 2.0)
"""Standard deviations of a layer's output at which its random weights stay as they were drawn."""


NOT_FINITE = "has values that are not finite: nothing can be said of it"
INPLACE = re.compile("(, )?inplace=(True|False)")
"""What the compiled module decides itself of the settings of a layer."""


@dataclass(frozen=True)
class Equivalence:
    """What a comparison found."""

    inputs: tuple[Shape, ...]
    difference: float
    """The largest of all tensors, each relative to its own largest value."""
    where: str
    """The tensor that differs by it."""
    problems: tuple[str, ...]
    """What shows that the module is not the Graph's network; empty where it is."""
    double: bool = False
    """Whether double precision decided, since float32 rounds too coarsely for this network."""

    @property
    def undecided(self) -> bool:
        """Whether all that stands against the module are values that are not finite."""
        return bool(self.problems) and all(one.endswith(NOT_FINITE) for one in self.problems)

    def __str__(self) -> str:
        sizes = " and ".join(map(str, self.inputs))
        largest = f"{self.difference:.1e}, of {self.where}" if self.difference else "0"
        decided = " in double precision" if self.double else ""
        return (
            f"outputs, gradients and buffers at input {sizes} are those of the spec computed "
            f"node by node{decided}; largest difference {largest}"
        )

    def to_json(self) -> dict[str, Any]:
        """The shapes of the inputs, the largest difference, and the tensor that it is of."""
        inputs = [list(shape) for shape in self.inputs]
        return {"inputs": inputs, "difference": self.difference, "of": self.where}


def equivalence(graph: Graph, module: nn.Module, smallest: bool = True) -> Equivalence:
    """Compare a module with its Graph, at a small input that the network takes or at its own.

    The module's weights are replaced by random ones.
    """
    own = tuple(node.shape for node in graph.inputs)
    if not smallest:
        return _compared(graph, module, own)
    found = _compared(graph, module, _smallest(graph))
    if found.problems and found.inputs != own:  # as instance norms, which refuse a single place
        return _compared(graph, module, own)
    return found


def _smallest(graph: Graph) -> tuple[Shape, ...]:
    """The smallest inputs that the network takes and windows see more than one pixel of."""
    own = tuple(node.shape for node in graph.inputs)
    side = min_input(graph, training=True)
    if side is None:
        return own
    side = max(side, LEAST)
    image = Shape((own[0].channels, side, _width(graph, side)))
    return min(own, (image,), key=lambda shapes: shapes[0].size)


def _width(graph: Graph, height: int) -> int:
    """A width by which rows are told from columns, if the network takes one; else the height."""
    for more in (1 << n for n in range(height.bit_length())):
        image = Shape((graph.inputs[0].shape.channels, height, height + more))
        if all(replay(graph, image, training=True)):
            return height + more
    return height


def _compared(graph: Graph, module: nn.Module, shapes: tuple[Shape, ...]) -> Equivalence:
    """Compare in float32, and where that is too coarse in double precision."""
    found = _Comparison(graph, module.float(), shapes, TOLERANCE).run()
    if found.problems and math.isfinite(found.difference):
        return _Comparison(graph, module.double(), shapes, EXACT, double=True).run()
    return found


@dataclass
class _Comparison:
    graph: Graph
    module: nn.Module
    shapes: tuple[Shape, ...]
    tolerance: float
    double: bool = False
    difference: float = 0.0
    where: str = ""
    problems: list[str] = field(default_factory=list)

    def run(self) -> Equivalence:
        with torch.random.fork_rng(devices=[]):
            self.compare()
        problems = tuple(self.problems)
        return Equivalence(self.shapes, self.difference, self.where, problems, self.double)

    def compare(self) -> None:
        interpreter = Interpreter(self.graph)
        tensors = dict([*self.module.named_parameters(), *self.module.named_buffers()])
        if unlike := interpreter.tensors ^ tensors.keys():
            self.broken(f"module and spec differ in tensors: {', '.join(sorted(unlike)[:5])}")
            return
        for problem in unlike_settings(self.module, interpreter):
            self.broken(problem)
        inputs = self.inputs()
        _seed(self.module, interpreter)
        try:
            randomize(interpreter, tensors, inputs)
            for training in (False, True):
                self.mode(interpreter, inputs, training)
        except NodeError as e:
            self.broken(f"{e.node.span}: PyTorch refuses {e}")

    def inputs(self) -> list[Tensor]:
        dtype = torch.float64 if self.double else torch.float32
        shapes = [(BATCH, *shape) for shape in self.shapes]
        return [
            _drawn(node.path, torch.empty(shape, dtype=dtype)).requires_grad_()
            for node, shape in zip(self.graph.inputs, shapes, strict=True)
        ]

    def mode(self, interpreter: Interpreter, inputs: Sequence[Tensor], training: bool) -> None:
        """Compare in training or in inference, both from the same buffers."""
        mode = "in training" if training else "in inference"
        parameters = dict(self.module.named_parameters())
        buffers = {name: buffer.clone() for name, buffer in self.module.named_buffers()}
        wanted = interpreter.run({**parameters, **buffers}, inputs, training)
        named = zip(interpreter.graph.inputs, inputs, strict=True)
        learned = {**{f"input {node.path}": x for node, x in named}, **parameters}
        try:
            self.module.train(training)
            found = self.outputs(self.module(*inputs), training)
            theirs = _gradients(found, learned)
        except Exception as e:  # a wrong module fails in as many ways as there are
            self.broken(f"the module fails {mode}: {' '.join(str(e).split())[:300]}")
            return
        for output in self.graph.outputs:
            self.tensor(
                f"output {output.name} {mode}", wanted.get(output.name), found.get(output.name)
            )
        ours = _gradients(wanted, learned)
        least = FAINT * max(map(_size, ours.values()), default=0.0)
        for name in learned:
            self.tensor(f"the gradient of {name} {mode}", ours[name], theirs[name], least)
        for name, buffer in self.module.named_buffers():
            self.tensor(f"{name} {mode}", buffers[name], buffer)

    def outputs(
        self, result: Tensor | tuple[Tensor | None, ...], training: bool
    ) -> dict[str, Tensor]:
        """What the module gives, by the names of the outputs."""
        if isinstance(result, Tensor):
            kept = [o.name for o in self.graph.outputs if training or not o.train_only]
            return {kept[0]: result} if len(kept) == 1 else {}
        named = zip(self.graph.outputs, result, strict=True)
        return {output.name: value for output, value in named if value is not None}

    def tensor(
        self, what: str, wanted: Tensor | None, found: Tensor | None, least: float = 0.0
    ) -> None:
        if wanted is None or found is None:
            if wanted is not found:
                self.broken(f"{what} is {'not to be' if wanted is None else 'not'} given")
            return
        if not wanted.isfinite().all():  # what is infinite everywhere would equal anything
            self.broken(f"{what} {NOT_FINITE}")
            return
        difference = distance(wanted.detach(), found.detach(), least)
        if difference > self.difference:
            self.difference, self.where = difference, what
        if difference > self.tolerance:
            self.problems.append(f"{what} differs by {difference:.1e}")

    def broken(self, said: str) -> None:
        """Tell what no rounding explains."""
        self.problems.append(said)
        self.difference = math.inf


def unlike_settings(module: nn.Module, interpreter: Interpreter) -> Iterator[str]:
    """The layers of a module with other settings than their nodes have.

    They are compared as text, since at a small input another dilation may give the same numbers.
    """
    children = dict(module.named_modules())
    for id, own in interpreter.modules.items():
        path = interpreter.graph.nodes[id].path
        if path in children:  # else it is computed without a module
            told, meant = (INPLACE.sub("", repr(m.train())) for m in (children[path], own))
            if told != meant:
                yield f"{path} is {told}, by the spec {meant}"


def randomize(
    interpreter: Interpreter, tensors: Mapping[str, Tensor], inputs: Sequence[Tensor]
) -> None:
    """Draw all weights anew, so that every layer passes on a signal of about the same strength.

    A weight that begins at zero would hide what is computed with it.
    """
    values = dict(zip((node.id for node in interpreter.graph.inputs), inputs, strict=True))
    with torch.no_grad():
        for name, tensor in tensors.items():
            if tensor.is_floating_point():
                tensor.copy_(_drawn(name, tensor))
        for node in interpreter.graph.layers:
            read = [values[source] for source in node.inputs]
            values[node.id] = interpreter.node(node, read, tensors, training=False)
            if _steady([tensors[name] for name in node.weights], values[node.id]):
                values[node.id] = interpreter.node(node, read, tensors, training=False)


def _steady(weights: Sequence[Tensor], value: Tensor) -> bool:
    """Scale the weights that gave a value by its standard deviation, if that is far from 1."""
    strength = float(value.std()) if value.numel() > 1 else 1.0
    scaled = 0 < strength < math.inf and not STEADY[0] < strength < STEADY[1]
    for tensor in weights if scaled else ():
        tensor.div_(strength)
    return scaled and bool(weights)


def distance(wanted: Tensor, found: Tensor, least: float = 0.0) -> float:
    """The largest difference of two tensors, relative to the largest value of the first.

    Or to `least`, if that is more. Infinite where their shapes or what is no number differ.
    """
    if wanted.shape != found.shape:
        return math.inf
    unlike = (wanted != found) & ~(wanted.isnan() & found.isnan())
    if not unlike.any():
        return 0.0
    difference = float((wanted[unlike].double() - found[unlike].double()).abs().max())
    difference /= max(_size(wanted), least) or 1.0
    return math.inf if math.isnan(difference) else difference


def _size(tensor: Tensor) -> float:
    finite = tensor[tensor.isfinite()]
    return float(finite.abs().max()) if finite.numel() else 0.0


def _drawn(name: str, like: Tensor) -> Tensor:
    """Random numbers that depend on the name alone: of vectors positive, as variances must be."""
    generator = torch.Generator().manual_seed(seed_of(name))
    drawn = torch.empty_like(like)
    if like.ndim < 2:
        return drawn.uniform_(0.5, 1.5, generator=generator)
    return drawn.normal_(generator=generator)


def _seed(module: nn.Module, interpreter: Interpreter) -> None:
    """What is random in a module of the network shall draw as it does in the interpreter."""
    paths = {node.path for node in interpreter.graph.layers}
    for name, child in module.named_modules():
        if name in paths:
            child.register_forward_pre_hook(
                lambda _module, _inputs, name=name: torch.manual_seed(seed_of(name)) and None
            )


def _gradients(outputs: Mapping[str, Tensor], learned: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of a sum of the outputs with random factors, by what is learned or given."""
    with_gradient = {name: o for name, o in outputs.items() if o.requires_grad}
    if not with_gradient:
        return {name: torch.zeros_like(tensor) for name, tensor in learned.items()}
    factors = [_drawn(name, o) for name, o in with_gradient.items()]
    found = torch.autograd.grad(
        list(with_gradient.values()),
        list(learned.values()),
        factors,
        allow_unused=True,
        materialize_grads=True,
    )
    return dict(zip(learned, found, strict=True))
