"""How far a check came that failed, as data."""

from __future__ import annotations

from dataclasses import dataclass

Sizes = tuple[int, ...]
"""A shape, of one sample."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of a network that does not hold; an input of it has no `inputs`.

    `brief` are its arguments in a few characters. The one that failed has an `output` only where a
    contract refuses it, and `arithmetic` tells how its sizes come about, as
    `(4 + 2·0 − 5)/1 + 1 = 0`, where they are at fault.
    """

    path: str
    op: str
    brief: str
    inputs: tuple[Sizes, ...]
    output: Sizes | None
    params: int = 0
    macs: int = 0
    arithmetic: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reached:
    """The layers before the first one that failed, in the order they run, and that one.

    Where all layers hold, but facts of the whole do not, `failed` is None. A check that fails for
    another reason than a layer, as the form of the file, reaches nowhere.
    """

    name: str = ""
    variant: str = ""
    layers: tuple[Layer, ...] = ()
    failed: Layer | None = None


NOWHERE = Reached()
