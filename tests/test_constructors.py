"""Layers written as PyTorch's constructors: the node that is offered makes the same module."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from following import follow, told
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import cnndsl
from cnndsl.constructors import constructed

LAYERS = [
    "nn.Conv2d(8, 16, 3)",
    "nn.Conv2d(8, 16, (3, 5), 2, 1)",
    "nn.Conv2d(8, 16, kernel_size=3, stride=(2, 1), padding=1, bias=False)",
    "nn.Conv2d(8, 16, 3, 1, 2, 2, 4, False)",
    "nn.Conv2d(in_channels=8, out_channels=4, kernel_size=[1, 3], groups=2)",
    "nn.Conv2d(8, 16, 3, padding='same')",
    "nn.Conv2d(8, 8, 3, padding=1, padding_mode='reflect')",
    "nn.ConvTranspose2d(8, 4, 2, 2)",
    "nn.ConvTranspose2d(8, 4, 3, 2, 1, 1)",
    "nn.BatchNorm2d(8)",
    "nn.BatchNorm2d(8, 0.001, 0.01)",
    "nn.BatchNorm2d(num_features=8, eps=1e-3, affine=False)",
    "nn.GroupNorm(4, 8)",
    "nn.GroupNorm(num_groups=2, num_channels=8, eps=0.1)",
    "nn.InstanceNorm2d(8, affine=True)",
    "nn.MaxPool2d(2)",
    "nn.MaxPool2d(3, 2, 1)",
    "nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)",
    "nn.AvgPool2d(3, 1, 1)",
    "nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)",
    "nn.AdaptiveAvgPool2d(1)",
    "nn.AdaptiveAvgPool2d((2, 3))",
    "nn.AdaptiveMaxPool2d(output_size=2)",
    "nn.Dropout(0.3)",
    "nn.Dropout(p=0.2)",
    "nn.ReLU()",
    "nn.LeakyReLU(0.2)",
    "nn.ELU(alpha=0.5)",
    "nn.SiLU()",
    "nn.PixelShuffle(2)",
    "nn.Sigmoid()",
]


@pytest.mark.parametrize("layer", LAYERS)
def test_the_node_that_is_offered_makes_the_same_module(layer: str, tmp_path: Path) -> None:
    """The module that PyTorch itself makes of the text is printed alike, and computes the same."""
    text = f"input: [8, 12, 12]\nbody:\n  - self.layer = {layer}\n"
    (error,) = told(text, tmp_path)
    path = tmp_path / "net.yaml"
    path.write_text(follow(text, error))
    ours = cnndsl.build(path).layer
    theirs = eval(layer, {"nn": nn})
    assert repr(ours).partition("(")[2] == repr(theirs).partition("(")[2]
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 8, 12, 12)
    assert torch.equal(ours.eval()(x), theirs.eval()(x))


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("nn.ReLU(inplace=True)", "write `relu`"),
        ("F.relu(x)", "write `relu`"),
        ("F.relu(self.conv1(x))", "`relu` takes its arguments as a mapping"),
        ("nn.Linear(16 * 4 * 4, 10),", "write `{linear: 10}`"),
        ("nn.Linear(256, classes)", "`linear` takes its arguments as a mapping"),
        ("nn.Conv2d(*sizes)", "`conv` takes its arguments as a mapping"),
        ("nn.Conv2d(3, 8, 3, 1, 1, 1, 1, True, 'zeros', None, 5)", "`conv` takes its arguments"),
        ("nn.Conv2d(3, -8, 3)", "`conv` takes its arguments as a mapping"),
        ("nn.Conv2d(3, {1: 2}, b'a')", "`conv` takes its arguments as a mapping"),
        ("x = nn.ReLU()", ""),
        ("nn.Sequential(nn.ReLU())", ""),
        ("foo(3)", ""),
        ("relu", ""),
    ],
)
def test_what_is_offered(text: str, help: str) -> None:
    assert constructed(text).startswith(help)
    assert bool(constructed(text)) == bool(help)


@settings(max_examples=200, deadline=None)
@given(
    head=st.sampled_from(["nn.Conv2d", "nn.MaxPool2d", "self.a = nn.Dropout", "(" * 90]),
    args=st.text("0123456789,=()[]{}'ab*-.e_ \\\\", max_size=200),
)
def test_whatever_stands_there_is_read(head: str, args: str) -> None:
    offered = constructed(f"{head}({args})")
    assert isinstance(offered, str)
