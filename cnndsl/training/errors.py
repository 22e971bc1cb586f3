"""What can go wrong in a run that is not the fault of a spec."""

from __future__ import annotations


class TrainError(Exception):
    """A run cannot begin or go on: a lower-case fact in `message`, the remedy in `help`."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.message, self.help = message, help
