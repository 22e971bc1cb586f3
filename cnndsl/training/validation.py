"""The pass over images that validation and evaluation share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from cnndsl.training.data import Samples
from cnndsl.training.order import Chunk


@torch.no_grad()
def answers(
    network: nn.Module, samples: Samples, chunks: Sequence[Chunk]
) -> Iterator[tuple[Chunk, Tensor, Tensor]]:
    """Each chunk with its logits, [n, classes], and its labels, in inference."""
    network.eval()
    for chunk, (images, labels) in zip(chunks, samples.batches(chunks), strict=True):
        yield chunk, logits_of(network(images)), labels


def logits_of(result: Tensor | tuple[Tensor, ...]) -> Tensor:
    """The first output that a network gives in inference."""
    return result[0] if isinstance(result, tuple) else result
