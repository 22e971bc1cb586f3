"""Calls of PyTorch → steps: each event of a trace as an op, or as a fault that names it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn
from torch.overrides import resolve_name
from torch.utils._pytree import tree_flatten

from cnndsl.importer.functions import HANDLERS, Arguments, Made, Unclear
from cnndsl.importer.readings import op_of_function, op_of_module, target_of
from cnndsl.importer.signatures import Parameters, bound
from cnndsl.importer.steps import Network, Step
from cnndsl.importer.tracing import Event, Foreign, Trace, Value, Weight
from cnndsl.ops.base import Family, Op, Reject, Shape

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def is_leaf(module: nn.Module) -> bool:
    """Whether a module is looked at from outside only: it stands for an op, or is PyTorch's own."""
    if type(module) in CONTAINERS:
        return False
    return bool(target_of(module)) or type(module).__module__.startswith("torch.nn")


def convert(trace: Trace) -> Network:
    """The trace as steps. Faults stay in it: what no output needs is none."""
    converter = _Converter(trace)
    for event in trace.events:
        converter.take(event)
    outputs = {name: converter.follow(value) for name, value in trace.outputs.items()}
    shape = Shape(trace.input.shape[1:])
    return Network(trace.input.id, shape, tuple(converter.steps), outputs)


@dataclass
class _Converter:
    trace: Trace
    steps: list[Step] = field(default_factory=list)
    same: dict[int, int] = field(default_factory=dict)
    """Values that are another one, by id."""
    sources: dict[int, Event] = field(default_factory=dict)
    """The event of each value, for patterns of several calls."""

    @property
    def batch(self) -> int:
        return self.trace.input.shape[0]

    def follow(self, value: Value) -> int:
        return self.same.get(value.id, value.id)

    def take(self, event: Event) -> None:
        self.sources |= {value.id: event for value in event.outputs}
        if isinstance(event.target, nn.Module):
            self.module(event, event.target)
        else:
            self.function(event, event.target)

    # --- modules ---

    def module(self, event: Event, module: nn.Module) -> None:
        told = f"nn.{type(module).__name__}"
        flat, _ = tree_flatten((event.args, dict(event.kwargs)))
        others = [leaf for leaf in flat if leaf is not None]
        if len(event.outputs) != 1 or len(others) != 1 or not isinstance(others[0], Value):
            self.fail(event, f"{told} of several values")
            return
        value, result = others[0], event.outputs[0]
        x = Shape(value.shape[1:])
        op = op_of_module(module, x)
        if op is None or not self.fits(op, (value,), result):
            self.fail(event, f"{told}({module.extra_repr()}) of {x}{_odd_state(module)}")
            return
        active = event.training if differs_in_training(op) else None
        self.add(event, op, (value,), result, named=True, active=active)

    # --- functions ---

    def function(self, event: Event, target: Callable[..., Any]) -> None:
        name = getattr(target, "__name__", str(target))
        bare = name if name.startswith("__") else name.strip("_")
        parameters = bound(target, event.args, event.kwargs)
        if parameters is not None:
            parameters = {n: v for n, v in parameters.items() if not isinstance(v, Value)}
        arguments = Arguments(event, parameters, self.sources, self.batch)
        handler = HANDLERS.get(bare) if event.inputs else None
        try:
            made = handler(arguments) if handler else self.general(bare, arguments)
        except Unclear as e:
            self.fail(event, f"{_told(target)} {e}".strip())
            return
        if made is None:
            self.fail(event, _told(target))
            return
        for item, result in zip(made, event.outputs, strict=True):
            self.made(event, item, result, parameters or {})

    def general(self, name: str, arguments: Arguments) -> list[Made] | None:
        """A function of one value that an op names as its own."""
        values = arguments.event.inputs
        if len(values) != 1 or len(arguments.event.outputs) != 1 or arguments.parameters is None:
            return None
        op = op_of_function(name, arguments.parameters, arguments.x)
        return None if op is None else [Made(op, values)]

    def made(self, event: Event, made: Made, result: Value, parameters: Parameters) -> None:
        weights = [*made.weights]
        if made.op is None:
            self.same[result.id] = self.follow(made.inputs[0])
            return
        if not self.fits(made.op, made.inputs, result):
            self.fail(event, f"{_told(event.target)} of {Shape(result.shape[1:])}")
            return
        active = parameters.get("training") if differs_in_training(made.op) else None
        self.add(event, made.op, made.inputs, result, active=active, weights=weights)

    # --- steps ---

    def fits(self, op: Op, inputs: tuple[Value, ...], result: Value) -> bool:
        """Whether the op gives the very shape that PyTorch gave."""
        try:
            shape = op.infer(tuple(Shape(value.shape[1:]) for value in inputs))
        except Reject:
            return False
        batched = all(v.shape and v.shape[0] == self.batch for v in (*inputs, result))
        return batched and tuple(shape) == result.shape[1:]

    def add(
        self,
        event: Event,
        op: Op,
        inputs: tuple[Value, ...],
        result: Value,
        *,
        named: bool = False,
        active: bool | None = None,
        weights: list[Weight] | None = None,
    ) -> None:
        path = event.home
        if weights:  # an op whose weight stands at its own path
            path, named = weights[0].path, True
        ids = tuple(self.follow(value) for value in inputs)
        shapes = tuple(Shape(value.shape[1:]) for value in inputs)
        shape = Shape(result.shape[1:])
        read = tuple(weight.path for weight in weights or ())
        step = Step(result.id, path, named, op, ids, shapes, shape, active=active, weights=read)
        self.steps.append(step)

    def fail(self, event: Event, fault: str) -> None:
        flat, _ = tree_flatten((event.args, dict(event.kwargs)))
        foreign = [leaf for leaf in flat if isinstance(leaf, Foreign)]
        weights = [leaf for leaf in flat if isinstance(leaf, Weight)]
        if foreign:
            fault += f", which reads {foreign[0].why}"
        elif weights and f"`{weights[0].path}`" not in fault:
            fault += f", which reads the weight `{weights[0].path}`"
        ids = tuple(self.follow(value) for value in event.inputs)
        shapes = tuple(Shape(value.shape[1:]) for value in event.inputs)
        named = isinstance(event.target, nn.Module)
        for value in event.outputs:
            shape = Shape(value.shape[1:])
            step = Step(value.id, event.home, named, None, ids, shapes, shape, fault)
            self.steps.append(replace(step, weights=tuple(weight.path for weight in weights)))


def differs_in_training(op: Op) -> bool:
    """Whether an op computes another thing in training than in inference."""
    statistics = bool(getattr(op, "track_running_stats", False))
    return statistics or op.name == "rrelu" or op.family is Family.REGULARIZATION


USUAL = frozenset({"weight", "bias", "running_mean", "running_var", "num_batches_tracked"})


def _odd_state(module: nn.Module) -> str:
    """What a module of PyTorch holds beside its own weights, as pruning and old weight norms do."""
    odd = [name for name in module.state_dict() if name not in USUAL]
    return f", which holds {', '.join(odd)}" if odd else ""


def _told(target: Any) -> str:
    """A function's name as one writes it: `torch.einsum`."""
    name = resolve_name(target) or getattr(target, "__name__", str(target))
    return str(name).replace("torch.nn.functional.", "F.")
