"""What a trained network takes images for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.datasets.folder import IMG_EXTENSIONS

from cnndsl.training.data import Facts, Normalizer, View, validation_view, view_image
from cnndsl.training.data.loader import worker_count
from cnndsl.training.data.view import Size
from cnndsl.training.errors import TrainError
from cnndsl.training.judging import check_classifier, judge
from cnndsl.training.target import check_sizes, validation_size
from cnndsl.training.trained import Echo, Trained
from cnndsl.training.validation import logits_of


@dataclass(frozen=True)
class Prediction:
    """The probability of each class for one image, float [classes], or why there is none."""

    image: Path
    probabilities: Tensor | None
    error: str = ""


def predict(
    trained: Trained, paths: Sequence[Path], device: str, batch_size: int, echo: Echo
) -> Iterator[Prediction]:
    """A prediction for each image, seen as in validation; folders stand for the images below them.

    Raises TrainError.
    """
    check_classifier(trained)
    view, mean, std = seeing(trained)
    check_sizes(trained.graph, trained.recipe)
    size = validation_size(trained.recipe, trained.size)
    images = files(paths)
    with (
        judge(trained, device, echo) as (place, network),
        ThreadPoolExecutor(worker_count(None)) as pool,
    ):
        normalize = Normalizer(mean, std, torch.device("cpu"), trained.recipe.channels_last)
        reader = Reader(view, normalize, size)
        while batch := list(islice(images, batch_size)):
            seen = list(pool.map(reader, batch))
            rows = _probabilities(trained, network, place, seen)
            for path, image in zip(batch, seen, strict=True):
                if isinstance(image, str):
                    yield Prediction(path, None, image)
                else:
                    yield Prediction(path, next(rows))


def seeing(trained: Trained) -> tuple[View, Sequence[float], Sequence[float]]:
    """How the network sees images: view, mean and deviation of its validation."""
    recipe = trained.recipe
    if recipe.data.mean is None or recipe.data.std is None:
        raise TrainError(
            f"how {trained.title} sees images is not known: {trained.weights} does not say by "
            "which mean and deviation they are normalized",
            "name a run, or weights that torchvision published or `cnndsl export` wrote; or say "
            "it, as in `--set train.data.mean=[0.5] --set train.data.std=[0.5]`",
        )
    channels = trained.graph.inputs[0].shape[0]
    name = trained.origin.data if trained.origin else recipe.data.name
    facts = Facts(name, channels, trained.classes)
    return validation_view(recipe, facts), recipe.data.mean, recipe.data.std


def files(paths: Iterable[Path]) -> Iterator[Path]:
    """The paths, folders replaced by the images below them, sorted; a folder without any stays."""
    for path in paths:
        below = sorted(p for p in path.rglob("*") if p.suffix.lower() in IMG_EXTENSIONS)
        yield from below or [path]


@dataclass(frozen=True)
class Reader:
    """Images as the network takes them, float [1, channels, height, width]; or what is wrong."""

    view: View
    normalize: Normalizer
    size: Size

    def __call__(self, path: Path) -> Tensor | str:
        if path.is_dir():
            return f"{path} holds no images ({', '.join(IMG_EXTENSIONS)})"
        if not path.exists():
            return f"{path} does not exist"
        try:
            return view_image(path, self.view, self.normalize, self.size)
        except TrainError as e:
            return e.message


@torch.no_grad()
def _probabilities(
    trained: Trained, network: nn.Module, place: torch.device, seen: Sequence[Tensor | str]
) -> Iterator[Tensor]:
    """The probability of each class for each image that could be read; on the CPU."""
    images = [image for image in seen if isinstance(image, Tensor)]
    if not images:
        return
    logits = logits_of(network(torch.cat(images).to(place))).float().cpu()
    if not logits.isfinite().all():
        raise TrainError(f"{trained.weights} gives numbers that are not finite")
    last = trained.graph.nodes[trained.graph.output.node].op.name
    yield from logits if last == "softmax" else logits.softmax(1)
