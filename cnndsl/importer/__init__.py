"""An `nn.Module` → a readable spec: traced, written in the language's words, and proven equal."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from cnndsl.checker import check
from cnndsl.costs import cost
from cnndsl.diagnostics import SpecError
from cnndsl.graph import Graph
from cnndsl.importer.blocks import assemble
from cnndsl.importer.converting import convert, is_leaf
from cnndsl.importer.errors import ModelError, Problem
from cnndsl.importer.modes import compare, faults
from cnndsl.importer.naming import name
from cnndsl.importer.printing import written
from cnndsl.importer.proving import differences
from cnndsl.importer.rewriting import settle, simplify, with_initial_scales
from cnndsl.importer.scopes import classes_of, grouped, stateful_paths
from cnndsl.importer.sources import Subject, find
from cnndsl.importer.structure import Outline, outline
from cnndsl.importer.tracing import misfits, trace

__all__ = ["ModelError", "Problem", "import_spec"]


def import_spec(source: str, input: Sequence[int] | None = None) -> str:
    """The spec of a network, which builds a network with the same names, weights and outputs.

    `source` is `torchvision:NAME` or `PACKAGE.MODULE:FACTORY`; `input` the shape of one sample.
    Raises ModelError, with everything that no spec expresses.
    """
    subject = find(source)
    shape = subject.input if input is None else tuple(input)
    if not shape or not all(type(size) is int and size > 0 for size in shape):
        fact = f"a sample has positive sizes, found {list(shape)}"
        raise ModelError(fact, "as in --input 3,224,224")
    model = subject.on_meta()
    found = _outline(subject, model, shape)
    try:
        return _proven(subject, found, model, shape, fold=True)
    except Exception:  # whatever goes wrong in folding: the long form is proven by itself
        return _proven(subject, found, model, shape, fold=False)


_DEFECT = "this is a defect of the importer: please report the network"


def _proven(
    subject: Subject, found: Outline, model: nn.Module, shape: Sequence[int], *, fold: bool
) -> str:
    """The text, if its network is the original's."""
    spec = assemble(found, fold)
    title = re.sub(r"\W+", "_", subject.name)
    graph = _checked(written(title, subject.about, shape, spec, {}))
    costs = cost(graph)
    output = list(graph.nodes[graph.output.node].shape)
    expect = {"params": costs.params, "macs": costs.macs, "output": output}
    text = written(title, subject.about, shape, spec, expect)
    problems = differences(_checked(text), model, shape)
    if problems:
        raise ModelError("the spec's network differs from the original", _DEFECT, problems[:20])
    return text


def _outline(subject: Subject, model: nn.Module, shape: Sequence[int]) -> Outline:
    """The network as named terms; ModelError with all that cannot be expressed."""
    traces = [trace(model, shape, is_leaf, training) for training in (True, False)]
    training, inference = (simplify(convert(t)) for t in traces)
    problems = list(dict.fromkeys([*misfits(model, is_leaf, traces[0]), *faults(training)]))
    if not problems:
        heads, problems = compare(training, inference)
    if problems:
        count = f"{len(problems)} thing{'s' if len(problems) > 1 else ''}"
        raise ModelError(f"{count} in the network cannot be expressed", _HELP, problems)
    if any(step.kind == "layer_scale" for step in training.steps):
        training = with_initial_scales(training, subject.model().state_dict())
    stateful = stateful_paths(model)
    settled = settle(training, traces[0].called, stateful)
    root = grouped(settled.steps, classes_of(model), stateful)
    return name(outline(settled, root, heads))


_HELP = "docs/ops.md lists the ops; a package can add its own"


def _checked(text: str) -> Graph:
    """The network of a text that was just written; that it does not hold is our defect."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "imported.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            return check(path)
        except SpecError as e:
            told = "\n".join(str(diagnostic) for diagnostic in e.diagnostics[:3])
            raise ModelError(f"the written spec does not hold: {told}\n{text}", _DEFECT) from e
