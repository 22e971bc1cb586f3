"""What an op holds in memory beside its input and output; activations are float32."""

from __future__ import annotations

from dataclasses import dataclass

FLOAT = 4
"""Bytes of a number."""
INDEX = 8
"""Bytes of an index, as those of max pooling."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What autograd keeps of an op in training until the gradient is computed."""

    input: bool = False
    learning_input: bool = False
    """The input where a gradient is computed through it: only its own gradient needs it."""
    output: bool = False
    own: int = 0
    """Bytes of other tensors, for each sample."""
    batch: int = 0
    """Bytes of other tensors whose size does not depend on the batch's."""


NOTHING = Kept()
INPUT = Kept(input=True)
OUTPUT = Kept(output=True)
