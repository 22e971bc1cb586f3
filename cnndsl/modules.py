"""The modules that PyTorch lacks. Emitted source holds copies of those it uses.

So each class is whole in itself, and uses only `torch`, `Tensor`, `nn` and `F`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class PaddedConv2d(nn.Conv2d):
    """nn.Conv2d whose padding is (left, right, top, bottom)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: tuple[int, int, int, int] = (0, 0, 0, 0),
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            dilation=dilation,
            groups=groups,
            bias=bias,
        )
        self.sides = padding
        self.fill = "constant" if padding_mode == "zeros" else padding_mode

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(F.pad(input, self.sides, mode=self.fill))

    def extra_repr(self) -> str:
        kernel = f"kernel_size={self.kernel_size}, stride={self.stride}"
        return f"{self.in_channels}, {self.out_channels}, {kernel}, sides={self.sides}"


class LayerNorm2d(nn.LayerNorm):
    """Layer normalization over the channels of each pixel of (N, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        x = input.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class GlobalAvgPool2d(nn.Module):
    """The mean of each channel: (N, C, H, W) becomes (N, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)


class GlobalMaxPool2d(nn.Module):
    """The largest value of each channel: (N, C, H, W) becomes (N, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.flatten(F.adaptive_max_pool2d(x, 1), 1)


class StochasticDepth(nn.Module):
    """Zero whole samples ("row") or the batch ("batch") with probability p in training."""

    def __init__(self, p: float, mode: str = "row") -> None:
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return x
        survival = 1.0 - self.p
        size = [x.shape[0] if self.mode == "row" else 1] + [1] * (x.ndim - 1)
        noise = torch.empty(size, dtype=x.dtype, device=x.device).bernoulli_(survival)
        if survival > 0.0:
            noise.div_(survival)
        return x * noise

    def extra_repr(self) -> str:
        return f"p={self.p}, mode={self.mode}"


class Permute(nn.Module):
    """Put the dimensions of the batch in another order."""

    def __init__(self, *dims: int) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(self.dims)

    def extra_repr(self) -> str:
        return ", ".join(map(str, self.dims))


class CenterCrop(nn.Module):
    """Keep the middle height × width of an image."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height = height
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        top, left = (x.shape[2] - self.height) // 2, (x.shape[3] - self.width) // 2
        return x.narrow(2, top, self.height).narrow(3, left, self.width)

    def extra_repr(self) -> str:
        return f"{self.height}, {self.width}"


class Scale(nn.Module):
    """Multiply by a constant, and add another."""

    def __init__(self, by: float, shift: float = 0.0) -> None:
        super().__init__()
        self.by, self.shift = by, shift

    def forward(self, x: Tensor) -> Tensor:
        return x * self.by + self.shift if self.shift else x * self.by

    def extra_repr(self) -> str:
        return f"{self.by}, shift={self.shift}" if self.shift else f"{self.by}"
