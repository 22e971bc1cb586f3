"""Nodes that repeat → loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cnndsl.importer.merging import Merger, loop
from cnndsl.importer.terms import Body, Column, Rows, Term, values
from cnndsl.importer.variables import uniform

LONGEST = 8
"""The most nodes of a body that is repeated."""
WORTH = 0.7
"""A loop is written where it takes at most this share of the lines of its rounds."""


def folded(body: Body) -> Body:
    """The body with loops in the place of nodes that repeat, inner bodies first."""
    inner = tuple(replace(term, bodies=tuple(map(folded, term.bodies))) for term in body)
    candidates = [inner, _loops(inner), _loops(_eager(inner))]
    return min(candidates, key=lines)


def _loops(body: Body) -> Body:
    """The body with the loops that save most lines, one after the other."""
    while True:
        best: tuple[float, Body] = (0.0, body)
        for start in range(len(body)):
            for period in range(1, min(LONGEST, (len(body) - start) // 2) + 1):
                rounds = _rounds(body, start, period)
                if len(rounds) < 2:
                    continue
                end = start + period * len(rounds)
                made = loop(rounds)
                if not writable(made):
                    continue
                before, after = lines(body[start:end]), _lines(made)
                if after <= WORTH * before and before - after > best[0]:
                    best = (before - after, (*body[:start], made, *body[end:]))
        if not best[0]:
            return body
        body = best[1]


def _eager(body: Body) -> Body:
    """The body with every immediate repetition of equal forms as a loop, the shortest first."""
    done: list[Term] = []
    rest = list(body)
    while rest:
        for period in range(1, min(LONGEST, len(rest) // 2) + 1):
            rounds = _rounds(tuple(rest), 0, period)
            if len(rounds) > 1 and writable(loop(rounds)):
                done.append(loop(rounds))
                del rest[: period * len(rounds)]
                break
        else:
            done.append(rest.pop(0))
    return tuple(done)


def _rounds(body: Body, start: int, period: int) -> Sequence[Body]:
    """The longest row of equal forms from a place on."""
    merger = Merger(renames=True)
    rounds = [body[start : start + period]]
    merged: Body | None = rounds[0]
    for at in range(start + period, len(body) - period + 1, period):
        assert merged is not None
        merged = merger.bodies(merged, body[at : at + period])
        if merged is None:
            break
        rounds.append(body[at : at + period])
    return rounds


def compact(body: Body) -> Body:
    """The body with every repetition as a loop: bodies that differ in a number of rounds alone agree."""
    return _eager(body)


# --- what a spec can say ---


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


def lines(body: Body) -> float:
    """About how many lines a body takes."""
    return sum(_lines(term) for term in body)


def _lines(term: Term) -> float:
    if term.kind in ("op", "call", "take"):
        return 1
    inner = sum(lines(body) for body in term.bodies)
    if term.kind != "loop":
        return 1 + inner
    varying = len({repr(column) for t in term.walk() for column in t.args.values() if _varies(column)})
    return 2 + inner - (1 if inner == 1 else 0) + (varying if varying > 3 else 0)


def _varies(column: Column) -> bool:
    return any(isinstance(item, Rows) for item in column) and not uniform(column)
