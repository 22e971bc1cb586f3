"""Graph → readable PyTorch source that stands alone: one class a block, no loop at run time."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import fill

from cnndsl.costs import cost
from cnndsl.emitter.imports import imports_of
from cnndsl.emitter.text import Writer
from cnndsl.emitter.unify import unify
from cnndsl.graph import Graph
from cnndsl.plan import plan


def emit_source(graph: Graph, probe: bool = False) -> str:
    """The source of the network; its last class is the network, built without arguments.

    With `probe`, each value that no module gives is passed through a function `probe(path, value)`,
    which the namespace must have.
    """
    root = plan(graph, probe)
    writer = Writer(graph, unify(root))
    body = list(writer.lines(root))
    imports, helpers = imports_of("\n".join(body), writer.targets)
    return "\n".join([*_docstring(graph), *imports, *helpers, *body, ""])


def network_class(graph: Graph) -> str:
    """The name of the class in the source that is the network."""
    root = plan(graph, probe=False)
    return unify(root)[root.key].name


def _docstring(graph: Graph) -> Iterator[str]:
    name = graph.variant or graph.name
    costs = cost(graph)
    inputs = ", ".join(f"{node.path} {node.shape}" for node in graph.inputs)
    yield from fill(f'"""{_quotable(graph.about or name)}', width=88).split("\n")
    yield ""
    yield f"{_quotable(name)}: {inputs}, one sample, channels first."
    yield f"{costs.params:,} parameters, {costs.macs:,} multiply-adds."
    yield '"""'
    yield ""


def _quotable(text: str) -> str:
    """A text of a spec on one line, so that it cannot end the docstring."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line.replace("\\", "\\\\").replace('"""', "'''")
