"""The expression language of specs: parse, then evaluate against named values.

Small and closed: numbers, strings, lists, arithmetic, comparisons, `and or not`, `a if c else b`,
indexing and a fixed list of functions. Sizes are bounded, so that no expression hangs.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

MAX_NUMBER = 10**15
MAX_LIST = 1_000
MAX_LEVELS = 8
MAX_TEXT = 1_000
MAX_SOURCE = 2_000
MAX_NESTING = 25
MAX_DEPTH = 100
MAX_WORK = 300_000

Value = Any
"""None, bool, int, float, str, a list of values, or a mapping whose keys are read as attributes."""


class ExprError(Exception):
    """An expression is at fault between two offsets of its text."""

    def __init__(self, message: str, start: int, end: int, help: str = "") -> None:
        super().__init__(message)
        self.message, self.start, self.end, self.help = message, start, end, help


class UnknownName(ExprError):  # noqa: N818 - named for what it says
    """A name that is not among those in scope."""

    def __init__(self, name: str, start: int, end: int) -> None:
        super().__init__(f"unknown name `{name}`", start, end)
        self.name = name


class UnknownFunction(ExprError):  # noqa: N818 - named for what it says
    """A function that is called is not among FUNCTIONS."""

    def __init__(self, name: str, start: int, end: int) -> None:
        super().__init__(f"unknown function `{name}`", start, end)
        self.name = name


class Exhausted(Exception):  # noqa: N818 - named for what it says
    """The computations of a spec are more than a Meter allows."""


@dataclass
class Meter:
    """What may still be computed: an operation takes one, and so does each item of a list in it."""

    left: int = MAX_WORK

    def spend(self, work: int) -> None:
        self.left -= work
        if self.left < 0:
            raise Exhausted


class Unknown(Exception):  # noqa: N818 - named for what it says
    """The value cannot be known, since what it reads failed before."""


class Missing:
    """Stands for a value that cannot be known; reading it raises Unknown."""


@dataclass(frozen=True, slots=True)
class Expr:
    """A parsed expression: an operation on operands, written at text[start:end]."""

    kind: str  # constant, name, list, call, index, attribute, unary, binary, if, and, or
    start: int
    end: int
    value: Value = None
    operands: tuple[Expr, ...] = ()
    depth: int = 1
    """How many operations wait for each other, this one included."""


# --- parsing ---------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"(?:(?P<number>(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<string>'[^']*'|\"[^\"]*\")|(?P<op>\*\*|//|==|!=|<=|>=|[-+*/%<>()\[\],.]))"
)
_ACCESS = re.compile(r"(?P<op>\.)|(?P<number>\d+)")
_SPACE = re.compile(r"\s*")
_FOREIGN = {
    "$": "within $(…) a name stands without a `$`",
    "=": "equality is written `==`",
    "&": "write `and`",
    "|": "write `or`",
    "!": "write `not`, or `!=`",
}
"""What stands in other languages for words of this one."""
_COMPARISONS = ("==", "!=", "<=", ">=", "<", ">", "in")
KEYWORDS = {
    "and",
    "or",
    "not",
    "if",
    "else",
    "in",
    "true",
    "false",
    "null",
    "True",
    "False",
    "None",
}
_CONSTANTS: dict[str, Value] = {"true": True, "True": True, "false": False, "False": False}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def _tokens(text: str, start: int) -> list[_Token]:
    tokens: list[_Token] = []
    position = _skip(text, start)
    while position < len(text):
        access = tokens and tokens[-1].end == position and _reads(tokens)
        found = _ACCESS.match(text, position) if access else None
        found = found or _TOKEN.match(text, position)
        if not found:
            help = _FOREIGN.get(text[position], "")
            raise ExprError(f"unexpected `{text[position]}`", position, position + 1, help)
        kind = found.lastgroup or "number"
        group = found.group(found.lastgroup) if found.lastgroup else found.group()
        tokens.append(_Token(kind, group, found.end() - len(group), found.end()))
        position = _skip(text, found.end())
    return tokens


def _skip(text: str, position: int) -> int:
    """Where the white space ends that begins at the position."""
    space = _SPACE.match(text, position)
    return space.end() if space else position


def _reads(tokens: list[_Token]) -> bool:
    """Whether `.` or a number that comes next is an access, as in `b2.0.1`, and no float."""
    last = tokens[-1]
    dotted = len(tokens) > 1 and tokens[-2].text == "."
    return last.kind == "name" or last.text in (")", "]", ".") or dotted


class _Parser:
    """Recursive descent; one method a level of precedence."""

    def __init__(self, text: str, start: int = 0) -> None:
        self.tokens = _tokens(text, start)
        self.end = len(text)
        self.at = 0
        self.depth = 0

    def peek(self) -> str:
        if self.at >= len(self.tokens) or self.tokens[self.at].kind in ("string", "number"):
            return ""
        return self.tokens[self.at].text

    def next(self) -> _Token:
        if self.at >= len(self.tokens):
            raise ExprError("the expression ends too early", self.end - 1, self.end)
        self.at += 1
        return self.tokens[self.at - 1]

    def accept(self, *texts: str) -> str:
        found = self.peek()
        if found and found in texts:
            self.at += 1
            return found
        return ""

    def expect(self, text: str) -> _Token:
        token = self.next()
        if token.text != text or token.kind == "string":
            raise ExprError(f"expected `{text}`, found `{token.text}`", token.start, token.end)
        return token

    def nested(self, operand: Callable[[], Expr]) -> Expr:
        """An operand that may hold any expression in turn."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            token = self.tokens[min(self.at, len(self.tokens) - 1)]
            raise ExprError(f"nested more than {MAX_NESTING} deep", token.start, token.end)
        value = operand()
        self.depth -= 1
        return value

    def make(self, kind: str, start: int, end: int, value: Value, *operands: Expr) -> Expr:
        depth = 1 + max((operand.depth for operand in operands), default=0)
        if depth > MAX_DEPTH:
            raise ExprError(f"more than {MAX_DEPTH} operations on each other", start, end)
        return Expr(kind, start, end, value, operands, depth)

    def whole(self) -> Expr:
        value = self.ternary()
        if self.at < len(self.tokens):
            token = self.tokens[self.at]
            raise ExprError(f"unexpected `{token.text}`", token.start, token.end)
        return value

    def ternary(self) -> Expr:
        value = self.either()
        if not self.accept("if"):
            return value
        condition = self.either()
        self.expect("else")
        other = self.nested(self.ternary)
        return self.make("if", value.start, other.end, None, condition, value, other)

    def either(self) -> Expr:
        return self.chain(self.both, "or", kind="or")

    def both(self) -> Expr:
        return self.chain(self.negation, "and", kind="and")

    def negation(self) -> Expr:
        if self.peek() == "not":
            return self.unary(self.negation)
        return self.comparison()

    def comparison(self) -> Expr:
        left = self.sum()
        sign = self.accept(*_COMPARISONS)
        if not sign and self.peek() == "not":
            self.next()
            self.expect("in")
            sign = "not in"
        if not sign:
            return left
        right = self.sum()
        if self.peek() in _COMPARISONS:
            token = self.next()
            raise ExprError(
                "comparisons do not chain", token.start, token.end, "write `a < b and b < c`"
            )
        return self.make("binary", left.start, right.end, sign, left, right)

    def sum(self) -> Expr:
        return self.chain(self.product, "+", "-")

    def product(self) -> Expr:
        return self.chain(self.sign, "*", "/", "//", "%")

    def sign(self) -> Expr:
        return self.unary(self.sign) if self.peek() in ("-", "+") else self.power()

    def power(self) -> Expr:
        base = self.postfix()
        if not self.accept("**"):
            return base
        exponent = self.nested(self.sign)
        return self.make("binary", base.start, exponent.end, "**", base, exponent)

    def unary(self, operand: Callable[[], Expr]) -> Expr:
        token = self.next()
        value = self.nested(operand)
        return self.make("unary", token.start, value.end, token.text, value)

    def chain(self, operand: Callable[[], Expr], *signs: str, kind: str = "binary") -> Expr:
        left = operand()
        while sign := self.accept(*signs):
            right = operand()
            left = self.make(kind, left.start, right.end, sign, left, right)
        return left

    def postfix(self) -> Expr:
        value = self.atom()
        while sign := self.accept("[", "."):
            if sign == "[":
                index = self.nested(self.ternary)
                value = self.make("index", value.start, self.expect("]").end, None, value, index)
                continue
            token = self.next()
            if token.kind == "number" and token.text.isdigit():
                constant = Expr("constant", token.start, token.end, int(token.text))
                value = self.make("index", value.start, token.end, None, value, constant)
            elif token.kind == "name":
                value = self.make("attribute", value.start, token.end, token.text, value)
            else:
                raise ExprError("expected a name or an index after `.`", token.start, token.end)
        return value

    def atom(self) -> Expr:
        token = self.next()
        if token.kind == "number":
            return Expr("constant", token.start, token.end, _number(token))
        if token.kind == "string":
            return Expr("constant", token.start, token.end, token.text[1:-1])
        if token.text == "(":
            inner = self.nested(self.ternary)
            self.expect(")")
            return inner
        if token.text == "[":
            items = self.items("]")
            return self.make("list", token.start, self.tokens[self.at - 1].end, None, *items)
        if token.kind == "name" and token.text in ("null", "None", *_CONSTANTS):
            return Expr("constant", token.start, token.end, _CONSTANTS.get(token.text))
        if token.kind != "name" or token.text in KEYWORDS:
            raise ExprError(f"unexpected `{token.text}`", token.start, token.end)
        if self.accept("("):
            return self.call(token)
        return Expr("name", token.start, token.end, token.text)

    def call(self, name: _Token) -> Expr:
        if name.text not in FUNCTIONS:
            raise UnknownFunction(name.text, name.start, name.end)
        items = self.items(")")
        return self.make("call", name.start, self.tokens[self.at - 1].end, name.text, *items)

    def items(self, close: str) -> tuple[Expr, ...]:
        items: list[Expr] = []
        while not self.accept(close):
            if items:
                self.expect(",")
                if self.accept(close):
                    break
            items.append(self.nested(self.ternary))
        return tuple(items)


