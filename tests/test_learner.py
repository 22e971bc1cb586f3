"""One step of the optimizer: losses, parts of a batch, and gradients that are limited."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from harness import CPU, weights_hash
from torch import Tensor, nn

import cnndsl
from cnndsl.graph import Output
from cnndsl.recipe import Recipe
from cnndsl.training.device import Placement, World
from cnndsl.training.engine import Engine
from cnndsl.training.learner import Learner, loss_of
from cnndsl.training.order import Share, training_steps
from cnndsl.training.tally import Tally

LOGITS = (Output("logits", 0),)
AUX = (Output("aux", 0, train_only=True, loss_weight=0.3), Output("logits", 1))


class Heads(NamedTuple):
    aux: Tensor
    logits: Tensor


class TwoHeads(nn.Module):
    """A train-only head first, as a compiled network gives it."""

    def __init__(self) -> None:
        super().__init__()
        self.flat, self.aux, self.main = nn.Flatten(), nn.Linear(64, 10), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor | Heads:
        x = self.flat(x)
        main: Tensor = self.main(x)
        return Heads(self.aux(x), main) if self.training else main


def flat() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))


IMAGES = torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(20) % 10


def learner(model: nn.Module, heads: Any = LOGITS, **values: Any) -> Learner:
    engine = Engine(Placement(CPU, World()))
    return Learner.of(model, heads, Recipe.create(values), engine, classes=10)


def take(one: Learner, count: int = 1, accumulate: int = 1) -> Tally:
    """Some steps over the 20 images as one batch."""
    tally = Tally(CPU)
    one.train()
    for number in range(count):
        (chunks,) = training_steps(0, 1, 20, 20, [(8, 8)], Share(accumulate=accumulate))
        batches = ((IMAGES[c.indices], LABELS[c.indices]) for c in chunks)
        one.step(chunks, batches, number, 0.1, tally)
    return tally


def test_loss_weighs_the_heads() -> None:
    labels = torch.tensor([1, 2])
    values = Heads(torch.randn(2, 10), torch.randn(2, 10))
    loss, logits = loss_of(values, labels, AUX, 0)
    each = [nn.functional.cross_entropy(value, labels) for value in values]
    assert loss == pytest.approx(0.3 * each[0].item() + each[1].item())
    assert logits is values.logits


def test_train_only_heads_are_trained() -> None:
    model = TwoHeads()
    before = weights_hash(model.aux)
    take(learner(model, AUX))
    assert weights_hash(model.aux) != before


def test_a_step_is_that_of_a_hand_written_loop() -> None:
    ours, theirs = flat(), flat()
    one = learner(ours, optimizer={"name": "sgd", "momentum": 0.9})
    optimizer = torch.optim.SGD(theirs.parameters(), 0.1, 0.9)
    (chunks,) = training_steps(0, 1, 20, 20, [(8, 8)], Share())
    tally = take(one, 3)
    for _ in range(3):
        optimizer.zero_grad()
        order = chunks[0].indices
        loss = nn.functional.cross_entropy(theirs(IMAGES[order]), LABELS[order])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert weights_hash(ours) == weights_hash(theirs)
    assert tally.count == 60


@pytest.mark.parametrize("accumulate", [2, 3, 20])
def test_parts_of_a_batch_give_the_gradients_of_the_whole(accumulate: int) -> None:
    whole, parts = flat(), flat()
    first = take(learner(whole), 2).read()
    second = take(learner(parts, accumulate=accumulate), 2, accumulate).read()
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)
    assert first == pytest.approx(second, abs=1e-5)


def test_gradients_are_limited() -> None:
    model = flat()
    take(learner(model, clip_norm=1e-3))
    norm = torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None]).norm()
    assert norm.item() == pytest.approx(1e-3, rel=1e-3)
    model = flat()
    take(learner(model, clip_value=1e-4))
    assert max(p.grad.abs().max().item() for p in model.parameters() if p.grad is not None) == (
        pytest.approx(1e-4)
    )


def test_label_smoothing() -> None:
    logits = torch.randn(20, 10)
    loss, _ = loss_of(logits, LABELS, LOGITS, 0.1)
    expected = nn.functional.cross_entropy(logits, LABELS, label_smoothing=0.1)
    assert loss == expected != nn.functional.cross_entropy(logits, LABELS)


def test_bf16_computes_in_bf16_and_keeps_weights_in_fp32() -> None:
    kinds: list[torch.dtype] = []
    model = flat()
    model[1].register_forward_hook(lambda *call: kinds.append(call[2].dtype))  # type: ignore[index]
    engine = Engine(Placement(CPU, World(), precision="bf16"))
    take(Learner.of(model, LOGITS, Recipe.create({"precision": "bf16"}), engine, 10))
    assert kinds == [torch.bfloat16]
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_dropout_is_a_function_of_seed_and_step() -> None:
    def after(seed: int, noise: int) -> str:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 10))
        one = learner(model, seed=seed)
        torch.manual_seed(noise)
        take(one, 2)
        return weights_hash(model)

    assert after(0, 5) == after(0, 6) != after(1, 5)


@pytest.mark.parametrize(("asked", "size"), [(True, 2), (True, 1), (False, 2)])
def test_batch_norm_is_synchronized_where_asked(asked: bool, size: int) -> None:
    """Over several processes only; the module itself runs on GPUs alone."""
    engine = Engine(Placement(CPU, World()))
    engine.world = World(size=size)
    model = cnndsl.build("lenet_bn")
    before = dict(model.named_parameters())
    engine.setup(model, Recipe.create({"sync_bn": asked}))
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    synced = [isinstance(norm, nn.SyncBatchNorm) for norm in norms]
    assert synced == [asked and size > 1] * len(norms)
    assert len(norms) == 4
    after = dict(model.named_parameters())
    assert before.keys() == after.keys()
    assert all(after[name] is before[name] for name in before)
