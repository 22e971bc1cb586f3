"""The learning rate of a recipe equals that of torch's schedulers, at each step and each epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import SGD
from torch.optim import lr_scheduler as theirs

from cnndsl.recipe import Recipe

LR, EPOCHS, STEPS = 0.4, 12, 7

Make = Callable[[SGD, int, int], theirs.LRScheduler]
"""The optimizer, the ticks in an epoch and those of the main schedule → torch's scheduler."""

MAIN: dict[str, tuple[dict[str, Any], Make]] = {
    "constant": ({}, lambda o, t, n: theirs.LambdaLR(o, lambda _: 1.0)),
    "step": (
        {"step_size": 3, "gamma": 0.5},
        lambda o, t, n: theirs.StepLR(o, 3 * t, 0.5),
    ),
    "exponential": (
        {"name": "step", "step_size": 1, "gamma": 0.98},
        lambda o, t, n: theirs.StepLR(o, t, 0.98),
    ),
    "multistep": (
        {"milestones": [2, 5, 6]},
        lambda o, t, n: theirs.MultiStepLR(o, [2 * t, 5 * t, 6 * t], 0.1),
    ),
    "cosine": (
        {"min_lr": 0.01},
        lambda o, t, n: theirs.CosineAnnealingLR(o, n, eta_min=0.01),
    ),
    "polynomial": (
        {"power": 0.5},
        lambda o, t, n: theirs.PolynomialLR(o, n, power=0.5),
    ),
}


def ours(schedule: dict[str, Any]) -> list[float]:
    recipe = Recipe.create(
        {"epochs": EPOCHS, "optimizer": {"lr": LR}, "schedule": {"name": "constant", **schedule}}
    )
    return [recipe.lr_at(step, STEPS) for step in range(EPOCHS * STEPS)]


def rates(make: Callable[[SGD], theirs.LRScheduler], per: str) -> list[float]:
    """torch's learning rate at each step, where the scheduler goes on at each step or epoch."""
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)
    scheduler = make(optimizer)
    found = []
    for step in range(EPOCHS * STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if (per == "step" or (step + 1) % STEPS == 0) and step + 1 < EPOCHS * STEPS:
            scheduler.step()
    return found


@pytest.mark.filterwarnings("ignore:.*epoch parameter in `scheduler.step")
@pytest.mark.parametrize("per", ["step", "epoch"])
@pytest.mark.parametrize("warmup", [0, 3])
@pytest.mark.parametrize("name", MAIN)
def test_as_torch(name: str, warmup: int, per: str) -> None:
    """The main schedule counts from the end of the warm-up, as torchvision's references have it."""
    ticks = STEPS if per == "step" else 1
    own, main = MAIN[name]

    def make(optimizer: SGD) -> theirs.LRScheduler:
        after = main(optimizer, ticks, (EPOCHS - warmup) * ticks)
        if not warmup:
            return after
        before = theirs.LinearLR(optimizer, start_factor=0.01, total_iters=warmup * ticks)
        return theirs.SequentialLR(optimizer, [before, after], [warmup * ticks])

    found = ours({"name": name, **own, "warmup": warmup, "per": per})
    assert found == pytest.approx(rates(make, per), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("per", ["step", "epoch"])
@pytest.mark.parametrize("pct_start", [0.3, 0.05, 1.0])
def test_one_cycle_as_torch(pct_start: float, per: str) -> None:
    own = {"pct_start": pct_start, "div_factor": 10, "final_div_factor": 100}
    total = EPOCHS * (STEPS if per == "step" else 1)

    def make(optimizer: SGD) -> theirs.LRScheduler:
        return theirs.OneCycleLR(optimizer, LR, total_steps=total, cycle_momentum=False, **own)

    found = ours({"name": "one_cycle", **own, "per": per})
    assert found == pytest.approx(rates(make, per), rel=1e-6, abs=1e-12)


def test_a_run_may_be_all_warm_up() -> None:
    found = ours({"name": "cosine", "warmup": EPOCHS, "warmup_factor": 0, "per": "epoch"})
    assert found[::STEPS] == pytest.approx([LR * epoch / EPOCHS for epoch in range(EPOCHS)])


def test_falls_at_broken_epochs() -> None:
    """timm's and TensorFlow's decay every 2.4 epochs."""
    found = ours({"name": "step", "step_size": 2.4, "gamma": 0.97, "per": "epoch"})
    assert found[::STEPS] == pytest.approx([LR * 0.97 ** (epoch // 2.4) for epoch in range(EPOCHS)])
