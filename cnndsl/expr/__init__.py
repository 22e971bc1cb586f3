"""The expression language of specs: parse, then evaluate against named values.

Small and closed: numbers, strings, lists, arithmetic, comparisons, `and or not`, `a if c else b`,
indexing and a fixed list of functions. Sizes are bounded, so that no expression hangs.
"""

from cnndsl.expr.evaluation import evaluate, oversize
from cnndsl.expr.functions import FUNCTIONS, divisible
from cnndsl.expr.parsing import KEYWORDS, parse, template
from cnndsl.expr.tree import (
    MAX_WORK,
    Exhausted,
    Expr,
    ExprError,
    Meter,
    Missing,
    Outside,
    Unknown,
    UnknownAttribute,
    UnknownFunction,
    UnknownName,
    Value,
    attributes,
    items_read,
    names,
    show,
)

__all__ = [
    "FUNCTIONS",
    "KEYWORDS",
    "MAX_WORK",
    "Exhausted",
    "Expr",
    "ExprError",
    "Meter",
    "Missing",
    "Outside",
    "Unknown",
    "UnknownAttribute",
    "UnknownFunction",
    "UnknownName",
    "Value",
    "attributes",
    "divisible",
    "evaluate",
    "items_read",
    "names",
    "oversize",
    "parse",
    "show",
    "template",
]
