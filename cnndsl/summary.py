"""Graph → what `cnndsl build` prints: a table of layers, or one JSON object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from cnndsl.amounts import seen, sides, size
from cnndsl.columns import breadth, left, right
from cnndsl.costs import Cost, Field, cost
from cnndsl.diagnostics import Reached
from cnndsl.graph import Graph, Node

HEADER = ("path", "op", "output", "params", "macs")


def table(graph: Graph) -> Iterator[str]:
    """A line a layer, in the order they run, and the totals."""
    costs = cost(graph)
    rows = [(n.path, "input", str(n.shape), "", "") for n in graph.inputs]
    for layer in costs.layers:
        node = layer.node
        told = f"{node.op.name} {brief(node)}".rstrip()
        rows.append((node.path, told, str(node.shape), count(layer.params), count(layer.macs)))
    yield from aligned(rows)
    yield ""
    yield from totals(graph, costs)


def aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Lines with a column below each word of the header; the last two are numbers."""
    rows = [HEADER, *rows]
    widths = [max(breadth(row[i]) for row in rows) for i in range(len(HEADER))]
    for index, row in enumerate(rows):
        cells = [left(*cell) for cell in zip(row[:3], widths[:3], strict=True)]
        cells += [right(*cell) for cell in zip(row[3:], widths[3:], strict=True)]
        yield "  ".join(cells).rstrip()
        if index == 0:
            yield "-" * (sum(widths) + 2 * (len(widths) - 1))


def totals(graph: Graph, costs: Cost) -> Iterator[str]:
    """Parameters, multiply-adds and outputs; memory of activations; depth and receptive field."""
    outputs = ", ".join(f"{o.name} {graph.nodes[o.node].shape}" for o in graph.outputs)
    yield (
        f"{title(graph)}: {costs.params:,} parameters, {costs.macs:,} multiply-adds "
        f"for one sample, {outputs}"
    )
    memory, field = costs.memory, costs.field
    yield (
        f"activations of one sample: {size(memory.inference)} in inference, the most at "
        f"{memory.peak.path}; {size(memory.training)} kept in training"
    )
    told = ""
    if field and field.window and field.stride:
        told = f", receptive field {seen(field.window, field.size)}, stride {sides(field.stride)}"
    yield f"depth {costs.depth}{told}"


def title(network: Graph | Reached) -> str:
    """The network's name with its variant, as `resnet:resnet50`."""
    return f"{network.name}:{network.variant}" if network.variant else network.name


def brief(node: Node) -> str:
    return clipped(node.op.brief())


def clipped(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def count(number: int) -> str:
    return f"{number:,}" if number else ""


def to_json(graph: Graph) -> dict[str, Any]:
    """The network as `build --json` prints it; shapes are lists, of one sample.

    `input` of a layer is a shape, or for a merge the list of its inputs' shapes.
    """
    costs = cost(graph)
    return {
        "name": graph.name,
        "variant": graph.variant or None,
        "input": _inputs(graph),
        "outputs": {
            output.name: {
                "shape": list(graph.nodes[output.node].shape),
                "train_only": output.train_only,
                "loss_weight": output.loss_weight,
            }
            for output in graph.outputs
        },
        "params": costs.params,
        "macs": costs.macs,
        "min_input": costs.min_input,
        "depth": costs.depth,
        "memory": {
            "inference": costs.memory.inference,
            "peak": costs.memory.peak.path,
            "training": costs.memory.training,
            "batch": costs.memory.batch,
        },
        **field_json(costs.field),
        "layers": [
            {
                "path": layer.node.path,
                "op": layer.node.op.name,
                "input": _layer_input(layer.node),
                "output": list(layer.node.shape),
                "params": layer.params,
                "macs": layer.macs,
                "memory": costs.memory.kept.get(layer.node.id, 0),
                **field_json(costs.fields.get(layer.node.id)),
            }
            for layer in costs.layers
        ],
        "failed": None,
        "diagnostics": [diagnostic.to_json() for diagnostic in graph.diagnostics],
    }


def field_json(field: Field | None) -> dict[str, list[float] | None]:
    """A field as lists of height and width; `docs/costs.md` says what they mean."""
    if field is None:
        return dict.fromkeys(("receptive_field", "window", "stride"))
    return {
        "receptive_field": list(field.size),
        "window": list(field.window) if field.window else None,
        "stride": [_number(side) for side in field.stride] if field.stride else None,
    }


def _number(value: Fraction) -> float:
    return int(value) if value.denominator == 1 else float(value)


def _inputs(graph: Graph) -> list[int] | dict[str, list[int]]:
    return one_or_named({node.path: list(node.shape) for node in graph.inputs})


def one_or_named(shapes: dict[str, list[int]]) -> list[int] | dict[str, list[int]]:
    """The shape of the input, or where there are several, of each by its name."""
    return next(iter(shapes.values())) if len(shapes) == 1 else shapes


def _layer_input(node: Node) -> list[int] | list[list[int]]:
    return list(node.x) if len(node.inputs) == 1 else [list(shape) for shape in node.input_shapes]
