"""Two lists of members → which belong together: by name first, else by what they are.

The order is kept: what has moved is missing at its old place and new at the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from cnndsl.graph import Node, Scope

Member = Node | Scope
Pair = tuple[Member | None, Member | None]
"""The member before and the member after; None where there is none."""

MAX_CELLS = 1_000_000
"""How many pairs of members are compared at the most; in longer lists only names count."""
NAMED, PLACED, SAME_OP, SAME_ARGS, SAME_FAMILY = 8.0, 1.0, 3.0, 2.0, 1.0
SAME_BLOCK, ALIKE = 3.0, 4.0
"""What it is worth that two members agree in something."""


def align(before: Sequence[Member], after: Sequence[Member]) -> Iterator[Pair]:
    """The members in one order; those that belong together as pairs."""
    start = sum(1 for _ in takewhile(_equal, zip(before, after, strict=False)))
    rest = list(zip(reversed(before[start:]), reversed(after[start:]), strict=False))
    end = sum(1 for _ in takewhile(_equal, rest))
    yield from zip(before[:start], after[:start], strict=True)
    yield from _best(before[start : len(before) - end], after[start : len(after) - end])
    yield from zip(before[len(before) - end :], after[len(after) - end :], strict=True)


def _equal(pair: tuple[Member, Member]) -> bool:
    """Whether two members are the same without any doubt."""
    a, b = pair
    return segment(a) == segment(b) and outline(a) == outline(b)


def _best(before: Sequence[Member], after: Sequence[Member]) -> Iterator[Pair]:
    """The pairs that are worth the most together, in order."""
    judge = _Judge({n for m in before if (n := name(m))}, {n for m in after if (n := name(m))})
    if len(before) * len(after) > MAX_CELLS:
        yield from _by_names(before, after)
        return
    # worth[i][j] is the most that the members from i and from j on are worth.
    worth = [[0.0] * (len(after) + 1) for _ in range(len(before) + 1)]
    for i in range(len(before) - 1, -1, -1):
        for j in range(len(after) - 1, -1, -1):
            both = judge.worth(before[i], after[j])
            paired = worth[i + 1][j + 1] + both if both else 0.0
            worth[i][j] = max(paired, worth[i + 1][j], worth[i][j + 1])
    i = j = 0
    while i < len(before) and j < len(after):
        both = judge.worth(before[i], after[j])
        if both and worth[i][j] == worth[i + 1][j + 1] + both:
            yield before[i], after[j]
            i, j = i + 1, j + 1
        elif worth[i][j] == worth[i + 1][j]:
            yield before[i], None
            i += 1
        else:
            yield None, after[j]
            j += 1
    yield from ((member, None) for member in before[i:])
    yield from ((None, member) for member in after[j:])


def _by_names(before: Sequence[Member], after: Sequence[Member]) -> Iterator[Pair]:
    """Pairs of equal names, as long as they come in one order."""
    place = {segment(member): index for index, member in enumerate(after)}
    done = 0
    for member in before:
        index = place.get(segment(member), -1)
        if index < done or type(after[index]) is not type(member):
            yield member, None
            continue
        yield from ((None, new) for new in after[done:index])
        yield member, after[index]
        done = index + 1
    yield from ((None, new) for new in after[done:])


@dataclass
class _Judge:
    """Says what a pair is worth; the names are those that occur before and after."""

    before: set[str]
    after: set[str]
    known: dict[tuple[str, str], float] = field(default_factory=dict)

    def worth(self, a: Member, b: Member) -> float:
        """0 where the two do not belong together."""
        names = name(a), name(b)
        if names[0] != names[1] and (names[0] in self.after or names[1] in self.before):
            return 0.0
        named = NAMED if names[0] and names[0] == names[1] else 0.0
        placed = PLACED if segment(a) == segment(b) else 0.0
        if isinstance(a, Node) and isinstance(b, Node):
            alike = _of_nodes(a, b)
        elif isinstance(a, Scope) and isinstance(b, Scope):
            alike = self.of_scopes(a, b)
        else:
            return 0.0
        return named + placed + alike if named or alike else 0.0

    def of_scopes(self, a: Scope, b: Scope) -> float:
        key = a.path, b.path
        if key not in self.known:
            ops_a, ops_b = (Counter(node.op.name for node in s.nodes()) for s in (a, b))
            shared, most = (ops_a & ops_b).total(), max(ops_a.total(), ops_b.total(), 1)
            same = SAME_BLOCK if a.block == b.block else 0.0
            equal = SAME_ARGS if outline(a) == outline(b) else 0.0
            likeness = ALIKE * shared / most
            self.known[key] = same + equal + likeness if same or likeness > ALIKE / 2 else 0.0
        return self.known[key]


def _of_nodes(a: Node, b: Node) -> float:
    if a.op.name == b.op.name:
        return SAME_OP + (SAME_ARGS if a.op == b.op else 0.0)
    merges = a.op.internal or b.op.internal
    return SAME_FAMILY if a.op.family is b.op.family and not merges else 0.0


def name(member: Member) -> str:
    """The last segment of the path, where it is no number and not only its op's name."""
    last = segment(member)
    if isinstance(member, Node) and (member.numbered or member.op.internal):
        return ""
    return "" if last.isdigit() else last


def segment(member: Member) -> str:
    return member.path.rpartition(".")[2]


def outline(member: Member) -> str:
    """All that the member holds, without its own name."""
    if isinstance(member, Node):
        return repr(member.op)
    inner = ", ".join(f"{segment(m)}: {outline(m)}" for m in member.members)
    return f"{member.block}{{{inner}}}"
