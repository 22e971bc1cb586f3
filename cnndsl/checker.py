"""The checker: a spec and a choice of its values → a Graph, or diagnostics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from math import inf
from pathlib import Path
from typing import Any

from cnndsl import source, syntax
from cnndsl.diagnostics import Reached, Report, Source, Span, SpecError, suggest
from cnndsl.elaborate import MAX_STEPS, Request, elaborate
from cnndsl.elaborate.reaching import layers_of
from cnndsl.elaborate.recipes import names_of
from cnndsl.expect import confirm
from cnndsl.expr import Exhausted, Meter
from cnndsl.flow import flow
from cnndsl.graph import Graph
from cnndsl.load import find, load
from cnndsl.names import check_given
from cnndsl.parse import parse_term
from cnndsl.schema import file_schema, spec_schema
from cnndsl.words import normal

MAX_TOGETHER = 2 * MAX_STEPS
"""How many steps the variants of a file take that are checked in one go."""
VARIANT = 10
"""How many of them each takes, and each named recipe of each, beside those of its network."""
AS_WRITTEN = Request()
"""A spec with its own values."""


def check(
    spec: str | Path,
    variant: str | None = None,
    params: Mapping[str, Any] | None = None,
    input: Sequence[int] | None = None,
) -> Graph:
    """Read a spec, confirm all that it states, and return the network with its shapes.

    `spec` is a path, `path:variant`, or a shipped name such as "resnet50"; `params` replace values
    of the spec's parameters, and `input` the shape of one sample, [channels, height, width].
    Raises SpecError, with every mistake that was found, where the network does not hold.
    """
    given = [python_arg(name, value) for name, value in (params or {}).items()]
    shape = None if input is None else python_input(input)
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
    if variant is None or normal(variant) in tree.variants:
        target = target.of(variant or "", report)
    else:
        target = replace(target, variant=variant)
    request = Request(normal(target.variant), tuple(params), input)
    return check_tree(tree, request, report)


def check_tree(
    tree: syntax.Spec,
    request: Request,
    report: Report,
    *,
    facts: bool = True,
    together: Meter | None = None,
) -> Graph:
    """The network of a spec that was read, with its facts confirmed; raises SpecError.

    What it takes is taken from the steps that are left to several networks `together`.
    """
    check_request(tree, request, report)
    graph = elaborate(tree, request, report, together)
    report.raise_errors()
    assert graph is not None
    confirmed = 0
    if facts and not request.changed:
        confirmed = confirm(graph, tree, report)
        if report.failed:
            layers = tuple(layers_of(graph.nodes))
            report.reached = Reached(graph.name, graph.variant, layers)
        report.raise_errors()
    diagnostics = tuple(report.diagnostics)
    published = _published(tree, graph, request)
    return replace(graph, facts=confirmed, published=published, diagnostics=diagnostics)


def _published(tree: syntax.Spec, graph: Graph, request: Request) -> dict[str, Any]:
    if request.changed:
        return {}
    return {**tree.published.get("", {}), **tree.published.get(graph.variant, {})}


def check_variants(
    spec: str, values: Request = AS_WRITTEN, *, facts: bool = False, base: bool = False
) -> Iterator[Graph]:
    """The network that a spec names, or where it names none of a file's variants, all of them.

    `values` replace those of each. With `facts`, what `expect:` states is confirmed; with `base`,
    the network of a file with variants that is none of them is the first. Raises
    SpecError at the end, with the mistakes of all, also where all of them together take more steps
    than MAX_TOGETHER.
    """
    report = Report()
    target = find(spec, report)
    tree = load(target.path, report) if target else None
    report.raise_errors()
    assert target is not None
    assert tree is not None
    together = Meter(MAX_TOGETHER)
    each = VARIANT * (1 + len(names_of(tree.train)))
    all_of_them = ["", *tree.variants] if base or not tree.variants else [*tree.variants]
    for variant in [normal(target.variant)] if target.variant else all_of_them:
        request = replace(values, variant=variant)
        several = together if variant and not target.variant else Meter(inf)
        try:
            several.spend(each)
            yield check_tree(tree, request, Report(), facts=facts, together=several)
        except SpecError as e:
            report.take(e)
        except Exhausted:
            message = f"more than {MAX_TOGETHER} steps in all {len(tree.variants)} variants"
            report.error("bound", message, tree.span, "name one of them, as in `FILE:VARIANT`")
        if report.full or together.left < 0:
            break
    report.raise_errors()


def check_request(spec: syntax.Spec, request: Request, report: Report) -> None:
    """Report a variant or parameter that the spec does not have, and end there: what was meant
    is not known. Mistakes of the file itself leave the check going on."""
    asked = Report()
    if spec.open:
        return
    if request.variant and request.variant not in spec.variants:
        given = Source("variant", request.variant, "--variant")
        span = Span(given, 1, 1, 1, len(request.variant) + 1)
        help = suggest(request.variant, list(spec.variants)) or "it has no variants"
        if any(d.code == "name" and d.help == help for d in report.told):
            report.raise_errors()  # it was told within the file, where it stands too
        asked.error("name", f"{spec.name} has no variant `{request.variant}`", span, help)
    known = [param.name for param in spec.params]
    for arg in request.params:
        if arg.name not in known:
            help = suggest(arg.name, known) or "it has no parameters"
            asked.error("name", f"{spec.name} has no parameter `{arg.name}`", arg.key, help)
    tell_twice([(arg.name, arg.key) for arg in request.params], asked)
    check_given(spec, request.params, asked)
    for diagnostic in asked.diagnostics:
        report.add(diagnostic)
    if asked.failed:
        report.raise_errors()


def tell_twice(given: Sequence[tuple[str, Span]], report: Report) -> None:
    """Report names that are given a second value."""
    first: dict[str, Span] = {}
    for name, span in given:
        if name in first:
            report.error("argument", f"`{name}` is set twice", span, "leave one of them away")
        first.setdefault(name, span)


def written(text: str, flag: str, report: Report) -> tuple[str, Span, source.Located]:
    """`NAME=VALUE` as given to a flag: the name, its place, and the value in YAML."""
    name, equals, _ = text.partition("=")
    given = Source(flag, text)
    span = Span(given, 1, 1, 1, len(name) + 1)
    if not equals or not name:
        report.error("argument", f"`{text}` is not NAME=VALUE", span)
    located = source.read(given, report, len(name) + 1)
    return normal(name), span, located or source.Scalar(None, span)


def written_arg(text: str, flag: str, report: Report) -> syntax.Arg:
    """`NAME=VALUE` as an argument that knows where it stands."""
    name, span, located = written(text, flag, report)
    return syntax.Arg(name, span, parse_term(located, report, name))


def written_input(text: str, report: Report) -> syntax.Term:
    """`C,H,W` as given to `--input`."""
    located = source.read(Source("--input", f"[{text}]"), report)
    span = Span(Source("--input", text))
    return parse_term(located, report, "the shape") if located else syntax.Broken(span)


def written_values(texts: Sequence[str]) -> dict[str, Any]:
    """The values of several `--set NAME=VALUE`; raises SpecError."""
    report = Report()
    found = [written(text, "--set", report) for text in texts]
    tell_twice([(name, span) for name, span, _ in found], report)
    report.raise_errors()
    return {name: source.plain(value) for name, _, value in found}


def written_sizes(text: str | None) -> list[int] | None:
    """The numbers of `--input C,H,W`; raises SpecError."""
    if text is None:
        return None
    report = Report()
    located = source.read(Source("--input", f"[{text}]"), report)
    report.raise_errors()
    return list(source.plain(located)) if located else []


def tree_of(spec: str) -> syntax.Spec:
    """The syntax tree of a spec; raises SpecError."""
    report = Report()
    target = find(spec, report)
    tree = load(target.path, report) if target else None
    report.raise_errors()
    assert tree is not None
    return tree


def schema_for(spec: str | None) -> dict[str, Any]:
    """The JSON Schema of specs, with the blocks of one file if it is named."""
    if spec is None:
        return spec_schema()
    return file_schema(tree_of(spec))


def python_arg(name: str, value: Any) -> syntax.Arg:
    """A value given in Python to a parameter; raises SpecError."""
    given = Source("params", f"{name}={_spelled(value)}", "--set")
    key = Span(given, 1, 1, 1, max(1, len(name)) + 1)
    return syntax.Arg(normal(name), key, _python_term(name, value, given, len(name) + 2))


def python_input(sizes: Sequence[int]) -> syntax.Term:
    """A shape given in Python; raises SpecError."""
    given = Source("input", _spelled(list(sizes)), "--input")
    return _python_term("input", list(sizes), given, 1)


def _python_term(name: str, value: Any, given: Source, column: int) -> syntax.Term:
    """A value given in Python, as it is spelled at a column; `name` is what it is called."""
    span = Span(given, 1, column, 1, column + max(1, len(_spelled(value))))
    if isinstance(value, list | tuple):
        columns = accumulate((len(_spelled(item)) + 2 for item in value), initial=column + 1)
        items = zip(value, columns, strict=False)
        terms = (_python_term(name, item, given, start) for item, start in items)
        return syntax.Terms(tuple(terms), span)
    report = Report()
    if isinstance(value, Mapping):
        term = parse_term(source.Mapping((), span), report, name)
    elif isinstance(value, str) and "$" in value:
        term = parse_term(source.Scalar(value, span), report, name)
    else:
        return syntax.Const(value, span)
    report.raise_errors()
    return term


def _spelled(value: Any) -> str:
    """A value given in Python as a flag would give it, on one line."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_spelled, value))}]"
    shown = flow(dict(value) if isinstance(value, Mapping) else value)
    return shown if shown.isprintable() else repr(value)
