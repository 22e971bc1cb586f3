"""The functions and operators of expressions."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from itertools import accumulate

from cnndsl.expr.tree import MAX_LIST, Value, show


class Refusal(Exception):  # noqa: N818 - named for what it says
    """A function does not take these values; the message says why, `at` which one is at fault."""

    def __init__(self, message: str, at: int | None = None) -> None:
        super().__init__(message)
        self.at = at


def divisible(value: float, by: float = 8, least: float | None = None) -> int:
    """Round to the nearest multiple of `by`, at least `least`, never more than 10 % down."""
    least = by if least is None else least
    rounded = max(least, int(value + by / 2) // by * by)
    return int(rounded + by if rounded < 0.9 * value else rounded)


def _range(*args: int) -> list[int]:
    if len(args) == 3 and args[2] == 0:
        raise Refusal("the step of `range` is 0", at=2)
    if len(range(*args)) > MAX_LIST:
        raise Refusal(f"`range` gives more than {MAX_LIST} items")
    return list(range(*args))


def _numbers(items: list[float]) -> list[float]:
    if not isinstance(items, list) or not all(isinstance(item, int | float) for item in items):
        raise TypeError
    return items


def _sum(items: list[float]) -> float:
    return sum(_numbers(items))


def _cumsum(items: list[float]) -> list[float]:
    return list(accumulate(_numbers(items)))


def _length(items: list[Value] | str) -> int:
    if not isinstance(items, list | str):
        raise TypeError
    return len(items)


def _least(*values: Value) -> Value:
    return min(_candidates("min", values))


def _greatest(*values: Value) -> Value:
    return max(_candidates("max", values))


def _candidates(name: str, values: tuple[Value, ...]) -> list[Value]:
    items = values[0] if len(values) == 1 else list(values)
    if not isinstance(items, list):
        raise TypeError
    if not items:
        raise Refusal(f"`{name}` of no values")
    return items


def _round(value: float, digits: int = 0) -> float:
    if not -15 <= digits <= 15:
        raise Refusal(f"`round` to {digits} digits; it takes -15 to 15", at=1)
    return round(value, digits) if digits else round(value)


def _integer(value: float | str) -> int:
    try:
        return int(value)
    except ValueError:
        raise Refusal(f"{show(value)} is no integer") from None


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "divisible": divisible,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": _round,
    "int": _integer,
    "abs": abs,
    "min": _least,
    "max": _greatest,
    "sum": _sum,
    "cumsum": _cumsum,
    "len": _length,
    "range": _range,
}
USAGE = {
    "divisible": "divisible(v, by=8, least=by)",
    "floor": "floor(v)",
    "ceil": "ceil(v)",
    "round": "round(v, digits=0)",
    "int": "int(v)",
    "abs": "abs(v)",
    "min": "min(a, b)",
    "max": "max(a, b)",
    "sum": "sum([a, b])",
    "cumsum": "cumsum([a, b])",
    "len": "len([a, b])",
    "range": "range(first, end, step)",
}
"""How each function is called."""
NAMED: dict[str, tuple[str, ...]] = {"divisible": ("by", "least"), "round": ("digits",)}
"""The arguments after the first that may be given by name."""


def _times(a: Value, b: Value) -> Value:
    many, count = (a, b) if isinstance(a, list | str) else (b, a)
    if not isinstance(many, list | str):
        return a * b
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError
    if len(many) * count > MAX_LIST:
        raise Refusal(f"a list or text of {len(many) * count}; at most {MAX_LIST}")
    return many * count


def _modulo(a: float, b: float) -> float:
    if isinstance(a, str):  # where Python would format it
        raise TypeError
    return a % b


def _power(base: float, exponent: float) -> Value:
    if isinstance(base, bool) or isinstance(exponent, bool):
        raise TypeError
    if abs(exponent) > 64 or (abs(base) > 1 and exponent * math.log10(abs(base)) > 15):
        raise Refusal(f"{show(base)} ** {show(exponent)} is too large")
    return base**exponent


def _not(value: bool) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return not value


BINARY: dict[str, Callable[[Value, Value], Value]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": _times,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": _modulo,
    "**": _power,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda a, b: a in b,
    "not in": lambda a, b: a not in b,
}
UNARY: dict[str, Callable[[Value], Value]] = {
    "-": operator.neg,
    "+": operator.pos,
    "not": _not,
}