def _number(token: _Token) -> int | float:
    if not token.text.isdigit():
        return float(token.text)
    if len(token.text) > 16:
        raise ExprError("the number is too large", token.start, token.end)
    return int(token.text)


_REFERENCE = re.compile(r"[A-Za-z_]\w*(?:\.(?:[A-Za-z_]\w*|\d+))*")


def parse(text: str) -> Expr:
    """Parse an expression, without any `$(…)` around it.

    Raises ExprError with the offsets of the fault.
    """
    return _Parser(text).whole()


def template(text: str) -> tuple[str | Expr, ...]:
    """Split a text into literal parts and expressions: `$name`, `$a.b.0`, `$(…)`; `$$` is `$`.

    Offsets within the expressions count from the beginning of `text`. Raises ExprError.
    """
    if len(text) > MAX_SOURCE:
        message = f"{len(text)} characters; a text with expressions has at most {MAX_SOURCE}"
        raise ExprError(message, 0, len(text))
    parts: list[str | Expr] = []
    literal = ""
    position = 0
    while position < len(text):
        if text[position] != "$":
            literal += text[position]
            position += 1
        elif text.startswith("$$", position):
            literal += "$"
            position += 2
        else:
            if literal:
                parts.append(literal)
            literal = ""
            expr, position = _embedded(text, position)
            parts.append(expr)
    if literal or not parts:
        parts.append(literal)
    return tuple(parts)


