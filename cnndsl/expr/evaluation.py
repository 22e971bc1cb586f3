"""The value of an expression among named values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from cnndsl.expr.functions import BINARY, FUNCTIONS, UNARY, USAGE, Refusal
from cnndsl.expr.tree import (
    MAX_LEVELS,
    MAX_LIST,
    MAX_NUMBER,
    MAX_TEXT,
    Expr,
    ExprError,
    Meter,
    Missing,
    Outside,
    Unknown,
    UnknownAttribute,
    UnknownName,
    Value,
    show,
)


def evaluate(expr: Expr, env: Mapping[str, Value], meter: Meter | None = None) -> Value:
    """The value of an expression.

    Raises ExprError (UnknownName for a name not in `env`), Unknown where a Missing value is read,
    and Exhausted where the meter runs out.
    """
    meter = meter or Meter()
    meter.spend(1)
    value = _evaluate(expr, env, meter)
    _check_size(expr, value)
    return value


def _evaluate(expr: Expr, env: Mapping[str, Value], meter: Meter) -> Value:
    operands = expr.operands
    match expr.kind:
        case "constant":
            return expr.value
        case "name":
            return _lookup(expr, env)
        case "if":
            chosen = operands[1 if _truth(operands[0], env, meter) else 2]
            return evaluate(chosen, env, meter)
        case "and":
            return _truth(operands[0], env, meter) and _truth(operands[1], env, meter)
        case "or":
            return _truth(operands[0], env, meter) or _truth(operands[1], env, meter)
    named = {e.value: evaluate(e.operands[0], env, meter) for e in operands if e.kind == "named"}
    values = [evaluate(operand, env, meter) for operand in operands if operand.kind != "named"]
    match expr.kind:
        case "list":
            return _measured(expr, values, meter)
        case "attribute":
            return _attribute(expr, values[0])
        case "index":
            return _index(expr, *values)
        case "unary":
            return _guard(expr, UNARY[expr.value], values)
    function = (FUNCTIONS if expr.kind == "call" else BINARY)[expr.value]
    meter.spend(sum(len(value) for value in values if isinstance(value, list)))
    return _measured(expr, _guard(expr, function, values, named), meter)


def _measured(expr: Expr, value: Value, meter: Meter) -> Value:
    if isinstance(value, list):
        fault = oversize(value)
        if fault:
            raise ExprError(fault, expr.start, expr.end)
        meter.spend_in_full(len(value))  # each round of a loop has a list of its own
    return value


def oversize(value: list[Value]) -> str:
    """What is too much about a list with all the lists within, if anything is."""
    size, level = 0, [value]
    for _ in range(MAX_LEVELS):
        size += sum(len(item) for item in level)
        if size > MAX_LIST:
            return f"a list of more than {MAX_LIST} items"
        level = [item for outer in level for item in outer if isinstance(item, list)]
    return f"lists nested more than {MAX_LEVELS} deep" if level else ""


def _lookup(expr: Expr, env: Mapping[str, Value]) -> Value:
    if expr.value not in env:
        raise UnknownName(expr.value, expr.start, expr.end)
    value = env[expr.value]
    if isinstance(value, Missing):
        raise Unknown
    return value


def _truth(expr: Expr, env: Mapping[str, Value], meter: Meter) -> bool:
    value = evaluate(expr, env, meter)
    if not isinstance(value, bool):
        raise ExprError(f"{show(value)} is not true or false", expr.start, expr.end)
    return value


def _attribute(expr: Expr, value: Value) -> Value:
    if isinstance(value, Mapping):
        if expr.value in value:
            return value[expr.value]
        raise UnknownAttribute(expr.value, value, expr.end)
    raise ExprError(f"{show(value)} has no `.{expr.value}`", expr.start, expr.end)


def _index(expr: Expr, value: Value, index: Value) -> Value:
    if not isinstance(value, list):
        raise ExprError(f"{show(value)} is not a list", expr.start, expr.end)
    if type(index) is not int:
        at = expr.operands[1]
        raise ExprError(f"an index is an integer, found {show(index)}", at.start, at.end)
    if not -len(value) <= index < len(value):
        message = f"index {index} is outside of a list of {len(value)}"
        raise Outside(message, expr.start, expr.end)
    return value[index]


def _guard(
    expr: Expr,
    function: Callable[..., Value],
    values: list[Value],
    named: Mapping[str, Value] = MappingProxyType({}),
) -> Value:
    try:
        return function(*values, **named)
    except ZeroDivisionError:
        at = expr.operands[1] if expr.value in ("/", "//", "%") else expr
        raise ExprError("division by zero", at.start, at.end) from None
    except Refusal as e:
        at = expr if e.at is None else expr.operands[e.at]
        raise ExprError(str(e), at.start, at.end) from None
    except (ValueError, OverflowError):
        raise ExprError("the result is out of range", expr.start, expr.end) from None
    except TypeError:
        help = f"as in `{USAGE[expr.value]}`" if expr.kind == "call" else ""
        if not values:
            message = f"`{expr.value}` needs a value"
            raise ExprError(message, expr.start, expr.end, help) from None
        joint = " and " if expr.kind == "binary" else ", "
        told = [show(value) for value in values]
        shown = joint.join([*told, *(f"{name}={show(value)}" for name, value in named.items())])
        message = f"`{expr.value}` does not take {shown}"
        raise ExprError(message, expr.start, expr.end, help) from None


def _check_size(expr: Expr, value: Value) -> None:
    if isinstance(value, complex):
        raise ExprError("the value is not a real number", expr.start, expr.end)
    if (
        isinstance(value, int | float)
        and not abs(value) <= MAX_NUMBER
        and not isinstance(value, bool)
    ):
        raise ExprError(f"the value is beyond {MAX_NUMBER:.0e}", expr.start, expr.end)
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise ExprError(
            f"a text of {len(value)} characters; at most {MAX_TEXT}", expr.start, expr.end
        )
