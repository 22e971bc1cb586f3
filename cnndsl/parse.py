"""Located values → the syntax tree of a spec.

The schema has reported what has the wrong form; here such parts become Broken, and the rest goes
on, so that one run tells all independent mistakes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnndsl import syntax
from cnndsl.declared import TYPES
from cnndsl.diagnostics import Related, Report, Span, suggest
from cnndsl.expr import FUNCTIONS, KEYWORDS, Expr, ExprError, UnknownFunction, template
from cnndsl.packages import required
from cnndsl.source import Entry, Located, Mapping, Scalar, Sequence, plain
from cnndsl.words import BLOCK, normal, qualified

ATTRIBUTES = ("name", "when", "from", "shape", "note")
COMPANIONS = {"for": ("do",), "repeat": ("do",), "use": ("with",)}
MERGES = ("concat", "add", "mul", "split")


def parse(root: Mapping, path: Path | None, bad: frozenset[Span], report: Report) -> syntax.Spec:
    """The syntax tree of a file; `bad` are the spans that the schema has found wrong."""
    return _Parser(bad, report).spec(root, path)


def parse_term(value: Located, report: Report, what: str) -> syntax.Term:
    """A single value that may hold expressions; `what` names it in messages."""
    return _Parser(frozenset(), report).term(value, what)


@dataclass
class _Parser:
    bad: frozenset[Span]
    report: Report
    structures: dict[str, Callable[[syntax.Attributes, Mapping, Located], syntax.Node]] = field(
        init=False
    )
    declared: frozenset[str] = frozenset()
    """The blocks of the file."""
    reserved: frozenset[str] = frozenset()
    """Words of expressions that the file declares as names."""

    def __post_init__(self) -> None:
        self.structures = {
            **dict.fromkeys(MERGES, self.merge),
            "dense": self.dense,
            "residual": self.residual,
            "for": self.loop,
            "repeat": self.loop,
            "seq": lambda at, node, value: syntax.Seq(at, self.body(value)),
            "use": self.use,
        }

    # --- files ---

    def spec(self, root: Mapping, path: Path | None) -> syntax.Spec:
        self.reserved = frozenset(_named(root) & KEYWORDS)
        self.declared = frozenset(entry.name for entry in _entries(root.get("blocks")))
        blocks = {
            entry.name: self.block(entry.key, entry.value)
            for entry in _entries(root.get("blocks"))
            if isinstance(entry.value, Mapping) and BLOCK.accepts(entry.name)
        }
        body = root.get("body")
        return syntax.Spec(
            name=self.text(root.get("name")) or (_stem(path) if path else "network"),
            about=self.text(root.get("about")),
            path=path,
            span=root.span,
            params=self.params(root.get("params")),
            variants={e.name: self.args(e.value) for e in _entries(root.get("variants"))},
            inputs=self.inputs(root),
            defaults={e.name: self.call_args(e.value) for e in _entries(root.get("defaults"))},
            let=self.args(root.get("let")),
            blocks=blocks,
            body=None if body is None else self.body(body),
            outputs=tuple(self.head(e.key, e.value) for e in _entries(root.get("outputs"))),
            expect=self.expect(root.get("expect")),
            published=self.published(
                root.get("published"), [e.name for e in _entries(root.get("variants"))]
            ),
            init=tuple(self.init(root.get("init"))),
            train=tuple(self.settings(root.get("train"))),
            open=self.is_open(root),
            unsure=len(blocks) < len(self.declared) or self.is_bad([root, root.get("blocks")]),
            requires=tuple(str(item.value) for item in required(root)),
        )

    def is_open(self, root: Mapping) -> bool:
        """Whether a key, or a section, of those that declare names was found wrong."""
        blocks = [entry.value for entry in _entries(root.get("blocks"))]
        holders: list[Located | None] = [root, root.get("blocks"), *blocks]
        for holder in (root, *blocks):
            found = holder if isinstance(holder, Mapping) else Mapping((), holder.span)
            holders += [found.get(name) for name in ("params", "let", "import", "variants")]
        return self.is_bad(holders)

    def is_bad(self, holders: Iterable[Located | None]) -> bool:
        """Whether one of these, or a key in one, was found wrong."""
        holders = [*holders]
        told = [holder.span for holder in holders if holder is not None]
        told += [entry.key.span for holder in holders for entry in _entries(holder)]
        return not self.bad.isdisjoint(told)

    def text(self, value: Located | None) -> str:
        return str(value.value) if isinstance(value, Scalar) and value.value is not None else ""

    def inputs(self, root: Mapping) -> tuple[syntax.Arg, ...]:
        single, several = root.index.get("input"), root.index.get("inputs")
        if single is None:
            return self.args(root.get("inputs"))
        if several is not None:
            message = "a file has `input` or `inputs`, not both"
            related = (Related("the other one stands", single.key.span),)
            help = "write each input with its name under `inputs`"
            self.report.error("structure", message, several.key.span, help, related=related)
        return (syntax.Arg("input", single.key.span, self.term(single.value)),)

    def block(self, key: Scalar, value: Mapping) -> syntax.Block:
        body = self.body(value.get("body") or Sequence((), key.span))
        if not body.nodes and any(entry.key.span in self.bad for entry in value.entries):
            body = syntax.Body((self.broken(value, key.span),), key.span)
        params, let = self.params(value.get("params")), self.args(value.get("let"))
        return syntax.Block(str(key.value), key.span, params, let, body)

    def params(self, value: Located | None) -> tuple[syntax.Param, ...]:
        return tuple(self.param(entry.key, entry.value) for entry in _entries(value))

    def param(self, key: Scalar, value: Located) -> syntax.Param:
        name = str(key.value)
        default = self.term(value, name)
        if isinstance(default, syntax.Const) and default.value in TYPES:
            return syntax.Param(name, key.span, str(default.value), None)
        return syntax.Param(name, key.span, self.type_of(default), default)

    def type_of(self, default: syntax.Term) -> str:
        """The type that a literal default gives a parameter; "any" for null and expressions."""
        if isinstance(default, syntax.Terms):
            return "list"
        if not isinstance(default, syntax.Const) or default.value is None:
            return "any"
        if not isinstance(default.value, str):
            return type(default.value).__name__
        _, name = qualified(default.value)
        # A script without capital letters tells the name of a block from a text by no sign.
        named = BLOCK.accepts(name) and (name[0].isupper() or name in self.declared)
        return "block" if named else "str"

    def settings(
        self, value: Located | None, keys: tuple[Scalar, ...] = ()
    ) -> Iterator[syntax.Setting]:
        """Each value in nested mappings, with the keys that lead to it; {} where there is none."""
        for entry in _entries(value):
            inner = (*keys, entry.key)
            bad = entry.key.span in self.bad or entry.value.span in self.bad
            if isinstance(entry.value, Mapping) and entry.value.entries and not bad:
                yield from self.settings(entry.value, inner)
                continue
            empty = isinstance(entry.value, Mapping) and not bad
            term = syntax.Const({}, entry.value.span) if empty else None
            yield syntax.Setting(
                tuple(str(key.value) for key in inner),
                tuple(key.span for key in inner),
                term or self.broken_or_term(entry.key, entry.value),
            )

    def init(self, value: Located | None) -> Iterator[syntax.Init]:
        for rule in _entries(value):
            for tensor in _entries(rule.value):
                made = self.scheme(tensor.value)
                if made and tensor.key.span not in self.bad:
                    yield syntax.Init(rule.name, rule.key.span, tensor.name, tensor.key.span, *made)

    def scheme(self, value: Located) -> tuple[str, tuple[syntax.Arg, ...]] | None:
        """(scheme, arguments) of one weight's initial values."""
        if value.span in self.bad:
            return None
        if isinstance(value, Mapping):
            args = self.args(value.entries[0].value)
            broken = any(isinstance(arg.value, syntax.Broken) for arg in args)
            return None if broken else (value.entries[0].name, args)
        if isinstance(value, Scalar) and isinstance(value.value, str) and "$" not in value.value:
            return value.value, ()
        return "constant", (syntax.Arg("val", value.span, self.term(value)),)

    def head(self, key: Scalar, value: Located) -> syntax.Head:
        body = value.get("body") if isinstance(value, Mapping) else None
        entries = [e for e in _entries(value) if e.name != "body"]
        terms = {e.name: self.broken_or_term(e.key, e.value) for e in entries}
        if any(entry.key.span in self.bad for entry in _entries(value)):
            terms["from"] = syntax.Broken(key.span)
        return syntax.Head(
            name=str(key.value),
            span=key.span,
            source=terms.get("from"),
            body=None if body is None else self.body(body),
            train_only=terms.get("train_only"),
            loss_weight=terms.get("loss_weight"),
            when=terms.get("when"),
        )

    def expect(self, value: Located | None) -> tuple[syntax.Facts, ...]:
        facts = ("params", "macs", "min_input", "output", "shapes")
        entries = _entries(value)
        own = Mapping(tuple(e for e in entries if e.name in facts), value.span) if value else None
        tables = [("", own), *((e.name, e.value) for e in entries if e.name not in facts)]
        return tuple(
            self.facts(name, table)
            for name, table in tables
            if isinstance(table, Mapping) and table.entries
        )

    def facts(self, variant: str, table: Mapping) -> syntax.Facts:
        own = Mapping(tuple(e for e in table.entries if e.name != "shapes"), table.span)
        return syntax.Facts(variant, self.args(own), self.args(table.get("shapes")))

    def published(self, value: Located | None, variants: list[str]) -> dict[str, dict[str, Any]]:
        figures = ("top1", "top5", "data", "source")
        entries = _entries(value)
        tables = {"": [entry for entry in entries if entry.name in figures]}
        tables |= {e.name: [*_entries(e.value)] for e in entries if e.name in variants}
        return {
            name: {e.name: plain(e.value) for e in table if e.value.span not in self.bad}
            for name, table in tables.items()
        }

    # --- nodes ---

    def body(self, value: Located) -> syntax.Body:
        if isinstance(value, Sequence):
            return syntax.Body(tuple(self.node(item) for item in value.items), value.span)
        return syntax.Body((self.node(value),), value.span, single=True)

    def node(self, value: Located) -> syntax.Node:
        if isinstance(value, Scalar):
            at = syntax.Attributes(value.span)
            if not isinstance(value.value, str) or value.span in self.bad:
                return syntax.BrokenNode(at, single=isinstance(value.value, str))
            return self.call(at, normal(value.value), None)
        if isinstance(value, Sequence):
            return syntax.BrokenNode(syntax.Attributes(value.span))
        keys = [e for e in value.entries if e.name not in ATTRIBUTES]
        companions = COMPANIONS.get(keys[0].name, ()) if keys else ()
        ops = [e for e in keys if e.name not in companions]
        if any(e.key.span in self.bad for e in value.entries):
            return self.broken(value, value.span)
        if len(ops) == 1 and ops[0].name in ("do", "with"):
            main = "`for` or `repeat`" if ops[0].name == "do" else "`use`"
            message = f"`{ops[0].name}` stands beside {main}"
            self.report.error("structure", message, ops[0].key.span)
            return self.broken(value, ops[0].key.span)
        if len(ops) == 1:
            at = self.attributes(value, ops[0].key.span)
            structure = self.structures.get(ops[0].name)
            if structure:
                return structure(at, value, ops[0].value)
            return self.call(at, ops[0].name, ops[0].value)
        return self.opless(value, [e.key for e in ops])

    def broken(self, node: Mapping, span: Span) -> syntax.Node:
        """A node that has the wrong form, of which its name is known if it is written plainly."""
        name = self.optional(node.get("name"))
        known = name if isinstance(name, syntax.Const) else None
        others = [e.value for e in node.entries if e.name not in ATTRIBUTES]
        single = all(map(_is_plain, others)) and (name is None or known is not None)
        single &= not any(" " in e.name for e in node.entries)  # it may be a name without its colon
        return syntax.BrokenNode(syntax.Attributes(span, known), single)

    def opless(self, value: Mapping, ops: list[Scalar]) -> syntax.Node:
        at = self.attributes(value, value.entries[0].key.span if value.entries else value.span)
        if not ops and value.get("from"):
            return syntax.Take(at)
        if ops:
            names = " and ".join(f"`{op.value}`" for op in ops[:3])
            help = "give each a node of its own: `- …` on a new line"
            self.report.error("structure", f"one node has {names}", ops[1].span, help)
        else:
            self.report.error("structure", "the node names no op", value.span, "as in `- conv: 64`")
        return self.broken(value, at.span)

    def attributes(self, node: Mapping, span: Span) -> syntax.Attributes:
        terms = {name: self.optional(node.get(name)) for name in ("name", "when", "from", "shape")}
        return syntax.Attributes(span, terms["name"], terms["when"], terms["from"], terms["shape"])

    def call(self, at: syntax.Attributes, name: str, value: Located | None) -> syntax.Node:
        args = self.call_args(value)
        alias, _, block = name.rpartition(".")
        if not alias and not BLOCK.accepts(block):
            return syntax.OpCall(at, name, args)
        if any(isinstance(arg.value, syntax.Broken) for arg in args):
            return syntax.BrokenNode(at, single=True)
        return syntax.BlockCall(at, alias, block, args)

    def call_args(self, value: Located | None) -> tuple[syntax.Arg, ...]:
        if value is None or (isinstance(value, Scalar) and value.value is None):
            return ()
        if isinstance(value, Mapping):
            return self.args(value)
        return (syntax.Arg("", value.span, self.term(value)),)

    def merge(self, at: syntax.Attributes, node: Mapping, value: Located) -> syntax.Node:
        op = next(e.name for e in node.entries if e.name in MERGES)
        if isinstance(value, Mapping):
            branches = [self.branch(e.name, e.key.span, e.value) for e in value.entries]
        else:
            items = value.items if isinstance(value, Sequence) else ()
            branches = [self.branch("", item.span, item) for item in items]
        if not branches:
            return syntax.BrokenNode(at)
        return syntax.Merge(at, op, tuple(branches))

    def branch(self, label: str, span: Span, value: Located) -> syntax.Branch:
        return syntax.Branch(label, span, self.body(value))

    def dense(self, at: syntax.Attributes, node: Mapping, value: Located) -> syntax.Node:
        identity = syntax.Branch("", at.span, syntax.Body((), at.span), implied=True)
        return syntax.Merge(at, "concat", (identity, self.branch("", value.span, value)))

    def residual(self, at: syntax.Attributes, node: Mapping, value: Located) -> syntax.Node:
        sides = ("body", "shortcut", "skip")
        if not isinstance(value, Mapping) or not any(map(value.get, sides)):  # it is its body
            return syntax.Residual(at, self.body(value), None, None)
        body, shortcut = value.get("body"), value.get("shortcut")
        if body is None:
            return syntax.BrokenNode(at)
        side = None if shortcut is None else self.body(shortcut)
        if any(entry.key.span in self.bad for entry in value.entries):  # it may be the shortcut
            side = syntax.Body((self.broken(value, at.span),), at.span)
        return syntax.Residual(at, self.body(body), side, self.optional(value.get("skip")))

    def loop(self, at: syntax.Attributes, node: Mapping, value: Located) -> syntax.Node:
        do = node.get("do")
        if do is None:
            help = "what is repeated stands below it, under `do:`"
            self.report.error("structure", "the loop has no `do`", at.span, help)
            return syntax.BrokenNode(at)
        if isinstance(value, Mapping):
            columns = self.args(value)
        else:
            columns = (syntax.Arg("", value.span, self.term(value)),)
        return syntax.For(at, columns, self.body(do))

    def use(self, at: syntax.Attributes, node: Mapping, value: Located) -> syntax.Node:
        return syntax.Use(at, self.term(value), self.call_args(node.get("with")))

    # --- terms ---

    def args(self, value: Located | None) -> tuple[syntax.Arg, ...]:
        return tuple(
            syntax.Arg(e.name, e.key.span, self.broken_or_term(e.key, e.value))
            for e in _entries(value)
        )

    def broken_or_term(self, key: Scalar, value: Located) -> syntax.Term:
        if key.span in self.bad:
            return syntax.Broken(key.span)
        return self.term(value, str(key.value))

    def optional(self, value: Located | None) -> syntax.Term | None:
        return None if value is None else self.term(value)

    def term(self, value: Located, what: str = "a value") -> syntax.Term:
        """A value, which is Broken only where an error was told of it, by the schema or here."""
        if value.span in self.bad:
            return syntax.Broken(value.span)
        if isinstance(value, Mapping):
            message = f"{what} takes {syntax.VALUE}, found a mapping"
            self.report.error("schema", message, value.span)
            return syntax.Broken(value.span)
        if isinstance(value, Sequence):
            items = tuple(self.term(item, f"{what}[{i}]") for i, item in enumerate(value.items))
            if any(isinstance(item, syntax.Broken) for item in items):
                return syntax.Broken(value.span)
            return syntax.Terms(items, value.span)
        if not isinstance(value.value, str) or "$" not in value.value:
            return syntax.Const(value.value, value.span)
        return self.formula(value, value.value)

    def formula(self, value: Scalar, text: str) -> syntax.Term:
        if self.reserved & {*re.findall(r"\w+", text)}:
            return syntax.Broken(value.span)  # the name is told where it is declared
        try:
            parts = template(text)
        except ExprError as e:
            span = value.span.inside(text, e.start, e.end)
            known = suggest(e.name, list(FUNCTIONS)) if isinstance(e, UnknownFunction) else ""
            self.report.error("expression", e.message, span, e.help or known)
            return syntax.Broken(value.span)
        if len(parts) == 1:
            only = parts[0]
            if isinstance(only, Expr):
                return syntax.Formula(only, text, value.span)
            return syntax.Const(only, value.span)
        return syntax.Text(parts, text, value.span)


def _stem(path: Path) -> str:
    """A file's name without its ending; bytes that are no text, which Linux allows, become `?`."""
    return path.stem.encode(errors="replace").decode()


def _named(value: Located) -> set[str]:
    """The names of parameters, `let` values and columns of loops, in all of a file."""
    found: set[str] = set()
    ahead = [value]
    while ahead:
        one = ahead.pop()
        for entry in _entries(one):
            ahead.append(entry.value)
            if entry.name in ("params", "let", "for"):
                found |= {inner.name for inner in _entries(entry.value)}
        ahead += one.items if isinstance(one, Sequence) else ()
    return found


def _is_plain(value: Located) -> bool:
    """Whether a value is that of an op: a scalar, or arguments, in which are no nodes."""
    values = [entry.value for entry in _entries(value)] or [value]
    items = [i for v in values for i in (v.items if isinstance(v, Sequence) else (v,))]
    return all(isinstance(i, Scalar) and not isinstance(i.value, str) for i in items)


def _entries(value: Located | None) -> tuple[Entry, ...]:
    return value.entries if isinstance(value, Mapping) else ()
