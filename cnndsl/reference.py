"""Ops → the page of the reference that lists them."""

from __future__ import annotations

from collections.abc import Iterator

from cnndsl.expr import show
from cnndsl.ops import registry
from cnndsl.ops.base import Arg, Family, Op


def ops_page() -> str:
    """Every op with its arguments, by family, as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
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
        yield _row(arg)


def _row(arg: Arg) -> str:
    name = f"**`{arg.name}`**" if arg.primary else f"`{arg.name}`"
    default = "" if arg.required else f"`{show(arg.default)}`"
    return f"| {name} | {arg.kind.words()} | {default} | {arg.doc} |"
