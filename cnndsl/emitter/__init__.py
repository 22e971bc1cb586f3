"""Graph → readable PyTorch source that stands alone: one class a block, no loop at run time."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from cnndsl.costs import cost
from cnndsl.emitter.imports import imports_of
from cnndsl.emitter.layout import WIDTH
from cnndsl.emitter.text import Writer
from cnndsl.emitter.unify import unify
from cnndsl.graph import Graph
from cnndsl.plan import plan
from cnndsl.plan.calls import called

QUOTES = '"""'


def emit_source(graph: Graph, probe: bool = False) -> str:
    """The source of the network; its last class is the network, built without arguments.

    With `probe`, each value that no module gives is passed through a function `probe(path, value)`,
    which the namespace must have.
    """
    root = plan(graph, probe)
    writer = Writer(graph, unify(root, called(graph)))
    body = list(writer.lines(root))
    imports, helpers = imports_of("\n".join(body), writer.targets)
    return "\n".join([*_docstring(graph), *imports, *helpers, *body, ""])


def network_class(graph: Graph) -> str:
    """The name of the class in the source that is the network."""
    root = plan(graph, probe=False)
    return unify(root, called(graph))[root.key].name


def _docstring(graph: Graph) -> Iterator[str]:
    name = graph.variant or graph.name
    costs = cost(graph)
    inputs = ", ".join(f"{node.path} {node.shape}" for node in graph.inputs)
    yield from _quoted(graph.about or name)
    yield ""
    yield f"{_escaped(_line(name))}: {inputs}, one sample, channels first."
    yield f"{costs.params:,} parameters, {costs.macs:,} multiply-adds."
    yield '"""'
    yield ""


def _quoted(text: str) -> Iterator[str]:
    """The first lines of the docstring.

    They are escaped once they are lines: a break within an escape would make it another one.
    """
    room = " " * len(QUOTES)
    first, *others = wrap(_line(text), WIDTH, initial_indent=room) or [room]
    yield QUOTES + _escaped(first[len(QUOTES) :])
    yield from map(_escaped, others)


def _line(text: str) -> str:
    """A text of a spec on one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _escaped(line: str) -> str:
    """A line as it stands within a docstring, which it cannot end."""
    return line.replace("\\", "\\\\").replace(QUOTES, "'''")
