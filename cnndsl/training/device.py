"""Where a run computes: the one place that names devices, strategies and precisions."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from cnndsl.training.errors import TrainError

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
"""A recipe's precisions by the names that Lightning Fabric has for them."""

STRATEGIES = ("ddp", "fsdp")


@dataclass(frozen=True)
class Gpus:
    """How many GPUs PyTorch can use, and why there is none; whether they compute in bf16."""

    count: int
    reason: str = ""
    bf16: bool = True


@dataclass(frozen=True)
class World:
    """The processes of a run and which of them this is, as torchrun tells each by its variables."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    launched: bool = False


@dataclass(frozen=True)
class Request:
    """What the command line asks for."""

    device: str = "auto"
    devices: int | None = None
    strategy: str | None = None


@dataclass(frozen=True)
class Placement:
    """Where this process computes, and with how many others."""

    device: torch.device
    world: World
    strategy: str = ""
    precision: str = "fp32"
    start: int = 0
    """So many processes must be started first; 0 where this one computes itself."""
    bf16: bool = True
    """Whether the GPU computes in bf16."""


def find_world(env: Mapping[str, str]) -> World:
    """The processes that the variables of torchrun tell of; this one alone where there are none."""
    try:
        if "RANK" not in env or "WORLD_SIZE" not in env:
            return World()
        rank, size = int(env["RANK"]), int(env["WORLD_SIZE"])
        local_rank, local_size = int(env["LOCAL_RANK"]), int(env["LOCAL_WORLD_SIZE"])
    except (KeyError, ValueError) as e:
        raise TrainError(
            f"RANK is set, but not all that torchrun sets with it: {e}",
            "start with `torchrun`, or unset RANK and WORLD_SIZE",
        ) from e
    return World(rank, size, local_rank, local_size, launched=True)


def choose(request: Request) -> Placement:
    """The placement on this machine; `cpu` does not look for GPUs."""
    gpus = Gpus(0) if request.device == "cpu" else find_gpus()
    return place(request, gpus, find_world(os.environ))


def place(request: Request, gpus: Gpus, world: World) -> Placement:
    """The placement that a request means with these GPUs and processes; nothing is substituted."""
    device = resolve(request.device, gpus)
    count = _count(request, device, gpus, world)
    if request.strategy not in (None, *STRATEGIES):
        raise TrainError(f"there is no strategy `{request.strategy}`", "use ddp or fsdp")
    if request.strategy and count == 1:
        raise TrainError(
            f"`--strategy {request.strategy}` needs several processes",
            "name their number with `--devices N`, or start with `torchrun`",
        )
    strategy = (request.strategy or "ddp") if count > 1 else ""
    if world.launched and device.type == "cuda":
        device = torch.device("cuda", world.local_rank)
    start = count if count > 1 and not world.launched else 0
    return Placement(device, world, strategy, start=start, bf16=gpus.bf16)


def _count(request: Request, device: torch.device, gpus: Gpus, world: World) -> int:
    """How many processes the whole run has."""
    local = world.local_size if world.launched else (request.devices or 1)
    if world.launched and request.devices not in (None, world.local_size):
        raise TrainError(
            f"torchrun started {world.local_size} processes here, `--devices` asks for "
            f"{request.devices}",
            "leave `--devices` away under torchrun",
        )
    if local > 1 and re.fullmatch(r"cuda:[0-9]+", request.device):
        raise TrainError(
            f"`{request.device}` is one device, not {local}", "use `--device cuda --devices N`"
        )
    if device.type == "cuda" and local > gpus.count:
        plural = "GPU is" if gpus.count == 1 else "GPUs are"
        raise TrainError(
            f"{local} devices asked for, but {gpus.count} {plural} usable",
            f"use `--devices {gpus.count}`",
        )
    return world.size if world.launched else local


def precise(place: Placement, precision: str) -> Placement:
    """The placement with a recipe's precision, where it can be had; nothing is substituted."""
    cpu = place.device.type == "cpu"
    if precision == "fp16" and cpu:
        raise TrainError("fp16 needs a GPU", "use `--precision bf16` or fp32 on the processor")
    if precision == "fp16" and place.strategy == "fsdp":
        raise TrainError("fp16 does not go with fsdp", "use `--precision bf16`, or ddp")
    if precision == "bf16" and not cpu and not place.bf16:
        raise TrainError("this GPU does not compute in bf16", "use `--precision fp16`")
    return replace(place, precision=precision)


def resolve(request: str, gpus: Gpus) -> torch.device:
    """The device that `auto`, `cpu`, `cuda` or `cuda:N` means where there are these GPUs."""
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
    return Gpus(torch.cuda.device_count(), bf16=torch.cuda.is_bf16_supported())


def describe(place: Placement) -> str:
    """The placement as the first lines of a run name it."""
    device = place.device
    if device.type == "cuda":
        one = f"{device} ({torch.cuda.get_device_name(device)})"
    else:
        threads = torch.get_num_threads()
        one = f"{device} ({threads} thread{'s' if threads > 1 else ''})"
    if place.world.size == 1:
        return one
    return f"{place.world.size} processes ({place.strategy}), the first on {one}"


def memory_in_use(device: torch.device) -> int:
    """The most bytes that the run has held on its GPU, or that this process holds."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import psutil

    return int(psutil.Process().memory_info().rss)
