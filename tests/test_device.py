"""Where a run computes: a pure function of the command line, the GPUs and the processes."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from harness import CPU, CudaOnCpu
from torch import Tensor

from cnndsl.training import device, session
from cnndsl.training.device import (
    Gpus,
    Placement,
    Request,
    World,
    choose,
    find_world,
    place,
    precise,
    resolve,
)
from cnndsl.training.errors import TrainError

TORCHRUN = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}


def told(error: pytest.ExceptionInfo[TrainError]) -> str:
    return f"{error.value.message}; {error.value.help}"


@pytest.mark.parametrize(
    ("request_", "gpus", "expected"),
    [
        ("cpu", 0, "cpu"),
        ("cpu", 2, "cpu"),
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda:0"),
        ("cuda", 1, "cuda:0"),
        ("cuda:0", 1, "cuda:0"),
        ("cuda:1", 2, "cuda:1"),
        ("cuda", 0, "--device cpu"),
        ("cuda:3", 0, "--device cpu"),
        ("cuda:3", 1, "1 GPU is usable"),
        ("cuda:3", 2, "cuda:0 to cuda:1"),
        ("gpu", 1, "no device `gpu`"),
        ("cuda:", 1, "no device `cuda:`"),
        ("cuda:-1", 1, "no device `cuda:-1`"),
        ("", 1, "no device"),
    ],
)
def test_devices(request_: str, gpus: int, expected: str) -> None:
    found = Gpus(gpus, "" if gpus else "there is none")
    if re.fullmatch(r"cpu|cuda:\d", expected):
        assert resolve(request_, found) == torch.device(expected)
        return
    with pytest.raises(TrainError) as caught:
        resolve(request_, found)
    assert expected in told(caught)


@pytest.mark.parametrize(
    ("request_", "gpus", "env", "expected"),
    [
        (Request("cpu"), 0, {}, ("cpu", 1, "", 0)),
        (Request("cpu", 1), 0, {}, ("cpu", 1, "", 0)),
        (Request("cpu", 4), 0, {}, ("cpu", 1, "ddp", 4)),
        (Request("cuda", 4), 4, {}, ("cuda:0", 1, "ddp", 4)),
        (Request("auto", 2, "fsdp"), 2, {}, ("cuda:0", 1, "fsdp", 2)),
        (Request("cpu"), 0, TORCHRUN, ("cpu", 4, "ddp", 0)),
        (Request("cuda"), 2, TORCHRUN, ("cuda:1", 4, "ddp", 0)),
        (Request("cuda", 2, "fsdp"), 2, TORCHRUN, ("cuda:1", 4, "fsdp", 0)),
        (Request("cuda", 4), 1, {}, "use `--devices 1`"),
        (Request("cuda"), 1, TORCHRUN, "2 devices asked for, but 1 GPU is usable"),
        (Request("cuda:1", 2), 2, {}, "--device cuda --devices N"),
        (Request("cuda:1"), 2, TORCHRUN, "--device cuda --devices N"),
        (Request("cpu", 3), 0, TORCHRUN, "leave `--devices` away"),
        (Request("cpu", None, "ddp"), 0, {}, "needs several processes"),
        (Request("cpu", 2, "horovod"), 0, {}, "no strategy `horovod`"),
        (Request("cpu"), 0, {"RANK": "0", "WORLD_SIZE": "2"}, "LOCAL_RANK"),
        (Request("cpu"), 0, {**TORCHRUN, "RANK": "first"}, "unset RANK"),
    ],
)
def test_placements(request_: Request, gpus: int, env: dict[str, str], expected: Any) -> None:
    found = Gpus(gpus, "" if gpus else "there is none")
    if isinstance(expected, tuple):
        placed = place(request_, found, find_world(env))
        got = (str(placed.device), placed.world.size, placed.strategy, placed.start)
        assert got == expected
        return
    with pytest.raises(TrainError) as caught:
        place(request_, found, find_world(env))
    assert expected in told(caught)


@pytest.mark.parametrize(
    ("device_", "strategy", "precision", "refused"),
    [
        ("cpu", "", "fp32", ""),
        ("cpu", "", "bf16", ""),
        ("cuda:0", "ddp", "fp16", ""),
        ("cuda:0", "fsdp", "bf16", ""),
        ("cpu", "", "fp16", "fp16 needs a GPU"),
        ("cuda:0", "fsdp", "fp16", "does not go with fsdp"),
    ],
)
def test_precisions(device_: str, strategy: str, precision: str, refused: str) -> None:
    placed = Placement(torch.device(device_), World(), strategy)
    if not refused:
        assert precise(placed, precision).precision == precision
        return
    with pytest.raises(TrainError, match=refused):
        precise(placed, precision)


def test_an_old_gpu_has_no_bf16() -> None:
    placed = place(Request("cuda"), Gpus(1, bf16=False), World())
    with pytest.raises(TrainError, match="does not compute in bf16") as caught:
        precise(placed, "bf16")
    assert "fp16" in caught.value.help


def test_no_gpu_is_an_error_before_the_spec_and_the_data_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for request in ("cuda", "cuda:3"):
        with pytest.raises(TrainError, match=f"--device {request}") as caught:
            session.run("no such spec", device=request)
        assert "--device cpu" in caught.value.help
    assert choose(Request("auto")).device == CPU


def test_a_gpu_that_does_not_compute_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Tensor:
        raise RuntimeError("no kernel image is available\nmore")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", broken)
    with pytest.raises(TrainError, match=r"no kernel image is available$"):
        choose(Request("cuda"))
    assert choose(Request("auto")).device == CPU


def test_gpus_that_compute_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    with CudaOnCpu() as mode:
        assert device.find_gpus() == Gpus(2, bf16=False)
    assert mode.served == 1
