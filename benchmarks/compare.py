"""Whether two networks are the same: their tensors, outputs, gradients and running statistics.

The networks share one memory for their parameters, so the largest fit twice; only what training
changes, the buffers and gradients, is held for each.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torchvision
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

import cnndsl
from cnndsl.graph import Graph

SIDES = (64, 96, 128, 224, 299, 331)
"""Of the square images that are compared: the first that the network takes in training."""
BATCH = 2
POOL = 1 << 20
"""How many random numbers there are; tensors repeat them: drawing takes longer than copying."""


@dataclass(frozen=True)
class Step:
    """What one forward and backward pass in training mode gives."""

    outputs: tuple[Tensor, ...]
    gradients: Mapping[str, Tensor | None]
    buffers: Mapping[str, Tensor]


class MetaTensors(TorchFunctionMode):
    """Makes what weights are made of on the meta device, where it costs nothing.

    All else stays on the CPU: RegNet computes its widths with tensors.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        device = {"device": "meta"} if func in (torch.empty, torch.zeros, torch.ones) else {}
        return func(*args, **{**(kwargs or {}), **device})


def torchvision_model(name: str) -> nn.Module:
    """torchvision's network on the meta device, without weights."""
    with warnings.catch_warnings(), MetaTensors():
        warnings.simplefilter("ignore")  # notes on the time that initial weights take
        model: nn.Module = torchvision.models.get_model(name, weights=None)
    return model


def randomize(model: nn.Module) -> nn.Module:
    """Move a network from the meta device to the CPU, with random weights and statistics."""
    model.to_empty(device="cpu")
    pool = torch.randn(POOL, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("num_batches_tracked"):
                tensor.zero_()
                continue
            repeat(pool, tensor)
            if name.endswith("running_var") or (tensor.ndim == 1 and name.endswith("weight")):
                tensor.mul_(0.2).clamp_(-0.5, 0.5).add_(1)
            else:
                tensor.mul_(0.1 if tensor.ndim == 1 else math.sqrt(2 / tensor[0].numel()))
    return model


def repeat(pool: Tensor, tensor: Tensor) -> None:
    """Fill a contiguous tensor with the numbers of the pool, over and over."""
    flat = tensor.view(-1)
    for start in range(0, len(flat), len(pool)):
        part = flat[start : start + len(pool)]
        part.copy_(pool[: len(part)])


def difference(graph: Graph, name: str) -> str:
    """The first thing in which our network differs from torchvision's; empty if there is none."""
    theirs = torchvision_model(name)
    side = smallest_side(theirs)
    with torch.device("meta"):
        ours = cnndsl.build(graph)
    randomize(theirs)
    try:
        ours.load_state_dict(theirs.state_dict(), strict=True, assign=True)
    except RuntimeError as e:
        return f"state dict: {' '.join(str(e).split())[:200]}"
    images = torch.randn(BATCH, 3, side, side, generator=torch.Generator().manual_seed(1))
    return difference_in_inference(ours, theirs, images) or difference_in_training(
        ours, theirs, images
    )


def smallest_side(model: nn.Module) -> int:
    """The side of the images; `model` lies on the meta device."""
    for side in SIDES:
        try:
            with torch.no_grad():
                model.train()(torch.empty(BATCH, 3, side, side, device="meta"))
        except (RuntimeError, ValueError):
            continue
        return side
    raise ValueError(f"the network takes no image of side {', '.join(map(str, SIDES))}")


def difference_in_inference(ours: nn.Module, theirs: nn.Module, images: Tensor) -> str:
    with torch.no_grad():
        expected, found = theirs.eval()(images), ours.eval()(images)
    if not expected.isfinite().all() or expected.std() == 0:
        return "inference: outputs that are not finite, or all equal, tell nothing"
    return "" if torch.equal(found, expected) else f"inference: {distance(found, expected)}"


def difference_in_training(ours: nn.Module, theirs: nn.Module, images: Tensor) -> str:
    """Outputs with equal random numbers, gradients, and the statistics that they leave."""
    separate_buffers(ours)
    expected, found = (step(model, images) for model in (theirs, ours))
    if len(expected.outputs) != len(found.outputs):
        return f"training: {len(found.outputs)} outputs, torchvision's has {len(expected.outputs)}"
    for mine, other in zip(found.outputs, expected.outputs, strict=True):
        if not other.isfinite().all():
            return "training: outputs that are not finite tell nothing"
        if not torch.equal(mine, other):
            return f"training: {distance(mine, other)}"
    return first_unequal("gradient", found.gradients, expected.gradients) or first_unequal(
        "after training", found.buffers, expected.buffers
    )


def separate_buffers(model: nn.Module) -> None:
    """Give a network whose tensors are another's its own buffers, which training writes to."""
    for module in model.modules():
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, buffer.clone())


def step(model: nn.Module, images: Tensor) -> Step:
    """One pass in training mode with fixed random numbers; it leaves no gradients behind."""
    torch.manual_seed(3)
    given: Any = model.train()(images.clone())
    outputs = given if isinstance(given, tuple) else (given,)
    sum(output.square().mean() for output in outputs).backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    model.zero_grad(set_to_none=True)
    return Step(tuple(o.detach() for o in outputs), gradients, dict(model.named_buffers()))


def first_unequal(
    what: str, found: Mapping[str, Tensor | None], expected: Mapping[str, Tensor | None]
) -> str:
    for name, other in expected.items():
        mine = found[name]
        if mine is None or other is None:
            if mine is not other:
                return f"{what}: {name} has one in one of the networks alone"
        elif not torch.equal(mine, other):
            return f"{what}: {name}: {distance(mine, other)}"
    return ""


def distance(found: Tensor, expected: Tensor) -> str:
    if found.shape != expected.shape:
        return f"shapes {list(found.shape)} and {list(expected.shape)}"
    return f"values up to {(found - expected).abs().max():.3g} apart"
