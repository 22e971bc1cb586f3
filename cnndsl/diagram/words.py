"""The words on boxes: titles of ops, shapes, and sums of channels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from math import prod

from cnndsl.diagram.plan import Kind
from cnndsl.expr import show
from cnndsl.graph import Graph, Node, Scope
from cnndsl.ops.base import Family, Shape
from cnndsl.ops.merge import Concat, Share

MAX_TERMS = 6
"""Terms of a concat's sum that are written out."""

UNTOLD = frozenset({"eps", "momentum", "bias", "ceil", "keepdim", "last_dim"})
"""Arguments that no reader of a diagram misses."""
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e-?\d+)?")

DIMENSIONAL = (Family.CONVOLUTION, Family.POOLING, Family.NORMALIZATION)


def title(node: Node) -> str:
    """The op's name as PyTorch writes it, without the dimension: `Conv`, `BN`, `ReLU`."""
    op = node.op
    if op.name == "bn":
        return "BN"
    if op.family is Family.INPUT:
        return ""
    if isinstance(op, Share):
        return f"part {op.index + 1} of {op.of}"
    if op.family is Family.MERGE:
        return op.name
    word = "Depthwise" if kind(node) is Kind.DEPTHWISE else type(op).__name__
    return word.removesuffix("2d") if op.family in DIMENSIONAL else word


def brief(node: Node) -> str:
    """The arguments that matter, where the title does not hold them: `3×3, 64, /2`."""
    if isinstance(node.op, Share):
        return ""
    parts = node.op.brief().split(", ")
    if kind(node) is Kind.DEPTHWISE:
        parts = [part for part in parts if part != f"g{node.x.channels}"]
    told = [part for part in parts if part.split(" ")[0] not in UNTOLD]
    return _NUMBER.sub(lambda found: _short(found[0]), ", ".join(told))


def phrase(node: Node) -> str:
    """The op with the arguments that matter: `Conv 3×3, 64, /2`."""
    return f"{title(node)} {brief(node)}".rstrip()


def tail(fused: Sequence[Node]) -> str:
    """What is fused behind an op: ` + BN + ReLU`."""
    return "".join(f" + {title(n) if n.op.name == 'bn' else phrase(n)}" for n in fused)


def difference(old: Node, new: Node) -> tuple[str, str]:
    """What an op said before it changed, and says now, where its box does not tell."""
    if phrase(old) != phrase(new):
        return (brief(old) if title(old) == title(new) and brief(old) else phrase(old)), ""
    differing = [name for name in new.op.args if getattr(old.op, name) != getattr(new.op, name)]
    if differing:
        said, says = (
            ", ".join(f"{name} {show(getattr(node.op, name))}" for name in differing)
            for node in (old, new)
        )
        return said, says
    counts = [sum(map(prod, node.weights.values())) for node in (old, new)]
    return f"{counts[0]:,} parameters", f"{counts[1]:,} parameters"


def kind(node: Node) -> Kind:
    """The colour of a node: that of its op's family."""
    op = node.op
    depthwise = op.family is Family.CONVOLUTION and 1 < getattr(op, "groups", 1) == node.x.channels
    return Kind.DEPTHWISE if depthwise else Kind(op.family.value)


def span(numbers: Iterable[int]) -> str:
    """Numbers that grow from one repetition to the next: `64…224`, or the one that they all are."""
    found = list(numbers)
    return str(found[0]) if len(set(found)) == 1 else f"{found[0]}…{found[-1]}"


def spread(texts: Sequence[str]) -> str:
    """What all repetitions say; numbers in which they differ are those of the first and last."""
    first, last = texts[0], texts[-1]
    numbers = list(zip(_NUMBER.findall(first), _NUMBER.findall(last), strict=False))
    if len(set(texts)) == 1 or _NUMBER.split(first) != _NUMBER.split(last):
        return first
    words = _NUMBER.split(first)
    told = [a if a == b else f"{a}…{b}" for a, b in numbers]
    return "".join(word + number for word, number in zip(words, [*told, ""], strict=True))


def run_name(first: str, last: str) -> str:
    """What repetitions are called: `1…35`, `denselayer1…12`, `block3-1…5`."""
    digits = last[len(last.rstrip("0123456789")) :]
    same = first.rstrip("0123456789") == last.rstrip("0123456789")
    return f"{first}…{digits if digits and same else last}"


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
    """A block's parameters and values but for those at their defaults: `width 64, stride 2`."""
    told = []
    for name, value in scope.args.items():
        if name in scope.defaults and scope.defaults[name] == value:
            continue
        if value is True:
            told.append(name)
        elif value is not False and value is not None:
            told.append(f"{name} {show(value)}")
    return _NUMBER.sub(lambda found: _short(found[0]), ", ".join(told))


def _short(number: str) -> str:
    """A number with at most three digits behind the point that say something."""
    return f"{float(number):.2g}" if "." in number else number


def layer_count(nodes: Sequence[Node]) -> str:
    """How much there is in a closed scope: its convolutions and linear layers, else its ops."""
    heavy = sum(node.op.family in (Family.CONVOLUTION, Family.LINEAR) for node in nodes)
    count, word = (heavy, "layer") if heavy else (len(nodes), "op")
    return f"{count} {word}{'s' if count > 1 else ''}"
