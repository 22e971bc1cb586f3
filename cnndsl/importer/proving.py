"""That a spec's network equals the original: names and shapes of weights, every bit of outputs."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from cnndsl.builder import build_module
from cnndsl.graph import Graph
from cnndsl.importer.errors import Problem

SEED = 3
SAMPLES = 2


def differences(graph: Graph, original: nn.Module, shape: Sequence[int]) -> list[Problem]:
    """What differs between a spec's network and the original, which may be on the meta device."""
    with torch.device("meta"):
        ours = build_module(graph)
    problems = list(_weights(ours, original))
    if problems:
        return problems
    theirs = _filled(copy.deepcopy(original))
    ours.to_empty(device="cpu").load_state_dict(theirs.state_dict(), strict=True)
    x = torch.randn(SAMPLES, *shape, generator=torch.Generator().manual_seed(SEED))
    for training in (False, True):
        mode = "training" if training else "inference"
        found, wanted = (_outputs(m, x, training) for m in (ours, theirs))
        if len(found) != len(wanted) or not all(map(torch.equal, found, wanted)):
            fact = f"the outputs of {mode} differ"
            return [Problem(_first(ours, theirs, x, training), fact)]
    return []


def _weights(ours: nn.Module, theirs: nn.Module) -> Iterator[Problem]:
    """Weights that one has and the other lacks or has in another shape."""
    mine, other = ({n: tuple(t.shape) for n, t in m.state_dict().items()} for m in (ours, theirs))
    for name in [*other, *(n for n in mine if n not in other)]:
        if mine.get(name) != other.get(name):
            fact = (
                f"{mine.get(name) or 'missing'} in the spec, {other.get(name) or 'missing'} there"
            )
            yield Problem(name, fact)


def _filled(model: nn.Module) -> nn.Module:
    """The network on the CPU with weights by which no two of its values are alike."""
    model.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if not tensor.is_floating_point():
                tensor.zero_()
            elif tensor.ndim > 1:
                scale = (2 / tensor[0].numel()) ** 0.5
                tensor.uniform_(-scale, scale, generator=generator)
            elif name.endswith("bias") or name.endswith("running_mean"):
                tensor.uniform_(-0.1, 0.1, generator=generator)
            else:
                tensor.uniform_(0.5, 1.5, generator=generator)
    return model


def _outputs(model: nn.Module, x: Tensor, training: bool) -> list[Tensor]:
    model.train(training)
    torch.manual_seed(SEED)
    with torch.no_grad():
        return [t for t in tree_leaves(model(x.clone())) if isinstance(t, Tensor)]


def _first(ours: nn.Module, theirs: nn.Module, x: Tensor, training: bool) -> str:
    """The path of the first module that both have and that gives another value."""
    found: list[dict[str, Tensor]] = []
    for model in (ours, theirs):
        values: dict[str, Tensor] = {}
        handles = [
            module.register_forward_hook(_keep(values, path))
            for path, module in model.named_modules()
            if not list(module.children())
        ]
        _outputs(model, x, training)
        for handle in handles:
            handle.remove()
        found.append(values)
    for path, value in found[1].items():
        mine = found[0].get(path)
        if mine is not None and (mine.shape != value.shape or not torch.equal(mine, value)):
            return path
    return ""


def _keep(values: dict[str, Tensor], path: str) -> Any:
    def keep(module: nn.Module, inputs: Any, value: Any) -> None:
        if isinstance(value, Tensor):
            values.setdefault(path, value.clone())

    return keep
