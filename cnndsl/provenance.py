"""Where values were written: from a term that reads a value back to the term that gave it.

Names remember what they were bound to; the way back is looked for only where a value is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnndsl import syntax
from cnndsl.diagnostics import Related, Span
from cnndsl.expr import Exhausted, Expr, ExprError, Unknown, Value, evaluate, names

if TYPE_CHECKING:
    from cnndsl.values import Env

Path = tuple[int, ...]
"""Indices of an item in a list, of an item in that, and so on."""


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """The term that a name was bound to, with the names that it sees.

    `index` is the item of its list, for the variable of a loop; `given` says that the value came
    from outside, in place of a default: by a call, a variant, or a request.
    """

    term: syntax.Term
    env: Env
    index: int | None = None
    given: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """The place of a value: a literal, or an expression and the one literal that decides it."""

    span: Span
    related: tuple[Related, ...] = ()
    name: str = ""
    """What the value was called last."""
    given: bool = False
    value: Value = None
    """The literal, where it is no list."""


def written(term: syntax.Term, env: Env, path: Path = ()) -> Written:
    """Where the value of a term was written, or the item at `path` of it."""
    computed: Span | None = None
    name, given = "", False
    seen: set[tuple[int, int]] = set()
    while (id(term), id(env)) not in seen:  # a name may be bound to a term that reads it
        seen.add((id(term), id(env)))
        term, path = _item(term, path)
        expr, path = _passed(term, env, path)
        if expr is None or expr.kind != "name":
            computed, path = computed or term.span, ()
        only = _only_name(expr, term)
        origin = env.origin(only) if only else None
        if origin is None:
            break
        name, given = only, given or origin.given
        term, env = origin.term, origin.env
        path = path if origin.index is None else (origin.index, *path)
    value = term.value if isinstance(term, syntax.Const) else None
    if computed is None or computed == term.span:
        return Written(term.span, (), name, given, value)
    return Written(computed, (Related(f"`{name}` is set", term.span),), name, given, value)


def read(term: syntax.Formula | syntax.Text, env: Env, fault: ExprError) -> Written | None:
    """Where the one name is set that the part of an expression at fault reads, if it is one."""
    exprs = [term.expr] if isinstance(term, syntax.Formula) else term.parts
    parts = [part for expr in exprs if isinstance(expr, Expr) for part in _parts(expr)]
    at_fault = (part for part in parts if (part.start, part.end) == (fault.start, fault.end))
    part = next(at_fault, None)
    if part is None:
        return None
    part = part.operands[0] if part.kind == "index" else part
    found = written(syntax.Formula(part, term.text, term.span), env)
    return None if found.span == term.span and not found.related else found


def reader(term: syntax.Term, path: Path) -> Span:
    """The place of a term that reads a value: of the item at `path`, if it is a list of terms."""
    return _item(term, path)[0].span


def _item(term: syntax.Term, path: Path) -> tuple[syntax.Term, Path]:
    while path and isinstance(term, syntax.Terms) and _within(path[0], len(term.items)):
        term, path = term.items[path[0]], path[1:]
    return term, path


def _passed(term: syntax.Term, env: Env, path: Path) -> tuple[Expr | None, Path]:
    """The part of an expression whose value it gives on as it is, and the path of the item in it.

    None for a literal, and for a text, which is made of values.
    """
    if not isinstance(term, syntax.Formula):
        return None, path
    expr = term.expr
    while True:
        if expr.kind == "if":
            expr = expr.operands[1 if _value(expr.operands[0], env) else 2]
        elif expr.kind == "index" and type(index := _value(expr.operands[1], env)) is int:
            expr, path = expr.operands[0], (index, *path)
        elif expr.kind == "list" and path and _within(path[0], len(expr.operands)):
            expr, path = expr.operands[path[0]], path[1:]
        else:
            return expr, path


def _only_name(expr: Expr | None, term: syntax.Term) -> str:
    """The name that an expression, or a text, reads where it is one alone."""
    exprs: tuple[str | Expr | None, ...] = term.parts if isinstance(term, syntax.Text) else (expr,)
    found = {name.value for part in exprs if isinstance(part, Expr) for name in names(part)}
    return str(found.pop()) if len(found) == 1 else ""


def _value(expr: Expr, env: Env) -> Value:
    try:
        return evaluate(expr, env)
    except (ExprError, Unknown, Exhausted):
        return None


def _parts(expr: Expr) -> list[Expr]:
    return [expr, *(part for operand in expr.operands for part in _parts(operand))]


def _within(index: int, length: int) -> bool:
    return -length <= index < length
