"""What other languages and keyboards write, and what stands for it in expressions."""

from __future__ import annotations

import re
import unicodedata

from cnndsl.expr.tree import ExprError

_SIGNS = {
    "$": "within $(…) a name stands without a `$`",
    "=": "equality is written `==`",
    "&": "write `and`",
    "|": "write `or`",
    "!": "write `not`, or `!=`",
    "^": "write `**`",
    "?": "a choice is written `a if condition else b`",
    "×": "write `*`",
    "·": "write `*`",
    "÷": "write `/`",
    "≤": "write `<=`",
    "≥": "write `>=`",
    "≠": "write `!=`",
    "–": "write `-`",
    "—": "write `-`",
    "−": "write `-`",
}
_CHOICE = re.compile(r"(?P<if>[^?:()]+?)\s*\?\s*(?P<then>[^?:()]+?)\s*:\s*(?P<else>[^?:(),]+)")
_QUOTED = re.compile("[“”„‟«»‘’‚‛‹›`](?P<text>[^“”„‟«»‘’‚‛‹›`'\"]*)[“”„‟«»‘’‚‛‹›`]")
_QUOTES = "“”„‟«»‘’‚‛‹›`"
SLICE = "a list has no slices: name its items, as `[a[0], a[1]]`, or give the part as a parameter"
COMPREHENSION = (
    "a list is written out, as `[2 * a[0], 2 * a[1]]`; "
    "`for:` repeats nodes for each item, and computes there"
)


def foreign(text: str, position: int) -> ExprError:
    """The message about a character that begins no token of an expression."""
    character = text[position]
    if character in _QUOTES:
        return _quotation(text, position)
    if character == "?":
        return choice(text, position)
    if character == ":":
        return _colon(text, position)
    plain = unicodedata.normalize("NFKC", character)
    wide = f"write `{plain}`" if plain != character and plain.isascii() else ""
    help = _SIGNS.get(character, wide)
    count = 2 if text[position : position + 2] in ("&&", "||") else 1
    sign = text[position : position + count]
    return ExprError(f"unexpected `{sign}`", position, position + count, help)


def unexpected(text: str, start: int, end: int) -> ExprError:
    """The message about a token that is out of place."""
    if text == "for":
        return ExprError("unexpected `for`", start, end, COMPREHENSION)
    return ExprError(f"unexpected `{text}`", start, end, _SIGNS.get(text, ""))


def _quotation(text: str, position: int) -> ExprError:
    found = _QUOTED.match(text, position)
    end = found.end() if found else position + 1
    help = f"write `'{found['text']}'`" if found else "quote with `'`"
    return ExprError(f"`{text[position]}` is no quotation mark here", position, end, help)


def choice(text: str, position: int) -> ExprError:
    """`c ? a : b`, whose question mark stands at the position, in the words of expressions."""
    for found in _CHOICE.finditer(text.replace("$", " ")):
        if found.start() <= position < found.end():
            start = found.start() + len(found[0]) - len(found[0].lstrip())
            condition, one, other = (found[g].strip() for g in ("if", "then", "else"))
            help = f"write `{one} if {condition} else {other}`"
            end = start + len(found[0].strip())
            return ExprError("`? :` is not written here", start, end, help)
    return ExprError("unexpected `?`", position, position + 1, _SIGNS["?"])


def _colon(text: str, position: int) -> ExprError:
    sliced = text.rfind("[", 0, position) > text.rfind("]", 0, position)
    return ExprError("unexpected `:`", position, position + 1, SLICE if sliced else "")
