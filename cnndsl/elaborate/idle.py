"""Arguments of ops that are written, and change nothing beside the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cnndsl import syntax
from cnndsl.diagnostics import Report, Span
from cnndsl.expr import show
from cnndsl.ops.base import Op


@dataclass
class Idle:
    """The places of such arguments; one that acts in any of its nodes is none."""

    messages: dict[Span, str] = field(default_factory=dict)
    acting: set[Span] = field(default_factory=set)

    def note(self, op: Op, written: Mapping[str, syntax.Arg]) -> None:
        """Take an op with its written arguments."""
        if type(op).idle is Op.idle:
            return
        found = op.idle()
        for name, arg in written.items():
            reasons = _reasons(found.get(name, ()), written)
            if reasons and not _is_default(op, name):
                told = ", ".join(f"`{reason}: {show(getattr(op, reason))}`" for reason in reasons)
                message = f"{op.name}.{name} changes nothing beside {told}"
                self.messages.setdefault(arg.key, message)
            else:
                self.acting.add(arg.key)

    def tell(self, report: Report) -> None:
        for place, message in self.messages.items():
            if place not in self.acting:
                report.warn("unused", message, place, "leave it away")


def _reasons(names: tuple[str, ...], written: Mapping[str, syntax.Arg]) -> tuple[str, ...]:
    """Those that are written, or the first one, whose default is the reason.

    None where an expression decides one: it may be otherwise elsewhere.
    """
    given = tuple(name for name in names if name in written)
    fixed = all(_literal(written[name].value) for name in given)
    return (given or names[:1]) if fixed else ()


def _is_default(op: Op, name: str) -> bool:
    value, default = getattr(op, name), op.args[name].default
    return value == default or (isinstance(value, tuple) and set(value) == {default})


def _literal(term: syntax.Term) -> bool:
    if isinstance(term, syntax.Terms):
        return all(map(_literal, term.items))
    return isinstance(term, syntax.Const)
