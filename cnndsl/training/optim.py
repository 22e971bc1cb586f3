"""The parameters of a network in the recipe's groups, and the optimizer over them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from cnndsl.recipe import Recipe
from cnndsl.recipe.patterns import all_frozen, fits, patterns_of, unfitting, whereabouts
from cnndsl.training.errors import TrainError

NORMS = (
    nn.modules.batchnorm._NormBase,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.LocalResponseNorm,
)


def freeze(model: nn.Module, patterns: Sequence[str]) -> int:
    """Stop the gradients of the parameters that a pattern fits; gives their count.

    A pattern fits a parameter's name or that of a scope around it: `features` is `features.*`.
    """
    frozen = 0
    for name, parameter in model.named_parameters():
        if any(fits(pattern, name) for pattern in patterns):
            parameter.requires_grad_(False)
            frozen += 1
    return frozen


def check_patterns(names: Sequence[str], recipe: Recipe) -> None:
    """Every pattern of `freeze` and `lr_scale` must fit a parameter; some must not be frozen."""
    given = patterns_of({"freeze": recipe.freeze, "lr_scale": recipe.lr_scale})
    wrong = [f"train.{key}: no parameter fits `{one}`" for key, one in unfitting(given, names)]
    if wrong:
        raise TrainError("\n".join(wrong), whereabouts(names))
    if all_frozen({"freeze": recipe.freeze}, names):
        raise TrainError("`train.freeze` leaves no parameter to train", "name fewer of them")


def train_mode(model: nn.Module) -> None:
    """Training mode; normalization whose parameters are frozen keeps its statistics."""
    model.train()
    for module in model.modules():
        own = list(module.parameters(recurse=False))
        if isinstance(module, NORMS) and own and not any(p.requires_grad for p in own):
            module.eval()


def make_optimizer(
    model: nn.Module, recipe: Recipe, fused: bool | None = None
) -> torch.optim.Optimizer:
    """The recipe's optimizer; the learning rate is set anew at each step, by `set_lr`.

    `fused` asks for steps in one pass over the weights, which RMSprop does not have.
    """
    own = recipe.optimizer
    groups, lr = list(parameter_groups(model, recipe)), own.start
    eps = 1e-8 if own.eps is None else own.eps
    if own.name == "sgd":
        return torch.optim.SGD(groups, lr, own.momentum, nesterov=own.nesterov, fused=fused)
    if own.name == "rmsprop":
        return torch.optim.RMSprop(groups, lr, own.alpha, eps, momentum=own.momentum)
    kind = torch.optim.Adam if own.name == "adam" else torch.optim.AdamW
    return kind(groups, lr, own.betas, eps, fused=fused)


def parameter_groups(model: nn.Module, recipe: Recipe) -> Iterator[dict[str, Any]]:
    """Parameters of equal weight decay and factor of the learning rate."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter, is_norm in _owned(model):
        if parameter.requires_grad:
            decay = _decay(recipe, name, is_norm)
            groups.setdefault((decay, _scale(recipe.lr_scale, name)), []).append(parameter)
    for (decay, scale), parameters in groups.items():
        yield {"params": parameters, "weight_decay": decay, "scale": scale}


def _owned(model: nn.Module) -> Iterator[tuple[str, nn.Parameter, bool]]:
    """Each parameter once, with its name and whether a normalization layer owns it."""
    seen: set[nn.Parameter] = set()
    for path, module in model.named_modules():
        for name, parameter in module.named_parameters(path, recurse=False):
            if parameter not in seen:
                seen.add(parameter)
                yield name, parameter, isinstance(module, NORMS)


def _decay(recipe: Recipe, name: str, is_norm: bool) -> float:
    own = recipe.optimizer
    if is_norm and own.norm_weight_decay is not None:
        return own.norm_weight_decay
    if name.rpartition(".")[2] == "bias" and own.bias_weight_decay is not None and not is_norm:
        return own.bias_weight_decay
    return own.weight_decay


def _scale(factors: Mapping[str, float] | None, name: str) -> float:
    fitting = [factor for pattern, factor in (factors or {}).items() if fits(pattern, name)]
    return fitting[-1] if fitting else 1.0


def set_lr(optimizer: Any, lr: float) -> None:
    """The learning rate of the next step, times the factor of each group."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["scale"]


def initialize(model: nn.Module, scheme: str) -> None:
    """Fill the weights of convolutions and linear layers by a scheme of torch.nn.init; biases 0."""
    kinds = (nn.modules.conv._ConvNd, nn.Linear)
    for module in model.modules():
        if isinstance(module, kinds):
            if scheme == "normal":
                nn.init.normal_(module.weight, 0.0, 0.01)
            elif scheme.startswith("kaiming"):
                getattr(nn.init, f"{scheme}_")(module.weight, nonlinearity="relu")
            else:
                getattr(nn.init, f"{scheme}_")(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class Ema:
    """The moving average of a network's weights and statistics."""

    def __init__(self, model: nn.Module, decay: float, every: int) -> None:
        self.decay, self.every = decay, every
        self.average = {name: value.detach().clone() for name, value in _floats(model).items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move the average towards the network, after step number `step`, counted from 0."""
        if (step + 1) % self.every:
            return
        now = _floats(model)
        torch._foreach_lerp_(
            list(self.average.values()),
            [now[name].detach() for name in self.average],
            1 - self.decay,
        )

    @torch.no_grad()
    def swap(self, model: nn.Module) -> None:
        """Exchange the network's weights for the average, or back."""
        for name, value in _floats(model).items():
            kept = value.detach().clone()
            value.copy_(self.average[name])
            self.average[name].copy_(kept)


def _floats(model: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and statistics that are not whole numbers, by name."""
    values = (*model.named_parameters(), *model.named_buffers())
    return {name: value for name, value in values if value.is_floating_point()}
