"""A layer as PyTorch's constructors are written → the node that it means.

What stands there is read, and never run: `nn.Conv2d(3, 16, 3)`, `self.conv1 = nn.Conv2d(3, 16, 3)`.
"""

from __future__ import annotations

import ast
import warnings
from typing import Any

from cnndsl.flow import flow
from cnndsl.hints import argument_meant, is_inferred, nearest_op
from cnndsl.ops import registry
from cnndsl.ops.base import Reject

MAX_TEXT = 300
_NORM = "in eps momentum affine track_running_stats"
_ORDER = {
    "conv": "in out kernel stride padding dilation groups bias padding_mode",
    "conv_transpose": "in out kernel stride padding output_padding groups bias dilation",
    "linear": "in out bias",
    "bn": _NORM,
    "instance_norm": _NORM,
    "group_norm": "groups in eps affine",
    "max_pool": "kernel stride padding dilation",
    "avg_pool": "kernel stride padding ceil count_include_pad",
    "adaptive_avg_pool": "out",
    "adaptive_max_pool": "out",
    "dropout": "p inplace",
    "dropout2d": "p inplace",
    "relu": "inplace",
    "leaky_relu": "negative_slope inplace",
    "elu": "alpha inplace",
    "pixel_shuffle": "factor",
}
"""The arguments that PyTorch takes by their places; what is `in` or `inplace` is not written."""


def constructed(text: str) -> str:
    """The remedy for a node that is written as a call of PyTorch's, or "" where it is none."""
    name, called = _call(text)
    if called is None:
        return ""
    near = nearest_op(ast.unparse(called.func).rpartition(".")[2], [])
    op = near.split("`")[1] if near else ""
    if op not in registry():
        return ""
    try:
        values = _values(op, called)
        made = registry()[op].create(values)
    except (ValueError, TypeError, Reject):
        return f"`{op}` takes its arguments as a mapping, as in `{{{op}: {{name: value}}}}`"
    primary = next((arg.name for arg in made.args.values() if arg.primary), "")
    short = values[primary] if [*values] == [primary] else values
    whole = {op: short, "name": name} if name else {op: short} if values else op
    return f"write `{flow(whole)}`"


def by_place(op: str, values: Any) -> str:
    """The remedy for an op whose arguments stand in a list, in the order of PyTorch's."""
    order = _ORDER.get(op, "").split()
    if not isinstance(values, list) or not 1 < len(values) <= len(order):
        return ""
    if order[0] == "in" and op != "linear" and len(values) == 2:
        order = order[1:]  # as Keras has them: a convolution has a kernel always
    given = {name: v for name, v in zip(order, values, strict=False) if name not in _LEFT}
    try:
        registry()[op].create(given)
    except (TypeError, Reject):
        return ""
    return f"its arguments have names: write `{flow(given)}`"


def _call(text: str) -> tuple[str, ast.Call | None]:
    """The call that a text is, and the attribute that it is assigned to."""
    if "(" not in text or len(text) > MAX_TEXT:
        return "", None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python, about what is not run
            (line,) = ast.parse(text.strip(" ,;")).body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return "", None
    match line:
        case ast.Assign([ast.Attribute(attr=name)], ast.Call() as called):
            return name, called
        case ast.Expr(ast.Call() as called):
            return "", called
    return "", None


def _values(op: str, called: ast.Call) -> dict[str, Any]:
    """The arguments of the op; ValueError where one is not written out, or not known."""
    order = _ORDER.get(op, "").split()
    if len(called.args) > len(order):
        raise ValueError
    given = list(zip(order, called.args, strict=False))
    known = registry()[op].args
    for keyword in called.keywords:
        word = str(keyword.arg)
        name = word if word in known else "in" if is_inferred(word) else argument_meant(word)
        given.append((name, keyword.value))
    if not {name for name, _ in given} <= {*known, *_LEFT}:
        raise ValueError
    for name, value in given:
        if name in _LEFT and any(isinstance(part, ast.Call) for part in ast.walk(value)):
            raise ValueError
    return {name: _literal(value) for name, value in given if name not in _LEFT}


_LEFT = ("in", "inplace")


def _literal(value: ast.expr) -> Any:
    found = ast.literal_eval(value)
    items = list(found) if isinstance(found, tuple | list) else [found]
    if not all(isinstance(item, int | float | str | None) for item in items):
        raise ValueError
    return items if isinstance(found, tuple | list) else found
