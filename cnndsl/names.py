"""The static check of names: every block, parameter and value that a file mentions must exist, and
what it declares must be read.

It reads the whole file, also blocks that no variant calls and nodes that `when` leaves out: what
is read in another variant alone is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain, pairwise
from types import MappingProxyType

from cnndsl import syntax
from cnndsl.declared import Unknown, Written, renamed, tell_unknown, type_meant
from cnndsl.diagnostics import MAX_ERRORS, Diagnostic, Related, Report, Span
from cnndsl.expr import KEYWORDS, Expr, attributes, items_read, names
from cnndsl.hints import nearest_op
from cnndsl.idle import idle_node, unread_inputs
from cnndsl.ops import registry
from cnndsl.parse import ATTRIBUTES
from cnndsl.values import OF_X
from cnndsl.words import IDENTIFIER, qualified, skeleton


def check_names(spec: syntax.Spec, report: Report) -> syntax.Spec:
    """Report unknown names in one file; imported files are checked when they are loaded.

    Returns the file with the names that were misspelt where they are declared as they are read.
    """
    checker = _Checker(spec, report)
    checker.file()
    uncalled = [
        Written(f"the block `{name}`", block.span, "")
        for name, block in spec.blocks.items()
        if name not in checker.used | checker.values
    ]
    misspelt = tell_unknown(checker.unknown, [*checker.written, *uncalled], report)
    return renamed(spec, misspelt) if misspelt else spec


def check_given(spec: syntax.Spec, args: Iterable[syntax.Arg], report: Report) -> None:
    """Report names that a value from outside, of a parameter, does not see: those before it."""
    params = [param.name for param in spec.params]
    for arg in args:
        checker = _Checker(spec, report)
        before = params[: params.index(arg.name)] if arg.name in params else params
        checker.term(arg.value, dict.fromkeys(before))
        later = [one for one in checker.unknown if one.word in params]
        for one in later:
            message = f"`{one.word}` is not known before `{arg.name}`"
            help = f"the value of `{arg.name}` may read the parameters that stand before it"
            report.error(one.code, message, one.span, help)
        tell_unknown([one for one in checker.unknown if one not in later], (), report)


def unread(spec: syntax.Spec, imports: Mapping[str, Span], main: bool) -> tuple[Diagnostic, ...]:
    """Warnings of what a file without unknown names declares and nothing in it reads.

    `imports` are the places of the aliases. A file that is not the `main` one, or that has no body,
    is there for its blocks: these may be used elsewhere.
    """
    checker = _Checker(spec, Report())
    checker.aliases = {
        alias: checker.declare(f"the import `{alias}`", span, "leave it away, or use its blocks")
        for alias, span in imports.items()
    }
    checker.file()
    if not checker.has_ops(rule.selector for rule in spec.init):
        for file in imported(spec):
            inner = _Checker(file, Report())
            inner.file()
            checker.ops = inner.ops | checker.ops
            checker.any_op |= inner.any_op
    warnings = Report()
    checker.tell(warnings, main and spec.body is not None)
    return tuple(warnings.diagnostics)


def imported(spec: syntax.Spec) -> list[syntax.Spec]:
    """The files that a file imports, and those that they import, each once."""
    found: dict[int, syntax.Spec] = {}
    ahead = [*spec.imports.values()]
    while ahead:
        file = ahead.pop()
        if id(file) not in found:
            found[id(file)] = file
            ahead += file.imports.values()
    return [*found.values()]


Known = Mapping[str, Written | None]
"""The names in scope, each with its declaration; None is for what need not be read, as `x`."""


@dataclass
class _Checker:
    spec: syntax.Spec
    report: Report
    written: list[Written] = field(default_factory=list)
    aliases: dict[str, Written] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    """Blocks that something calls, beside themselves."""
    values: set[str] = field(default_factory=set)
    """Blocks that are values somewhere: of these the caller may give more than one reads."""
    ops: dict[str, set[str]] = field(default_factory=dict)
    """The ops of the file, each with the arguments that all of its nodes give."""
    sources: list[syntax.Term] = field(default_factory=list)
    """What `from` says, outside of blocks, which see no inputs."""
    idle: list[tuple[str, Span, str]] = field(default_factory=list)
    """Nodes that do nothing as they are written: what is told, the place, and the help."""
    any_op: bool = False
    """Whether a value says which op is called."""
    shapes: dict[str, tuple[str, Span]] = field(default_factory=dict)
    """The names of values in the whole file, by what words that look alike share."""
    inside: str = ""
    """The block whose nodes are being read."""
    unknown: list[Unknown] = field(default_factory=list)

    def declare(
        self, what: str, span: Span, help: str, block: str = "", column: bool = False
    ) -> Written:
        self.written.append(Written(what, span, help, block, column))
        return self.written[-1]

    def tell(self, report: Report, all_blocks: bool) -> None:
        """Warn of what nothing reads."""
        for item in self.written:
            if not item.read and (not item.block or (all_blocks and item.block not in self.values)):
                report.warn("unused", f"nothing reads {item.what}", item.span, item.help)
            for span in item.left:
                report.warn("unused", f"nothing reads this item of {item.what}", span, item.help)
        for name, block in self.spec.blocks.items():
            if all_blocks and name not in self.used | self.values:
                help = f"call it, as in `- {name}: {{}}`, or leave it away"
                report.warn("unused", f"nothing calls the block `{name}`", block.span, help)
        for op, args in self.spec.defaults.items():
            if args and not self.any_op:
                self.tell_defaults(op, args, report)
        for arg in unread_inputs(self.spec, self.sources) if all_blocks else ():
            help = f"start from it, as `from: {arg.name}`, or leave it away"
            report.warn("unused", f"nothing reads the input `{arg.name}`", arg.key, help)
        for message, span, help in self.idle:
            report.warn("unused", message, span, help)
        for rule in self.spec.init:
            if all_blocks and not self.has_ops([rule.selector]):
                message = f"no `{rule.selector}` is in this file, nor in one that it imports"
                report.warn("unused", message, rule.span, "leave the rule away")

    def tell_defaults(self, op: str, args: tuple[syntax.Arg, ...], report: Report) -> None:
        """Warn of defaults that no node of the file takes."""
        if op not in self.ops:
            message = f"no `{op}` is in this file, whose default this is"
            report.warn("unused", message, args[0].key, "defaults hold for their own file")
            return
        for arg in args:
            name = arg.name or _primary(op)
            if name in self.ops[op]:
                message = f"each `{op}` of this file gives `{name}` itself"
                report.warn("unused", message, arg.key, "leave the default away")

    def has_ops(self, selectors: Iterable[str]) -> bool:
        """Whether those of the selectors that are ops are somewhere in the file."""
        wanted = {name for name in selectors if name in registry()}
        return self.any_op or wanted <= self.ops.keys()

    def file(self) -> None:
        spec = self.spec
        known: Known = self.params(spec.params, {})
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
            self.inside = block.name
            inner = self.params(block.params, known, block.name)
            self.body(block.body, self.let(block.let, {**inner, "x": None}, block.name))
        self.inside = ""
        if spec.body:
            self.body(spec.body, {**known, "x": None})
        for head in spec.outputs:
            if head.source is not None:
                self.sources.append(head.source)
            self.terms((head.source, head.when, head.train_only, head.loss_weight), known)
            if head.body:
                self.labelled(head.body, f"the output `{head.name}`")
                self.body(head.body, {**known, "x": None})
        for facts in spec.expect:
            self.facts(facts, known)

    def recipe(self, known: Known) -> None:
        """The values of `train:`, and the parameters that it names."""
        params = [param.name for param in self.spec.params]
        for setting in self.spec.train:
            self.term(setting.value, known)
            inner = setting.within(2) if setting.path[0] == "recipes" else setting
            if inner.path[:1] == ("variants",):
                inner = inner.within(2)
            if inner.path[:1] == ("params",):
                for name, span in zip(inner.path[1:2], inner.keys[1:2], strict=True):
                    if name not in params:
                        message = f"`{name}` is not among the file's parameters"
                        self.error("name", message, span, name, params)

    def facts(self, facts: syntax.Facts, known: Known) -> None:
        self.terms((arg.value for arg in (*facts.entries, *facts.shapes)), known)

    def error(
        self,
        code: str,
        message: str,
        span: Span,
        word: str,
        known: Iterable[str],
        places: Mapping[str, Span] = MappingProxyType({}),
        unsure: bool | None = None,
    ) -> None:
        """Note an unknown word; `places` are those of the known ones that may be misspelt.

        It is left out where what is declared is `unsure`, by default where any name may be.
        """
        full = self.report.full or (self.spec.open if unsure is None else unsure)
        if not full and len(self.unknown) < MAX_ERRORS:
            self.unknown.append(Unknown(code, message, span, word, sorted(known), places))

    def params(self, params: tuple[syntax.Param, ...], known: Known, block: str = "") -> Known:
        known = dict(known)
        for param in params:
            self.reserved(param.name, param.span)
            if param.default is not None:
                self.term(param.default, known)
                if param.type == "block":
                    self.block_value(param.default)
            what = f"the parameter `{param.name}`" + (f" of {block}" if block else "")
            written = self.declare(what, param.span, _read(param.name), block)
            written.items = () if block else _items(param.default)
            known[param.name] = written
        return known

    def block_value(self, term: syntax.Term) -> None:
        """A block that a parameter is given, by its name."""
        if isinstance(term, syntax.Const) and isinstance(term.value, str):
            meant = "" if term.value in self.spec.blocks else type_meant(term.value)
            if meant and not self.report.full:
                message, help = f"unknown block `{term.value}`", f"did you mean `{meant}`?"
                self.report.error("name", message, term.span, help)
            else:
                self.block(*qualified(term.value), term.span)

    def let(self, lets: tuple[syntax.Arg, ...], known: Known, block: str = "") -> Known:
        known = dict(known)
        for item in lets:
            self.reserved(item.name, item.key)
            self.term(item.value, known)
            what = f"the value `{item.name}`" + (f" of {block}" if block else "")
            written = self.declare(what, item.key, _read(item.name))
            written.items = () if block else _items(item.value)
            known[item.name] = written
        return known

    def reserved(self, name: str, span: Span) -> None:
        if name == "x":
            self.report.error("name", "`x` is the current value; choose another name", span)
        elif name in KEYWORDS:
            self.report.error(
                "name", f"`{name}` is a word of expressions; choose another name", span
            )
        word, first = self.shapes.setdefault(skeleton(name), (name, span))
        if word != name:
            message = f"`{name}` looks like `{word}`, in other letters"
            help = "choose a name that can be told apart"
            self.report.error("name", message, span, help, related=(Related("first used", first),))

    def given(
        self,
        args: Iterable[syntax.Arg],
        params: tuple[syntax.Param, ...],
        known: Known,
        what: str,
        beside: str = "",
    ) -> None:
        declared = {param.name: param.span for param in params}
        blocks = {param.name for param in params if param.type == "block"}
        for arg in args:
            if arg.name in blocks:
                self.block_value(arg.value)
            if arg.name not in declared:
                message = f"`{arg.name}` is not among {what}" if arg.name else f"name {what}"
                if arg.name in ATTRIBUTES and beside and not self.spec.open:
                    help = f"it stands beside the block, as in `{{{beside}: {{}}, {arg.name}: …}}`"
                    self.report.error("name", message, arg.key, help)
                    continue
                self.error("name", message, arg.key, arg.name, declared, declared)
            self.term(arg.value, known)

    # --- nodes ---

    def body(self, body: syntax.Body, known: Known) -> None:
        for node in body.nodes:
            self.idle += idle_node(node)
            self.node(node, known)
        for node, following in pairwise(body.nodes):
            at = following.at
            unnamed = isinstance(node, syntax.Take) and node.at.name is None
            if unnamed and node.at.source and at.source and not at.when:
                help = "leave it away, or give it a `name` and read that"
                message = "nothing reads this value: the next node starts from another"
                self.idle.append((message, node.at.source.span, help))

    def node(self, node: syntax.Node, known: Known) -> None:
        at = node.at
        inner = known
        match node:
            case syntax.OpCall(_, op, args):
                self.op(op, at.span)
                self.called(op, args)
                self.terms((arg.value for arg in args), known)
            case syntax.BlockCall(_, alias, name, args):
                block = self.block(alias, name, at.span)
                self.given(
                    args,
                    block.params if block else _any(args),
                    known,
                    f"{name}'s parameters",
                    beside=name,
                )
            case syntax.Use(_, target, args):
                self.any_op |= not isinstance(target, syntax.Const)
                self.called(str(getattr(target, "value", "")), args)
                self.terms((target, *(arg.value for arg in args)), known)
            case syntax.Merge(_, _, branches):
                for branch in branches:
                    if branch.label:
                        self.labelled(branch.body, f"the label `{branch.label}`")
                    self.body(branch.body, known)
            case syntax.Residual(_, body, shortcut, skip):
                self.body(body, known)
                self.body(shortcut or syntax.Body((), at.span), known)
                self.terms((skip,), known)
            case syntax.For(_, columns, body):
                for column in columns:
                    self.reserved(column.name, column.key)
                    self.term(column.value, known)
                if any(_is_no_column(column) for column in columns):
                    return  # which names the body may read is not known
                inner = {**known, **self.columns(columns)}
                self.body(body, inner)
            case syntax.Seq(_, body):
                self.body(body, known)
        self.terms((at.name,), inner)
        if at.source is not None and not self.inside:
            self.sources.append(at.source)
        self.terms((at.when, at.source, at.shape), known)

    def called(self, op: str, args: tuple[syntax.Arg, ...]) -> None:
        """Note an op, with the arguments that the node gives."""
        given = {arg.name or _primary(op) for arg in args}
        self.ops[op] = given & self.ops.get(op, given)

    def columns(self, columns: tuple[syntax.Arg, ...]) -> Known:
        """The names of a loop; one that stands alone may be there for the count."""
        if len(columns) == 1:
            return {columns[0].name: None}
        return {
            name: self.declare(f"the column `{name}`", key, _read(name), column=True)
            for name, key in ((column.name, column.key) for column in columns)
        }

    def labelled(self, body: syntax.Body, what: str) -> None:
        """Report a name that a node has beside the one that its label or output gives it."""
        name = body.nodes[0].at.name if body.single else None
        if not isinstance(name, syntax.Broken | None):
            help = "leave `name` away, or write a list, in which each node has its own name"
            self.report.error("name", f"{what} names this node already", name.span, help)

    def op(self, name: str, span: Span) -> None:
        ops = [op for op, cls in registry().items() if not cls.internal]
        if name not in ops and not self.report.full:
            self.report.error("name", f"unknown op `{name}`", span, nearest_op(name, ops))

    def block(self, alias: str, name: str, span: Span) -> syntax.Block | None:
        if alias and alias not in self.spec.imports:
            message = f"`{alias}` is not imported"
            op = nearest_op(name, [])
            if op:
                self.report.error("name", f"unknown block `{alias}.{name}`", span, op)
            else:
                files = self.spec.imports.items()
                known = [f"{file}.{block}" for file, spec in files for block in spec.blocks]
                self.error("name", message, span, f"{alias}.{name}", known)
            return None
        blocks = (self.spec.imports[alias] if alias else self.spec).blocks
        if name not in blocks:
            where = f" in `{alias}`" if alias else ""
            message = f"unknown block `{name}`{where}"
            op = nearest_op(name, [])
            if not alias and not op:
                places = {block.name: block.span for block in blocks.values()}
                self.error("name", message, span, name, blocks, places, self.spec.unsure)
            elif not self.report.full and not self.spec.open:
                help = op or nearest_op(name, list(blocks))
                own = help.replace("did you mean `", f"did you mean `{alias}.") if alias else help
                network = self.spec.imports[alias].body is not None if alias else False
                if network and not own.startswith("did"):
                    own = f"{own}; a whole" if own else "a whole"
                    own += " network is taken with `extends`"
                self.report.error("name", message, span, own)
        self.calls(alias, name, self.used)
        return blocks.get(name)

    def calls(self, alias: str, name: str, uses: set[str]) -> None:
        """Note that a block is called, or is a value that may be."""
        if alias in self.aliases:
            self.aliases[alias].read = True
        elif name != self.inside:
            uses.add(name)

    # --- terms ---

    def terms(self, terms: Iterable[syntax.Term | None], known: Known) -> None:
        for term in terms:
            if term is not None:
                self.term(term, known)

    def term(self, term: syntax.Term, known: Known) -> None:
        match term:
            case syntax.Const(str(text)):
                alias, name = qualified(text)
                self.calls(alias, name, self.values)
            case syntax.Formula(expr):
                self.expression(expr, term, known)
            case syntax.Text(parts):
                for part in parts:
                    if isinstance(part, Expr):
                        self.expression(part, term, known)
            case syntax.Terms(items):
                self.terms(items, known)

    def expression(self, expr: Expr, term: syntax.Formula | syntax.Text, known: Known) -> None:
        for part, start in attributes(expr, "x"):
            if part not in OF_X:
                span = term.span.inside(term.text, start, start + len(part))
                self.error("expression", f"no `{part}` in it", span, part, OF_X)
        for word, item in items_read(expr):
            if declared := known.get(word):
                declared.taken.add(item)
        for name in names(expr):
            if declared := known.get(name.value):
                declared.read = True
            elif name.value not in known:
                self.values.add(name.value)
            if name.value not in known and name.value not in self.spec.blocks:
                span = term.span.inside(term.text, name.start, name.end)
                words = chain(known, self.spec.blocks)
                message = f"unknown name `{name.value}`"
                places = {word: item.span for word, item in known.items() if item}
                self.error("expression", message, span, name.value, words, places)


def _is_no_column(column: syntax.Arg) -> bool:
    """Whether the name of a loop's column is not known, since it is not written as one."""
    no_name = isinstance(column.value, syntax.Broken) if not column.name else False
    return no_name or bool(column.name and IDENTIFIER.fault(column.name))


def _primary(op: str) -> str:
    """The argument that an op's short form gives."""
    cls = registry().get(op)
    return next((arg.name for arg in cls.args.values() if arg.primary), "") if cls else ""


def _items(term: syntax.Term | None) -> tuple[Span, ...]:
    """Where the items of a literal list are written."""
    return tuple(item.span for item in term.items) if isinstance(term, syntax.Terms) else ()


def _read(name: str) -> str:
    return f"read it, as `${name}`, or leave it away"


def _any(args: Iterable[syntax.Arg]) -> tuple[syntax.Param, ...]:
    """Parameters of a block that is not known: whatever is given."""
    return tuple(syntax.Param(arg.name, arg.key, "any", None) for arg in args)
