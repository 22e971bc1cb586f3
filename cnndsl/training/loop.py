"""The loop: epochs of steps over batches, on any device, for any network of one image."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from cnndsl.graph import Output
from cnndsl.recipe import Recipe
from cnndsl.training.data import Samples, Split
from cnndsl.training.errors import TrainError
from cnndsl.training.order import chunks, order, seed_step, training_chunks

REFRESH = 0.25
"""Seconds between two looks at the loss: each look waits for the device."""

Tick = Callable[[int, float, float], None]
"""Told now and then: images done in this epoch, mean loss, accuracy."""

Watch = Callable[[int, int], AbstractContextManager[Tick]]
"""Entered for each epoch, with its number and its count of images."""


@dataclass(frozen=True)
class Metrics:
    """One epoch, counted from 1; accuracies from 0 to 1, `lr` that of its last step."""

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float
    samples_per_second: float
    lr: float

    @property
    def rank(self) -> tuple[float, float]:
        """Larger is better: the validation accuracy, then the validation loss."""
        return self.val_accuracy, -self.val_loss


class Tally:
    """Sums over batches that stay on the device until they are read."""

    def __init__(self, device: torch.device) -> None:
        self.loss = torch.zeros((), device=device)
        self.correct = torch.zeros((), dtype=torch.int64, device=device)
        self.count = 0

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Count one batch, `loss` being its mean."""
        self.loss += loss.detach() * len(labels)
        self.correct += (logits.detach().argmax(1) == labels).sum()
        self.count += len(labels)

    def read(self) -> tuple[float, float]:
        """Mean loss and accuracy."""
        return self.loss.item() / self.count, self.correct.item() / self.count


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer; the learning rate is set anew at each step."""
    parameters, lr, decay = model.parameters(), recipe.lr_at(0, 1), recipe.weight_decay
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, lr, recipe.momentum, weight_decay=decay, nesterov=recipe.nesterov
        )
    kind = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
    return kind(parameters, lr, weight_decay=decay)


def fit(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    data: Split,
    recipe: Recipe,
    heads: Sequence[Output],
    device: torch.device,
    watch: Watch,
) -> Iterator[Metrics]:
    """Train, and yield after each epoch; the model lies on the device already."""
    steps = recipe.epochs * steps_per_epoch(len(data.train), recipe)
    for epoch in range(1, recipe.epochs + 1):
        start = time.perf_counter()
        with watch(epoch, len(data.train)) as tick:
            tally = train_epoch(model, optimizer, data.train, recipe, heads, device, epoch, tick)
            loss, accuracy = checked(tally, epoch, recipe)
            tick(tally.count, loss, accuracy)
            middle = time.perf_counter()
            judged = evaluate(model, data.val, recipe, heads, device)
            val_loss, val_accuracy = checked(judged, epoch, recipe)
        end = time.perf_counter()
        last_step = epoch * steps // recipe.epochs - 1
        yield Metrics(
            epoch=epoch,
            train_loss=loss,
            train_accuracy=accuracy,
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            seconds=end - start,
            samples_per_second=tally.count / (middle - start),
            lr=recipe.lr_at(last_step, steps),
        )


def steps_per_epoch(count: int, recipe: Recipe) -> int:
    return len(training_chunks(torch.arange(count), recipe.batch_size))


def train_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    samples: Samples,
    recipe: Recipe,
    heads: Sequence[Output],
    device: torch.device,
    epoch: int,
    tick: Tick,
) -> Tally:
    """One pass over the training images, in the order that belongs to the epoch."""
    model.train()
    parts = training_chunks(order(recipe.seed, epoch, len(samples)), recipe.batch_size)
    first, steps = (epoch - 1) * len(parts), recipe.epochs * len(parts)
    tally, looked = Tally(device), time.monotonic()
    for step, (images, labels) in enumerate(samples.batches(parts), start=first):
        seed_step(recipe.seed, step)
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr_at(step, steps)
        optimizer.zero_grad()
        loss, logits = loss_of(model(images), labels, heads, recipe.label_smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        tally.add(loss, logits, labels)
        if time.monotonic() - looked > REFRESH:
            tick(tally.count, *checked(tally, epoch, recipe))
            looked = time.monotonic()
    return tally


@torch.no_grad()
def evaluate(
    model: nn.Module,
    samples: Samples,
    recipe: Recipe,
    heads: Sequence[Output],
    device: torch.device,
) -> Tally:
    """One pass over the validation images, in inference; the loss is that of the first output."""
    model.eval()
    tally = Tally(device)
    parts = chunks(torch.arange(len(samples)), recipe.batch_size)
    for images, labels in samples.batches(parts):
        result = model(images)
        logits = result[0] if isinstance(result, tuple) else result
        tally.add(cross_entropy(logits, labels), logits, labels)
    return tally


def loss_of(
    result: Tensor | tuple[Tensor, ...], labels: Tensor, heads: Sequence[Output], smoothing: float
) -> tuple[Tensor, Tensor]:
    """The weighted sum of the outputs' cross entropies, and the logits that inference gives."""
    values = result if isinstance(result, tuple) else (result,)
    losses = [
        head.loss_weight * cross_entropy(value, labels, label_smoothing=smoothing)
        for head, value in zip(heads, values, strict=True)
    ]
    main = next(i for i, head in enumerate(heads) if not head.train_only)
    return torch.stack(losses).sum(), values[main]


def checked(tally: Tally, epoch: int, recipe: Recipe) -> tuple[float, float]:
    """Mean loss and accuracy so far; a loss that is no number any more ends the run."""
    loss, accuracy = tally.read()
    if not math.isfinite(loss):
        raise TrainError(
            f"the loss became {loss} in epoch {epoch}",
            f"a lower learning rate, as in `--lr {recipe.lr_at(0, 1) / 10:g}`, often helps; "
            "checkpoints of earlier epochs are kept",
        )
    return loss, accuracy
