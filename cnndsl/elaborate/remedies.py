"""Remedies that are written with the names and sizes of the place where they stand."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from math import isqrt, prod

from cnndsl import syntax
from cnndsl.elaborate.parting import Part, clash, rounded
from cnndsl.expr import Exhausted, ExprError, Meter, Unknown, evaluate, names
from cnndsl.graph import Node
from cnndsl.ops.base import Op, Reject, Shape
from cnndsl.ops.merge import Merge
from cnndsl.values import Env

REACH = 64
"""How far the sides of an input are looked for that divide evenly."""


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


def joined(op: Merge, parts: Sequence[Part], scaled: bool) -> str:
    """What to put at the end of each branch, so that they fit; `scaled` if by a factor."""
    told = [
        f"end {part.words} with `{', '.join(nodes)}`"
        for part in parts
        if not part.fixed and (nodes := list(_ends(op, part, parts, scaled)))
    ]
    return "; ".join(told[:3])


def _ends(op: Merge, part: Part, parts: Sequence[Part], scaled: bool) -> Iterator[str]:
    """The nodes that give a branch the rank, the channels and the size of the others."""
    x, ranks = part.shape, {len(part.shape) for part in parts}
    channels = max(part.shape.channels for part in parts)
    alone = x.channels in (1, channels) or op.name == "concat"
    if ranks == {1, 3}:
        flat = [part for part in parts if len(part.shape) == 1]
        if op.name == "concat" and len(x) == 3:
            yield "flatten"
        elif op.name != "concat" and part in flat:
            yield f"{{unflatten: [{x.channels}, 1, 1]}}"
    elif ranks == {1}:
        yield from () if alone else (f"{{linear: {channels}}}",)
    elif ranks == {3}:
        yield from () if alone else (f"{{conv: {channels}}}",)
        size = _largest(parts)
        if x[1:] != size and not (op.name != "concat" and _repeats(x[1:], size)):
            yield resized(x, size, scaled)


def _largest(parts: Sequence[Part]) -> tuple[int, ...]:
    """The size that all are to have: that of the branch that is fixed, or the largest."""
    sizes = [part.shape[1:] for part in parts if part.fixed] or [part.shape[1:] for part in parts]
    return max(sizes, key=prod)


def _repeats(sides: tuple[int, ...], size: tuple[int, ...]) -> bool:
    return all(side in (1, whole) for side, whole in zip(sides, size, strict=True))


def resized(x: Shape, size: tuple[int, ...], scaled: bool) -> str:
    """The node that gives an image a size: by a factor where that gives it."""
    factor, rest = divmod(size[0], x.height)
    if scaled and not rest and factor > 1 and factor * x.width == size[1]:
        return f"{{upsample: {factor}}}"
    return f"{{upsample: {{size: [{size[0]}, {size[1]}]}}}}"


def divided(
    nodes: Sequence[Node], op: Merge, refs: Sequence[int], dims: Collection[int], meter: Meter
) -> Shape | None:
    """The shape of the one input, near its own, at which these values and all before them fit."""
    if sum(not node.inputs for node in nodes) > 1 or len(nodes[0].shape) != 3:
        return None
    try:
        more = {dim: _divided(nodes, refs, dim, meter) for dim in dims}
        shapes = _replayed(nodes, more, meter)
    except Exhausted:
        return None
    fits = shapes and clash(op, [shapes[ref] for ref in refs]) is None
    return shapes[0] if fits else None


def _divided(nodes: Sequence[Node], refs: Sequence[int], dim: int, meter: Meter) -> int:
    """How much longer the input is where the values are equal, and the fewest nodes round."""
    found: list[tuple[int, int, int]] = []
    scaling = [node for node in nodes[1:] if rounded(node, node.x, node.shape, dim) is not None]
    for more in sorted(range(-REACH, REACH + 1), key=lambda more: (abs(more), -more)):
        shapes = _replayed(nodes, {dim: more}, meter)
        if not shapes or len({shapes[ref][dim] for ref in refs}) > 1:
            continue
        count = sum(bool(rounded(n, shapes[n.inputs[0]], shapes[n.id], dim)) for n in scaling)
        found.append((count, abs(more), more))
        if not count:
            break
    return min(found)[2] if found else 0


def _replayed(nodes: Sequence[Node], more: Mapping[int, int], meter: Meter) -> list[Shape]:
    """The shapes of all nodes for an input of other sides; none if it is not taken."""
    meter.spend(len(nodes))
    shapes = [Shape(size + more.get(dim, 0) for dim, size in enumerate(nodes[0].shape))]
    if min(shapes[0]) < 1:
        return []
    try:
        for node in nodes[1:]:
            shapes.append(node.op.infer(tuple(shapes[ref] for ref in node.inputs)))
    except Reject:
        return []
    return shapes


def channels_first(shape: Shape) -> str:
    """The remedy for an input whose channels seem to stand last."""
    last = len(shape) == 3 and shape[2] in (1, 3, 4) and shape[0] > 4
    return f"channels come first: `input: [{shape[2]}, {shape[0]}, {shape[1]}]`" if last else ""


def ranked(op: Op, ref: int, nodes: Sequence[Node], *, asked: bool) -> str:
    """The remedy for a value of too many dimensions or too few for an op, by what made it so.

    `asked` says that the input's shape is not the one of the file.
    """
    x = nodes[ref].shape
    if len(x) == 4:
        sizes = ",".join(map(str, x[1:]))
        given = f"`--input {sizes}`, in Python `input={list(x[1:])}`"
        return f"the batch is left out: {given if asked else f'`input: {Shape(x[1:])}`'}"
    if len(x) != 1 or 3 not in op.ranks:
        return ""
    while nodes[ref].inputs and len(nodes[ref].x) == 1:
        ref = nodes[ref].inputs[0]
    if nodes[ref].inputs:
        return f"it is flat already: move this before `{nodes[ref].op.name}`"
    return f"the input is flat, and an image has three sizes: `input: {_image(x.channels)}`"


def _image(size: int) -> str:
    """The square image of so many values, or one as an example."""
    sides = ((channels, isqrt(size // channels)) for channels in (1, 3))
    fits = (Shape((c, side, side)) for c, side in sides if side > 1 and c * side * side == size)
    return str(next(fits, Shape((3, 32, 32))))
