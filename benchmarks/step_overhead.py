"""What the training loop adds to a step: ours beside a hand-written loop, in one process.

    python benchmarks/step_overhead.py [--rounds 9]

Both train the same ResNet-18 for images of 64 × 64 in batches of 32, with SGD and cross entropy,
from the same weights on the same images. Each round times an epoch of both, turn by turn; the
medians of the rounds are compared. Exit code 1 where ours takes more than 3 % longer.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn

import cnndsl
from cnndsl.recipe import Recipe
from cnndsl.training.data import Batch, Split
from cnndsl.training.device import Placement, World
from cnndsl.training.engine import Engine
from cnndsl.training.learner import Learner
from cnndsl.training.loop import Loop, Progress
from cnndsl.training.order import Chunk, order
from cnndsl.training.signals import Signals

STEPS, BATCH, SIDE, LIMIT = 4, 32, 64, 1.03


class Images:
    """Images in memory, as both loops read them."""

    def __init__(self) -> None:
        self.images = torch.randn(STEPS * BATCH, 3, SIDE, SIDE)
        self.labels = torch.randint(0, 1000, (STEPS * BATCH,))

    def __len__(self) -> int:
        return len(self.labels)

    def order(self, seed: int, epoch: int) -> Tensor:
        return order(seed, epoch, len(self))

    def take(self, indices: Tensor) -> Batch:
        images = self.images[indices].to(memory_format=torch.channels_last)
        return images, self.labels[indices]

    def batches(self, chunks: Sequence[Chunk]) -> Iterator[Batch]:
        return (self.take(chunk.indices) for chunk in chunks)


def hand_written(model: nn.Module, data: Images) -> Callable[[], None]:
    """The loop of PyTorch's tutorials, channels-last and with a fused step as ours."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=True)
    loss_of = nn.CrossEntropyLoss()
    model.train()

    def epoch() -> None:
        for indices in torch.randperm(len(data)).split(BATCH):
            images, labels = data.take(indices)
            optimizer.zero_grad()
            loss = loss_of(model(images), labels)
            loss.backward()
            optimizer.step()

    return epoch


def ours(model: nn.Module, graph: cnndsl.Graph, data: Images) -> Callable[[], None]:
    """What `cnndsl train` runs for each epoch, but for validation and files."""
    recipe = Recipe.create({"batch_size": BATCH, "optimizer": {"lr": 0.01, "momentum": 0.9}})
    engine = Engine(Placement(torch.device("cpu"), World()))
    learner = Learner.of(model, graph.outputs, recipe, engine, classes=1000)
    loop = Loop(
        learner,
        Split(data, data, (0.0,), (1.0,)),
        recipe,
        [(SIDE, SIDE)],
        (SIDE, SIDE),
        Signals(),
        lambda title, count: nullcontext(lambda glance: None),
        lambda progress: None,
    )

    def epoch() -> None:
        loop.train_epoch(Progress(), lambda glance: None)

    return epoch


def timed(epoch: Callable[[], None]) -> float:
    start = time.process_time()
    epoch()
    return time.process_time() - start


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    graph, data = cnndsl.check("resnet18"), Images()
    models = [cnndsl.build(graph).to(memory_format=torch.channels_last) for _ in range(2)]
    loops = {"ours": ours(models[0], graph, data), "theirs": hand_written(models[1], data)}
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for number in range(rounds + 1):
        for name in sorted(loops, reverse=bool(number % 2)):
            times[name].append(timed(loops[name]))
    mine, theirs = (statistics.median(times[name][1:]) / STEPS for name in loops)
    print(f"step of cnndsl train: {1000 * mine:.1f} ms, hand-written: {1000 * theirs:.1f} ms")
    print(f"ratio {mine / theirs:.3f}, limit {LIMIT}")
    return int(mine / theirs > LIMIT)


if __name__ == "__main__":
    raise SystemExit(main())
