"""Nodes that repeat → loops."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from cnndsl.importer.merging import LONGEST, eager, loop, opens, rounds_from, rounds_of, writable
from cnndsl.importer.terms import ABSENT, Body, Rows, Term
from cnndsl.importer.variables import even_growth, everything

FEW = 3
"""Fewer rounds than these are a loop only if nothing but names differs between them."""
MANY = 3
"""More columns than these take a line each, and so do the arguments that read them."""
WORTH = 0.7
"""A loop is written where it takes at most this share of the lines of its rounds."""


def folded(body: Body) -> Body:
    """The body with loops in the place of nodes that repeat, inner bodies first."""
    inner = tuple(replace(term, bodies=tuple(map(folded, term.bodies))) for term in body)
    candidates = [inner, _loops(inner), _unrolled(_loops(eager(inner)))]
    return min(candidates, key=lines)


def _unrolled(body: Body) -> Body:
    """Without the loops that are not worth it."""
    terms: list[Term] = []
    for term in body:
        rounds = rounds_of(term) if term.kind == "loop" and term.width == 1 else []
        plain = tuple(inner for one in rounds for inner in one)
        worth = _lines(term) <= WORTH * lines(plain) and not (len(rounds) < FEW and _varying(term))
        terms += plain if rounds and not worth else [term]
    return tuple(terms)


def _loops(body: Body) -> Body:
    """The body with the loops that save most lines, one after the other."""
    while True:
        best: tuple[float, Body] = (0.0, body)
        for start in range(len(body)):
            for period in range(1, min(LONGEST, (len(body) - start) // 2) + 1):
                rounds = rounds_from(body, start, period)
                if len(rounds) < 2:
                    continue
                end = start + sum(map(len, rounds))
                made = loop(rounds)
                if not writable(made):
                    continue
                before, after = lines(body[start:end]), _lines(made)
                if len(rounds) < FEW and _varying(made):
                    continue
                saved = before - after + (0.1 if opens(body[start]) else 0)
                if after <= WORTH * before and saved > best[0]:
                    best = (saved, (*body[:start], made, *body[end:]))
        if not best[0]:
            return body
        body = best[1]


def lines(body: Body, depth: int = 0) -> float:
    """About how many lines a body takes, within so many loops."""
    return sum(_lines(term, depth) for term in body)


def _lines(term: Term, depth: int = 0) -> float:
    if term.kind in ("op", "call", "take"):
        return 1
    if term.kind != "loop":
        return 1 + sum(lines(body, depth) for body in term.bodies)
    inner = lines(term.bodies[0], depth + 1)
    varying = _varying(term, depth)
    columns = varying / 2 if varying <= MANY else 2 * varying
    return 2 + inner - (1 if inner == 1 else 0) + columns


def _varying(term: Term, depth: int = 0) -> int:
    """How many values differ between the rounds of a loop that lies in so many others."""
    columns = [c for t in term.walk() for c in (*t.args.values(), t.count) if _varies(c, depth)]
    return len({repr(c) for c in columns if even_growth(list(everything(c))) is None})


def _varies(column: Iterable[Any], depth: int) -> bool:
    rows = [item for item in column if isinstance(item, Rows)]
    if depth:
        return any(_varies(row, depth - 1) for row in rows)
    return any(len({_told(item) for item in row if item is not ABSENT}) > 1 for row in rows)


def _told(item: Any) -> str:
    """A value to compare; the rounds of a loop by what differs between them, not by number."""
    if not isinstance(item, Rows):
        return repr(item)
    told = [_told(inner) for inner in item if inner is not ABSENT]
    return told[0] if len(set(told)) == 1 else repr(told)
