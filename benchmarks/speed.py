"""A compiled network beside torchvision's: time of a forward pass and of a training step.

    python benchmarks/speed.py [NAME ...]

Both run in turn in one process with equal weights; medians of the ratio, below 1 where ours is
faster.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
import torchvision
from torch import nn

import cnndsl

NETWORKS = ("resnet18", "resnet50", "googlenet", "densenet121", "vgg11_bn")


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def forward(model: nn.Module, images: torch.Tensor) -> Callable[[], object]:
    model.eval()
    return torch.inference_mode()(lambda: model(images))


def step(model: nn.Module, images: torch.Tensor) -> Callable[[], object]:
    def run() -> None:
        model.train()
        outputs = model(images)
        first = outputs if isinstance(outputs, torch.Tensor) else outputs[0]
        first.sum().backward()
        model.zero_grad()

    return run


def ratio(ours: Callable[[], object], theirs: Callable[[], object], rounds: int = 9) -> float:
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(rounds + 1)][1:]
    return statistics.median(a / b for a, b in pairs)


def main(names: list[str]) -> None:
    print("network        forward  training step   (ours / torchvision's)")
    for name in names or NETWORKS:
        extra = {"init_weights": False} if name == "googlenet" else {}
        theirs = torchvision.models.get_model(name, **extra)
        ours = cnndsl.build(name)
        ours.load_state_dict(theirs.state_dict())
        images = torch.randn(4, 3, 224, 224)
        told = [ratio(make(ours, images), make(theirs, images)) for make in (forward, step)]
        print(f"{name:14} {told[0]:7.3f}  {told[1]:13.3f}")


if __name__ == "__main__":
    main(sys.argv[1:])
