"""GoogLeNet by Table 1 of its paper: 5×5 branches, response normalisation, two auxiliary heads."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class Conv(nn.Module):
    """A convolution that keeps the image's size, but for its stride, and ReLU."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, stride=stride, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x))


class Inception(nn.Module):
    """Four branches; the arguments are the columns of Table 1."""

    def __init__(
        self, channels: int, one: int, reduce3: int, three: int, reduce5: int, five: int, pool: int
    ) -> None:
        super().__init__()
        self.one = Conv(channels, one, 1)
        self.three = nn.Sequential(Conv(channels, reduce3, 1), Conv(reduce3, three, 3))
        self.five = nn.Sequential(Conv(channels, reduce5, 1), Conv(reduce5, five, 5))
        self.pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), Conv(channels, pool, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], dim=1)


class AuxHead(nn.Module):
    """A classifier of a 14×14 image."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.conv = Conv(channels, 128, 1)
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.fc2 = nn.Linear(1024, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.avg_pool2d(x, 5, stride=3)
        x = self.conv(x).flatten(1)
        x = F.dropout(F.relu(self.fc1(x)), p=0.7, training=self.training)
        return self.fc2(x)


class GoogLeNet(nn.Module):
    """The network for images of 224×224; in training it gives the auxiliary logits too."""

    def __init__(self, channels: int = 3, classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = Conv(channels, 64, 7, stride=2)
        self.reduce2 = Conv(64, 64, 1)
        self.conv2 = Conv(64, 192, 3)
        self.inception3a = Inception(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = Inception(256, 128, 128, 192, 32, 96, 64)
        self.inception4a = Inception(480, 192, 96, 208, 16, 48, 64)
        self.aux1 = AuxHead(512, classes)
        self.inception4b = Inception(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = Inception(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = Inception(512, 112, 144, 288, 32, 64, 64)
        self.aux2 = AuxHead(528, classes)
        self.inception4e = Inception(528, 256, 160, 320, 32, 128, 128)
        self.inception5a = Inception(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = Inception(832, 384, 192, 384, 48, 128, 128)
        self.dropout = nn.Dropout(p=0.4)
        self.fc = nn.Linear(1024, classes)
        self.maxpool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.lrn = nn.LocalResponseNorm(5)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        x = self.lrn(self.maxpool(self.conv1(x)))
        x = self.conv2(self.reduce2(x))
        x = self.maxpool(self.lrn(x))
        x = self.inception3b(self.inception3a(x))
        x = self.inception4a(self.maxpool(x))
        aux1 = self.aux1(x) if self.training else None
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        aux2 = self.aux2(x) if self.training else None
        x = self.maxpool(self.inception4e(x))
        x = self.inception5b(self.inception5a(x))
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        x = self.fc(self.dropout(x))
        return (x, aux1, aux2) if self.training else x
