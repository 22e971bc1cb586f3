"""A trained network on a device, as evaluation and prediction need it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import nn

from cnndsl.training import device as devices
from cnndsl.training.device import Gpus, Placement, Request, World
from cnndsl.training.engine import Engine
from cnndsl.training.errors import TrainError
from cnndsl.training.trained import Trained


@contextlib.contextmanager
def judge(
    trained: Trained, device: str, echo: Callable[[str], None]
) -> Iterator[tuple[torch.device, nn.Module]]:
    """The device, and the network on it as in validation; an end of its memory is told."""
    engine = Engine(placed(device, trained.recipe.precision, echo))
    recipe = replace(trained.recipe, compile=False, sync_bn=False)
    try:
        yield engine.device, engine.setup(trained.module, recipe).eval()
    except torch.OutOfMemoryError as e:
        raise TrainError(
            f"out of memory on the GPU: {str(e).splitlines()[0]}", "use a smaller `--batch-size`"
        ) from e
    finally:
        engine.close()


def placed(device: str, precision: str, echo: Callable[[str], None]) -> Placement:
    """Where to compute, in the recipe's precision where that can be had."""
    gpus = Gpus(0) if device == "cpu" else devices.find_gpus()
    found = devices.place(Request(device), gpus, World())
    try:
        return devices.precise(found, precision)
    except TrainError as e:
        echo(f"note: {e.message}; computing in fp32")
        return found


def check_classifier(trained: Trained) -> None:
    """The network takes one image and gives one number for each class."""
    graph = trained.graph
    shapes = [node.shape for node in graph.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 3 or shapes[0][0] not in (1, 3):
        raise TrainError(
            f"{trained.title} takes {', '.join(map(str, shapes))}",
            "networks of one image, grey or in colour, are evaluated",
        )
    given = graph.nodes[graph.output.node].shape
    if len(given) != 1:
        raise TrainError(f"{trained.title} gives {given}, not one number for each class")
    if trained.origin and given[0] != len(trained.classes):
        raise TrainError(
            f"{trained.title} gives {given}, but its weights know {len(trained.classes)} classes",
            f"use `--set classes={len(trained.classes)}`",
        )
