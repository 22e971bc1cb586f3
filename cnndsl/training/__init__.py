"""Training: `run` compiles a spec for a data set and trains it.

Importing this package does not import torch: the schema of `train:` is part of the static side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnndsl.recipe import Recipe, recipe_schema
from cnndsl.training.errors import TrainError

if TYPE_CHECKING:
    from cnndsl.training.session import Result, run

__all__ = ["Recipe", "Result", "TrainError", "recipe_schema", "run"]


def __getattr__(name: str) -> Any:
    if name not in ("Result", "run"):
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from cnndsl.training import session

    return getattr(session, name)
