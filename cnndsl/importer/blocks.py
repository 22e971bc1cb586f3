"""Modules of one class → blocks, and the whole network as a spec."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from cnndsl.importer.definitions import Block, Defaults
from cnndsl.importer.folding import folded
from cnndsl.importer.merging import Merger
from cnndsl.importer.rendering import Renderer
from cnndsl.importer.terms import Body, Column, Outline, Term, channels
from cnndsl.importer.variables import Code, Mix, Names, Variable
from cnndsl.ops import registry
from cnndsl.ops.base import Arg, Family


@dataclass
class Spec:
    """The parts of a spec, as they stand in YAML."""

    defaults: dict[str, dict[str, Any]]
    blocks: list[Block]
    body: list[Any]
    heads: dict[str, Any]


def assemble(outline: Outline, fold: bool = True) -> Spec:
    """The spec of an outline: blocks, loops, and what is left."""
    maker = _Maker(_defaults(outline))
    if fold:
        maker.find_blocks(outline)
    return maker.spec(outline, fold)


def _terms(outline: Outline) -> Iterator[Term]:
    bodies = [outline.body, *(head.body for head in outline.heads)]
    for body in bodies:
        for term in body:
            yield from term.walk()


def _defaults(outline: Outline) -> dict[str, dict[str, Any]]:
    """Arguments that most nodes of an op have otherwise than PyTorch."""
    found: dict[tuple[str, str], Counter[Any]] = {}
    for term in _terms(outline):
        if term.kind == "op":
            for arg, column in term.args.items():
                found.setdefault((term.head_text, arg), Counter())[column[0]] += 1
    defaults: dict[str, dict[str, Any]] = {}
    for (op, arg), counts in found.items():
        declared = registry()[op].args[arg]
        value, count = counts.most_common(1)[0]
        most = count > 1 and 2 * count > sum(counts.values())
        styled = registry()[op].family in STYLED and not _sizes(declared)
        if most and styled and value != declared.default:
            defaults.setdefault(op, {})[arg] = value
    return defaults


STYLED = (Family.CONVOLUTION, Family.LINEAR, Family.NORMALIZATION)
"""Families of ops whose nodes share a style, as a bias or an epsilon."""


def _sizes(declared: Arg) -> bool:
    """Whether an argument is a size or a place, which says what a node does, not how."""
    words = declared.kind.words()
    return declared.required or declared.primary or "integer" in words


@dataclass
class _Maker:
    defaults: Defaults
    blocks: dict[str, Block] = field(default_factory=dict)
    calls: dict[str, Term] = field(default_factory=dict)
    """By path of the module: the call that stands for it."""

    # --- blocks ---

    def find_blocks(self, outline: Outline) -> None:
        open_ = _open_paths(outline)
        groups: dict[str, list[Term]] = {}
        inner: dict[str, set[str]] = {}
        for term in _terms(outline):
            if term.kind == "seq" and term.cls and term.path not in open_:
                groups.setdefault(term.cls, []).append(term)
                held = {t.cls for b in term.bodies for x in b for t in x.walk() if t.cls}
                inner.setdefault(term.cls, set()).update(held)
        for cls in _inner_first(inner):
            if len(groups[cls]) > 1 and cls not in inner[cls]:
                self.blocks_of(cls, groups[cls])

    def blocks_of(self, cls: str, instances: list[Term]) -> None:
        """One block for all instances of a class, or several where their forms differ too much."""
        clusters: list[tuple[Term, list[Term]]] = []
        for term in instances:
            plain = replace(term, bodies=(folded(self.lowered(term.bodies[0])),), name=(None,))
            for index, (merged, members) in enumerate(clusters):
                both = Merger(loose=True).terms(merged, plain)
                if both is not None:
                    clusters[index] = (both, [*members, term])
                    break
            else:
                clusters.append((plain, [term]))
        first = clusters[0][0]
        for merged, members in clusters:
            if len(members) > 1 and merged.leaves() > 1:
                self.block(self.block_name(cls, first, merged), merged, members)

    def block(self, name: str, merged: Term, members: list[Term]) -> None:
        entry: Column = tuple(channels(shape) for shape in merged.x)
        result: Column = tuple(channels(shape) for shape in merged.out)
        renderer = Renderer(self.blocks, self.defaults, entry)
        body = renderer.body(merged.bodies[0])
        parameters = renderer.frames[0].variables
        block = Block(name, parameters, body)
        names = Names()
        names.give(parameters, result)
        for variable in renderer.every:
            if not variable.name:
                names.give([variable], ())
        if _reads(body, renderer.entered):
            renderer.entered.name = names.free(["channels", "entering"])
            block.lets[renderer.entered.name] = "$x.channels"
        self.blocks[name] = block
        for index, term in enumerate(members):
            args = block.args(index, term.x[0][0])
            self.calls[term.path] = replace(
                term, kind="call", head=(name,), args=args, bodies=(), cls=""
            )

    def block_name(self, cls: str, first: Term, merged: Term) -> str:
        """The class's name; another form of it is named by the first node that differs."""
        word = re.sub(r"\W", "", cls.rpartition(".")[2].lstrip("_"))
        word = word[:1].upper() + word[1:]
        if word not in self.blocks:
            return word
        ours, theirs = merged.bodies[0], first.bodies[0]
        differing = [a for a, b in zip(ours, theirs, strict=False) if a.kind != b.kind]
        told = f"{word}{differing[0].kind.capitalize()}" if differing else word
        names = [told, *(f"{word}{n}" for n in range(2, 1000))]
        return next(name for name in names if name not in self.blocks)

    def lowered(self, body: Body) -> Body:
        """The body with calls in place of the modules that are blocks by now."""
        return tuple(self.lower(term) for term in body)

    def lower(self, term: Term) -> Term:
        if term.kind == "seq" and term.path in self.calls:
            return replace(self.calls[term.path], name=(None,) if term.auto else term.name)
        return replace(term, bodies=tuple(self.lowered(body) for body in term.bodies))

    # --- the whole ---

    def spec(self, outline: Outline, fold: bool) -> Spec:
        renderer = Renderer(self.blocks, self.defaults, ())
        lowered = self.lowered(outline.body)
        body = renderer.body(folded(lowered) if fold else lowered)
        heads: dict[str, Any] = {}
        for index, head in enumerate(outline.heads):
            heads |= {outline.main: {}} if index == outline.place else {}
            told: dict[str, Any] = {"from": head.path}
            if head.body:
                (node,) = renderer.body(self.lowered(head.body))
                told["body"] = node["seq"] if isinstance(node, dict) and "seq" in node else node
            heads[head.name] = told | ({"train_only": True} if head.train_only else {})
        heads |= {outline.main: {}} if outline.main else {}
        names = Names()
        for variable in renderer.every:
            names.give([variable], ())
        defaults = {op: dict(args) for op, args in self.defaults.items()}
        return Spec(defaults, self.used(body, heads), body, heads)

    def used(self, *parts: Any) -> list[Block]:
        """The blocks that are called, directly or not, those that call before those they call."""
        found: list[str] = []

        def visit(part: Any) -> None:
            if isinstance(part, dict):
                for key, value in part.items():
                    if isinstance(key, str) and key in self.blocks and key not in found:
                        visit(self.blocks[key].body)
                        if key not in found:
                            found.append(key)
                    visit(value)
            elif isinstance(part, list):
                for item in part:
                    visit(item)

        for part in parts:
            visit(part)
        return [self.blocks[name] for name in found]


