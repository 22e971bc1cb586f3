"""Arguments that several commands share, and the network they mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from cnndsl.checker import check_terms, written_arg, written_input
from cnndsl.diagnostics import Report
from cnndsl.elaborate import Request
from cnndsl.graph import Graph

SpecArgument = Annotated[
    str, typer.Argument(metavar="SPEC", help="A file, FILE:VARIANT, or a shipped name as resnet50.")
]
VariantOption = Annotated[str | None, typer.Option("--variant", metavar="V", help="A variant.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A parameter's value, in YAML; repeatable."),
]
InputOption = Annotated[
    str | None, typer.Option("--input", metavar="C,H,W", help="The shape of one sample.")
]


def checked(spec: str, variant: str | None, set: Sequence[str] | None, input: str | None) -> Graph:
    """The network that the arguments mean; raises SpecError."""
    values = requested(set, input)
    return check_terms(spec, variant, values.params, values.input)


def requested(set: Sequence[str] | None, input: str | None) -> Request:
    """The values that the arguments put in place of a spec's; raises SpecError."""
    report = Report()
    args = [written_arg(text, "--set", report) for text in set or ()]
    shape = written_input(input, report) if input is not None else None
    report.raise_errors()
    return Request(params=tuple(args), input=shape)
