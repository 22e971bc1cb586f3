"""A network as a file that others run: ONNX, torch.export, safetensors or source; each is checked.

What is written is read back and run against the graph, computed node by node with the module's
weights, before it takes the asked name.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from cnndsl.amounts import size
from cnndsl.exporter.formats import FORMATS, Run
from cnndsl.exporter.network import ExportError, Network
from cnndsl.files import put_in_place

__all__ = ["ExportError", "Exported", "Network", "compare", "export"]

BATCHES = (1, 3)
"""Sizes of the batches that a file is checked with."""
TOLERANCE = 1e-5
"""Largest difference from the network, of an output's largest value, or of 1 if that is less."""
ALLOWANCE = 4
"""How often the network's own rounding a difference may be where that is more."""


@dataclass(frozen=True)
class Exported:
    """A file that was written and checked."""

    path: Path
    size: int
    """In bytes."""
    difference: float
    """The largest from the network as its graph means it; 0 where every bit is equal."""
    rounding: float | None = None
    """The network's own, where it decided: its difference from itself in double precision."""

    def __str__(self) -> str:
        equal = f"within {self.difference:.1e}" if self.difference else "bit for bit"
        told = f"{self.path}: {size(self.size)}, equal to the network {equal}"
        own = f", whose own rounding is {self.rounding:.1e}" if self.rounding else ""
        return f"{told} at batches {' and '.join(map(str, BATCHES))}{own}"


def export(network: Network, path: Path) -> Exported:
    """Write a network in the format of the file's ending; raises ExportError."""
    if path.suffix not in FORMATS:
        raise ExportError(
            f"no format `{path.suffix}`", f"name a file that ends in {', '.join(FORMATS)}"
        )
    network.module.cpu().eval()
    write, read = FORMATS[path.suffix]
    try:
        with put_in_place(path) as fresh:
            with _in_words(path, "written"), _quiet():
                write(network, fresh)
            with _in_words(path, "read back"), _quiet():
                difference = compare(network.run, read(network, fresh), network)
            rounding = None
            if TOLERANCE < difference < math.inf:
                with _in_words(path, "compared"):
                    rounding = rounding_of(network)
            if difference > max(TOLERANCE, ALLOWANCE * (rounding or 0.0)):
                raise ExportError(
                    f"{path} was not kept: run, it differs from the network by {difference:.1e}"
                )
            size = fresh.stat().st_size
    except OSError as e:
        raise ExportError(f"cannot write {path}: {e.strerror or e}") from e
    return Exported(path, size, difference, rounding)


def compare(ours: Run, theirs: Run, network: Network) -> float:
    """The largest difference of any output at any batch, of its largest value or 1."""
    worst = 0.0
    for count in BATCHES:
        inputs = network.batch(count)
        wanted, given = ours(inputs), theirs(inputs)
        if [value.shape for value in wanted] != [value.shape for value in given]:
            return math.inf
        for one, other in zip(wanted, given, strict=True):
            scale = max(1.0, float(one.abs().max()))
            difference = float((one.double() - other.double()).abs().max()) / scale
            worst = max(worst, math.inf if math.isnan(difference) else difference)
    return worst


def rounding_of(network: Network) -> float:
    """The difference of the network from itself in double precision."""
    exact = replace(network, module=copy.deepcopy(network.module).double())
    return compare(network.run, lambda inputs: exact.run([x.double() for x in inputs]), network)


@contextlib.contextmanager
def _in_words(path: Path, what: str) -> Iterator[None]:
    """Say in words what PyTorch or ONNX tells of a network that they cannot take."""
    try:
        yield
    except (ExportError, OSError):
        raise
    except Exception as e:  # exporters fail in as many ways as there are modules
        said = " ".join(str(e).split()) or type(e).__name__
        raise ExportError(f"{path} cannot be {what}: {said[:300]}") from e


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the remarks of the exporters."""
    names = ("torch.onnx", "onnxscript", "onnx_ir", "torch.export", "torch._dynamo")
    loggers = {logging.getLogger(name) for name in names}
    levels = {logger: logger.level for logger in loggers}
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)
