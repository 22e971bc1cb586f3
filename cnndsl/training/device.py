"""Where a run computes: the device that was asked for, or an error in words."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass

import torch

from cnndsl.training.errors import TrainError


@dataclass(frozen=True)
class Gpus:
    """How many GPUs PyTorch can use, and why there is none."""

    count: int
    reason: str = ""


def choose_device(request: str) -> torch.device:
    """The device for `auto`, `cpu`, `cuda` or `cuda:N`; `cpu` does not look for GPUs."""
    return resolve(request, Gpus(0) if request == "cpu" else find_gpus())


def resolve(request: str, gpus: Gpus) -> torch.device:
    """The device that a request means where there are these GPUs; another is never substituted."""
    if request == "cpu" or (request == "auto" and not gpus.count):
        return torch.device("cpu")
    if request == "auto":
        return torch.device("cuda", 0)
    match = re.fullmatch(r"cuda(?::([0-9]{1,3}))?", request)
    if not match:
        raise TrainError(f"there is no device `{request}`", "use auto, cpu, cuda or cuda:N")
    index = int(match[1] or 0)
    if not gpus.count:
        raise TrainError(
            f"`--device {request}` needs a GPU: {gpus.reason}",
            "train on the processor with `--device cpu`, or leave the choice to `--device auto`",
        )
    if index >= gpus.count:
        plural = "GPU is" if gpus.count == 1 else "GPUs are"
        known = "cuda:0" if gpus.count == 1 else f"cuda:0 to cuda:{gpus.count - 1}"
        raise TrainError(
            f"there is no `cuda:{index}`: {gpus.count} {plural} usable", f"use {known}, or cpu"
        )
    return torch.device("cuda", index)


def find_gpus() -> Gpus:
    """The GPUs that PyTorch finds and the first of which really computes."""
    if not (torch.version.cuda or torch.version.hip):
        return Gpus(0, f"PyTorch {torch.__version__} is built without GPU support")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    if not available:
        said = str(caught[0].message).strip().splitlines()[0] if caught else ""
        return Gpus(0, said or f"PyTorch {torch.__version__} finds none")
    try:
        torch.ones(2, device="cuda:0").sum().item()
    except RuntimeError as e:
        return Gpus(0, str(e).strip().splitlines()[0])
    return Gpus(torch.cuda.device_count())


def describe(device: torch.device) -> str:
    """The device as the first lines of a run name it."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    threads = torch.get_num_threads()
    return f"{device} ({threads} thread{'s' if threads > 1 else ''})"
