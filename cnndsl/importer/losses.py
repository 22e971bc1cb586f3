"""What of a network its spec does not say: which weights are frozen, and what they begin with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from cnndsl.builder import build_module
from cnndsl.graph import Graph

MANY = 4
"""More names than these are not listed."""
ENOUGH = 16
"""Fewer random numbers than these do not show what they are drawn from."""
MOST = 100_000
"""So many numbers of a weight are looked at."""
SURE = 6.0
"""Standard errors that two samples of one distribution never lie apart."""


def losses(graph: Graph, made: nn.Module) -> Iterator[str]:
    """Notes on what is lost of a network as it was made."""
    frozen = [name for name, p in made.named_parameters() if not p.requires_grad]
    if frozen:
        yield f"frozen in the network, and learning in the spec: {listed(frozen)}"
    other = list(_begin_otherwise(graph, made))
    if other:
        total = sum(1 for _ in made.parameters())
        told = f"{len(other)} of {total} weights begin otherwise in the network than in the spec"
        yield f"initial weights are not imported, and {told}: {listed(other)}"


def listed(names: Sequence[str]) -> str:
    """Some of the names, and how many more there are."""
    more = f" and {len(names) - MANY} more" if len(names) > MANY else ""
    return f"{', '.join(names[:MANY])}{more}"


def _begin_otherwise(graph: Graph, made: nn.Module) -> Iterator[str]:
    """The parameters whose first values the spec's network would not draw."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ours = dict(build_module(graph).named_parameters())
    for name, theirs in made.named_parameters():
        if not theirs.is_meta and not _alike(_some(theirs), _some(ours[name])):
            yield name


def _some(weight: Tensor) -> Tensor:
    """Numbers of a weight, at even distances."""
    flat = weight.detach().flatten().double().cpu()
    return flat[:: max(1, flat.numel() // MOST)]


def _alike(one: Tensor, other: Tensor) -> bool:
    """Whether two samples may be of one distribution, by their first moments."""
    constant = [bool((sample == sample[:1]).all()) for sample in (one, other)]
    if all(constant) and one.numel() > 1:
        return bool(one[0] == other[0])
    if any(constant) and one.numel() > 1:
        return False
    if one.numel() < ENOUGH:
        return True
    error: float = SURE / one.numel() ** 0.5
    spread, ours = (float(sample.std()) for sample in (one, other))
    if abs(float(one.mean() - other.mean())) > 2 * error * max(spread, ours):
        return False
    if abs(spread - ours) > error * max(spread, ours):
        return False
    tail, other_tail = (float((((s - s.mean()) / s.std()) ** 4).mean()) for s in (one, other))
    return abs(tail - other_tail) < 5 * error