def _embedded(text: str, start: int) -> tuple[Expr, int]:
    if text.startswith("$(", start):
        end = _closing(text, start + 1)
        if not text[start + 2 : end].strip():
            raise ExprError("the expression is empty", start, end + 1)
        return _Parser(text[:end], start + 2).whole(), end + 1
    found = _REFERENCE.match(text, start + 1)
    if not found:
        what = "write $(…)" if text.startswith("${", start) else "a `$` itself is written `$$`"
        raise ExprError("`$` begins a name or `(`", start, start + 1, what)
    if found[0].isidentifier() and found[0] not in KEYWORDS:
        return Expr("name", start + 1, found.end(), found[0]), found.end()
    return _Parser(text[: found.end()], start + 1).whole(), found.end()


def _closing(text: str, start: int) -> int:
    """The offset of the parenthesis that closes the one at `start`."""
    depth, quote = 0, ""
    for position in range(start, len(text)):
        character = text[position]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
            if depth == 0:
                return position
    if quote:
        opened = text.rindex(quote, start)
        raise ExprError("the quotation mark is not closed", opened, opened + 1)
    raise ExprError("`$(` is not closed", start - 1, len(text), "is a `)` missing?")


def names(expr: Expr) -> list[Expr]:
    """The names that an expression reads."""
    own = [expr] if expr.kind == "name" else []
    return own + [name for operand in expr.operands for name in names(operand)]


# --- evaluation ------------------------------------------------------------------------------


class _Refusal(Exception):  # noqa: N818 - named for what it says
    """A function does not take these values; the message says why."""


