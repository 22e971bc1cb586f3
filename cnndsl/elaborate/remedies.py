"""Remedies that are written with the names and sizes of the place where they stand."""

from __future__ import annotations

from collections.abc import Iterator

from cnndsl import syntax
from cnndsl.expr import Exhausted, ExprError, Unknown, evaluate, names
from cnndsl.ops.base import Shape
from cnndsl.values import Env


def project(body: syntax.Body, ours: Shape, x: Shape, env: Env) -> str:
    """The shortcut from `x` that has the shape of a residual's body."""
    if len(ours) != 3 or len(x) != 3:
        return "both must have the same shape"
    stride = -(-x.height // ours.height)
    if {(side - 1) // stride + 1 - new for side, new in zip(x[1:], ours[1:], strict=True)} != {0}:
        sized = "" if ours.channels == x.channels else f"{{conv: {ours.channels}}}, "
        side = f"{sized}{{adaptive_avg_pool: [{ours.height}, {ours.width}]}}"
        return f"give the shortcut that size: `shortcut: [{side}]`, or pad in the body"
    written = list(_formulas(body, env))
    out = next((text for name, text, value in written if value == ours.channels), ours.channels)
    own = next((text for name, text, v in written if name == "stride" and v == stride), "")
    step = own or (stride if stride > 1 else "")
    conv = f"out: {out}, kernel: 1" + (f", stride: {step}" if step else "")
    return f"project the shortcut: `shortcut: [{{conv: {{{conv}}}}}]`"


def _formulas(body: syntax.Body, env: Env) -> Iterator[tuple[str, str, object]]:
    """The expressions of a body's last nodes first: their argument, text and value."""
    for node in reversed(body.nodes):
        args = node.args if isinstance(node, syntax.OpCall | syntax.BlockCall) else ()
        for arg in args:
            term = arg.value
            if not isinstance(term, syntax.Formula) or "," in term.text:
                continue
            if any(name.value == "x" for name in names(term.expr)):
                continue
            try:
                yield arg.name, term.text, evaluate(term.expr, env)
            except (ExprError, Unknown, Exhausted):
                continue


def varied(written: str, variables: tuple[str, ...]) -> str:
    """A name that differs in each round of the loops around, whose variables are given."""
    free = [name for name in variables if f"${name}" not in written]
    sign = "-" if "$" in written or written[-1:].isdigit() else ""
    if free:
        return f"put the loop's variable in the name, as `name: {written}{sign}${free[-1]}`"
    return (
        "give the loop a variable, as `for: {i: 3}` in place of `repeat: 3`, and put it in the "
        f"name: `name: {written}{sign}$i`"
    )


def same_size(shapes: list[Shape]) -> str:
    """How images of different sizes become those of the largest, branch by branch."""
    if any(len(shape) != 3 for shape in shapes):
        return ""
    height, width = max((tuple(shape[1:]) for shape in shapes), key=lambda size: size[0] * size[1])
    told = [
        f"end branch {number} with `{{upsample: {{size: [{height}, {width}]}}}}`"
        for number, shape in enumerate(shapes, start=1)
        if shape[1:] != (height, width)
    ]
    return "; ".join(told[:3])


def channels_first(shape: Shape) -> str:
    """The remedy for an input whose channels seem to stand last."""
    last = len(shape) == 3 and shape[2] in (1, 3, 4) and shape[0] > 4
    return f"channels come first: `input: [{shape[2]}, {shape[0]}, {shape[1]}]`" if last else ""
