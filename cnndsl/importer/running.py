"""Networks on numbers: filled so that no two values are alike, and run from the same state."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

SEED = 3


@dataclass(frozen=True)
class Pass:
    """A forward pass of a batch, and whether a backward pass follows."""

    x: Tensor
    training: bool
    backward: bool

    def __str__(self) -> str:
        mode = "training" if self.training else "inference"
        return f"{mode}, of samples {list(self.x.shape[1:])}"


@dataclass(frozen=True)
class Run:
    """What a pass gave."""

    outputs: list[Tensor]
    values: dict[str, Tensor]
    """By path, the result of each module without children that ran once."""
    gradients: dict[str, Tensor | None]
    """By name, None where a parameter that learns has none."""
    buffers: dict[str, Tensor]


def run(model: nn.Module, pass_: Pass) -> Run:
    """A pass with the same random numbers each time; buffers are put back after it."""
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model.train(pass_.training).zero_grad()
    torch.manual_seed(SEED)
    with torch.set_grad_enabled(pass_.backward), _watched(model) as values:
        outputs = [t for t in tree_leaves(model(pass_.x.clone())) if isinstance(t, Tensor)]
    learned = [output for output in outputs if output.requires_grad]
    if learned:
        torch.autograd.backward([output.square().mean() for output in learned])
    gradients = {
        name: parameter.grad
        for name, parameter in model.named_parameters()
        if pass_.backward and parameter.requires_grad
    }
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(before[name])
    return Run([output.detach() for output in outputs], values, gradients, buffers)


def run_like(model: nn.Module, pass_: Pass, other: Run) -> Run:
    """The same, with those parameters frozen that got no gradient in another network's run."""
    lost = {name for name, gradient in other.gradients.items() if gradient is None}
    learning = [p for name, p in model.named_parameters() if name in lost and p.requires_grad]
    for parameter in learning:
        parameter.requires_grad_(False)
    result = run(model, pass_)
    for parameter in learning:
        parameter.requires_grad_(True)
    return result


@contextlib.contextmanager
def _watched(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """The values of the modules without children that run once."""
    values: dict[str, Tensor] = {}
    times: dict[str, int] = {}

    def keep(path: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, value: Any) -> None:
            times[path] = times.get(path, 0) + 1
            if isinstance(value, Tensor):
                values[path] = value.detach().clone()

        return hook

    handles = [
        module.register_forward_hook(keep(path))
        for path, module in model.named_modules()
        if not list(module.children())
    ]
    yield values
    for handle in handles:
        handle.remove()
    for path, count in times.items():
        if count > 1:
            values.pop(path, None)


def filled(model: nn.Module) -> nn.Module:
    """The network on the CPU with weights by which no two of its values are alike.

    Scales have both signs and shifts are wide, so that what follows sees values on each side of its
    thresholds.
    """
    model.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if not tensor.is_floating_point():
                tensor.zero_()
            elif tensor.ndim > 1:
                scale = (2 / max(1, tensor[0].numel())) ** 0.5
                tensor.uniform_(-scale, scale, generator=generator)
            elif name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5, generator=generator)
            else:
                tensor.uniform_(-1.5, 1.5, generator=generator)
    return model


@contextlib.contextmanager
def still() -> Iterator[None]:
    """Chance keeps everything: nothing depends on the order in which random numbers are drawn."""
    with _Still():  # type: ignore[no-untyped-call]
        yield


class _Still(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Gives what random functions give when chance keeps everything."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name == "bernoulli_":
            return args[0].fill_(1)
        if name == "native_dropout":
            return args[0].clone(), torch.ones_like(args[0], dtype=torch.bool)
        return func(*args, **(kwargs or {}))
