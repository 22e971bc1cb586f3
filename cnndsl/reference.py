"""Ops, and keys of a recipe → the pages of the reference that list them."""

from __future__ import annotations

from collections.abc import Iterator

from cnndsl.expr import show
from cnndsl.ops import registry
from cnndsl.ops.base import Arg, Family, Op
from cnndsl.recipe import Recipe
from cnndsl.recipe.section import Nested, Section, args_of


def ops_page() -> str:
    """Every op with its arguments, by family, as Markdown."""
    return "\n".join(_ops()) + "\n"


def recipe_page() -> str:
    """Every key of a recipe, by section, as Markdown."""
    return "\n".join(_recipe()) + "\n"


def _ops() -> Iterator[str]:
    yield "# Ops"
    yield ""
    yield "Made from the ops themselves. An argument without a default is required; the **bold**"
    yield "one may stand alone, `linear: 10` for `linear: {out: 10}`. Structure (`concat`, …)"
    yield "is in [language.md](language.md)."
    for family in Family:
        ops = [op for _, op in sorted(registry().items()) if op.family is family]
        ops = [op for op in ops if not op.internal]
        if ops:
            yield from ("", f"## {family.value.capitalize()}")
        for op in ops:
            yield from _op(op)


def _op(op: type[Op]) -> Iterator[str]:
    yield from ("", f"### `{op.name}`", "", " ".join((op.__doc__ or "").split()))
    if op.args:
        yield from ("", "| argument | takes | default | |", "| --- | --- | --- | --- |")
    for arg in op.args.values():
        yield _row(arg, arg.kind.words())


def _recipe() -> Iterator[str]:
    yield "# The recipe"
    yield ""
    yield "The keys of `train:`, made from the code that checks them. Each can be set on the"
    yield "command line, `--set train.optimizer.lr=0.1`. In a section the **bold** key may stand"
    yield "alone, `optimizer: adam` for `optimizer: {name: adam}`; a key without a default is"
    yield "required."
    yield ""
    yield "How recipes are written, chosen and joined: [language.md](language.md#recipes)."
    yield from ("", *_keys(Recipe))
    for name, arg in args_of(Recipe).items():
        if isinstance(arg.kind, Nested):
            doc = " ".join((arg.kind.section.__doc__ or "").split())
            yield from ("", f"## `{name}`", "", doc, "", *_keys(arg.kind.section))


def _keys(section: type[Section]) -> Iterator[str]:
    yield from ("| key | takes | default | |", "| --- | --- | --- | --- |")
    for arg in args_of(section).values():
        nested = isinstance(arg.kind, Nested)
        yield _row(arg, f"[a section](#{arg.name})" if nested else arg.kind.words())


def _row(arg: Arg, takes: str) -> str:
    name = f"**`{arg.name}`**" if arg.primary else f"`{arg.name}`"
    default = "" if arg.required or arg.default == {} else f"`{show(arg.default)}`"
    return f"| {name} | {takes} | {default} | {arg.doc} |"
