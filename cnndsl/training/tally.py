"""What an epoch comes to: sums over batches, and the line of figures they give."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Metrics:
    """One epoch, counted from 1; accuracies and shares from 0 to 1, `lr` that of its last step."""

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    lr: float
    seconds: float
    samples_per_second: float
    """Training images a second, over all processes."""
    waiting: float
    """Share of the training time spent waiting for images."""
    memory_mb: float
    """On a GPU the most that was held there, else what the process holds."""
    stage: str = ""
    """The stage of greedy training; empty for the network itself."""

    @property
    def rank(self) -> tuple[float, float]:
        """Larger is better: the validation accuracy, then the validation loss."""
        return self.val_accuracy, -self.val_loss


class Tally:
    """Sums over batches that stay on the device until they are read."""

    def __init__(self, device: torch.device) -> None:
        self.sums = torch.zeros(3, dtype=torch.float64, device=device)
        """Loss, correct predictions and images."""

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Count one batch, `loss` being its mean."""
        count = len(labels)
        correct = (logits.detach().argmax(1) == labels).sum()
        self.sums += torch.stack((loss.detach() * count, correct, loss.new_tensor(count)))

    def read(self) -> tuple[float, float]:
        """Mean loss and accuracy; waits for the device."""
        loss, correct, count = self.sums.tolist()
        return loss / max(count, 1), correct / max(count, 1)

    @property
    def count(self) -> int:
        return int(self.sums[2].item())
