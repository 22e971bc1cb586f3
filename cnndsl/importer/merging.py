"""Two terms of one form → one term with the instances of both: anti-unification.

Strict merging asks for the same nodes; loose merging also takes bodies that hold more nodes than
the other, and a residual where the other has its body alone: what `when:` and `skip:` can say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

from cnndsl.importer.terms import (
    ABSENT,
    Body,
    Column,
    Rows,
    Term,
    absent,
    mapped,
    over_columns,
    values,
)
from cnndsl.importer.variables import uniform
from cnndsl.ops import registry
from cnndsl.ops.base import Family

LONGEST = 8
"""The most nodes of a body that is repeated."""
ALIKE = 0.6
"""The least share of the nodes that two bodies must have in common to be merged loosely."""


@dataclass(frozen=True)
class Merger:
    """How much two terms may differ."""

    loose: bool = False
    renames: bool = False
    """Whether names may differ, as between the rounds of a loop."""

    # --- terms ---

    def terms(self, one: Term, other: Term) -> Term | None:
        """Both terms as one, with the instances of the second after those of the first."""
        if one.kind != other.kind and "loop" in (one.kind, other.kind):
            one, other = _looped(one), _looped(other)
        if one.kind != other.kind or len(one.bodies) != len(other.bodies):
            return None
        if not self.names_agree(one, other) or not _heads_agree(one, other):
            return None
        widths = (one.width, other.width)
        pairs = list(zip(one.bodies, other.bodies, strict=True))
        bodies = [self.bodies(a, b, widths) for a, b in pairs]
        if one.kind == "residual" and self.loose and not all(pairs[1]):
            bodies[1] = self.spread(*pairs[1], widths, free=True)  # a shortcut is left out
        args = _joined_args(one, other)
        if args is None or any(body is None for body in bodies):
            return None
        return replace(
            one,
            head=one.head + other.head,
            x=one.x + other.x,
            out=one.out + other.out,
            name=one.name + other.name,
            args=args,
            bodies=tuple(body for body in bodies if body is not None),
            skip=one.skip + other.skip,
            count=one.count + other.count,
        )

    def names_agree(self, one: Term, other: Term) -> bool:
        ours, theirs = set(values(one.name)), set(values(other.name))
        if None in ours | theirs:
            return ours | theirs == {None}
        return self.renames or ours == theirs or not ours or not theirs

    # --- bodies ---

    def bodies(self, one: Body, other: Body, widths: tuple[int, int]) -> Body | None:
        """Two bodies as one; `widths` are their instances, which an empty body does not show."""
        merged = self.aligned(one, other)
        if merged is not None:
            return merged
        short, long = eager(one), eager(other)
        if self.renames and (len(short), len(long)) != (len(one), len(other)):
            merged = self.aligned(short, long)
            if merged is not None:
                return merged
        if not self.loose:
            return None
        wrapped = self.wrapped(one, other, widths)
        return wrapped if wrapped is not None else self.spread(one, other, widths)

    def aligned(self, one: Body, other: Body) -> Body | None:
        """Node by node."""
        if len(one) != len(other):
            return None
        merged = [self.terms(a, b) for a, b in zip(one, other, strict=True)]
        found = tuple(term for term in merged if term is not None)
        return found if len(found) == len(merged) else None

    def wrapped(self, one: Body, other: Body, widths: tuple[int, int]) -> Body | None:
        """A residual against its body alone: the other gets `skip: false`."""
        places = [[i for i, t in enumerate(body) if t.kind == "residual"] for body in (one, other)]
        if sorted(map(len, places)) != [0, 1]:
            return None
        whole, plain = (one, other) if places[0] else (other, one)
        at = (places[0] or places[1])[0]
        after = len(whole) - at - 1
        if len(plain) <= at + after:
            return None
        enclosed = _enclosed(plain, at, after)
        return self.bodies(*((one, enclosed) if places[0] else (enclosed, other)), widths)

    def spread(
        self, one: Body, other: Body, widths: tuple[int, int], *, free: bool = False
    ) -> Body | None:
        """The longest common sequence, and between its nodes those that only one body has."""
        pairs, common = self.best(one, other)
        total = max(_weight(one), _weight(other))
        if not free and (not total or common / total < ALIKE):
            return None
        merged: list[Term] = []
        i = j = 0
        for a, b in [*pairs, (len(one), len(other))]:
            merged += [absent(term, widths[1], before=False) for term in one[i:a]]
            merged += [absent(term, widths[0], before=True) for term in other[j:b]]
            if a < len(one):
                both = self.terms(one[a], other[b])
                assert both is not None
                merged.append(both)
            i, j = a + 1, b + 1
        return tuple(merged)

    def best(self, one: Body, other: Body) -> tuple[list[tuple[int, int]], float]:
        """(pairs of nodes to merge, how many ops they hold), by the usual table of prefixes."""
        table: dict[tuple[int, int], tuple[float, float, list[tuple[int, int]]]] = {}
        for i in range(len(one) + 1):
            for j in range(len(other) + 1):
                options: list[tuple[float, float, list[tuple[int, int]]]] = [(0.0, 0.0, [])]
                if i:
                    options.append(table[i - 1, j])
                if j:
                    options.append(table[i, j - 1])
                if i and j:
                    likeness = self.likeness(one[i - 1], other[j - 1])
                    if likeness:
                        score, weight, pairs = table[i - 1, j - 1]
                        leaves = min(one[i - 1].leaves(), other[j - 1].leaves())
                        options.append(
                            (score + likeness, weight + leaves, [*pairs, (i - 1, j - 1)])
                        )
                table[i, j] = max(options, key=lambda option: option[0])
        _, weight, pairs = table[len(one), len(other)]
        return pairs, weight

    def likeness(self, one: Term, other: Term) -> float:
        """How alike two nodes are, 0 where they cannot be merged."""
        if self.terms(one, other) is None:
            return 0.0
        equal = sum(
            bool(
                set(map(_shown, values(one.args[arg]))) & set(map(_shown, values(other.args[arg])))
            )
            for arg in one.args
            if arg in other.args
        )
        heads = 1.0 if set(values(one.head)) & set(values(other.head)) else 0.0
        weight = min(one.leaves(), other.leaves())
        return weight * (1 + heads + equal / (len(one.args) or 1))


def _shown(value: object) -> object:
    """A value as likeness compares it: a number that is that of the channels is its own kind."""
    return (type(value).__name__, "" if type(value).__name__ == "Channels" else repr(value))


def _weight(body: Body) -> int:
    return sum(term.leaves() for term in body)


def _enclosed(body: Body, at: int, after: int) -> Body:
    """The body with all but its ends within a residual that adds nothing."""
    end = len(body) - after
    inner = body[at:end]
    width = inner[0].width
    residual = Term(
        "residual",
        ("add",) * width,
        inner[0].x,
        inner[-1].out,
        name=(None,) * width,
        bodies=(inner, ()),
        skip=tuple(mapped(lambda _: False, inner[0].x)),
        count=(1,) * width,
    )
    return (*body[:at], residual, *body[end:])


# --- heads and arguments ---


def _heads_agree(one: Term, other: Term) -> bool:
    heads = set(values(one.head)) | set(values(other.head))
    if len(heads) <= 1 or one.kind == "loop":
        return True
    return one.kind == "op" and all(_plain_activation(head) for head in heads)


@cache
def _plain_activation(op: str) -> bool:
    """Whether one op may stand for another by `use`: activations without arguments."""
    cls = registry().get(op)
    return cls is not None and cls.family is Family.ACTIVATION and not cls.args


def _joined_args(one: Term, other: Term) -> dict[str, Column] | None:
    if set(one.args) != set(other.args):
        return None
    return {arg: one.args[arg] + other.args[arg] for arg in one.args}


# --- loops ---


def _looped(term: Term) -> Term:
    """A node as a loop of one round."""
    return term if term.kind == "loop" else loop([(term,)])


def loop(rounds: Sequence[Body]) -> Term:
    """Rounds of the same nodes as one node; the last may lack the last node."""
    merger = Merger(renames=True)
    merged: Body | None = rounds[0]
    for body in rounds[1:]:
        assert merged is not None
        merged = _with_round(merger, merged, body)
    assert merged is not None
    width = rounds[0][0].width
    count = len(rounds)
    body = tuple(over_columns(term, lambda c: _transposed(c, width)) for term in merged)
    return Term(
        "loop",
        ("",) * width,
        rounds[0][0].x,
        rounds[-1][-1].out,
        (None,) * width,
        bodies=(body,),
        skip=(True,) * width,
        count=(count,) * width,
    )


def _with_round(merger: Merger, merged: Body, body: Body) -> Body | None:
    """The rounds so far and one more, which may lack the last node if that is a module."""
    widths = (merged[0].width, body[0].width)
    if len(body) < len(merged):
        head = merger.bodies(merged[:-1], body, widths)
        return head and (*head, absent(merged[-1], widths[1], before=False))
    return merger.bodies(merged, body, widths)


def rounds_of(term: Term) -> list[Body]:
    """The rounds of a loop of one instance, one by one."""
    return [
        tuple(
            over_columns(inner, partial(_round, i))
            for inner in term.bodies[0]
            if inner.head[0][i] is not ABSENT
        )
        for i in range(term.count[0])
    ]


def _round(index: int, column: Column) -> Column:
    """One round of a column of one instance."""
    return (column[0][index] if isinstance(column[0], Rows) else column[0],)


def _transposed(column: Column, width: int) -> Column:
    """Columns of one round after the other, as the rounds of each instance."""
    return tuple(Rows(column[start::width]) for start in range(width))


def eager(body: Body) -> Body:
    """The body with every immediate repetition of equal forms as a loop, the shortest first."""
    done: list[Term] = []
    rest = list(body)
    while rest:
        for period in range(1, min(LONGEST, len(rest) // 2) + 1):
            rounds = rounds_from(tuple(rest), 0, period) if opens(rest[0]) else []
            if len(rounds) > 1 and writable(loop(rounds)):
                done.append(loop(rounds))
                del rest[: sum(map(len, rounds))]
                break
        else:
            done.append(rest.pop(0))
    return tuple(done)


def rounds_from(body: Body, start: int, period: int) -> Sequence[Body]:
    """The longest row of equal forms from a place on."""
    merger = Merger(renames=True)
    rounds = [body[start : start + period]]
    merged: Body | None = rounds[0]
    for at in range(start + period, len(body), period):
        following = body[at : at + period]
        assert merged is not None
        whole = _with_round(merger, merged, following) if len(following) == period else None
        if whole is None:
            part = following[: period - 1]
            module = (
                period > 1 and rounds[0][-1].kind in ("call", "seq") and len(part) == period - 1
            )
            if module and len(rounds) > 1 and _with_round(merger, merged, part) is not None:
                rounds.append(part)
            break
        merged = whole
        rounds.append(following)
    return rounds


def opens(term: Term) -> bool:
    """Whether a reader would begin a round with this node: it has weights, or holds others."""
    if term.kind != "op":
        return True
    return registry()[term.head_text].family in (Family.CONVOLUTION, Family.LINEAR)


def writable(term: Term) -> bool:
    """Whether the names that differ between the rounds are words with numbers behind them."""
    return all(
        uniform(inner.name) or _numbered(inner.name)
        for inner in term.walk()
        if list(values(inner.name))
    )


def _numbered(column: Column) -> bool:
    names = [str(value) for value in values(column)]
    prefix = names[0].rstrip("0123456789")
    if not all(name.startswith(prefix) and name[len(prefix) :].isdigit() for name in names):
        return False
    return all(str(int(name[len(prefix) :])) == name[len(prefix) :] for name in names)
