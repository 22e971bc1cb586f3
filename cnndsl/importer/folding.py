"""Nodes that repeat → loops."""

from __future__ import annotations

from dataclasses import replace

from cnndsl.importer.merging import LONGEST, eager, loop, rounds_from, writable
from cnndsl.importer.terms import Body, Column, Rows, Term
from cnndsl.importer.variables import uniform

FEW = 3
"""Fewer rounds than these are a loop only if nothing but names differs between them."""
WORTH = 0.7
"""A loop is written where it takes at most this share of the lines of its rounds."""


def folded(body: Body) -> Body:
    """The body with loops in the place of nodes that repeat, inner bodies first."""
    inner = tuple(replace(term, bodies=tuple(map(folded, term.bodies))) for term in body)
    candidates = [inner, _loops(inner), _loops(eager(inner))]
    return min(candidates, key=lines)


def _loops(body: Body) -> Body:
    """The body with the loops that save most lines, one after the other."""
    while True:
        best: tuple[float, Body] = (0.0, body)
        for start in range(len(body)):
            for period in range(1, min(LONGEST, (len(body) - start) // 2) + 1):
                rounds = rounds_from(body, start, period)
                if len(rounds) < 2:
                    continue
                end = start + period * len(rounds)
                made = loop(rounds)
                if not writable(made):
                    continue
                before, after = lines(body[start:end]), _lines(made)
                if len(rounds) < FEW and _varying(made):
                    continue
                if after <= WORTH * before and before - after > best[0]:
                    best = (before - after, (*body[:start], made, *body[end:]))
        if not best[0]:
            return body
        body = best[1]


def lines(body: Body) -> float:
    """About how many lines a body takes."""
    return sum(_lines(term) for term in body)


def _lines(term: Term) -> float:
    if term.kind in ("op", "call", "take"):
        return 1
    inner = sum(lines(body) for body in term.bodies)
    if term.kind != "loop":
        return 1 + inner
    return 2 + inner - (1 if inner == 1 else 0) + _varying(term) / 2


def _varying(term: Term) -> int:
    """How many columns a loop needs, about."""
    columns = [column for t in term.walk() for column in t.args.values() if _varies(column)]
    return len({repr(column) for column in columns})


def _varies(column: Column) -> bool:
    return any(isinstance(item, Rows) for item in column) and not uniform(column)
