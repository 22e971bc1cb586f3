"""What stands in a file and cannot act: sections that nothing reads, empty mappings, idle nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnndsl import syntax
from cnndsl.diagnostics import Diagnostic, Report, Span
from cnndsl.source import Entry, Located, Mapping, Scalar
from cnndsl.words import normal

OF_NETWORKS = ("variants", "input", "inputs", "outputs", "init", "expect", "published", "train")
"""Sections of a network, which those who import a file do not take with its blocks."""

HOLDERS = ("variants", "recipes")
"""Keys of a recipe that hold recipes by their names."""


def idle(root: Mapping) -> tuple[Diagnostic, ...]:
    """Warnings of what cannot act in a file, whatever it holds."""
    report = Report()
    for entry in root.entries if root.get("body") is None else ():
        if entry.name in OF_NETWORKS:
            message = f"nothing reads `{entry.name}` of a file without a `body`"
            help = "it is there for its blocks: those who import it have their own"
            report.warn("unused", message, entry.key.span, help)
    for entry in _void(root):
        report.warn("unused", f"`{entry.name}` says nothing", entry.key.span, "leave it away")
    return tuple(report.diagnostics)


def _void(root: Mapping) -> Iterator[Entry]:
    """Entries of sections that are there to say something, and are empty."""
    for section in ("defaults", "init", "expect", "published"):
        for entry in _entries(root.get(section)):
            if _is_empty(entry.value):
                yield entry
            yield from (inner for inner in _entries(entry.value) if _is_empty(inner.value, False))
    for recipe in _recipes(root.get("train")):
        held = [recipe, *(_mapping(recipe, key) for key in HOLDERS)]
        yield from (e for holder in held for e in _entries(holder) if _is_empty(e.value, False))


def _recipes(train: Located | None) -> Iterator[Located]:
    """The mappings that hold sections of recipes: `train:` itself, its variants and recipes."""
    if isinstance(train, Mapping):
        yield train
        for key in HOLDERS:
            for entry in _entries(train.get(key)):
                yield from _recipes(entry.value)


def _mapping(holder: Located, key: str) -> Located | None:
    return holder.get(key) if isinstance(holder, Mapping) else None


def _is_empty(value: Located, null: bool = True) -> bool:
    if isinstance(value, Scalar):
        return null and value.value is None
    return isinstance(value, Mapping) and not value.entries


def _entries(value: Located | None) -> tuple[Entry, ...]:
    return value.entries if isinstance(value, Mapping) else ()


def idle_node(node: syntax.Node) -> Iterator[tuple[str, Span, str]]:
    """What of a node has no effect whatever the values are: the fact, its place and a help."""
    match node:
        case syntax.Residual(_, _, shortcut, syntax.Const(False)) if shortcut is not None:
            yield "no shortcut is added: `skip` is false", shortcut.span, "leave one of them away"
        case syntax.Residual(at, syntax.Body(()), None | syntax.Body(())):
            help = "write its nodes; `add: [[], []]` adds a value to itself"
            yield "`residual` has no nodes", at.span, help
        case syntax.Merge(
            at, _, (syntax.Branch(implied=True), syntax.Branch(_, _, syntax.Body(())))
        ):
            help = "write its nodes; `concat: [[], []]` joins a value to itself"
            yield "`dense` has no nodes", at.span, help
        case syntax.Merge(at, op, (_,)):
            help = "write its nodes without it, or give a second branch"
            yield f"`{op}` has one branch, and does nothing", at.span, help
        case syntax.Merge(at, "split", branches) if all(map(_passes, branches)):
            yield "`split` joins again what it shares out", at.span, "write nodes in a branch"
        case syntax.Seq(at, syntax.Body(())):
            yield "`seq` has no nodes", at.span, "leave it away"
        case syntax.For(at, columns, body):
            if any(map(_no_rows, columns)):
                yield "a loop of no rounds", at.span, "`when` leaves nodes out"
            elif not body.nodes:
                yield "a loop without nodes", at.span, "leave it away"


def _passes(branch: syntax.Branch) -> bool:
    """Whether a branch keeps its value as it is, and gives it no name."""
    return not branch.label and not branch.body.nodes


def _no_rows(column: syntax.Arg) -> bool:
    match column.value:
        case syntax.Terms(items):
            return not items
        case syntax.Const(value):
            return bool(value == 0)
    return False


def unread_inputs(spec: syntax.Spec, sources: Sequence[syntax.Term]) -> list[syntax.Arg]:
    """The inputs that no `from` outside of blocks names, without the one that the body begins with.

    An expression may name any of them.
    """
    assert spec.body is not None
    literal = [source.value for source in sources if isinstance(source, syntax.Const)]
    if len(literal) < len(sources):
        return []
    named = {normal(str(value)) for value in literal}
    first = next(iter(spec.body.nodes), None)
    begins = first is None or first.at.source is None or first.at.when is not None
    return [arg for arg in spec.inputs[1 if begins else 0 :] if arg.name not in named]
