"""The learning rate as a function of where in the run a step falls: nothing to store or restore."""

from __future__ import annotations

import math

from cnndsl.recipe.sections import Schedule

ROUNDING = 1e-9
"""What a broken count of epochs may lack for a whole one."""


def factor_at(schedule: Schedule, step: int, steps: int, epochs: int, lr: float) -> float:
    """The factor of the learning rate `lr` in a step of a run of `epochs` epochs of `steps` each.

    As with torch's schedulers the rate changes at ticks: each step is one, or each epoch. The main
    schedule counts from the end of the warm-up, as in `SequentialLR`.
    """
    ticks = steps if schedule.per == "step" else 1  # in an epoch
    now = float(step if schedule.per == "step" else step // steps)
    warmup = schedule.warmup * ticks
    if now < warmup:
        return schedule.warmup_factor + (1 - schedule.warmup_factor) * now / warmup
    return _main(schedule, now - warmup, epochs * ticks - warmup, ticks, lr)


def _main(schedule: Schedule, now: float, length: float, ticks: int, lr: float) -> float:
    """The factor `now` ticks after the warm-up, of `length` that follow it."""
    share = min(now / length, 1) if length > 0 else 1.0
    if schedule.name == "step":
        falls = math.floor(now / (schedule.step_size * ticks) + ROUNDING)
        return math.pow(schedule.gamma, falls)
    if schedule.name == "multistep":
        ends = (end * ticks for end in schedule.milestones or ())
        return math.pow(schedule.gamma, sum(now + ROUNDING >= end for end in ends))
    if schedule.name == "cosine":
        least = min(schedule.min_lr / lr, 1) if lr else 0.0
        return least + (1 - least) * _cosine(share)
    if schedule.name == "polynomial":
        return math.pow(1 - share, schedule.power)
    return _one_cycle(schedule, now, length) if schedule.name == "one_cycle" else 1.0


def _one_cycle(schedule: Schedule, now: float, length: float) -> float:
    """torch's OneCycleLR: two phases of cosine form, the last tick at the end of the second."""
    first = 1 / schedule.div_factor
    last = first / schedule.final_div_factor
    peak, end = schedule.pct_start * length - 1, length - 1
    if now < peak:
        return 1 + (first - 1) * _cosine(now / peak)
    return last + (1 - last) * _cosine((now - peak) / (end - peak) if end > peak else 0.0)


def _cosine(share: float) -> float:
    """From 1 to 0 as the share goes from 0 to 1."""
    return (1 + math.cos(math.pi * min(share, 1))) / 2
