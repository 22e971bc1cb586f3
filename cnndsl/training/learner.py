"""One step of the optimizer, and one look at the validation images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from cnndsl.graph import Output
from cnndsl.recipe import Recipe
from cnndsl.training.data import Batch, Samples
from cnndsl.training.engine import Engine
from cnndsl.training.mixing import make_mixer
from cnndsl.training.optim import Ema, make_optimizer, set_lr, train_mode
from cnndsl.training.order import Chunk, Share, Step, seed_step, validation_chunks
from cnndsl.training.tally import Tally
from cnndsl.training.validation import answers


@dataclass
class Learner:
    """A network with what changes it; `network` is the model as Fabric has wrapped it."""

    model: nn.Module
    network: nn.Module
    optimizer: Any
    ema: Ema | None
    heads: Sequence[Output]
    recipe: Recipe
    engine: Engine
    mixer: Callable[[Tensor, Tensor, int, int], tuple[Tensor, Tensor]] | None

    @classmethod
    def of(
        cls,
        model: nn.Module,
        heads: Sequence[Output],
        recipe: Recipe,
        engine: Engine,
        classes: int,
    ) -> Learner:
        """Set a network up on its device, with the optimizer of the recipe."""
        network = engine.setup(model, recipe)
        optimizer = engine.setup_optimizer(make_optimizer(model, recipe, engine.fused))
        ema = Ema(model, recipe.ema.decay, recipe.ema.every) if recipe.ema else None
        mixer = make_mixer(recipe.augment, classes)
        return cls(model, network, optimizer, ema, heads, recipe, engine, mixer)

    def step(
        self, chunks: Step, batches: Iterator[Batch], number: int, lr: float, tally: Tally
    ) -> None:
        """One step of the optimizer, `number` in the run from 0, over the parts of its batch."""
        self.optimizer.zero_grad()
        set_lr(self.optimizer, lr)
        for place, chunk in enumerate(chunks, start=1):
            images, labels = next(batches)
            if place == 1:
                seed_step(self.recipe.seed, number, self.engine.world.rank)
            with self.engine.unsynced(self.network, enabled=place < len(chunks)):
                self.learn(chunk, images, labels, number, tally)
        self.engine.clip(self.network, self.optimizer, self.recipe)
        self.optimizer.step()
        if self.ema:
            self.ema.update(self.model, number)

    def learn(
        self, chunk: Chunk, images: Tensor, labels: Tensor, number: int, tally: Tally
    ) -> None:
        """The gradients of one part of a batch."""
        targets = labels
        if self.mixer:
            images, targets = self.mixer(images, labels, self.recipe.seed, number)
        result = self.network(images)
        loss, logits = loss_of(result, targets, self.heads, self.recipe.label_smoothing)
        self.engine.backward(loss if chunk.weight == 1 else loss * chunk.weight)
        if chunk.weight:
            tally.add(loss, logits, labels)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it; every process must call it."""
        state = self.engine.state(self.model, self.optimizer)
        if self.ema:
            self.ema.swap(self.model)
            state["ema"] = self.engine.weights(self.model)
            self.ema.swap(self.model)
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state that `state` gave."""
        if self.ema:
            self.engine.load_weights(self.model, state["ema"])
            self.ema = Ema(self.model, self.ema.decay, self.ema.every)
        self.engine.restore(self.model, self.optimizer, state)

    def judged(self) -> dict[str, Tensor]:
        """The weights that validation uses: the averaged ones where there are such."""
        if self.ema:
            self.ema.swap(self.model)
        weights = self.engine.weights(self.model)
        if self.ema:
            self.ema.swap(self.model)
        return weights

    def train(self) -> None:
        """Training mode, but for normalization that is frozen."""
        self.network.train()
        train_mode(self.model)

    def evaluate(
        self, samples: Samples, size: tuple[int, int], stop: Callable[[], bool]
    ) -> Tally | None:
        """One pass over the validation images, by the averaged weights where there are such.

        None where `stop` told to end before the pass was over.
        """
        if self.ema:
            self.ema.swap(self.model)
        try:
            return self._evaluate(samples, size, stop)
        finally:
            if self.ema:
                self.ema.swap(self.model)

    def _evaluate(
        self, samples: Samples, size: tuple[int, int], stop: Callable[[], bool]
    ) -> Tally | None:
        tally, world = Tally(self.engine.device), self.engine.world
        batch = self.recipe.val.batch_size or self.recipe.batch_size
        chunks = validation_chunks(len(samples), batch, size, Share(world.rank, world.size))
        for chunk, logits, labels in answers(self.network, samples, chunks):
            if chunk.weight:
                tally.add(cross_entropy(logits, labels), logits, labels)
            if stop():
                return None
        self.engine.total(tally.sums)
        return tally


def loss_of(
    result: Tensor | tuple[Tensor, ...], targets: Tensor, heads: Sequence[Output], smoothing: float
) -> tuple[Tensor, Tensor]:
    """The weighted sum of the outputs' cross entropies, and the logits that inference gives.

    `targets` are classes, int64 [batch], or their shares, float [batch, classes].
    """
    values = result if isinstance(result, tuple) else (result,)
    losses = [
        head.loss_weight * cross_entropy(value, targets, label_smoothing=smoothing)
        for head, value in zip(heads, values, strict=True)
    ]
    main = next(i for i, head in enumerate(heads) if not head.train_only)
    total = losses[0] if len(losses) == 1 else torch.stack(losses).sum()
    return total, values[main]