def divisible(value: float, by: float = 8, least: float | None = None) -> int:
    """Round to the nearest multiple of `by`, at least `least`, never more than 10 % down."""
    least = by if least is None else least
    rounded = max(least, int(value + by / 2) // by * by)
    return int(rounded + by if rounded < 0.9 * value else rounded)


def _range(*args: int) -> list[int]:
    if len(args) == 3 and args[2] == 0:
        raise _Refusal("the step of `range` is 0")
    if len(range(*args)) > MAX_LIST:
        raise _Refusal(f"`range` gives more than {MAX_LIST} items")
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
        raise _Refusal(f"`{name}` of no values")
    return items


def _round(value: float, digits: int = 0) -> float:
    if not -15 <= digits <= 15:
        raise _Refusal(f"`round` to {digits} digits; it takes -15 to 15")
    return round(value, digits) if digits else round(value)


def _integer(value: float | str) -> int:
    try:
        return int(value)
    except ValueError:
        raise _Refusal(f"{show(value)} is no integer") from None


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


def _times(a: Value, b: Value) -> Value:
    many, count = (a, b) if isinstance(a, list | str) else (b, a)
    if not isinstance(many, list | str):
        return a * b
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError
    if len(many) * count > MAX_LIST:
        raise _Refusal(f"a list or text of {len(many) * count}; at most {MAX_LIST}")
    return many * count


def _modulo(a: float, b: float) -> float:
    if isinstance(a, str):  # where Python would format it
        raise TypeError
    return a % b


def _power(base: float, exponent: float) -> Value:
    if isinstance(base, bool) or isinstance(exponent, bool):
        raise TypeError
    if abs(exponent) > 64 or (abs(base) > 1 and exponent * math.log10(abs(base)) > 15):
        raise _Refusal(f"{show(base)} ** {show(exponent)} is too large")
    return base**exponent


def _not(value: bool) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return not value


_BINARY: dict[str, Callable[[Value, Value], Value]] = {
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
_UNARY: dict[str, Callable[[Value], Value]] = {
    "-": operator.neg,
    "+": operator.pos,
    "not": _not,
}


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
    values = [evaluate(operand, env, meter) for operand in operands]
    match expr.kind:
        case "list":
            return _measured(expr, values, meter)
        case "attribute":
            return _attribute(expr, values[0])
        case "index":
            return _index(expr, *values)
        case "unary":
            return _guard(expr, _UNARY[expr.value], values)
    function = (FUNCTIONS if expr.kind == "call" else _BINARY)[expr.value]
    meter.spend(sum(len(value) for value in values if isinstance(value, list)))
    return _measured(expr, _guard(expr, function, values), meter)


def _measured(expr: Expr, value: Value, meter: Meter) -> Value:
    if isinstance(value, list):
        fault = oversize(value)
        if fault:
            raise ExprError(fault, expr.start, expr.end)
        meter.spend(len(value))
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
        known = ", ".join(value)
        raise ExprError(f"no `{expr.value}` in it", expr.start, expr.end, f"it has {known}")
    raise ExprError(f"{show(value)} has no `.{expr.value}`", expr.start, expr.end)


def _index(expr: Expr, value: Value, index: Value) -> Value:
    if not isinstance(value, list):
        raise ExprError(f"{show(value)} is not a list", expr.start, expr.end)
    if type(index) is not int:
        raise ExprError(f"an index is an integer, found {show(index)}", expr.start, expr.end)
    if not -len(value) <= index < len(value):
        message = f"index {index} is outside of a list of {len(value)}"
        raise ExprError(message, expr.start, expr.end)
    return value[index]


def _guard(expr: Expr, function: Callable[..., Value], values: list[Value]) -> Value:
    try:
        return function(*values)
    except ZeroDivisionError:
        raise ExprError("division by zero", expr.start, expr.end) from None
    except _Refusal as e:
        raise ExprError(str(e), expr.start, expr.end) from None
    except (ValueError, OverflowError):
        raise ExprError("the result is out of range", expr.start, expr.end) from None
    except TypeError:
        if not values:
            raise ExprError(f"`{expr.value}` needs a value", expr.start, expr.end) from None
        joint = " and " if expr.kind == "binary" else ", "
        shown = joint.join(show(value) for value in values)
        raise ExprError(f"`{expr.value}` does not take {shown}", expr.start, expr.end) from None


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


def show(value: Value, depth: int = 2) -> str:
    """A value as it would be written in a spec, shortened."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        if depth == 0:
            return "[…]"
        inner = ", ".join(show(item, depth - 1) for item in value[:8])
        return f"[{inner}{', …' if len(value) > 8 else ''}]"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key}: {show(item, depth - 1)}" for key, item in value.items())
        return f"{{{inner}}}" if depth > 0 else "{…}"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "…"
