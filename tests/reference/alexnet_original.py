"""AlexNet as Krizhevsky, Sutskever and Hinton describe it: two groups, response normalisation."""

from __future__ import annotations

from torch import nn


def alexnet_original(channels: int = 3, classes: int = 1000) -> nn.Sequential:
    """AlexNet for images of 224×224."""
    # The paper sums over the neighbours, PyTorch takes their mean: alpha is 5 times 1e-4.
    return nn.Sequential(
        nn.Conv2d(channels, 96, kernel_size=11, stride=4, padding=2),
        nn.ReLU(),
        nn.LocalResponseNorm(size=5, alpha=5e-4, beta=0.75, k=2),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(96, 256, kernel_size=5, padding=2, groups=2),
        nn.ReLU(),
        nn.LocalResponseNorm(size=5, alpha=5e-4, beta=0.75, k=2),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(256, 384, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 384, kernel_size=3, padding=1, groups=2),
        nn.ReLU(),
        nn.Conv2d(384, 256, kernel_size=3, padding=1, groups=2),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Flatten(),
        nn.Linear(256 * 6 * 6, 4096),
        nn.ReLU(),
        nn.Dropout(p=0.5),
        nn.Linear(4096, 4096),
        nn.ReLU(),
        nn.Dropout(p=0.5),
        nn.Linear(4096, classes),
    )
