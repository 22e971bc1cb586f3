"""The words on boxes: titles of ops, shapes, and sums of channels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cnndsl.diagram.plan import Kind
from cnndsl.expr import show
from cnndsl.graph import Graph, Node, Scope
from cnndsl.ops.base import Family, Op, Shape
from cnndsl.ops.merge import Concat, Share

MAX_ARGS = 36
"""Characters of a block's arguments on its box."""
MAX_TERMS = 6
"""Terms of a concat's sum that are written out."""

DIMENSIONAL = (Family.CONVOLUTION, Family.POOLING, Family.NORMALIZATION)


def title(op: Op) -> str:
    """The op's name as PyTorch writes it, without the dimension: `Conv`, `BN`, `ReLU`."""
    if op.name == "bn":
        return "BN"
    if op.family is Family.INPUT:
        return ""
    if isinstance(op, Share):
        return f"part {op.index + 1} of {op.of}"
    if op.family is Family.MERGE:
        return op.name
    word = type(op).__name__
    return word.removesuffix("2d") if op.family in DIMENSIONAL else word


def brief(op: Op) -> str:
    """The arguments that matter, where the title does not hold them."""
    return "" if isinstance(op, Share) else op.brief()


def phrase(op: Op) -> str:
    """The op with the arguments that matter: `Conv 3×3, 64, /2`."""
    return f"{title(op)} {brief(op)}".rstrip()


def tail(ops: Sequence[Op]) -> str:
    """What is fused behind an op: ` + BN + ReLU`."""
    return "".join(f" + {title(op) if op.name == 'bn' else phrase(op)}" for op in ops)


def kind(node: Node) -> Kind:
    """The colour of a node: that of its op's family."""
    op = node.op
    depthwise = op.family is Family.CONVOLUTION and 1 < getattr(op, "groups", 1) == node.x.channels
    return Kind.DEPTHWISE if depthwise else Kind(op.family.value)


def span(numbers: Iterable[int]) -> str:
    """Numbers that grow from one repetition to the next: `64…224`, or the one that they all are."""
    found = list(numbers)
    return str(found[0]) if len(set(found)) == 1 else f"{found[0]}…{found[-1]}"


def shape(shapes: Sequence[Shape]) -> str:
    """The shape that all repetitions have: `64×56×56`."""
    return "×".join(span(sides) for sides in zip(*shapes, strict=True))


def merge_text(graph: Graph, twins: Sequence[int]) -> str:
    """What a concat stacks, branch by branch: `64 + 128 + 32 + 32 = 256`."""
    if not isinstance(graph.nodes[twins[0]].op, Concat):
        return ""
    rows = [[shape.channels for shape in graph.nodes[twin].input_shapes] for twin in twins]
    terms = [span(column) for column in zip(*rows, strict=True)]
    if len(terms) > MAX_TERMS:
        terms = [*terms[: MAX_TERMS - 2], "…", terms[-1]]
    return f"{' + '.join(terms)} = {span(sum(row) for row in rows)}"


def arguments(scope: Scope) -> str:
    """A block's parameters as on the line of a paper's table: `64, [96, 128], [16, 32], 32`."""
    text = ", ".join(show(value) for value in scope.args.values())
    return text if len(text) <= MAX_ARGS else f"{text[: MAX_ARGS - 1].rstrip(', ')}…"


def layer_count(nodes: Sequence[Node]) -> str:
    """How much there is in a closed scope: its convolutions and linear layers, else its ops."""
    heavy = sum(node.op.family in (Family.CONVOLUTION, Family.LINEAR) for node in nodes)
    count, word = (heavy, "layer") if heavy else (len(nodes), "op")
    return f"{count} {word}{'s' if count > 1 else ''}"


def quantity(count: int) -> str:
    """`25.6 M`, `416.5 k`, `11.5 G`: three digits of a count."""
    for unit, word in ((10**9, " G"), (10**6, " M"), (10**3, " k")):
        if count >= unit:
            scaled = count / unit
            return f"{scaled:.{2 if scaled < 10 else 1 if scaled < 100 else 0}f}{word}"
    return str(count)
