"""Specs and folders of runs → a row of figures for each network."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any

from cnndsl.checker import AS_WRITTEN, check_variants
from cnndsl.costs import Field, cost
from cnndsl.diagnostics import Diagnostic, Report, Source, Span, SpecError
from cnndsl.elaborate import Request
from cnndsl.files import read_regular
from cnndsl.graph import Graph

RUN, METRICS, ACCURACY = "run.yaml", "metrics.csv", "val_accuracy"
IMAGENET = "ImageNet"


@dataclass(frozen=True)
class Accuracy:
    """How often a trained network's first answer is right, in percent; on what data, told where."""

    top1: float
    data: str
    source: str


@dataclass(frozen=True)
class Row:
    """The figures of a network; memory is of one sample, in bytes."""

    name: str
    family: str
    params: int
    macs: int
    inference: int
    training: int
    depth: int
    field: Field | None
    min_input: int | None
    accuracy: Accuracy | None

    @property
    def window(self) -> tuple[int, int] | None:
        """Height and width of the receptive field of the last feature map."""
        return self.field.window if self.field else None


def gather(specs: Iterable[str], values: Request = AS_WRITTEN) -> list[Row]:
    """A row for each network that the specs name; SpecError tells all mistakes in them.

    `values` replace those of every spec; what they change has no accuracy.
    """
    rows: list[Row] = []
    mistakes: list[Diagnostic] = []
    for spec in specs:
        try:
            rows += [row for row in rows_of(spec, values) if row not in rows]
        except SpecError as e:
            mistakes += e.diagnostics
    if mistakes:
        raise SpecError(tuple(mistakes))
    return list(told_apart(rows))


def told_apart(rows: Sequence[Row]) -> Iterator[Row]:
    """The rows, each with a name of its own: with its family's, or a number, if need be."""
    shared = {name for name, uses in Counter(row.name for row in rows).items() if uses > 1}
    taken: set[str] = set()
    for row in rows:
        first = f"{row.family}:{row.name}" if row.name in shared else row.name
        names = (first if n == 1 else f"{first} ({n})" for n in count(1))
        name = next(name for name in names if name not in taken)
        taken.add(name)
        yield replace(row, name=name)


def rows_of(spec: str, values: Request) -> Iterator[Row]:
    """The networks of a spec, or the one that a run trained."""
    folder = Path(spec)
    if folder.is_dir() or (folder.name == RUN and folder.is_file()):
        folder = folder if folder.is_dir() else folder.parent
        for graph in check_variants(str(folder / RUN), values):
            found = None if values.changed else measured(graph, folder / METRICS)
            yield row_of(graph, folder.resolve().name, found)
        return
    for graph in check_variants(spec, values):
        yield row_of(graph, graph.variant or graph.name, published(graph))


def row_of(graph: Graph, name: str, accuracy: Accuracy | None) -> Row:
    costs = cost(graph)
    return Row(
        name=name,
        family=graph.name,
        params=costs.params,
        macs=costs.macs,
        inference=costs.memory.inference,
        training=costs.memory.training,
        depth=costs.depth,
        field=costs.field,
        min_input=costs.min_input,
        accuracy=accuracy,
    )


def published(graph: Graph) -> Accuracy | None:
    """What the spec states of the trained network."""
    stated = graph.published
    if "top1" not in stated:
        return None
    return Accuracy(stated["top1"], stated.get("data", IMAGENET), stated.get("source", ""))


def measured(graph: Graph, path: Path) -> Accuracy | None:
    """The best accuracy that a run has measured, on the data that it was trained on."""
    try:
        lines = StringIO(read_regular(path).decode(), newline="")
        found = [float(row[ACCURACY]) for row in csv.DictReader(lines) if row.get(ACCURACY)]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, csv.Error) as e:
        report = Report()
        reason = getattr(e, "strerror", None) or str(e)
        span = Span(Source(str(path), ""))
        report.error("file", f"cannot read the accuracy of the run: {reason}", span)
        raise SpecError(tuple(report.diagnostics)) from e
    if not found:
        return None
    return Accuracy(100 * max(found), data_of(graph.train), str(path))


def data_of(recipe: Any) -> str:
    """The name of a recipe's data set."""
    data = recipe.get("data", "")
    return str(data.get("name", "")) if isinstance(data, dict) else str(data)
