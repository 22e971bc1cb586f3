"""An `nn.Module` → a readable spec: traced, written in the language's words, and proven equal."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from cnndsl.checker import check
from cnndsl.costs import cost
from cnndsl.diagnostics import SpecError
from cnndsl.graph import Graph
from cnndsl.importer.blocks import assemble
from cnndsl.importer.converting import convert, is_leaf
from cnndsl.importer.errors import ModelError, Problem
from cnndsl.importer.guarding import aside, said
from cnndsl.importer.inspecting import inexpressible, refuse_untraceable
from cnndsl.importer.losses import losses
from cnndsl.importer.modes import compare, faults, misfits
from cnndsl.importer.naming import name
from cnndsl.importer.printing import written
from cnndsl.importer.proving import prove
from cnndsl.importer.rewriting import settle, simplify, with_initial_scales
from cnndsl.importer.scopes import classes_of, grouped, stateful_paths
from cnndsl.importer.sizes import (
    MANY_SAMPLES,
    Modes,
    alike,
    misshapen,
    of_the_batch,
    other_sizes,
    parted,
    to_run,
)
from cnndsl.importer.sources import Subject, find
from cnndsl.importer.steps import Network
from cnndsl.importer.structure import outline
from cnndsl.importer.terms import Outline
from cnndsl.importer.tracing import BATCH, Trace, trace

__all__ = ["Imported", "ModelError", "Problem", "import_spec"]

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Imported:
    """The text of a spec, and notes on what of the network it does not say."""

    text: str
    notes: tuple[str, ...]


def import_spec(source: str, input: Sequence[int] | None = None) -> Imported:
    """The spec of a network, which builds a network with the same names, weights and outputs.

    `source` is `torchvision:NAME` or `PACKAGE.MODULE:FACTORY`, whose Python is run; `input` the
    shape of one sample. Raises ModelError, with everything that no spec expresses.
    """
    with aside():
        subject = find(source)
        shape = subject.input if input is None else tuple(input)
        if not shape or not all(type(size) is int and size > 0 for size in shape):
            fact = f"a sample has positive sizes, found {list(shape)}"
            raise ModelError(fact, "as in --input 3,224,224")
        return _import(subject, shape)


def _import(subject: Subject, shape: Shape) -> Imported:
    model = subject.on_meta()
    refuse_untraceable(model)
    calls, training = _traced(model, shape)
    _, inference = _traced(model, shape, training=False)
    found = _outline(subject, calls, training, inference)
    here, others = Modes(shape, training, inference), _others(subject, shape)
    single = _for_batches(subject, here)
    text, notes = _written(subject, found, shape)
    graph = _checked(text)
    notes += [*parted(here, others), *misshapen(graph, others), *single]
    notes += [*_proven(subject, graph, to_run(here, others)), *losses(graph, subject.made)]
    return Imported(text, tuple(notes))


def _traced(
    model: nn.Module, shape: Shape, training: bool = True, batch: int = BATCH
) -> tuple[Trace, Network]:
    """A network's calls for samples of one shape, and what its outputs need of them as ops."""
    calls = trace(model, shape, is_leaf, training, batch)
    return calls, simplify(convert(calls))


def _taken(subject: Subject, shape: Shape, batch: int = BATCH) -> Modes | None:
    """The ops for another shape of samples or number of them, if the network takes it."""
    model = subject.on_meta()
    try:
        return Modes(shape, *(_traced(model, shape, mode, batch)[1] for mode in (True, False)))
    except ModelError:
        return None


def _others(subject: Subject, shape: Shape) -> list[Modes]:
    """The ops for other sizes, one of each kind of which the network takes any."""
    taken = (
        next((modes for size in sizes if (modes := _taken(subject, size))), None)
        for sizes in other_sizes(shape)
    )
    return [modes for modes in taken if modes]


