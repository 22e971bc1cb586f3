"""How well a trained network does on labelled images."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from cnndsl.recipe import Recipe
from cnndsl.recipe.sections import Augment
from cnndsl.training import target
from cnndsl.training.data import Facts, Samples, Split, find_facts, load
from cnndsl.training.data.loader import Loaded, Reader, worker_count
from cnndsl.training.data.stored import Stored
from cnndsl.training.errors import TrainError
from cnndsl.training.judging import check_classifier, judge
from cnndsl.training.order import Share, validation_chunks
from cnndsl.training.tally import Tally
from cnndsl.training.trained import Echo, Trained
from cnndsl.training.validation import answers


@dataclass(frozen=True)
class OfClass:
    """How one class came out; a share of nothing is None."""

    name: str
    images: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Evaluation:
    """What became of the images; shares are from 0 to 1."""

    network: str
    weights: str
    data: str
    part: str
    classes: tuple[str, ...]
    loss: float
    top1: float
    top5: float
    confusion: Tensor
    """How many images of each class were taken for each class; int64 [true, predicted]."""

    @property
    def images(self) -> int:
        return int(self.confusion.sum())

    def per_class(self) -> Iterator[OfClass]:
        hits = self.confusion.diagonal().tolist()
        images, predicted = (self.confusion.sum(way).tolist() for way in (1, 0))
        for name, hit, own, taken in zip(self.classes, hits, images, predicted, strict=True):
            precision, recall = _share(hit, taken), _share(hit, own)
            yield OfClass(name, own, precision, recall, _share(2 * hit, own + taken))

    def to_json(self) -> dict[str, Any]:
        names = ("network", "weights", "data", "part", "images", "top1", "top5", "loss")
        return {name: getattr(self, name) for name in names} | {
            "classes": [vars(of_class) for of_class in self.per_class()]
        }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


class Count:
    """Sums over batches, on the device."""

    def __init__(self, classes: int, device: torch.device) -> None:
        self.classes, self.tally = classes, Tally(device)
        self.confusion = torch.zeros(classes**2, dtype=torch.int64, device=device)
        self.among_five = torch.zeros((), dtype=torch.int64, device=device)

    def add(self, logits: Tensor, labels: Tensor) -> None:
        self.tally.add(cross_entropy(logits, labels), logits, labels)
        pairs = labels * self.classes + logits.argmax(1)
        self.confusion.index_add_(0, pairs, torch.ones_like(pairs))
        best = logits.topk(min(5, self.classes), 1).indices
        self.among_five += (best == labels.unsqueeze(1)).sum()


def evaluate(trained: Trained, device: str, part: str, echo: Echo) -> Evaluation:
    """Count what the network makes of the recipe's data, seen as in validation.

    `part` is val, train, or all, which is both. Raises TrainError.
    """
    check_classifier(trained)
    recipe, facts = trained.recipe, find_facts(trained.recipe.data)
    check_channels(trained, facts)
    labels = matched(trained, facts, echo)
    target.check_sizes(trained.graph, recipe)
    with judge(trained, device, echo) as (place, network):
        size = target.validation_size(recipe, trained.size)
        batch = recipe.val.batch_size or recipe.batch_size
        count, labels = Count(len(trained.classes), place), labels.to(place)
        for samples in _samples(recipe, facts, trained.size, place, part, echo):
            chunks = validation_chunks(len(samples), batch, size, Share())
            with closing(samples):
                for _, logits, own in answers(network, samples, chunks):
                    count.add(logits, labels[own])
    loss, top1 = count.tally.read()
    if not math.isfinite(loss):
        raise TrainError(f"the loss is {loss}: {trained.weights} holds numbers that are not finite")
    confusion = count.confusion.view(count.classes, -1).cpu()
    top5 = int(count.among_five) / max(count.tally.count, 1)
    return Evaluation(
        *(trained.title, trained.weights, facts.name, part, trained.classes),
        *(loss, top1, top5, confusion),
    )


def check_channels(trained: Trained, facts: Facts) -> None:
    channels = trained.graph.inputs[0].shape[0]
    if facts.channels == channels:
        return
    takes = f"{trained.title} takes images of {channels} channel{'s' if channels > 1 else ''}"
    known = trained.origin.data if trained.folder and trained.origin else ""
    raise TrainError(
        f"{takes}, those of {facts.name} have {facts.channels}",
        f"it was trained on {known}: choose data of its kind with `--data`"
        if known
        else f"compile it for them with `--input {facts.channels},H,W`, or choose other `--data`",
    )


def matched(trained: Trained, facts: Facts, echo: Echo) -> Tensor:
    """The network's class for each class of the data; int64.

    Where the data's names are among the network's, the names decide; where all of them are others,
    as the numbers that stand for ImageNet's classes, the order does.
    """
    own, other = trained.classes, facts.classes
    often = Counter(own)
    places = {name: place for place, name in enumerate(own) if often[name] == 1}
    if all(name in places for name in other):
        return torch.tensor([places[name] for name in other])
    if len(own) == len(other) and not set(own) & set(other):
        echo(
            f"note: the classes are matched by their order: {other[0]} is {own[0]}, "
            f"{other[-1]} is {own[-1]}"
        )
        return torch.arange(len(own))
    strange = [name for name in other if name not in places]
    raise TrainError(
        f"{facts.name} has {len(other)} classes, {trained.title} knows {len(own)}, without "
        f"{', '.join(strange[:3])}{' …' if len(strange) > 3 else ''}",
        "choose data whose classes it knows with `--data`; a folder's classes are the names of "
        "its subfolders",
    )


def _samples(
    recipe: Recipe,
    facts: Facts,
    size: tuple[int, int],
    device: torch.device,
    part: str,
    echo: Echo,
) -> Iterator[Samples]:
    """One part of the data, or both, seen as in validation."""
    plain = replace(recipe, augment=Augment(interpolation=recipe.augment.interpolation))
    split = load(plain, facts, size, device, echo)
    if part != "val":
        yield _as_judged(split, plain)
    if part != "train":
        yield split.val


def _as_judged(split: Split, recipe: Recipe) -> Samples:
    """The images to train on, seen as those of validation are."""
    train, val = split.train, split.val
    if isinstance(train, Stored) and isinstance(val, Stored):
        return Stored(train.images, train.labels, val.view, val.normalize)
    assert isinstance(train, Loaded)
    assert isinstance(val, Loaded)
    reader = Reader(train.reader.source, val.reader.view, None, recipe.seed)
    return Loaded(reader, val.normalize, worker_count(recipe.data.workers))
