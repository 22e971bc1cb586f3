"""What an import can end with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """Something of a network that specs cannot express, at the path of a module."""

    path: str
    fact: str

    def __str__(self) -> str:
        return f"{self.path or 'the network itself'}: {self.fact}"


class ModelError(Exception):
    """A network cannot be imported: a lower-case fact in `message`, the remedy in `help`.

    `problems` names each thing that no spec can express.
    """

    def __init__(self, message: str, help: str = "", problems: Sequence[Problem] = ()) -> None:
        super().__init__("\n".join([message, *(f"  {p}" for p in problems)]))
        self.message, self.help, self.problems = message, help, tuple(problems)