def _for_batches(subject: Subject, here: Modes) -> list[str]:
    """A note where one sample alone is another case; ModelError where more samples are."""
    many = _taken(subject, here.shape, MANY_SAMPLES)
    problems = of_the_batch(here, many) if many else []
    if problems:
        raise ModelError("the network depends on the number of samples", _NO_BATCH, problems)
    try:
        _, single = _traced(subject.on_meta(), here.shape, training=False, batch=1)
    except ModelError:
        return []
    if alike(here.inference, single):
        return []
    return ["for a batch of one sample the forward pass takes another way; the spec does not"]


_NO_BATCH = "what a spec says of one sample holds for each"


_GRADIENTS = (
    "no_grad and detach on one of several ways, hooks, and functions with a backward pass of their"
    " own have no words in a spec"
)
_DEFECT = "this is a defect of the importer: please report the network"


def _written(subject: Subject, found: Outline, shape: Shape) -> tuple[str, list[str]]:
    """The text, folded into blocks and loops where that can be done, and a note where it cannot."""
    try:
        return _text(subject, found, shape, fold=True), []
    except Exception as e:  # folding only shortens: whatever is wrong with it, the long form holds
        told = said(e).removeprefix("ModelError: ")
        text = _text(subject, found, shape, fold=False)
        return text, [f"written at full length, since folding it failed (please report it): {told}"]


def _text(subject: Subject, found: Outline, shape: Shape, *, fold: bool) -> str:
    """The text of a spec that holds, with the facts that it expects."""
    spec = assemble(found, fold)
    title = re.sub(r"\W+", "_", subject.name)
    graph = _checked(written(title, subject.about, shape, spec, {}))
    costs = cost(graph)
    output = list(graph.nodes[graph.output.node].shape)
    expect = {"params": costs.params, "macs": costs.macs, "output": output}
    text = written(title, subject.about, shape, spec, expect)
    _checked(text)
    return text


def _proven(subject: Subject, graph: Graph, shapes: Sequence[Shape]) -> list[str]:
    """The notes of a proof; ModelError where the spec's network is not the original."""
    proof = prove(graph, subject.on_meta(), shapes)
    if proof.problems and proof.of_gradients:
        fact = "the network's gradients are not those of the values that it computes"
        raise ModelError(fact, _GRADIENTS, proof.problems[:20])
    if proof.problems:
        raise ModelError(
            "the spec's network differs from the original", _DEFECT, proof.problems[:20]
        )
    return list(proof.notes)


def _outline(subject: Subject, calls: Trace, training: Network, inference: Network) -> Outline:
    """The network as named terms; ModelError with all that cannot be expressed."""
    model, called = subject.made, calls.called
    problems = list(inexpressible(model, is_leaf))
    told = {problem.path for problem in problems}
    problems += [problem for problem in faults(training) if problem.path not in told]
    problems += misfits(model, is_leaf, called, training)
    heads, parting = compare(training, inference)
    problems = list(dict.fromkeys(problems or parting))
    if problems:
        count = f"{len(problems)} thing{'s' if len(problems) > 1 else ''}"
        raise ModelError(f"{count} in the network cannot be expressed", _HELP, problems)
    if not training.steps:
        raise ModelError("the network gives out its input as it is", "a spec has a node at least")
    if any(step.kind == "layer_scale" for step in training.steps):
        training = with_initial_scales(training, model.state_dict())
    stateful = stateful_paths(model)
    settled = settle(training, called, stateful)
    root = grouped(settled.steps, classes_of(model), stateful)
    return name(outline(settled, root, heads), settled.input)


_HELP = (
    "docs/import.md tells what is read; docs/ops.md lists the ops, and a package can add its own"
)


def _checked(text: str) -> Graph:
    """The network of a text that was just written; that it does not hold is our defect."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "imported.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            return check(path)
        except SpecError as e:
            told = "\n".join(d.message for d in e.diagnostics[:3])
            raise ModelError(f"the written spec does not hold: {told}\n{text}", _DEFECT) from e
