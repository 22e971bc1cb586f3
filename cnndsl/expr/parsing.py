"""Text → expressions: tokens, then recursive descent."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from cnndsl.expr.foreign import COMPREHENSION, foreign, unexpected
from cnndsl.expr.functions import FUNCTIONS, NAMED
from cnndsl.expr.tree import (
    MAX_DEPTH,
    MAX_NESTING,
    MAX_SOURCE,
    Expr,
    ExprError,
    UnknownFunction,
    Value,
)
from cnndsl.words import name_end, normal

_TOKEN = re.compile(
    r"(?:(?P<number>(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?)"
    r"|(?P<string>'[^']*'|\"[^\"]*\")|(?P<op>\*\*|//|==|!=|<=|>=|[-+*/%<>()\[\],.=]))"
)
_ACCESS = re.compile(r"(?P<op>\.)|(?P<number>\d+)")
_SPACE = re.compile(r"\s*")
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
        end = name_end(text, position)
        if end > position:
            tokens.append(_Token("name", normal(text[position:end]), position, end))
            position = _skip(text, end)
            continue
        access = tokens and tokens[-1].end == position and _reads(tokens)
        found = _ACCESS.match(text, position) if access else None
        found = found or _TOKEN.match(text, position)
        if not found:
            raise foreign(text, position)
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
        self.text = text
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
            message = f"expected `{text}`, found `{token.text}`"
            help = COMPREHENSION if token.text == "for" else ""
            raise ExprError(message, token.start, token.end, help)
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
            raise unexpected(token.text, token.start, token.end)
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
            if self.peek() == ",":
                raise self.tuple(token)
            self.expect(")")
            return inner
        if token.text == "[":
            items = self.items("]")
            return self.make("list", token.start, self.tokens[self.at - 1].end, None, *items)
        if token.kind == "name" and token.text in ("null", "None", *_CONSTANTS):
            return Expr("constant", token.start, token.end, _CONSTANTS.get(token.text))
        if token.kind != "name" or token.text in KEYWORDS:
            raise unexpected(token.text, token.start, token.end)
        if self.accept("("):
            return self.call(token)
        return Expr("name", token.start, token.end, token.text)

    def call(self, name: _Token) -> Expr:
        if name.text not in FUNCTIONS:
            raise UnknownFunction(name.text, name.start, name.end)
        items = self.items(")", name.text)
        return self.make("call", name.start, self.tokens[self.at - 1].end, name.text, *items)

    def items(self, close: str, function: str = "") -> tuple[Expr, ...]:
        items: list[Expr] = []
        while not self.accept(close):
            if items:
                self.expect(",")
                if self.accept(close):
                    break
            items.append(self.item(function, items))
        return tuple(items)

    def item(self, function: str, before: list[Expr]) -> Expr:
        """An item of a list, or an argument of a function, which may have its name."""
        at = self.at
        names = [token.kind == "name" for token in self.tokens[at : at + 1]]
        equals = [token.text == "=" for token in self.tokens[at + 1 : at + 2]]
        if not (function and any(names) and any(equals)):
            value = self.nested(self.ternary)
            if before and before[-1].kind == "named":
                message = "a value without a name stands before those with one"
                raise ExprError(message, value.start, value.end)
            return value
        name = self.next()
        self.next()
        known = NAMED.get(function, ())
        if name.text not in known[max(0, len([e for e in before if e.kind != "named"]) - 1) :]:
            raise self.unnamed(function, name, known)
        if any(e.kind == "named" and e.value == name.text for e in before):
            raise ExprError(f"`{name.text}` is given twice", name.start, name.end)
        value = self.nested(self.ternary)
        return self.make("named", name.start, value.end, name.text, value)

    def unnamed(self, function: str, name: _Token, known: tuple[str, ...]) -> ExprError:
        """The message about an argument whose name a function does not take, or has by now."""
        if name.text in known:
            return ExprError(f"`{name.text}` is given twice", name.start, name.end)
        taken = f"only `{'=` and `'.join(known)}=` are given by name"
        help = taken if known else "its arguments have no names"
        return ExprError(f"`{function}` has no `{name.text}=`", name.start, name.end, help)

    def tuple(self, opened: _Token) -> ExprError:
        """The message about `(a, b)`, where a list is meant."""
        self.accept(",")
        self.items(")")
        end = self.tokens[self.at - 1].end
        inner = self.text[opened.end : end - 1].strip().rstrip(",")
        return ExprError("a list has brackets", opened.start, end, f"write `[{inner}]`")


def _number(token: _Token) -> int | float:
    if not token.text.isdigit():
        return float(token.text)
    if len(token.text) > 16:
        raise ExprError("the number is too large", token.start, token.end)
    return int(token.text)


_DIGITS = re.compile(r"\d*")


def _reference_end(text: str, start: int) -> int:
    """Where a reference as `list.0` or `x.channels` ends; `start` where none begins."""
    end = name_end(text, start)
    while end > start and text.startswith(".", end):
        part = name_end(text, end + 1)
        digits = _DIGITS.match(text, end + 1)
        inner = max(part, digits.end() if digits else part)
        if inner == end + 1:
            break
        end = inner
    return end


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
    end = _reference_end(text, start + 1)
    if end == start + 1:
        what = "write $(…)" if text.startswith("${", start) else "a `$` itself is written `$$`"
        raise ExprError("`$` begins a name or `(`", start, start + 1, what)
    name = normal(text[start + 1 : end])
    if name.isidentifier() and name not in KEYWORDS:
        return Expr("name", start + 1, end, name), end
    return _Parser(text[:end], start + 1).whole(), end


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
