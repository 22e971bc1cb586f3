"""Groups of parameters, freezing, the average of the weights, and the optimizers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from harness import weights_hash
from torch import nn

from cnndsl.recipe import Recipe
from cnndsl.training.errors import TrainError
from cnndsl.training.optim import (
    Ema,
    check_patterns,
    freeze,
    initialize,
    make_optimizer,
    parameter_groups,
    set_lr,
    train_mode,
)


def recipe(**values: Any) -> Recipe:
    return Recipe.create(values)


def net() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential()
    model.add_module("stem", nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU()))
    model.add_module("pool", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    model.add_module("fc", nn.Linear(4, 3))
    return model


def step(model: nn.Module, optimizer: Any) -> None:
    optimizer.zero_grad()
    torch.manual_seed(1)
    model(torch.randn(5, 1, 8, 8)).square().mean().backward()
    optimizer.step()


@pytest.mark.parametrize(
    ("own", "theirs"),
    [
        (
            {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
            lambda p, **how: torch.optim.SGD(p, 0.1, 0.9, weight_decay=0.01, nesterov=True, **how),
        ),
        (
            {"name": "adam", "lr": 0.01, "betas": [0.8, 0.9], "eps": 1e-6},
            lambda p, **how: torch.optim.Adam(p, 0.01, (0.8, 0.9), 1e-6, **how),
        ),
        (
            {"name": "adamw", "weight_decay": 0.05},
            lambda p, **how: torch.optim.AdamW(p, 0.001, weight_decay=0.05, **how),
        ),
        (
            {"name": "rmsprop", "lr": 0.01, "alpha": 0.9, "momentum": 0.9, "eps": 0.01},
            lambda p, **how: torch.optim.RMSprop(p, 0.01, 0.9, 0.01, momentum=0.9),
        ),
    ],
    ids=["sgd", "adam", "adamw", "rmsprop"],
)
@pytest.mark.parametrize("fused", [None, True])
def test_optimizers_are_those_of_torch(own: dict[str, Any], theirs: Any, fused: Any) -> None:
    ours, reference = net(), net()
    pairs = [
        (ours, make_optimizer(ours, recipe(optimizer=own), fused)),
        (reference, theirs(reference.parameters(), fused=fused)),
    ]
    for _ in range(3):
        for model, optimizer in pairs:
            step(model, optimizer)
    assert weights_hash(ours) == weights_hash(reference)
    assert weights_hash(ours) != weights_hash(net())


def test_weight_decay_can_leave_norms_and_biases_out() -> None:
    model = net()
    own = {"weight_decay": 0.1, "norm_weight_decay": 0, "bias_weight_decay": 0.01}
    groups = list(parameter_groups(model, recipe(optimizer=own)))
    by_decay = {group["weight_decay"]: {id(p) for p in group["params"]} for group in groups}
    names = {id(p): name for name, p in model.named_parameters()}
    named = {decay: sorted(names[i] for i in group) for decay, group in by_decay.items()}
    assert named == {
        0.1: ["fc.weight", "stem.0.weight"],
        0.01: ["fc.bias", "stem.0.bias"],
        0.0: ["stem.1.bias", "stem.1.weight"],
    }


def test_learning_rates_by_pattern() -> None:
    model = net()
    optimizer = make_optimizer(model, recipe(lr_scale={"*": 0.5, "fc": 10, "fc.bias": 0}))
    set_lr(optimizer, 0.2)
    rates = {id(p): g["lr"] for g in optimizer.param_groups for p in g["params"]}
    by_name = {name: rates[id(p)] for name, p in model.named_parameters()}
    assert by_name["stem.0.weight"] == pytest.approx(0.1)
    assert by_name["fc.weight"] == pytest.approx(2.0)
    assert by_name["fc.bias"] == 0


def test_patterns_must_fit() -> None:
    names = [name for name, _ in net().named_parameters()]
    check_patterns(names, recipe(lr_scale={"fc": 2}, freeze=["stem"]))
    with pytest.raises(TrainError, match=r"train.lr_scale: no parameter fits `head`") as caught:
        check_patterns(names, recipe(lr_scale={"head": 2}))
    assert "stem.0" in caught.value.help
    for pattern, message in (("nothing", "freeze: no parameter fits"), ("*", "leaves no")):
        with pytest.raises(TrainError, match=message):
            check_patterns(names, recipe(freeze=[pattern]))


def test_frozen_parameters_and_statistics_stay() -> None:
    model = net()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert freeze(model, ["stem"]) == 4
    optimizer = make_optimizer(model, recipe(optimizer={"lr": 0.1}))
    train_mode(model)
    step(model, optimizer)
    after = model.state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert same == {name for name in before if name.startswith("stem")}


def test_the_average_follows_the_weights() -> None:
    model = net()
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    ema = Ema(model, decay=0.75, every=2)
    with torch.no_grad():
        for p in model.parameters():
            p += 1
    ema.update(model, 0)
    assert torch.equal(ema.average["fc.bias"], start["fc.bias"])
    ema.update(model, 1)
    assert torch.allclose(ema.average["fc.bias"], start["fc.bias"] + 0.25)
    raw = weights_hash(model)
    ema.swap(model)
    assert torch.allclose(model.get_parameter("fc.bias"), start["fc.bias"] + 0.25)
    ema.swap(model)
    assert weights_hash(model) == raw


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_the_average_is_that_of_torch(decay: float) -> None:
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    model = net()
    reference = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
    reference.update_parameters(model)
    ema = Ema(model, decay, 1)
    optimizer = make_optimizer(model, recipe(optimizer={"lr": 0.1}))
    for number in range(3):
        step(model, optimizer)
        ema.update(model, number)
        reference.update_parameters(model)
    for name, value in reference.module.named_parameters():
        assert torch.allclose(ema.average[name], value, atol=1e-6)


@pytest.mark.parametrize(
    "scheme",
    [
        *("normal", "xavier_normal", "xavier_uniform"),
        *("kaiming_normal", "kaiming_uniform", "orthogonal"),
    ],
)
def test_schemes_fill_the_weights(scheme: str) -> None:
    model = net()
    before = weights_hash(model)
    initialize(model, scheme)
    assert weights_hash(model) != before
    assert not model.get_parameter("fc.bias").any()
    if scheme.startswith("kaiming"):
        torch.manual_seed(3)
        wide = nn.Linear(1000, 1000)
        initialize(wide, scheme)
        assert wide.weight.std().item() == pytest.approx((2 / 1000) ** 0.5, rel=0.01)
