"""The CUDA path without a GPU: fake tensors forward, and whole runs that the CPU serves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from harness import NET, CudaOnCpu, run, weights_hash
from torch._subclasses.fake_tensor import FakeTensorMode

import cnndsl
from cnndsl.graph import Output
from cnndsl.training import checkpoint, device
from cnndsl.training.data import loader
from cnndsl.training.device import Gpus
from cnndsl.training.engine import Engine
from cnndsl.training.errors import TrainError
from cnndsl.training.learner import loss_of

CUDA = torch.device("cuda", 0)


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "convnext_tiny", "regnet_y_400mf"])
def test_forward_on_fake_cuda(name: str) -> None:
    """Mixing devices anywhere would raise here."""
    model = cnndsl.build(name)
    heads = cnndsl.check(name).outputs
    with FakeTensorMode(allow_non_fake_inputs=True):
        model.to(CUDA, memory_format=torch.channels_last)  # type: ignore[call-overload]
        images = torch.randn(2, 3, 224, 224, device=CUDA)
        labels = torch.zeros(2, dtype=torch.int64, device=CUDA)
        images = images.to(memory_format=torch.channels_last)
        loss, logits = loss_of(model(images), labels, heads, 0.1)
    assert {t.device for t in (loss, logits)} == {CUDA}
    assert logits.shape == (2, 1000)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """One GPU, as far as anything asks for it."""
    from lightning_fabric.accelerators import cuda

    monkeypatch.setattr(device, "find_gpus", lambda: Gpus(1))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "a fake")
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda *_: 12_000_000)
    monkeypatch.setattr(torch.cuda, "set_device", lambda *_: None)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_: True)
    monkeypatch.setattr(cuda, "num_cuda_devices", lambda: 1)
    monkeypatch.setattr(cuda.CUDAAccelerator, "setup_device", lambda *_: None)
    monkeypatch.setattr("lightning_fabric.accelerators.cuda._clear_cuda_memory", lambda: None)
    amp = "torch.cuda.amp.common.amp_definitely_not_available"
    monkeypatch.setattr(amp, lambda: False)


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(NET)
    return "net.yaml"


def test_a_whole_run_on_cuda(net: str, gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line of the run for `--device cuda`, with the GPU's work done by the CPU."""
    monkeypatch.setattr(Engine, "fused", None)  # which differs between them
    said: list[str] = []
    with_ = {"epochs": 1, "ema": 0.9, "clip_norm": 1.0, "augment": {"mixup": 0.2}}
    plain = run(net, train=with_)
    with CudaOnCpu() as mode:
        result = run(net, train=with_, device="cuda", echo=said.append)
    assert mode.served > 30
    assert any(text.endswith("on cuda:0 (a fake)") for text in said)
    assert weights_hash(result.model) == weights_hash(plain.model)
    assert result.epochs[0].memory_mb == 12
    with pytest.raises(TrainError, match="no `cuda:3`: 1 GPU is usable"), CudaOnCpu():
        run(net, device="cuda:3")


class Autocasts:
    """Notes each autocast that is entered, and enters one of the CPU."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[tuple[str, torch.dtype]] = []
        real = torch.autocast

        def autocast(kind: str, dtype: torch.dtype, *args: Any, **kwargs: Any) -> Any:
            self.seen.append((kind, dtype))
            return real("cpu", torch.bfloat16)

        monkeypatch.setattr("lightning_fabric.plugins.precision.amp.torch.autocast", autocast)


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.half)])
def test_autocast_and_gradient_scaling(
    net: str, gpu: None, precision: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    casts = Autocasts(monkeypatch)
    scales: list[float] = []
    step = torch.amp.GradScaler.step

    def spy(self: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        scales.append(self.get_scale())
        return step(self, optimizer, *args, **kwargs)

    monkeypatch.setattr(torch.amp.GradScaler, "step", spy)
    with_ = {"precision": precision, "epochs": 1, "clip_norm": 1.0, "optimizer": {"lr": 0.001}}
    with CudaOnCpu():
        result = run(net, train=with_, device="cuda", out="mine")
    assert set(casts.seen) == {("cuda", dtype)}
    assert bool(scales) == (precision == "fp16")
    assert all(p.dtype == torch.float32 for p in result.model.parameters())
    state = checkpoint.load(Path("mine/last.pt"))
    assert ("scaler" in state) == (precision == "fp16")
    with CudaOnCpu():
        again = run(net, train=with_ | {"epochs": 2}, device="cuda", out="mine", resume=True)
    assert [row.epoch for row in again.epochs] == [1, 2]


def test_batches_are_pinned_and_copied_without_waiting(
    net: str, gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where images are read as they are needed, each batch's copy to a GPU is asynchronous."""
    copies: list[bool] = []
    move = torch.Tensor.to

    def spy(self: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if self.dim() == 4 and any("cuda" in str(a) for a in (*args, kwargs.get("device"))):
            copies.append(bool(kwargs.get("non_blocking")))
        return move(self, *args, **kwargs)

    monkeypatch.setattr(torch.Tensor, "to", spy)
    assert loader.pinned(CUDA)
    assert not loader.pinned(torch.device("cpu"))
    monkeypatch.setattr(loader, "pinned", lambda device: False)
    with CudaOnCpu():
        run(net, train={"epochs": 1, "augment": {"policy": "trivialaugment"}}, device="cuda")
    assert copies.count(True) == 23, "one for each batch"
    assert copies.count(False) == 1, "the images that validation keeps on the device"


def test_a_checkpoint_of_a_gpu_is_read_on_the_cpu(tmp_path: Path) -> None:
    """`map_location` is given: a checkpoint with tensors of `cuda` loads where there is none."""
    path = tmp_path / "last.pt"
    checkpoint.save_last(tmp_path, {"model": {"weight": torch.ones(2)}})
    asked: list[Any] = []
    load = torch.load

    def spy(*args: Any, **kwargs: Any) -> Any:
        asked.append(kwargs.get("map_location"))
        return load(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "load", spy)
        assert checkpoint.load(path)["model"]["weight"].device.type == "cpu"
    assert asked == ["cpu"]


def test_loss_on_heads_of_a_fake_gpu() -> None:
    heads = (Output("aux", 0, train_only=True, loss_weight=0.3), Output("logits", 1))
    with FakeTensorMode():
        values = (torch.randn(2, 5, device=CUDA), torch.randn(2, 5, device=CUDA))
        soft = torch.rand(2, 5, device=CUDA)
        loss, logits = loss_of(values, soft, heads, 0.1)
        assert (loss.device, logits.device) == (CUDA, CUDA)
