"""A failed check → what `cnndsl build` prints of it: the layers up to there, or one JSON object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnndsl.diagnostics import Layer, Reached, SpecError
from cnndsl.ops.base import Shape
from cnndsl.summary import aligned, clipped, count, field_json, one_or_named, title

MAX_SHOWN = 40
"""With more layers than these before the one that failed, the table shows the last ones alone."""
LAST = 20
MAX_INPUTS = 4


def table(error: SpecError) -> Iterator[str]:
    """The layers before the first one that failed, and that one; no line where there are none."""
    reached = error.reached
    if not reached.layers:
        return
    inputs, layers = _divided(reached)
    failed = [] if reached.failed is None else [reached.failed]
    shown = layers if len(layers) <= MAX_SHOWN else layers[-LAST:]
    lines = list(aligned([*map(_cells, (*inputs, *shown, *failed))]))
    if more := len(layers) - len(shown):
        lines.insert(2 + len(inputs), f"… {more:,} more layers")
    yield f"{title(reached)}, up to the layer that fails:" if failed else f"{title(reached)}:"
    yield from lines
    for layer in failed:
        yield ""
        yield _story(layer)


def _divided(reached: Reached) -> tuple[list[Layer], list[Layer]]:
    """The inputs of the network, and the layers that compute something."""
    inputs = [layer for layer in reached.layers if not layer.inputs]
    return inputs, [layer for layer in reached.layers if layer.inputs]


def _cells(layer: Layer) -> tuple[str, ...]:
    output = "fails" if layer.output is None else str(Shape(layer.output))
    told = f"{layer.op} {clipped(layer.brief)}".rstrip()
    return layer.path, told, output, count(layer.params), count(layer.macs)


def _story(layer: Layer) -> str:
    """What the layer that failed is given, and how its sizes come about."""
    shapes = [str(Shape(shape)) for shape in layer.inputs]
    if len(shapes) > MAX_INPUTS:
        shapes[MAX_INPUTS:] = [f"{len(shapes) - MAX_INPUTS} more"]
    given = f" for {' and '.join(shapes)}" if shapes else ""
    gives = "fails" if layer.output is None else f"gives {Shape(layer.output)}"
    sums = f": {', '.join(layer.arithmetic)}" if layer.arithmetic else ""
    return f"{layer.op} `{layer.path}` {gives}{given}{sums}"


def to_json(error: SpecError) -> dict[str, Any]:
    """The object of `build --json` where there is no network: `layers` go up to the failure.

    `failed` is the first layer that fails, or null; of what the whole would say there is nothing.
    """
    reached = error.reached
    inputs, layers = _divided(reached)
    shapes = {layer.path: list(layer.output or ()) for layer in inputs}
    keys = ("outputs", "params", "macs", "min_input", "depth", "memory")
    return {
        "name": reached.name or None,
        "variant": reached.variant or None,
        "input": one_or_named(shapes) if shapes else None,
        **dict.fromkeys(keys),
        **field_json(None),
        "layers": [
            {
                **_layer(layer),
                "params": layer.params,
                "macs": layer.macs,
                "memory": None,
                **field_json(None),
            }
            for layer in layers
        ],
        "failed": reached.failed
        and {**_layer(reached.failed), "arithmetic": list(reached.failed.arithmetic)},
        "diagnostics": [diagnostic.to_json() for diagnostic in error.diagnostics],
    }


def _layer(layer: Layer) -> dict[str, Any]:
    shapes = [list(shape) for shape in layer.inputs]
    return {
        "path": layer.path,
        "op": layer.op,
        "input": shapes[0] if len(shapes) == 1 else shapes,
        "output": None if layer.output is None else list(layer.output),
    }
