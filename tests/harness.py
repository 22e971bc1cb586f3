"""What the tests of training share: small networks, specs and ways to compare runs."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cnndsl.training import session

CPU = torch.device("cpu")

NET = """
cnndsl: 1
name: net
params: {classes: 5, width: 16}
input: [3, 24, 20]
body:
  - {conv: {out: $width, kernel: 3, padding: 1, bias: false}, name: conv}
  - {bn: {}, name: norm}
  - relu
  - {max_pool: 2, name: pool}
  - flatten
  - {dropout: 0.1}
  - {linear: $classes, name: fc}
train: {epochs: 2, optimizer: {name: adam, lr: 0.01}, size: 8}
"""

HEAD = """
outputs:
  aux: {from: pool, body: [flatten, {linear: $classes}], train_only: true, loss_weight: 0.3}
  logits: {}
"""

PLAIN = """
name: plain
params: {classes: 10}
input: [1, 8, 8]
body:
  - {conv: {out: 8, kernel: 3, padding: 1}, name: conv}
  - relu
  - {max_pool: 2}
  - flatten
  - {linear: $classes, name: fc}
train: {epochs: 2, batch_size: 50, optimizer: {name: sgd, lr: 0.1}}
"""
"""Without batch normalization and dropout: equal on any number of processes."""


def run(spec: str | Path, **options: Any) -> session.Result:
    return session.run(spec, **{"device": "cpu", "echo": lambda _: None, **options})


def weights_hash(weights: nn.Module | Mapping[str, Tensor]) -> str:
    """Of every bit of every tensor."""
    state = weights.state_dict() if isinstance(weights, nn.Module) else weights
    whole = hashlib.sha256()
    for name in sorted(state):
        value = state[name].detach().contiguous().flatten()
        whole.update(name.encode() + bytes(value.view(torch.uint8).tolist()))
    return whole.hexdigest()


def metrics_of(folder: Path) -> list[dict[str, str]]:
    with open(folder / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


class CudaOnCpu(TorchFunctionMode):
    """Serves every request for a CUDA device on the CPU, and counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.served = 0

    def _swap(self, value: Any) -> Any:
        if isinstance(value, torch.device | str) and str(value).startswith("cuda"):
            self.served += 1
            return CPU
        return value

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.device:
            return func(*args, **(kwargs or {}))
        swapped = {name: self._swap(value) for name, value in (kwargs or {}).items()}
        return func(*(self._swap(value) for value in args), **swapped)
