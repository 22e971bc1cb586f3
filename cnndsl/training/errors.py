"""What can go wrong in a run that is not the fault of a spec."""

from __future__ import annotations


class TrainError(Exception):
    """A run cannot begin or go on: a lower-case fact in `message`, the remedy in `help`."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.message, self.help = message, help


def reader_ended(error: RuntimeError) -> TrainError | None:
    """What it means where PyTorch tells that a process that reads images has ended."""
    text = " ".join(str(error).split())
    if "DataLoader worker" not in text:
        return None
    return TrainError(
        f"a process that reads images ended: {text}",
        "where memory is short, use fewer `--workers` or a smaller `--batch-size`",
    )
