"""A text that is being written → what the page shows of it, as data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from cnndsl import syntax
from cnndsl.amounts import amount, size
from cnndsl.checker import check_tree
from cnndsl.costs import Cost, cost
from cnndsl.diagnostics import Diagnostic, Layer, Reached, Report, Span, SpecError
from cnndsl.diagram import THEMES, Oversize, make_figure, make_plan, notice, render
from cnndsl.elaborate import Request
from cnndsl.graph import Graph, Node, Scope
from cnndsl.load import Chain, load
from cnndsl.schema import file_schema, spec_schema
from cnndsl.summary import brief, clipped, title

Data = dict[str, Any]


@dataclass(frozen=True)
class Look:
    """How the diagram is wanted: `depth` levels of blocks opened, None for what is readable."""

    depth: int | None = None
    theme: str = "light"


@dataclass(frozen=True)
class _Main:
    """The file that is being written, among those that a place may be in."""

    path: Path

    @cached_property
    def resolved(self) -> Path:
        return self.path.resolve()

    def place(self, span: Span) -> list[int] | None:
        """Line, column, end line and end column from 1, the end exclusive; None in other files."""
        if not self.holds(span):
            return None
        return [span.line, span.column, span.end_line, span.end_column]

    def holds(self, span: Span) -> bool:
        return _resolved(span.source.path) == self.resolved


@lru_cache(maxsize=100)
def _resolved(path: str) -> Path | None:
    with suppress(OSError, ValueError):
        return Path(path).resolve()
    return None


def answer(text: str, path: Path, variant: str, look: Look) -> Data:
    """Check a text as if it were the file at `path`; its imports are those of the file's folder.

    `network` is None where the text has errors; `reached` then has the layers up to the one that
    fails, if one does. `variants` and `names` are None where not even those could be read.
    """
    report, chain, main = Report(), Chain(), _Main(path)
    tree = load(path, report, chain, text.encode())
    graph, network = None, None
    if tree is not None:
        with suppress(SpecError):
            graph = check_tree(tree, Request(variant), report)
    if graph is not None:
        network = _network(graph, main, look, report)
    return {
        "diagnostics": [_diagnostic(diagnostic, main) for diagnostic in report.told],
        "variants": list(tree.variants) if tree else None,
        "names": _names(tree) if tree else None,
        "files": [str(file) for file in chain.done],
        "network": network,
        "reached": _reached(report.reached, main) if report.reached.layers else None,
    }


def schema_of(text: str, path: Path) -> Data:
    """The JSON Schema of a text, with its own blocks and parameters as far as they can be read."""
    tree = load(path, Report(), data=text.encode())
    return file_schema(tree) if tree else spec_schema()


def picture(graph: Graph, look: Look, report: Report) -> str:
    """The network as an SVG; `<title>`s begin with the path of what they are on.

    One that is too large to lay out is a warning, and the picture says so.
    """
    try:
        figure = make_figure(make_plan(graph, depth=look.depth))
        return render(figure, "svg", THEMES[look.theme]).decode()
    except Oversize as e:
        report.warn("bound", e.message, graph.root.span, e.help)
        return notice(e, THEMES[look.theme])


def _network(graph: Graph, main: _Main, look: Look, report: Report) -> Data:
    costs = cost(graph)
    return {
        "title": title(graph),
        "svg": picture(graph, look, report),
        "rows": [
            *(_row(node, "input", 0, 0) for node in graph.inputs),
            *(
                _row(layer.node, layer.node.op.name, layer.params, layer.macs)
                for layer in costs.layers
            ),
        ],
        "places": {path: place for path, span in _spans(graph.root) if (place := main.place(span))},
        "totals": _totals(graph, costs),
    }


def _reached(reached: Reached, main: _Main) -> Data:
    """The rows of the layers up to the one that fails, which is the last."""
    failed = [] if reached.failed is None else [reached.failed]
    places = ((layer.path, main.place(layer.span)) for layer in (*reached.layers, *failed))
    return {
        "rows": [*map(_layer, reached.layers), *map(_failed, failed)],
        "places": {path: place for path, place in places if place},
    }


def _layer(layer: Layer) -> Data:
    return {
        "path": layer.path,
        "op": layer.op,
        "brief": clipped(layer.brief),
        "output": None if layer.output is None else list(layer.output),
        "params": layer.params,
        "macs": layer.macs,
    }


def _failed(layer: Layer) -> Data:
    return {**_layer(layer), "fails": ", ".join(layer.arithmetic) or "fails"}


def _row(node: Node, op: str, params: int, macs: int) -> Data:
    return {
        "path": node.path,
        "op": op,
        "brief": brief(node),
        "output": list(node.shape),
        "params": params,
        "macs": macs,
    }


def _spans(scope: Scope) -> Iterator[tuple[str, Span]]:
    """The paths of all that the diagram may show, with where they are written."""
    for member in scope.members:
        yield member.path, member.span
        if isinstance(member, Scope):
            yield from _spans(member)


def _totals(graph: Graph, costs: Cost) -> list[tuple[str, str, str]]:
    """What the whole costs: a name, a short figure, and the exact one."""
    memory = costs.memory
    outputs = [f"{o.name} {graph.nodes[o.node].shape}" for o in graph.outputs]
    return [
        ("parameters", amount(costs.params), f"{costs.params:,}"),
        ("multiply-adds", amount(costs.macs), f"{costs.macs:,} for one sample"),
        ("layers deep", str(costs.depth), "convolutions and linear layers on the longest path"),
        (
            "activations",
            size(memory.inference),
            f"of one sample in inference, the most at {memory.peak.path}; "
            f"{size(memory.training)} kept in training",
        ),
        ("output", str(graph.nodes[graph.output.node].shape), ", ".join(outputs)),
    ]


def _names(tree: syntax.Spec) -> Data:
    """What the file declares, for completion."""
    blocks = {name: [p.name for p in block.params] for name, block in tree.blocks.items()}
    for alias, imported in tree.imports.items():
        for name, block in imported.blocks.items():
            blocks[f"{alias}.{name}"] = [p.name for p in block.params]
    values = [*(p.name for p in tree.params), *(arg.name for arg in tree.let)]
    return {"values": values, "blocks": blocks}


def _diagnostic(diagnostic: Diagnostic, main: _Main) -> Data:
    """A diagnostic as data; one of another file has the place here that used it."""
    place = main.place(diagnostic.span)
    frames = [
        {"text": frame.text, "at": str(frame.span), "place": main.place(frame.span)}
        for frame in diagnostic.frames
    ]
    told = diagnostic.to_json()
    related = [
        {**other, "place": main.place(own.span)}
        for other, own in zip(told["related"], diagnostic.places, strict=True)
    ]
    return {
        **told,
        "here": place is not None,
        "place": place or next((one["place"] for one in (*frames, *related) if one["place"]), None),
        "related": related,
        "frames": frames,
    }
