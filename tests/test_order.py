"""Randomness without state: which images each process sees in which step."""

from __future__ import annotations

import pytest
import torch

from cnndsl.training.order import (
    Chunk,
    Share,
    Step,
    draw,
    order,
    seed_step,
    steps_of,
    training_steps,
    validation_chunks,
)

SIZE = (8, 8)


def steps(count: int, batch: int, share: Share, **more: object) -> list[Step]:
    return training_steps(0, 1, count, batch, [SIZE], share, **more)  # type: ignore[arg-type]


def seen(parts: list[Step]) -> list[int]:
    return [i for step in parts for chunk in step if chunk.weight for i in chunk.indices.tolist()]


def test_order_is_a_function_of_seed_and_epoch() -> None:
    assert order(0, 1, 100).tolist() == order(0, 1, 100).tolist()
    assert sorted(order(0, 1, 100).tolist()) == list(range(100))
    assert len({tuple(order(s, e, 100).tolist()) for s in range(3) for e in range(3)}) == 9


def test_draws_are_a_function_of_seed_step_and_rank() -> None:
    draws = []
    for place in ((0, 1, 0), (0, 2, 0), (1, 1, 0), (0, 1, 1), (0, 1, 0)):
        seed_step(*place)
        draws.append(torch.rand(()).item())
    assert draws[0] == draws[4]
    assert len(set(draws)) == 4
    assert {draw(3, "size", i) for i in range(50)} == {0, 1, 2}


def test_batches_leave_no_lone_image() -> None:
    def sizes(count: int, batch: int) -> list[int]:
        return [end - start for start, end in steps_of(count, batch)]

    assert sizes(9, 4) == [4, 4]
    assert sizes(10, 4) == [4, 4, 2]
    assert sizes(1, 4) == [1]
    assert sizes(2, 1) == [1, 1]


@pytest.mark.parametrize("world", [1, 2, 3, 5])
@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("count", [40, 41, 43])
def test_each_image_is_seen_once_by_one_process(count: int, accumulate: int, world: int) -> None:
    ranks = [steps(count, 8, Share(rank, world, accumulate)) for rank in range(world)]
    together = [i for parts in ranks for i in seen(parts)]
    alone = seen(steps(count, 8, Share()))
    assert sorted(together) == sorted(alone)
    assert len(set(together)) == len(together)
    assert {len(parts) for parts in ranks} == {len(steps_of(count, 8))}


@pytest.mark.parametrize(("world", "accumulate"), [(1, 1), (1, 3), (2, 1), (3, 2), (16, 1)])
def test_weights_give_the_mean_of_the_whole_batch(world: int, accumulate: int) -> None:
    """The mean over processes of the sums over parts is the mean over the batch's images."""
    losses = torch.rand(43)
    alone = steps(43, 8, Share())
    ranks = [steps(43, 8, Share(rank, world, accumulate)) for rank in range(world)]
    for number, whole in enumerate(alone):
        parts = [chunk for parts in ranks for chunk in parts[number]]
        mean = sum(float(losses[c.indices].mean()) * c.weight for c in parts) / world
        assert mean == pytest.approx(float(losses[whole[0].indices].mean()), abs=1e-6)


def test_a_process_without_images_has_a_stand_in() -> None:
    (chunk,) = steps(2, 2, Share(rank=2, world=3))[0]
    assert (chunk.weight, len(chunk.indices)) == (0.0, 2)


def test_repeated_augmentation() -> None:
    parts = steps(12, 4, Share(), repeats=3)
    indices = torch.cat([chunk.indices for step in parts for chunk in step])
    copies = torch.cat([chunk.copies for step in parts for chunk in step])
    assert len(indices) == 12
    assert indices.unique().numel() == 4
    assert copies.tolist() == [0, 1, 2] * 4


def test_sizes_are_drawn_for_each_step() -> None:
    parts = training_steps(0, 1, 400, 4, [(8, 8), (12, 12)], Share())
    again = training_steps(0, 1, 400, 4, [(8, 8), (12, 12)], Share(rank=1, world=2))
    sizes = [step[0].size for step in parts]
    assert set(sizes) == {(8, 8), (12, 12)}
    assert sizes == [step[0].size for step in again]


@pytest.mark.parametrize("world", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 2, 30, 31])
def test_validation_sees_each_image_once(count: int, world: int) -> None:
    ranks = [validation_chunks(count, 4, SIZE, Share(rank, world)) for rank in range(world)]
    real: list[Chunk] = [chunk for chunks in ranks for chunk in chunks if chunk.weight]
    assert sorted(i for chunk in real for i in chunk.indices.tolist()) == list(range(count))
    assert len({len(chunks) for chunks in ranks}) == 1, "each process has as many forward passes"
