"""Two graphs → what became of the first, in lines of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from cnndsl.costs import cost
from cnndsl.diagram import words
from cnndsl.diagram.changes import REMOVED
from cnndsl.diagram.diff.align import outline
from cnndsl.diagram.diff.comparing import heading
from cnndsl.diagram.diff.union import Union, unite
from cnndsl.diagram.plan import Mark
from cnndsl.graph import Graph, Node, Scope
from cnndsl.ops.base import Family

MAX_LINES = 100
SIGNS = {Mark.ADDED: "+", Mark.REMOVED: "-", Mark.CHANGED: "~"}


def summary(before: Graph, after: Graph) -> Iterator[str]:
    """The figures before and after, how many nodes became what, and a line for each change."""
    both = unite(before, after)
    first, second = cost(before), cost(after)
    yield heading(before, after)
    yield f"parameters: {first.params:,} → {second.params:,}"
    yield f"multiply-adds: {first.macs:,} → {second.macs:,}"
    counts = Counter(both.changes.marks.values())
    yield "nodes: " + ", ".join(f"{counts[mark]} {mark.value}" for mark in Mark)
    lines = [*_scope(both, both.root), *_outputs(both)]
    yield from lines[:MAX_LINES]
    if len(lines) > MAX_LINES:
        yield f"… and {len(lines) - MAX_LINES} more"


def _scope(both: Union, scope: Scope) -> Iterator[str]:
    for (mark, _), group in groupby(scope.members, key=lambda member: _key(both, member)):
        members = list(group)
        if mark in (Mark.ADDED, Mark.REMOVED):
            yield _line(mark, members)
            continue
        for member in members:
            if isinstance(member, Scope):
                yield from _scope(both, member)
            elif mark is Mark.CHANGED and not _follows(both, member):
                yield f"~ {member.path}: {_change(both, member)}"


def _follows(both: Union, node: Node) -> bool:
    """Whether a normalization only has the size of what is before it."""
    same = both.changes.was[node.id].op == node.op
    return same and node.op.family is Family.NORMALIZATION


def _key(both: Union, member: Node | Scope) -> tuple[Mark | None, str]:
    """Scopes that were added or removed alike are told together."""
    if isinstance(member, Node):
        return both.changes.marks[member.id], member.path
    mark = both.changes.mark(node.id for node in member.nodes())
    alike = mark in (Mark.ADDED, Mark.REMOVED)
    return mark, outline(member) if alike else member.path


def _line(mark: Mark, members: Sequence[Node | Scope]) -> str:
    first, last = (member.path.rstrip(REMOVED) for member in (members[0], members[-1]))
    paths = first if first == last else words.run_name(first, last)
    times = f", {len(members)} times" if len(members) > 1 else ""
    return f"{SIGNS[mark]} {paths}: {_what(members[0])}{times}"


def _what(member: Node | Scope) -> str:
    if isinstance(member, Node):
        return words.phrase(member)
    layers = words.layer_count(list(member.nodes()))
    if not member.block:
        return layers
    arguments = words.arguments(member)
    return f"{member.block} {arguments} ({layers})" if arguments else f"{member.block} ({layers})"


def _change(both: Union, node: Node) -> str:
    old = both.changes.was[node.id]
    if not node.inputs:
        return " → ".join(words.shape([shape]) for shape in (old.shape, node.shape))
    if words.title(old) != words.title(node):
        return f"{words.phrase(old)} → {words.phrase(node)}"
    said, says = words.difference(old, node)
    return f"{words.title(node)} {said} → {says or words.brief(node) or words.phrase(node)}"


def _outputs(both: Union) -> Iterator[str]:
    for name, mark in both.changes.outputs.items():
        if mark in (Mark.ADDED, Mark.REMOVED):
            yield f"{SIGNS[mark]} output {name}"
        elif name in both.changes.ends:
            old = both.nodes[both.changes.ends[name]].path.rstrip(REMOVED)
            new = next(output for output in both.outputs if output.name == name)
            yield f"~ output {name}: of {old} → {both.nodes[new.node].path}"
