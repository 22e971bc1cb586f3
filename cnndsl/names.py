"""The static check of names: every block, parameter and value that a file mentions must exist.

It reads the whole file, also blocks that no variant calls and nodes that `when` leaves out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from cnndsl import syntax
from cnndsl.diagnostics import Report, Span, suggest
from cnndsl.expr import KEYWORDS, Expr, names
from cnndsl.hints import nearest_op
from cnndsl.ops import registry


def check_names(spec: syntax.Spec, report: Report) -> None:
    """Report unknown names in one file; imported files are checked when they are loaded."""
    _Checker(spec, report).file()


@dataclass(frozen=True)
class _Checker:
    spec: syntax.Spec
    report: Report

    def file(self) -> None:
        spec = self.spec
        known: set[str] = set()
        known = self.params(spec.params, known)
        for variant in spec.variants.values():
            self.given(variant, spec.params, known, "the file's parameters")
        self.given(spec.overrides, spec.params, known, "the file's parameters")
        known = self.let(spec.let, known)
        for arg in (*spec.inputs, *(a for args in spec.defaults.values() for a in args)):
            self.term(arg.value, known)
        self.recipe(known)
        for rule in spec.init:
            self.terms((arg.value for arg in rule.args), known)
        for block in spec.blocks.values():
            inner = self.let(block.let, self.params(block.params, known) | {"x"})
            self.body(block.body, inner)
        if spec.body:
            self.body(spec.body, known | {"x"})
        for head in spec.outputs:
            self.terms((head.when, head.train_only, head.loss_weight), known)
            if head.body:
                self.body(head.body, known | {"x"})
        for facts in spec.expect:
            self.facts(facts, known)

    def recipe(self, known: set[str]) -> None:
        """The values of `train:`, and the parameters and variants that it names."""
        params, variants = [param.name for param in self.spec.params], list(self.spec.variants)
        for setting in self.spec.train:
            self.term(setting.value, known)
            inner = setting.within(2) if setting.path[0] == "recipes" else setting
            if inner.path[:1] == ("variants",):
                self.second(inner, variants, "{owner} has no variant `{name}`")
                inner = inner.within(2)
            if inner.path[:1] == ("params",):
                self.second(inner, params, "`{name}` is not among the file's parameters")

    def second(self, setting: syntax.Setting, known: list[str], message: str) -> None:
        """Report the second key of a setting if it is not a known name."""
        for name, span in zip(setting.path[1:2], setting.keys[1:2], strict=True):
            if name not in known:
                told = message.format(owner=self.spec.name, name=name)
                self.error("name", told, span, name, known)

    def facts(self, facts: syntax.Facts, known: set[str]) -> None:
        self.terms((arg.value for arg in (*facts.entries, *facts.shapes)), known)

    def error(self, code: str, message: str, span: Span, word: str, known: Iterable[str]) -> None:
        """Report an unknown word, with the known one that it may stand for."""
        if not self.report.full:
            self.report.error(code, message, span, suggest(word, sorted(known)))

    def params(self, params: tuple[syntax.Param, ...], known: set[str]) -> set[str]:
        known = set(known)
        for param in params:
            self.reserved(param.name, param.span)
            if param.default is not None:
                self.term(param.default, known)
                self.block_default(param)
            known.add(param.name)
        return known

    def block_default(self, param: syntax.Param) -> None:
        if param.type == "block" and isinstance(param.default, syntax.Const):
            alias, _, name = str(param.default.value).rpartition(".")
            self.block(alias, name, param.default.span)

    def let(self, lets: tuple[syntax.Arg, ...], known: set[str]) -> set[str]:
        known = set(known)
        for item in lets:
            self.reserved(item.name, item.key)
            self.term(item.value, known)
            known.add(item.name)
        return known

    def reserved(self, name: str, span: Span) -> None:
        if name == "x":
            self.report.error("name", "`x` is the current value; choose another name", span)
        elif name in KEYWORDS:
            self.report.error(
                "name", f"`{name}` is a word of expressions; choose another name", span
            )

    def given(
        self,
        args: Iterable[syntax.Arg],
        params: tuple[syntax.Param, ...],
        known: set[str],
        what: str,
    ) -> None:
        declared = {param.name for param in params}
        for arg in args:
            if arg.name not in declared:
                message = f"`{arg.name}` is not among {what}" if arg.name else f"name {what}"
                self.error("name", message, arg.key, arg.name, [param.name for param in params])
            self.term(arg.value, known)

    # --- nodes ---

    def body(self, body: syntax.Body, known: set[str]) -> None:
        for node in body.nodes:
            self.node(node, known)

    def node(self, node: syntax.Node, known: set[str]) -> None:
        at = node.at
        inner = known
        match node:
            case syntax.OpCall(_, op, args):
                self.op(op, at.span)
                self.terms((arg.value for arg in args), known)
            case syntax.BlockCall(_, alias, name, args):
                block = self.block(alias, name, at.span)
                self.given(
                    args, block.params if block else _any(args), known, f"{name}'s parameters"
                )
            case syntax.Use(_, target, args):
                self.terms((target, *(arg.value for arg in args)), known)
            case syntax.Merge(_, _, branches):
                for branch in branches:
                    self.body(branch.body, known)
            case syntax.Residual(_, body, shortcut, skip):
                self.body(body, known)
                self.body(shortcut or syntax.Body((), at.span), known)
                self.terms((skip,), known)
            case syntax.For(_, columns, body):
                for column in columns:
                    self.reserved(column.name, column.key)
                    self.term(column.value, known)
                inner = known | {column.name for column in columns}
                self.body(body, inner)
            case syntax.Seq(_, body):
                self.body(body, known)
        self.terms((at.name,), inner)
        self.terms((at.when, at.source, at.shape), known)

    def op(self, name: str, span: Span) -> None:
        ops = [op for op, cls in registry().items() if not cls.internal]
        if name not in ops and not self.report.full:
            self.report.error("name", f"unknown op `{name}`", span, nearest_op(name, ops))

    def block(self, alias: str, name: str, span: Span) -> syntax.Block | None:
        if alias and alias not in self.spec.imports:
            message = f"`{alias}` is not imported"
            op = nearest_op(name, []) if alias == "nn" else ""
            if op:
                self.report.error("name", f"unknown block `{alias}.{name}`", span, op)
            else:
                self.error("name", message, span, alias, self.spec.imports)
            return None
        blocks = (self.spec.imports[alias] if alias else self.spec).blocks
        if name not in blocks:
            where = f" in `{alias}`" if alias else ""
            message = f"unknown block `{name}`{where}"
            if not self.report.full:
                self.report.error("name", message, span, nearest_op(name, list(blocks)))
        return blocks.get(name)

    # --- terms ---

    def terms(self, terms: Iterable[syntax.Term | None], known: set[str]) -> None:
        for term in terms:
            if term is not None:
                self.term(term, known)

    def term(self, term: syntax.Term, known: set[str]) -> None:
        match term:
            case syntax.Formula(expr):
                self.expression(expr, term, known)
            case syntax.Text(parts):
                for part in parts:
                    if isinstance(part, Expr):
                        self.expression(part, term, known)
            case syntax.Terms(items):
                self.terms(items, known)

    def expression(self, expr: Expr, term: syntax.Formula | syntax.Text, known: set[str]) -> None:
        for name in names(expr):
            if name.value not in known and name.value not in self.spec.blocks:
                span = term.span.inside(term.text, name.start, name.end)
                words = chain(known, self.spec.blocks)
                self.error("expression", f"unknown name `{name.value}`", span, name.value, words)


def _any(args: Iterable[syntax.Arg]) -> tuple[syntax.Param, ...]:
    """Parameters of a block that is not known: whatever is given."""
    return tuple(syntax.Param(arg.name, arg.key, "any", None) for arg in args)
