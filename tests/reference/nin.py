"""Network in network: 1×1 convolutions after each convolution, no linear layer."""

from __future__ import annotations

from torch import nn


def nin_block(channels: int, out: int, kernel: int, stride: int, padding: int) -> nn.Sequential:
    """A convolution, and a small network of 1×1 convolutions at each of its pixels."""
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel, stride=stride, padding=padding),
        nn.ReLU(),
        nn.Conv2d(out, out, kernel_size=1),
        nn.ReLU(),
        nn.Conv2d(out, out, kernel_size=1),
        nn.ReLU(),
    )


def nin(channels: int = 1, classes: int = 10) -> nn.Sequential:
    """NiN for images of 224×224."""
    return nn.Sequential(
        nin_block(channels, 96, kernel=11, stride=4, padding=0),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nin_block(96, 256, kernel=5, stride=1, padding=2),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nin_block(256, 384, kernel=3, stride=1, padding=1),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Dropout(p=0.5),
        nin_block(384, classes, kernel=3, stride=1, padding=1),
        nn.AdaptiveAvgPool2d((1, 1)),
        nn.Flatten(),
    )
