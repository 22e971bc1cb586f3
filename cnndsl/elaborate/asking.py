"""What the walk asks terms for, and how it fails."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NoReturn

from cnndsl import syntax
from cnndsl.diagnostics import Help, Related, Report, Span
from cnndsl.expr import show
from cnndsl.ops.base import Shape
from cnndsl.scopes import OpenScope
from cnndsl.values import Env, Evaluator, Poison, mend

Ref = int | None
"""A value: the id of a node, or None where it failed."""


@dataclass(frozen=True)
class Place:
    """Where the walk is: what names mean there, and which scope takes the members."""

    env: Env
    scope: OpenScope
    depth: int = 0
    named: Span | None = None
    """Where the name of the current node is written, if it has one."""
    variables: tuple[str, ...] = ()
    """Those of the loops around, from the outermost."""
    repeated: bool = False
    """Whether a loop is around, within the block."""

    def deeper(self) -> Place:
        return replace(self, depth=self.depth + 1)


@dataclass(frozen=True, slots=True)
class Given:
    """The term of an op's argument; `user` is the op's place where the file's defaults give it."""

    term: syntax.Term
    env: Env
    user: Span | None = None

    @property
    def users(self) -> tuple[Related, ...]:
        return () if self.user is None else (Related("used", self.user),)


@dataclass
class Asking:
    """Values of terms, of the kind that is needed; a fault is reported and raises Poison."""

    report: Report
    evaluator: Evaluator

    def truth(self, term: syntax.Term | None, env: Env, what: str) -> bool:
        assert term is not None
        return bool(self.evaluator.typed(term, env, "bool", f"`{what}`"))

    def text(self, term: syntax.Term, env: Env, what: str) -> str:
        return str(self.evaluator.value(term, env))

    def shape_of(self, term: syntax.Term, env: Env) -> Shape:
        value = self.evaluator.value(term, env)
        sizes = value if isinstance(value, list) else []
        wrong = [index for index, size in enumerate(sizes) if not _is_size(size)]
        if wrong or not 1 <= len(sizes) <= 4:
            message = f"a shape is a list of positive integers, found {show(value)}"
            path = tuple(wrong) if len(wrong) == 1 else ()
            self.evaluator.wrong("value", message, term, env, mend(value), path)
        return Shape(int(size) for size in sizes)

    def fail(self, code: str, message: str, span: Span, place: Place, help: Help = "") -> NoReturn:
        self.report.error(code, message, span, help, place.env.frames)
        raise Poison


def _is_size(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 1 <= value <= 10**9 and value == value // 1