def _inner_first(inner: dict[str, set[str]]) -> list[str]:
    """The classes, those that others hold before these."""
    ordered: list[str] = []

    def visit(cls: str, above: tuple[str, ...]) -> None:
        if cls in ordered or cls in above:
            return
        for held in sorted(inner.get(cls, ())):
            visit(held, (*above, cls))
        ordered.append(cls)

    for cls in inner:
        visit(cls, ())
    return [cls for cls in ordered if cls in inner]


def _open_paths(outline: Outline) -> set[str]:
    """Modules in which a value from outside is taken up again: these cannot be blocks."""
    found: set[str] = set()

    def visit(term: Term, above: tuple[Term, ...]) -> None:
        if term.kind == "take":
            inside = {t.source for t in (above[-1].walk() if above else ()) if t.kind != "take"}
            for scope in reversed(above):
                inside = {t.source for t in scope.walk() if t.kind != "take"}
                if term.source in inside:
                    break
                found.add(scope.path)
        for body in term.bodies:
            for inner in body:
                visit(inner, (*above, term) if term.kind == "seq" else above)

    for term in [*outline.body, *(t for head in outline.heads for t in head.body)]:
        visit(term, ())
    return found


def _reads(part: Any, variable: Variable) -> bool:
    if isinstance(part, dict):
        return any(_reads(value, variable) for value in part.values())
    if isinstance(part, list):
        return any(_reads(value, variable) for value in part)
    if isinstance(part, Mix):
        return any(_reads(piece, variable) for piece in part.parts)
    return isinstance(part, Code) and variable in part.parts
