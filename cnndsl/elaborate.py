"""Syntax tree → Graph: parameters bound, blocks expanded, loops unrolled, names given, shapes inferred.

One walk in the order of computation. A step that fails has no value; steps that read it stay silent,
all others go on, so that one run tells all independent mistakes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from cnndsl import syntax
from cnndsl.diagnostics import Diagnostic, Frame, Report, Span, suggest
from cnndsl.expr import show
from cnndsl.graph import Graph, Input, Node, Output
from cnndsl.init import initialize
from cnndsl.ops import registry
from cnndsl.ops.base import Op, Reject, Shape
from cnndsl.prune import prune
from cnndsl.recipe import Recipe
from cnndsl.scopes import RESERVED, OpenScope
from cnndsl.values import BlockRef, Env, Evaluator, Home, Poison, convert, public

MAX_STEPS = 20_000
MAX_DEPTH = 60
MAX_ROWS = 10_000
MAX_ELEMENTS = 2**40
MAX_SEGMENT = 100

SEGMENT = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")

Ref = int | None
"""A value: the id of a node, or None where it failed."""


class Stop(Exception):
    """The walk ends here: a bound is passed, and it was reported."""


@dataclass(frozen=True)
class Request:
    """What of a spec is wanted: a variant, and values in place of the written ones."""

    variant: str = ""
    params: tuple[syntax.Arg, ...] = ()
    input: syntax.Term | None = None


def elaborate(spec: syntax.Spec, request: Request, report: Report) -> Graph | None:
    """The network of a spec; None where a mistake was reported."""
    evaluator = Evaluator(report)
    home = _home(spec, request, evaluator, {})
    walk = _Walk(report, evaluator, home, contracts=request.input is None)
    try:
        graph = walk.network(request)
    except Stop:
        return None
    if graph is None or report.failed:
        return None
    graph = initialize(prune(graph, report), walk.home, report)
    return None if report.failed else graph


def _home(
    spec: syntax.Spec, request: Request, evaluator: Evaluator, known: dict[int, Home]
) -> Home:
    """The file's parameters: defaults, then an extending file's values, the variant's, the request's.

    `known` are the homes of imported files by the identity of their trees: a file has one.
    """
    if id(spec) in known:
        return known[id(spec)]
    imports = {
        alias: _home(file, Request(), evaluator, known) for alias, file in spec.imports.items()
    }
    values: dict[str, Any] = {}
    home = Home(spec, values, imports)  # filled below: a block that a parameter holds sees it too
    variant = spec.variants.get(request.variant, ())
    given = {arg.name: arg for arg in (*spec.overrides, *variant, *request.params)}
    values |= evaluator.bind(spec.params, given, None, Env(home), None, spec.name)
    values |= evaluator.let(spec.let, Env(home))
    known[id(spec)] = home
    return home


@dataclass(frozen=True)
class Place:
    """Where the walk is: what names mean there, and which scope takes the members."""

    env: Env
    scope: OpenScope
    depth: int = 0
    named: Span | None = None
    """Where the name of the current node is written, if it has one."""

    def deeper(self) -> Place:
        return replace(self, depth=self.depth + 1)


@dataclass
class _Walk:
    report: Report
    evaluator: Evaluator
    home: Home
    contracts: bool
    nodes: list[Node] = field(default_factory=list)
    values: dict[str, Ref] = field(default_factory=dict)
    pending: list[tuple[syntax.Head, str]] = field(default_factory=list)
    outputs: dict[str, Output | None] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    used: dict[tuple[str, str], int] = field(default_factory=dict)
    """How far the numbers behind a word went in a scope, by its path."""
    steps: int = 0
    confirmed: int = 0
    skipped_contracts: int = 0

    # --- the network ---

    def network(self, request: Request) -> Graph | None:
        spec = self.home.spec
        root = OpenScope("", "", {}, spec.span)
        place = Place(Env(self.home), root)
        refs = self.inputs(request.input, root)
        if spec.body is None:
            self.missing("body", "as in `body: [{conv: 64}, relu]`")
            return None
        if not refs:
            return None
        self.heads(place)
        last = self.body(spec.body, refs[0], place)
        self.finish_heads(last, place)
        train = self.recipe(spec.train)
        if self.report.failed or not self.check_outputs(spec):
            return None
        self.note_contracts(request)
        return Graph(
            name=spec.name,
            variant=request.variant,
            about=spec.about,
            params=public({p.name: self.home.values[p.name] for p in spec.params}),
            nodes=tuple(self.nodes),
            root=root.close(),
            outputs=tuple(output for output in self.outputs.values() if output),
            values={path: ref for path, ref in self.values.items() if ref is not None},
            dropped=tuple(self.dropped),
            train=train,
            contracts=self.confirmed,
        )

    def inputs(self, override: syntax.Term | None, root: OpenScope) -> list[Ref]:
        spec = self.home.spec
        declared = spec.inputs
        if not declared and override is None:
            self.missing("input", "as in `input: [3, 224, 224]`")
            return []
        if not declared:
            declared = (syntax.Arg("input", spec.span, syntax.Const(None, spec.span)),)
        if override is not None:
            declared = (replace(declared[0], value=override), *declared[1:])
        return [self.input(arg, root) for arg in declared]

    def missing(self, key: str, help: str) -> None:
        """Report that the file has no such key, unless it may have it under a wrong name."""
        spec = self.home.spec
        if not any(d.code == "schema" for d in self.report.diagnostics):
            self.report.error("structure", f"{spec.name} has no `{key}`", spec.span, help)

    def input(self, arg: syntax.Arg, root: OpenScope) -> Ref:
        ref: Ref = None
        try:
            shape = self.shape_of(arg.value, Env(self.home))
            ref = len(self.nodes)
            node = Node(ref, arg.name, Input(), (), (), shape, arg.key, arg.name, numbered=False)
            self.nodes.append(node)
            root.members.append(node)
        except Poison:
            pass
        root.taken[arg.name] = arg.key
        self.values[arg.name] = ref
        return ref

    def recipe(self, args: tuple[syntax.Arg, ...]) -> dict[str, Any]:
        """The values of `train:`."""
        recipe: dict[str, Any] = {}
        for arg in args:
            try:
                recipe[arg.name] = self.evaluator.value(arg.value, Env(self.home))
            except Poison:
                continue
        try:
            Recipe.create(recipe)
        except Reject as e:
            span = next((arg.value.span for arg in args if arg.name == e.arg), args[0].key)
            self.report.error("value", e.message, span, e.help)
        return public(recipe)

    def note_contracts(self, request: Request) -> None:
        if self.skipped_contracts and request.input:
            message = f"{self.skipped_contracts} `shape:` contracts hold for the spec's own input, not checked"
            self.report.add(Diagnostic("contract", message, request.input.span, severity="info"))

    # --- outputs ---

    def heads(self, place: Place) -> None:
        for head in self.home.spec.outputs:
            try:
                if head.when and not self.truth(head.when, place.env, "when"):
                    self.dropped.append(head.name)
                    continue
                source = self.text(head.source, place.env, "from") if head.source else ""
            except Poison:
                continue
            self.outputs[head.name] = None
            self.pending.append((head, source))

    def ready_heads(self, place: Place) -> None:
        """Compute the heads whose source exists by now, as a hand-written forward pass would."""
        for head, source in [item for item in self.pending if item[1]]:
            if source in self.values:
                self.pending.remove((head, source))
                self.head(head, self.values[source], place)

    def finish_heads(self, last: Ref, place: Place) -> None:
        for head, source in self.pending:
            if source and not self.failed_above(source):
                assert head.source is not None
                help = suggest(source, list(self.values))
                self.report.error("name", f"no value is named `{source}`", head.source.span, help)
            else:
                self.head(head, None if source else last, place)
        if not self.home.spec.outputs and last is not None:
            self.outputs["output"] = Output("output", last)

    def head(self, head: syntax.Head, x: Ref, place: Place) -> None:
        if head.body:
            x = self.labelled(head.name, head.span, head.body, x, place)
        env = place.env
        try:
            train_only = bool(head.train_only) and self.truth(head.train_only, env, "train_only")
            weight = 1.0
            if head.loss_weight:
                weight = self.evaluator.typed(head.loss_weight, env, "float", "`loss_weight`")
        except Poison:
            return
        if x is not None:
            self.outputs[head.name] = Output(head.name, x, train_only, weight)

    def check_outputs(self, spec: syntax.Spec) -> bool:
        if any(output and not output.train_only for output in self.outputs.values()):
            return True
        span = spec.outputs[0].span if spec.outputs else spec.span
        self.report.error("structure", "no output is left in inference", span)
        return False

    # --- bodies and nodes ---

    def body(self, body: syntax.Body, x: Ref, place: Place) -> Ref:
        for node in body.nodes:
            x = self.step(node, x, place, "")
        return x

    def labelled(self, label: str, span: Span, body: syntax.Body, x: Ref, place: Place) -> Ref:
        """A body under a label: it renames a single node, and opens a scope for a list."""
        if not label:
            return self.body(body, x, place)
        if label in RESERVED:
            message = f"`{label}` is an attribute of every nn.Module; choose another label"
            self.report.error("name", message, span, "", place.env.frames)
            return None
        if body.single:
            return self.step(body.nodes[0], x, place, label)
        if not body.nodes:
            return self.record(label, span, x, place)
        inner = self.open(label, span, place)
        return self.record_scope(inner, self.body(body, x, replace(place, scope=inner)))

    def step(self, node: syntax.Node, x: Ref, place: Place, label: str) -> Ref:
        """One node: its attributes, its op, its contract."""
        self.count(node, place)
        at = node.at
        env = place.env.at(self.shape(x))
        here = replace(place.deeper(), env=env, named=at.name.span if at.name else None)
        try:
            if at.when is not None and not self.truth(at.when, env, "when"):
                return x
            if at.source is not None:
                x = self.lookup(at.source, here)
                env = place.env.at(self.shape(x))
                here = replace(here, env=env)
            if isinstance(node, syntax.For):
                result = self.loop(node, x, here, label)
            else:
                name = label or (self.segment(at.name, env) if at.name else "")
                result = self.dispatch(node, x, here, name)
        except Poison:
            self.lost(node, place, label)
            return None
        if at.shape is not None:
            self.contract(at.shape, result, env)
        if not place.scope.path and self.pending:
            self.ready_heads(replace(place, env=Env(self.home)))
        return result

    def lost(self, node: syntax.Node, place: Place, label: str) -> None:
        """Keep the name of a node that failed before it took its name, so that `from` knows it."""
        name = node.at.name
        known = name.value if isinstance(name, syntax.Const) else ""
        if path := label or str(known or ""):
            self.values.setdefault(place.scope.join(path), None)

    def count(self, node: syntax.Node, place: Place) -> None:
        self.steps += 1
        if self.evaluator.exhausted or self.report.full:
            raise Stop
        if self.steps > MAX_STEPS:
            message, help = f"more than {MAX_STEPS} steps", "a loop or a block repeats too often"
        elif place.depth > MAX_DEPTH:
            message = f"blocks and structures nested more than {MAX_DEPTH} deep"
            help = "does a block call itself?"
        else:
            return
        self.report.error("bound", message, node.at.span, help, place.env.frames[-3:])
        raise Stop

    def dispatch(self, node: syntax.Node, x: Ref, place: Place, name: str) -> Ref:
        match node:
            case syntax.OpCall(at, op, args):
                return self.op(op, args, x, place, name, at.span)
            case syntax.BlockCall(at, alias, block, args):
                ref = place.env.home.block(alias, block)
                return self.call(ref, args, x, place, name, at.span)
            case syntax.Use(at, target, args):
                return self.use(target, args, x, place, name, at.span)
            case syntax.Take(at):
                return self.record(name, at.span, x, place) if name else x
            case syntax.BrokenNode(at):
                return self.record(name, at.span, None, place) if name else None
        if name:  # what groups nodes opens a scope for its name
            inner = self.open(name, node.at.span, place)
            within = replace(place, scope=inner, named=None)
            return self.record_scope(inner, self.group(node, x, within))
        return self.group(node, x, place)

    def group(self, node: syntax.Node, x: Ref, place: Place) -> Ref:
        match node:
            case syntax.Seq(_, body):
                return self.body(body, x, place)
            case syntax.Merge(at, "split", branches):
                return self.split(branches, x, place, at.span)
            case syntax.Merge(at, op, branches):
                refs = [self.labelled(b.label, b.span, b.body, x, place) for b in branches]
                return self.merge(op, refs, place, at.span)
            case syntax.Residual():
                return self.residual(node, x, place)
        raise AssertionError(node)

    def split(self, branches: tuple[syntax.Branch, ...], x: Ref, place: Place, span: Span) -> Ref:
        refs: list[Ref] = []
        for index, branch in enumerate(branches):
            share = registry()["share"].create({"index": index, "of": len(branches)})
            part = self.add_value(share, (x,), place, span)
            refs.append(self.labelled(branch.label, branch.span, branch.body, part, place))
        return self.merge("concat", refs, place, span)

    def merge(self, op: str, refs: list[Ref], place: Place, span: Span) -> Ref:
        return refs[0] if len(refs) == 1 else self.add_value(registry()[op](), tuple(refs), place, span)

    def residual(self, node: syntax.Residual, x: Ref, place: Place) -> Ref:
        result = self.body(node.body, x, place)
        if node.skip is not None and not self.truth(node.skip, place.env, "skip"):
            return result
        side = x if node.shortcut is None else self.body(node.shortcut, x, place)
        ours, theirs = self.shape(result), self.shape(side)
        if ours and theirs and ours != theirs:
            message = f"residual: the body gives {ours}, the shortcut {theirs}"
            self.report.error("shape", message, node.at.span, _project(ours, theirs), place.env.frames)
            return None
        return self.merge("add", [result, side], place, node.at.span)

    # --- loops ---

    def loop(self, node: syntax.For, x: Ref, place: Place, label: str) -> Ref:
        for row in self.rows(node, place.env):
            self.count(node, place)
            env = place.env.extended(row).at(self.shape(x))
            inner = replace(place, env=env, named=None)
            name = label or (self.segment(node.at.name, env) if node.at.name else "")
            if name:
                scope = self.open(name, node.at.name.span if node.at.name else node.at.span, place)
                x = self.record_scope(scope, self.body(node.body, x, replace(inner, scope=scope)))
            else:
                x = self.body(node.body, x, inner)
        return x

    def rows(self, node: syntax.For, env: Env) -> list[dict[str, Any]]:
        """The values of the loop's names, row by row."""
        columns = {column.name: self.column(column, env) for column in node.columns}
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"`{name}` has {length}" for name, length in lengths.items())
            message = f"the columns of `for` differ in length: {told}"
            self.report.error("value", message, node.at.span, "", env.frames)
            raise Poison
        rows = zip(*columns.values(), strict=True)
        return [{n: v for n, v in zip(columns, row, strict=True) if n} for row in rows]

    def column(self, column: syntax.Arg, env: Env) -> list[Any]:
        value = self.evaluator.value(column.value, env)
        if isinstance(value, list):
            return value
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
            message = f"a loop takes a list or a count, found {show(value)}"
        elif not 0 <= value <= MAX_ROWS:
            message = f"a count is from 0 to {MAX_ROWS}, found {show(value)}"
        else:
            return list(range(int(value)))
        self.report.error("value", message, column.value.span, "", env.frames)
        raise Poison

    # --- calls ---

    def use(
        self, target: syntax.Term, args: tuple[syntax.Arg, ...], x: Ref, place: Place, name: str, span: Span
    ) -> Ref:
        value = self.evaluator.value(target, place.env)
        if isinstance(value, str):
            ops = [op for op, cls in registry().items() if not cls.internal]
            if value in ops:
                return self.op(value, args, x, place, name, span)
            try:
                value = convert(value, "block", place.env.home)
            except TypeError:
                known = [*place.env.home.spec.blocks, *ops]
                self.fail("name", f"no block or op is named `{value}`", target.span, place, suggest(value, known))
        if not isinstance(value, BlockRef):
            self.fail("type", f"`use` takes a block or an op, found {show(value)}", target.span, place)
        return self.call(value, args, x, place, name, span)

    def call(
        self, ref: BlockRef | None, args: tuple[syntax.Arg, ...], x: Ref, place: Place, name: str, span: Span
    ) -> Ref:
        """Expand a block: bind its parameters, open its scope, walk its body."""
        scope = self.open(name or place.scope.number(), span, place)
        if ref is None:  # an unknown block, told by the check of names
            return self.record_scope(scope, None)
        block, given = ref.block, self.given(ref.block, args, place, span)
        own = Env(ref.home, {}, self.shape(x), place.env.frames)
        bound = self.evaluator.bind(block.params, given, place.env, own, span, block.name)
        told = ", ".join(f"{key}={show(value)}" for key, value in public(bound).items())
        frame = Frame(f"{scope.path}: {block.name}({told})", span)
        own = replace(own, locals=bound, frames=(frame, *place.env.frames))
        own = own.extended(self.evaluator.let(block.let, own))
        scope.block, scope.args = block.name, public(own.locals)
        scope.defaults = {
            p.name: p.default.value for p in block.params if isinstance(p.default, syntax.Const)
        }
        return self.record_scope(scope, self.body(block.body, x, Place(own, scope, place.depth)))

    def given(
        self, block: syntax.Block, args: tuple[syntax.Arg, ...], place: Place, span: Span
    ) -> dict[str, syntax.Arg]:
        """A call's arguments by name.

        Beside one of an unknown name those that are not given are Broken: it may stand for any.
        """
        given = {arg.name: arg for arg in args}
        known = [param.name for param in block.params]
        unknown = sorted(set(given) - set(known))
        for name in unknown:
            message, help = f"{block.name} has no parameter `{name}`", suggest(name, known)
            self.report.error("name", message, given[name].key, help, place.env.frames)
        absent = set(known) - set(given) if unknown else set()
        return given | {name: syntax.Arg(name, span, syntax.Broken(span)) for name in absent}

    def op(
        self, op: str, args: tuple[syntax.Arg, ...], x: Ref, place: Place, name: str, span: Span
    ) -> Ref:
        segment = name or place.scope.number()
        cls = registry().get(op)
        ref: Ref = None
        if cls is not None and not cls.internal:
            spans: dict[str, Span] = {}
            try:
                made = self.create(cls, args, place, span, spans)
                ref = self.infer(made, (x,), place, span, spans)
            except Poison:
                made = None
            path = self.take(segment, span, place)
            if made and ref is not None:
                self.add(made, (x,), path, place, span, name)
            else:
                ref = None
            self.values[path] = ref
        place.scope.count += 1
        return ref

    def create(
        self, cls: type[Op], args: tuple[syntax.Arg, ...], place: Place, span: Span, spans: dict[str, Span]
    ) -> Op:
        """The op with its arguments: the node's, and the file's defaults for those it does not give."""
        home = place.env.home
        given = self.arguments(cls, args, place)
        defaults = self.arguments(cls, home.spec.defaults.get(cls.name, ()), place)
        values: dict[str, Any] = {}
        for source, env in ((defaults, Env(home)), (given, place.env)):
            for arg, term in source.items():
                if source is defaults and arg in given:
                    continue
                values[arg] = self.evaluator.value(term, env)
                spans[arg] = term.span
        try:
            return cls.create(values)
        except Reject as e:
            self.fail("argument", e.message, spans.get(e.arg, span), place, e.help)

    def arguments(
        self, cls: type[Op], args: tuple[syntax.Arg, ...], place: Place
    ) -> dict[str, syntax.Term]:
        primary = next((arg.name for arg in cls.args.values() if arg.primary), "")
        terms: dict[str, syntax.Term] = {}
        for arg in args:
            name = arg.name or primary
            if name not in cls.args:
                told = f"{cls.name} has no argument `{name}`" if name else f"{cls.name} takes no short form"
                self.fail("name", told, arg.key, place, suggest(name, list(cls.args)))
            terms[name] = arg.value
        return terms

    # --- values ---

    def infer(
        self, op: Op, inputs: tuple[Ref, ...], place: Place, span: Span, spans: Mapping[str, Span]
    ) -> Ref:
        """The id that the op's value will have; its shape is checked here."""
        shapes = [self.shape(ref) for ref in inputs]
        if any(shape is None for shape in shapes):
            raise Poison
        try:
            known = tuple(shape for shape in shapes if shape is not None)
            shape = op.infer(known)
            weights = [Shape(weight) for weight in op.weights(known[0]).values()]
        except Reject as e:
            self.fail("shape", e.message, spans.get(e.arg, span), place, e.help)
        except OverflowError:
            self.fail("bound", f"{op.name}: the numbers are too large", span, place)
        if max(tensor.size for tensor in (shape, *weights)) > MAX_ELEMENTS:
            self.fail("bound", f"{op.name} needs a tensor of more than 2**40 elements", span, place)
        return len(self.nodes)

    def add(
        self, op: Op, inputs: tuple[Ref, ...], path: str, place: Place, span: Span, label: str
    ) -> None:
        refs = tuple(ref for ref in inputs if ref is not None)
        shapes = tuple(self.nodes[ref].shape for ref in refs)
        node = Node(
            len(self.nodes), path, op, refs, shapes, op.infer(shapes), span, label, numbered=not label
        )
        self.nodes.append(node)
        place.scope.members.append(node)

    def add_value(self, op: Op, inputs: tuple[Ref, ...], place: Place, span: Span) -> Ref:
        """A merge or share: a value with a name of its own, beside the numbered members."""
        try:
            ref = self.infer(op, inputs, place, span, {})
        except Poison:
            return None
        segment = self.free(place.scope, op.name)
        path = self.take(segment, span, place)
        self.add(op, inputs, path, place, span, segment)
        self.values[path] = ref
        return ref

    def shape(self, ref: Ref) -> Shape | None:
        return None if ref is None else self.nodes[ref].shape

    # --- names ---

    def take(self, segment: str, span: Span, place: Place) -> str:
        """The path of a new name in the scope; a second one is an error."""
        scope = place.scope
        span = place.named or span
        path = scope.join(segment)
        if segment in scope.taken:
            first = scope.taken[segment]
            help = "put the loop's variable in the name, as `name: stage$i`" if first == span else ""
            message = f"the name `{path}` is taken, first on line {first.line}"
            self.report.error("name", message, span, help, place.env.frames)
            return scope.join(self.free(scope, segment))
        scope.taken[segment] = span
        return path

    def free(self, scope: OpenScope, word: str) -> str:
        """`word`, or with a number behind it, whatever the scope has not used yet."""
        n = self.used.get((scope.path, word), 0)
        segment = word
        while n or segment in scope.taken:
            n += 1
            segment = word if n == 1 else f"{word}_{n}"
            if segment not in scope.taken:
                break
        self.used[scope.path, word] = n
        return segment

    def open(self, segment: str, span: Span, place: Place) -> OpenScope:
        path = self.take(segment, span, place)
        inner = OpenScope(path, "", {}, span, place.scope)
        place.scope.members.append(inner)
        place.scope.count += 1
        return inner

    def record_scope(self, scope: OpenScope, ref: Ref) -> Ref:
        self.values[scope.path] = ref
        return ref

    def record(self, label: str, span: Span, ref: Ref, place: Place) -> Ref:
        """Give an existing value another name."""
        self.values[self.take(label, span, place)] = ref
        return ref

    def segment(self, term: syntax.Term, env: Env) -> str:
        name = str(self.evaluator.value(term, env))
        if name in RESERVED or name.startswith("__"):
            message = f"`{name}` is an attribute of every nn.Module; choose another name"
            self.report.error("name", message, term.span, "", env.frames)
            raise Poison
        if len(name) > MAX_SEGMENT:
            message = f"a name of {len(name)} characters; at most {MAX_SEGMENT}"
            self.report.error("bound", message, term.span, "", env.frames)
            raise Poison
        if not name or not set(name) <= SEGMENT:
            message = f"a name has letters, digits, `_` and `-`, found {show(name)}"
            self.report.error("name", message, term.span, "", env.frames)
            raise Poison
        return name

    def lookup(self, term: syntax.Term, place: Place) -> Ref:
        """The value that `from` names: in this scope or one around it, up to the block's."""
        name = self.text(term, place.env, "from")
        scope: OpenScope | None = place.scope
        while scope is not None:
            path = scope.join(name)
            if path in self.values or self.failed_above(path):
                return self.values.get(path)
            scope = None if scope.block else scope.parent
        message = f"no value before this is named `{name}`"
        self.fail("name", message, term.span, place, self.whereabouts(name, place.scope))

    def whereabouts(self, name: str, scope: OpenScope | None) -> str:
        """Where a value is that `from` does not reach by this name, or what it does reach."""
        known: list[str] = []
        while scope is not None:
            known += [path for path in self.values if path.rpartition(".")[0] == scope.path]
            if scope.block:
                break
            scope = scope.parent
        if scope is not None and name in self.values:
            return "a block reads its own values, and not those around its call"
        inner = next((path for path in self.values if path.endswith(f".{name}")), "")
        if inner and scope is None:
            return f"did you mean `{inner}`?"
        return suggest(name, [path.rpartition(".")[2] for path in known])

    def failed_above(self, path: str) -> bool:
        """Whether a path may be missing only since a value failed that would hold it."""
        parts = path.split(".")
        above = (".".join(parts[:n]) for n in range(1, len(parts)))
        return any(self.values.get(outer, 0) is None for outer in above)

    # --- small things ---

    def truth(self, term: syntax.Term | None, env: Env, what: str) -> bool:
        assert term is not None
        return bool(self.evaluator.typed(term, env, "bool", f"`{what}`"))

    def text(self, term: syntax.Term, env: Env, what: str) -> str:
        return str(self.evaluator.value(term, env))

    def shape_of(self, term: syntax.Term, env: Env) -> Shape:
        value = self.evaluator.value(term, env)
        whole = isinstance(value, list) and all(
            isinstance(n, int | float) and not isinstance(n, bool) and 1 <= n <= 10**9 and n == n // 1
            for n in value
        )
        if not whole or not 1 <= len(value) <= 4:
            message = f"a shape is a list of positive integers, found {show(value)}"
            self.report.error("value", message, term.span, "", env.frames)
            raise Poison
        return Shape(int(n) for n in value)

    def contract(self, term: syntax.Term, ref: Ref, env: Env) -> None:
        if not self.contracts:
            self.skipped_contracts += 1
            return
        found = self.shape(ref)
        try:
            expected = self.shape_of(term, env)
        except Poison:
            return
        self.confirmed += 1
        if found and found != expected:
            message = f"the spec says {expected}, the shape is {found}"
            self.report.error("contract", message, term.span, "", env.frames)

    def fail(self, code: str, message: str, span: Span, place: Place, help: str = "") -> NoReturn:
        self.report.error(code, message, span, help, place.env.frames)
        raise Poison


def _project(ours: Shape, theirs: Shape) -> str:
    """The remedy for a residual whose sides differ."""
    if len(ours) != 3 or len(theirs) != 3:
        return "both must have the same shape"
    stride = -(-theirs.height // ours.height)
    conv = f"out: {ours.channels}, kernel: 1" + (f", stride: {stride}" if stride > 1 else "")
    return f"project the shortcut: `shortcut: [{{conv: {{{conv}}}}}]`"
