"""`cnndsl predict`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnndsl.cli.options import InputOption, SetOption, VariantOption
from cnndsl.cli.train import DeviceOption
from cnndsl.cli.trained import TrainedArgument, TrainedWeightsOption, found, warn

if TYPE_CHECKING:
    from cnndsl.training.prediction import Prediction


def predict(
    source: TrainedArgument,
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE…", help="Images, and folders for all images below them."),
    ],
    weights: TrainedWeightsOption = None,
    variant: VariantOption = None,
    set: SetOption = None,
    input: InputOption = None,
    top: Annotated[int, typer.Option(min=1, metavar="K", help="How many classes to tell.")] = 3,
    batch_size: Annotated[int, typer.Option(min=1, metavar="N", help="Images at a time.")] = 32,
    device: DeviceOption = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
) -> None:
    """Tell what a trained network takes images for, and how surely."""
    told: list[dict[str, Any]] = []
    failed = False
    with found(source, weights, variant, set, input, None, {}) as trained:
        from cnndsl.training.prediction import predict as predictions

        for prediction in predictions(trained, images, device, batch_size, warn):
            best = likeliest(prediction, trained.classes, top)
            if prediction.error:
                failed = True
                warn(f"error: {prediction.error}")
            elif not as_json:
                words = ", ".join(f"{one['class']} {one['probability']:.1%}" for one in best)
                print(f"{shown(prediction)}: {words}")
            told.append(to_json(prediction, best))
    if as_json:
        print(json.dumps(told, indent=2))
    if failed:
        raise typer.Exit(1)


def likeliest(prediction: Prediction, classes: tuple[str, ...], top: int) -> list[dict[str, Any]]:
    """The classes of the highest probability, the highest first."""
    if prediction.probabilities is None:
        return []
    values, places = prediction.probabilities.topk(min(top, len(classes)))
    return [
        {"class": classes[place], "index": place, "probability": value}
        for value, place in zip(values.tolist(), places.tolist(), strict=True)
    ]


def to_json(prediction: Prediction, best: list[dict[str, Any]]) -> dict[str, Any]:
    found = {"error": prediction.error} if prediction.error else {"top": best}
    return {"image": shown(prediction), **found}


def shown(prediction: Prediction) -> str:
    """The path of the image, where bytes of it are no text with marks for them."""
    return os.fsencode(prediction.image).decode(errors="replace")
