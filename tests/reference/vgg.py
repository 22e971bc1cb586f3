"""VGG-11 from repeated blocks, as courses teach it."""

from __future__ import annotations

from torch import nn


def vgg_block(convs: int, channels: int, out: int) -> nn.Sequential:
    """`convs` convolutions of 3×3 and a pooling that halves the image."""
    layers: list[nn.Module] = []
    for _ in range(convs):
        layers += [nn.Conv2d(channels, out, kernel_size=3, padding=1), nn.ReLU()]
        channels = out
    return nn.Sequential(*layers, nn.MaxPool2d(kernel_size=2, stride=2))


def vgg11_course(channels: int = 1, classes: int = 10) -> nn.Sequential:
    """VGG-11 for images of 224×224."""
    blocks = []
    for convs, out in ((1, 64), (1, 128), (2, 256), (2, 512), (2, 512)):
        blocks.append(vgg_block(convs, channels, out))
        channels = out
    return nn.Sequential(
        *blocks,
        nn.Flatten(),
        nn.Linear(channels * 7 * 7, 4096),
        nn.ReLU(),
        nn.Dropout(p=0.5),
        nn.Linear(4096, 4096),
        nn.ReLU(),
        nn.Dropout(p=0.5),
        nn.Linear(4096, classes),
    )
