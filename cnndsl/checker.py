"""The checker: a spec and a choice of its values → a Graph, or diagnostics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnndsl import source, syntax
from cnndsl.diagnostics import Report, Source, Span, suggest
from cnndsl.elaborate import Request, elaborate
from cnndsl.expect import confirm
from cnndsl.graph import Graph
from cnndsl.load import find, load
from cnndsl.parse import parse_term


def check(
    spec: str | Path,
    variant: str | None = None,
    params: Mapping[str, Any] | None = None,
    input: Sequence[int] | None = None,
) -> Graph:
    """Read a spec, confirm all that it states, and return the network with its shapes.

    `spec` is a path, `path:variant`, or a shipped name such as "resnet50"; `params` replace values of
    the spec's parameters, and `input` the shape of one sample, [channels, height, width].
    Raises SpecError, with every mistake that was found, where the network does not hold.
    """
    given = [python_arg(name, value) for name, value in (params or {}).items()]
    shape = None if input is None else python_term("input", list(input))
    return check_terms(str(spec), variant, given, shape)


def check_terms(
    spec: str, variant: str | None, params: Sequence[syntax.Arg], input: syntax.Term | None
) -> Graph:
    """`check` for values that are written somewhere, as on a command line."""
    report = Report()
    target = find(spec, report)
    report.raise_errors()
    assert target is not None
    tree = load(target.path, report)
    if tree is None:
        report.raise_errors()
    assert tree is not None
    request = Request(variant or target.variant, tuple(params), input)
    check_request(tree, request, report)
    graph = elaborate(tree, request, report)
    report.raise_errors()
    assert graph is not None
    if not request.params and request.input is None:
        confirm(graph, tree, report)
        report.raise_errors()
    return replace(graph, diagnostics=tuple(report.diagnostics))


def check_request(spec: syntax.Spec, request: Request, report: Report) -> None:
    """Report a variant or parameter that the spec does not have."""
    if request.variant and request.variant not in spec.variants:
        span = Span(Source("variant", request.variant), 1, 1, 1, len(request.variant) + 1)
        help = suggest(request.variant, list(spec.variants)) or "it has no variants"
        report.error("name", f"{spec.name} has no variant `{request.variant}`", span, help)
    known = [param.name for param in spec.params]
    for arg in request.params:
        if arg.name not in known:
            help = suggest(arg.name, known) or "it has no parameters"
            report.error("name", f"{spec.name} has no parameter `{arg.name}`", arg.key, help)
    report.raise_errors()


def written_arg(text: str, flag: str, report: Report) -> syntax.Arg | None:
    """`NAME=VALUE` as given to a flag, the value in YAML."""
    name, equals, value = text.partition("=")
    span = Span(Source(flag, text), 1, 1, 1, len(name) + 1)
    if not equals:
        report.error("argument", f"`{text}` is not NAME=VALUE", span)
        return None
    # The value keeps its columns in the flag's text: the name before it reads as white space.
    located = source.read(Source(flag, " " * (len(name) + 1) + value), report)
    located = located or source.Scalar("" if not value else None, span)
    return syntax.Arg(name, span, parse_term(located, report))


def python_arg(name: str, value: Any) -> syntax.Arg:
    term = python_term(name, value)
    return syntax.Arg(name, term.span, term)


def python_term(name: str, value: Any) -> syntax.Term:
    """A value given in Python, placed at the name of its parameter."""
    span = Span(Source(name, repr(value)), 1, 1, 1, len(repr(value)) + 1)
    if isinstance(value, list | tuple):
        return syntax.Terms(tuple(python_term(name, item) for item in value), span)
    return syntax.Const(value, span)
