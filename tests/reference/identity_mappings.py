"""ResNet-110 for CIFAR-10 with the units of "Identity Mappings in Deep Residual Networks"."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class Original(nn.Module):
    """conv, BN, ReLU, conv, BN, addition, ReLU (Figures 2a and 4a)."""

    def __init__(self, channels: int, width: int, stride: int, first: bool = False) -> None:
        super().__init__()
        self.channels, self.width, self.stride, self.first = channels, width, stride, first
        self.make_convs()
        self.make_more()

    def make_convs(self) -> None:
        self.conv1 = conv3x3(self.channels, self.width, self.stride)
        self.bn1 = nn.BatchNorm2d(self.width)
        self.conv2 = conv3x3(self.width, self.width)
        self.bn2 = nn.BatchNorm2d(self.width)

    def make_more(self) -> None:
        """What a unit has beside its two convolutions."""

    def residual(self, x: Tensor) -> Tensor:
        return self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))

    def shortcut(self, x: Tensor) -> Tensor:
        """The identity; where the shape changes, every second pixel and channels of zeros."""
        x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, 0, self.width - self.channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.residual(x) + self.shortcut(x))


# --- Figure 2: shortcuts -------------------------------------------------------------------------


class ConstantScaling(Original):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(0.5 * self.residual(x) + 0.5 * self.shortcut(x))


class ExclusiveGating(Original):
    def make_more(self) -> None:
        self.gate = nn.Conv2d(self.channels, self.width, 1, stride=self.stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.residual(x)
        gate = self.gate(x)
        y = y * torch.sigmoid(gate)
        return F.relu(y + self.shortcut(x) * torch.sigmoid(-gate))  # 1 - sigmoid(gate)


class ShortcutOnlyGating(ExclusiveGating):
    def forward(self, x: Tensor) -> Tensor:
        y = self.residual(x)
        return F.relu(y + self.shortcut(x) * torch.sigmoid(-self.gate(x)))


class ConvShortcut(Original):
    def make_more(self) -> None:
        self.conv3 = nn.Conv2d(self.channels, self.width, 1, stride=self.stride, bias=False)
        self.bn3 = nn.BatchNorm2d(self.width)

    def shortcut(self, x: Tensor) -> Tensor:
        return self.bn3(self.conv3(x))


class DropoutShortcut(Original):
    def forward(self, x: Tensor) -> Tensor:
        y = self.residual(x)
        return F.relu(y + F.dropout(self.shortcut(x), p=0.5, training=self.training))


# --- Figure 4: activations -----------------------------------------------------------------------


class BNAfterAddition(Original):
    def residual(self, x: Tensor) -> Tensor:
        return self.conv2(F.relu(self.bn1(self.conv1(x))))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn2(self.residual(x) + self.shortcut(x)))


class ReLUBeforeAddition(Original):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.residual(x)) + self.shortcut(x)


class ReLUOnlyPreactivation(Original):
    def forward(self, x: Tensor) -> Tensor:
        y = x if self.first else F.relu(x)
        return self.residual(y) + self.shortcut(x)


class FullPreactivation(Original):
    def make_convs(self) -> None:
        self.bn1 = nn.Identity() if self.first else nn.BatchNorm2d(self.channels)
        self.conv1 = conv3x3(self.channels, self.width, self.stride)
        self.bn2 = nn.BatchNorm2d(self.width)
        self.conv2 = conv3x3(self.width, self.width)

    def residual(self, x: Tensor) -> Tensor:
        y = x if self.first else F.relu(self.bn1(x))
        return self.conv2(F.relu(self.bn2(self.conv1(y))))

    def forward(self, x: Tensor) -> Tensor:
        return self.residual(x) + self.shortcut(x)


class ResNet110(nn.Module):
    """54 units in three stages, for images of 3×32×32."""

    def __init__(self, unit: type[Original], n: int = 18, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = conv3x3(3, 16)
        self.bn1 = nn.BatchNorm2d(16)
        units = [unit(16, 16, stride=1, first=True)]
        units += [unit(16, 16, stride=1) for _ in range(n - 1)]
        units += [unit(16, 32, stride=2)] + [unit(32, 32, stride=1) for _ in range(n - 1)]
        units += [unit(32, 64, stride=2)] + [unit(64, 64, stride=1) for _ in range(n - 1)]
        self.units = nn.Sequential(*units)
        self.last = last_activation(unit)
        self.fc = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.last(self.units(x))
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.fc(x)


def conv3x3(channels: int, out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False)


def last_activation(unit: type[Original]) -> nn.Module:
    """Pre-activation leaves the last sum without the activation of a next unit."""
    if unit is FullPreactivation:
        return nn.Sequential(nn.BatchNorm2d(64), nn.ReLU())
    return nn.ReLU() if unit is ReLUOnlyPreactivation else nn.Identity()
