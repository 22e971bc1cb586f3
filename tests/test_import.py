"""Importing networks: the spec checks, builds, equals the original, and is as short as ours."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
import torchvision
import yaml
from torch import Tensor, nn
from typer.testing import CliRunner

import cnndsl
from cnndsl.cli import app
from cnndsl.importer import ModelError, import_spec
from cnndsl.importer.readings import op_of_function, op_of_module
from cnndsl.ops.base import Shape

SPECS = Path(__file__).parent.parent / "specs"
SIDE = 64

# Each network, with the shipped spec that a person wrote for its family.
PUBLISHED = {
    "resnet50": "resnet",
    "densenet121": "densenet",
    "googlenet": "googlenet",
    "mobilenet_v3_large": "mobilenet_v3",
    "shufflenet_v2_x1_0": "shufflenet_v2",
    "vgg16": "vgg",
    "efficientnet_b0": "efficientnet",
    "convnext_tiny": "convnext",
    "regnet_y_400mf": "regnet",
    "squeezenet1_0": "squeezenet",
}
LARGE = (
    *("vgg16", "densenet121", "regnet_y_400mf", "efficientnet_b0", "shufflenet_v2_x1_0"),
    *("convnext_tiny", "mobilenet_v3_large"),
)
"""What takes many seconds."""


def built(text: str, folder: Path) -> nn.Module:
    path = folder / "imported.yaml"
    path.write_text(text, encoding="utf-8")
    with torch.device("meta"):
        return cnndsl.build(path)


def assert_equal(ours: nn.Module, theirs: nn.Module, images: Tensor) -> None:
    """Equal bits in inference and in a step of training, with its gradients and statistics."""
    with torch.no_grad():
        assert torch.equal(ours.eval()(images), theirs.eval()(images))
    outputs = [trained(model, images) for model in (ours, theirs)]
    assert len(outputs[0]) == len(outputs[1])
    assert all(map(torch.equal, *outputs))
    gradients = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        assert torch.equal(parameter.grad, gradients[name].grad), name
    assert all(torch.equal(ours.state_dict()[n], t) for n, t in theirs.state_dict().items())


def trained(model: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    torch.manual_seed(3)
    outputs = model.train()(images.clone())
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    sum(output.square().mean() for output in outputs).backward()
    return outputs


# --- torchvision ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [n if n not in LARGE else pytest.param(n, marks=pytest.mark.heavy) for n in PUBLISHED]
)
def test_torchvision(name: str, tmp_path: Path) -> None:
    """The same state dict, the same bits in inference and training, and a page that one reads."""
    text = import_spec(f"torchvision:{name}", (3, SIDE, SIDE)).text
    options = {"init_weights": False, "aux_logits": True} if name == "googlenet" else {}
    theirs = torchvision.models.get_model(name, weights=None, **options)
    ours = built(text, tmp_path).to_empty(device="cpu")
    ours.load_state_dict(theirs.state_dict(), strict=True)
    images = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    assert_equal(ours, theirs, images)
    by_hand = (SPECS / f"{PUBLISHED[name]}.yaml").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= len(by_hand.splitlines())
    assert max(map(len, text.splitlines())) <= 100


def test_expectations_are_those_of_the_network(tmp_path: Path) -> None:
    text = import_spec("torchvision:resnet50").text
    spec = yaml.safe_load(text)
    assert spec["expect"] == {"params": 25557032, "macs": 4089184256, "output": [1000]}
    path = tmp_path / "resnet50.yaml"
    path.write_text(text, encoding="utf-8")
    assert cnndsl.check(path).facts == 3


def test_repeated_structure_is_folded() -> None:
    spec = yaml.safe_load(import_spec("torchvision:resnet50", (3, SIDE, SIDE)).text)
    assert list(spec["blocks"]) == ["Bottleneck"]
    assert spec["blocks"]["Bottleneck"]["params"] == {"width": "int", "stride": 1}
    (stages,) = [node for node in spec["body"] if "for" in node]
    assert stages["for"]["depth"] == [3, 4, 6, 3]
    assert stages["name"] == "layer$stage"


def test_auxiliary_outputs_are_for_training_alone() -> None:
    spec = yaml.safe_load(import_spec("torchvision:googlenet", (3, SIDE, SIDE)).text)
    assert list(spec["outputs"]) == ["logits", "aux2", "aux1"]
    assert spec["outputs"]["aux1"]["from"] == "inception4a"
    assert all(spec["outputs"][name]["train_only"] for name in ("aux1", "aux2"))


# --- a user's own modules ------------------------------------------------------------------------


class UNet(nn.Module):
    """Skip connections, and a pooling that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.enc1 = self.double(3, 8)
        self.enc2 = self.double(8, 16)
        self.bottom = self.double(16, 32)
        self.pool = nn.MaxPool2d(2)
        self.up2 = nn.ConvTranspose2d(32, 16, 2, 2)
        self.dec2 = self.double(32, 16)
        self.up1 = nn.ConvTranspose2d(16, 8, 2, 2)
        self.dec1 = self.double(16, 8)
        self.head = nn.Conv2d(8, 5, 1)

    @staticmethod
    def double(before: int, after: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        first = self.enc1(x)
        second = self.enc2(self.pool(first))
        x = self.bottom(self.pool(second))
        x = self.dec2(torch.cat([self.up2(x), second], 1))
        return self.head(self.dec1(torch.cat([self.up1(x), first], 1)))


class Lists(nn.Module):
    """Lists of modules, a condition on a shape, and functions in the place of modules."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(8 if i else 3, 8, 3, padding=1) for i in range(3))
        self.branches = nn.ModuleList(nn.Conv2d(8, 4, k, padding=k // 2) for k in (1, 3))
        self.act = nn.ReLU()
        self.fc = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = self.act(conv(x))
        x = torch.cat([branch(x) for branch in self.branches], dim=1)
        if x.shape[2] > 1:
            x = F.max_pool2d(x, 2)
        x = F.dropout(x.mean((2, 3)), 0.1, self.training)
        return F.log_softmax(self.fc(x), dim=1)


class PreActivation(nn.Module):
    """A residual block whose shortcut starts after the first activation, with a layer scale."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.shortcut = nn.Conv2d(before, after, 1, stride) if before != after else None
        self.gamma = nn.Parameter(torch.full((after, 1, 1), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(x))
        side = x if self.shortcut is None else self.shortcut(x)
        return side + self.gamma * self.conv2(F.relu(self.bn2(self.conv1(x))))


class TwoOutputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.blocks = nn.Sequential(
            PreActivation(8, 16, 2), PreActivation(16, 16, 1), PreActivation(16, 16, 1)
        )
        self.kind = nn.Linear(16, 10)
        self.place = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.blocks(self.stem(x))
        x = F.adaptive_avg_pool2d(x, 1).view(x.size(0), -1)
        return {"kind": self.kind(x), "place": self.place(x)}


@pytest.mark.parametrize("cls", [UNet, Lists, TwoOutputs])
def test_own_module(cls: type[nn.Module], tmp_path: Path) -> None:
    """`import_spec` compares the networks itself, so that what it gives is equal."""
    text = import_spec(f"{__name__}:{cls.__name__}", (3, 32, 32)).text
    ours = built(text, tmp_path)
    assert set(ours.state_dict()) == set(cls().state_dict())


def test_skip_connections_are_taken_up_by_name() -> None:
    text = import_spec(f"{__name__}:UNet", (3, 32, 32)).text
    assert "concat: [[], {from: enc2}]" in text
    assert "concat: [[], {from: enc1}]" in text


def test_a_layer_scale_begins_as_in_the_module() -> None:
    text = import_spec(f"{__name__}:TwoOutputs", (3, 32, 32)).text
    assert "{layer_scale: 0.1, name: gamma}" in text


# --- what cannot be expressed --------------------------------------------------------------------


class Spectral(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.fft2(x).real


class Inexpressible(nn.Module):
    """Everything that is wrong with it is told at once."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 3, 1), Spectral())
        self.twice = nn.Conv2d(3, 3, 1)
        self.attention = nn.MultiheadAttention(3, 1)
        self.unused = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.twice(self.twice(self.stem(x)))
        tokens = x.flatten(2).permute(0, 2, 1)
        return self.attention(tokens, tokens, tokens)[0]


class Interleaved(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3, 3, 1) for _ in range(2))
        self.norms = nn.ModuleList(nn.BatchNorm2d(3) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(conv(x))
        return x


class DependsOnData(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.sum() > 0 else x


class Otherwise(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x) if self.training else F.gelu(x)


class AlwaysDropping(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, 0.5, training=True)


class Overwriting(nn.Module):
    """A value is read after its memory was written through another name for it."""

    def forward(self, x: Tensor) -> Tensor:
        y = x * 2
        part = y[:, :1]
        part.relu_()
        return F.relu(y)


def failing() -> nn.Module:
    raise RuntimeError("no such file")


def number() -> int:
    return 3


def test_all_that_cannot_be_expressed_is_told_with_its_path() -> None:
    with pytest.raises(ModelError) as caught:
        import_spec(f"{__name__}:Inexpressible", (3, 8, 8))
    assert {str(problem) for problem in caught.value.problems} >= {
        "stem.1: torch.fft.fft2",
        "twice: Conv2d is used 2 times with one weight",
        "attention: nn.MultiheadAttention of several values",
        "unused: Linear has weights that no output needs",
    }
    assert "stem.1: torch.fft.fft2" in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("Interleaved", "convs: its members run in turns with those of other modules"),
        ("DependsOnData", "the forward pass depends on the data"),
        ("Otherwise", "computes otherwise in inference than in training"),
        ("AlwaysDropping", "dropout is active in inference too"),
        ("Overwriting", "which reads a value that was overwritten in place"),
        ("failing", "failing cannot be made: RuntimeError: no such file"),
        ("number", "number gives int, no nn.Module"),
        ("Unet", "has no `Unet`"),
    ],
)
def test_refused(source: str, message: str) -> None:
    with pytest.raises(ModelError, match=re.escape(message)):
        import_spec(f"{__name__}:{source}", (3, 8, 8))


def test_an_input_that_does_not_fit() -> None:
    with pytest.raises(ModelError, match=r"the network does not take \[1, 8, 8\], in `enc1.0`"):
        import_spec(f"{__name__}:UNet", (1, 8, 8))


# --- the command ---------------------------------------------------------------------------------


def run(*args: str) -> Any:
    return CliRunner().invoke(app, ["import", *args])


def test_command_writes_a_spec(tmp_path: Path) -> None:
    path = tmp_path / "lists.yaml"
    result = run(f"{__name__}:Lists", "--input", "3,16,16", "-o", str(path))
    assert result.exit_code == 0, result.stderr
    assert cnndsl.check(path).name == "Lists"
    shown = run(f"{__name__}:Lists", "--input", "3,16,16")
    assert shown.stdout == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["torchvision:resnet51"], "torchvision has no classification network `resnet51`"),
        (["resnet50"], "`resnet50` is neither torchvision:NAME nor PACKAGE.MODULE:FACTORY"),
        (["no_such_package:net"], "cannot import no_such_package"),
        ([f"{__name__}:Inexpressible", "--input", "3,8,8"], "  stem.1: torch.fft.fft2"),
        ([f"{__name__}:Lists", "--input", "3,x,8"], "a sample has positive sizes"),
    ],
)
def test_command_tells_mistakes(args: list[str], message: str) -> None:
    result = run(*args)
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not result.stdout


# --- reading ops off PyTorch's modules and functions ---------------------------------------------


@pytest.mark.parametrize(
    ("module", "x", "expected"),
    [
        (nn.Conv2d(6, 8, (1, 3), padding=(0, 1), groups=2, bias=False), (6, 4, 4), "conv"),
        (nn.BatchNorm1d(6, momentum=None), (6,), "bn"),
        (nn.Linear(4, 5), (3, 2, 4), "linear"),
        (nn.LayerNorm([4, 4]), (6, 4, 4), "layer_norm"),
        (nn.ZeroPad2d((0, 1, 0, 1)), (6, 4, 4), "pad"),
        (nn.PReLU(6), (6, 4, 4), "prelu"),
        (nn.Softmax(dim=1), (6, 4, 4), "softmax"),
        (nn.Upsample(scale_factor=2, mode="bilinear"), (6, 4, 4), "upsample"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else None,
)
def test_module_is_read(module: nn.Module, x: tuple[int, ...], expected: str) -> None:
    op = op_of_module(module, Shape(x))
    assert op is not None
    assert op.name == expected
    assert tuple(op.infer((Shape(x),))) == tuple(module(torch.zeros(2, *x)).shape[1:])


def test_what_an_op_does_not_say_is_not_read() -> None:
    assert op_of_module(nn.MaxPool2d(2, return_indices=True), Shape((3, 8, 8))) is None
    assert op_of_module(nn.LSTM(3, 3), Shape((3, 3))) is None
    assert op_of_function("softmax", {"dim": None}, Shape((3, 8, 8))) is None
