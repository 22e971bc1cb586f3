"""What a network shows before it is run: why it cannot be traced, and what no spec holds."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from cnndsl.importer.errors import ModelError, Problem


def refuse_untraceable(model: nn.Module) -> None:
    """Raise ModelError where a forward pass cannot be followed at all."""
    scripted = [p for p, m in model.named_modules() if isinstance(m, torch.jit.ScriptModule)]
    if scripted:
        problems = [Problem(path, "is a ScriptModule") for path in scripted]
        help = "import the nn.Module that was scripted"
        raise ModelError("TorchScript's calls cannot be followed", help, problems)
    if hasattr(model, "_orig_mod"):
        help = "import the nn.Module that was compiled"
        raise ModelError("a compiled network's calls cannot be followed", help)
    lazy = [
        Problem(name, "has no shape yet")
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]
        if is_lazy(tensor)
    ]
    if lazy:
        help = "run the network once on a sample in the function that makes it"
        raise ModelError("lazy modules are not made yet", help, lazy)
    others = [
        Problem(name, f"is {str(tensor.dtype).removeprefix('torch.')}")
        for name, tensor in model.named_parameters()
        if tensor.dtype != torch.float32
    ]
    if others:
        raise ModelError("the weights of a spec are float32", "import `net.float()`", others)
    names = _required(model.forward)
    if len(names) > 1:
        told = ", ".join(f"`{name}`" for name in names)
        raise ModelError(f"forward takes {told}", "networks of one input can be imported")


def _required(forward: Callable[..., Any]) -> list[str]:
    """The arguments that a forward pass cannot do without."""
    try:
        parameters = inspect.signature(forward).parameters.values()
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in kinds]


def inexpressible(model: nn.Module, is_leaf: Callable[[nn.Module], bool]) -> Iterator[Problem]:
    """What the modules and weights have that no spec says; of the network as it was made."""
    yield from _twice(model)
    yield from _tied(model)
    for path, module in model.named_modules():
        kind = type(module).__name__.removeprefix("Parametrized")
        if hasattr(module, "parametrizations"):
            weights = ", ".join(module.parametrizations)
            yield Problem(path, f"the {weights} of {kind} is computed by a parametrization")
        elif is_leaf(module) and (module._forward_hooks or module._forward_pre_hooks):
            yield Problem(path, f"{kind} has a hook, which may change its values")
        elif module._backward_hooks or module._backward_pre_hooks:
            yield Problem(path, f"{kind} has a hook, which may change its gradients")
        elif is_leaf(module) and (method := _replaced(module)):
            yield Problem(path, f"the method `{method}` of this {kind} was replaced by another")
    for name, weight in model.named_parameters():
        if weight._backward_hooks or weight._post_accumulate_grad_hooks:
            yield Problem(name, "has a hook, which may change its gradient or its value")


def _replaced(module: nn.Module) -> str:
    """A method of the class that the instance has another function for."""
    return next(
        (
            name
            for name, value in vars(module).items()
            if inspect.isroutine(value) and inspect.isroutine(getattr(type(module), name, None))
        ),
        "",
    )


def _twice(model: nn.Module) -> Iterator[Problem]:
    """Modules with weights that stand at two paths, and so twice in the state dict."""
    seen: dict[int, str] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        first = seen.setdefault(id(module), path)
        holds = next(module.parameters(), None) is not None
        if first != path and holds and not _within_another(model, path, seen):
            kind = type(module).__name__
            yield Problem(path, f"{kind} is the module `{first or 'that holds it'}` again")


def _within_another(model: nn.Module, path: str, seen: dict[int, str]) -> bool:
    """Whether a module around this one stands at two paths already, which is told once."""
    above = path.rpartition(".")[0]
    return bool(above) and seen[id(model.get_submodule(above))] != above


def _tied(model: nn.Module) -> Iterator[Problem]:
    """Weights of different modules that are one tensor, or lie in one memory."""
    owners: dict[int, str] = {}
    for path, module in model.named_modules():
        for name, tensor in [*module._parameters.items(), *module._buffers.items()]:
            if tensor is None:
                continue
            told = f"{path}.{name}" if path else name
            if tensor.layout != torch.strided:
                yield Problem(told, "is a sparse tensor")
                continue
            memory = tensor.untyped_storage()._cdata
            first = owners.setdefault(memory, told)
            if first != told:
                fact = f"is one tensor with `{first}`, and a spec's weights are each its own"
                yield Problem(told, fact)
