"""The walk over the nodes of a body: structure, loops and calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NoReturn

from cnndsl import syntax
from cnndsl.diagnostics import Frame, Related, Span, suggest
from cnndsl.elaborate.asking import Place, Ref
from cnndsl.elaborate.figuring import other_than
from cnndsl.elaborate.merging import Merging, merging
from cnndsl.elaborate.naming import MAX_DEPTH
from cnndsl.elaborate.reaching import word_of
from cnndsl.expr import MAX_WORK, Exhausted, Meter, show
from cnndsl.hints import nearest_op
from cnndsl.ops import registry
from cnndsl.packages import or_of_package
from cnndsl.provenance import Origin, written
from cnndsl.values import BlockRef, Env, Poison, Shown, convert, mend, public
from cnndsl.words import SEGMENT

MAX_STEPS = 20_000
MAX_ROWS = 1_000_000
AGAIN = 0.04
"""What part of a step counts in the second and later rounds of `repeat`, all of which are alike."""
STEPS_EACH, WORK_EACH = 5, 75
"""For how many steps and operations of a round that is so for each node that the round writes."""
BINDINGS = 15
"""How many parameters of a block are bound in a step; each call binds its own anew."""


Row = dict[str, Any]
"""The names of a loop with their values in one round."""


class Stop(Exception):  # noqa: N818 - named for what it says
    """The walk ends here: a bound is passed, and it was reported."""


@dataclass
class Walking(Merging):
    """Elaborates nodes one after the other; each gives the value that the next one reads."""

    steps: Meter = field(default_factory=lambda: Meter(MAX_STEPS))
    skipped: int = 0
    shown: Shown = field(default_factory=dict)

    def after_root_step(self, place: Place) -> None:
        """Called after each node of the network's own body."""

    def body(self, body: syntax.Body, x: Ref, place: Place) -> Ref:
        for node in body.nodes:
            x = self.step(node, x, place, "")
        return x

    def labelled(self, label: str, span: Span, body: syntax.Body, x: Ref, place: Place) -> Ref:
        """A body under a label: it renames a single node, and opens a scope for a list."""
        if not label:
            return self.body(body, x, place)
        try:
            self.attribute(label, "label", syntax.Const(label, span), place.env)
        except Poison:
            word = next(map(word_of, body.nodes), "")
            self.reaching.fails(place.scope.join(label), word, (x,), span)
            self.forget(place.scope, label)
            return None
        if SEGMENT.fault(label):
            self.forget(place.scope)
            return None
        if body.single:
            return self.step(body.nodes[0], x, place, label)
        if not body.nodes:
            return self.record(label, span, x, place)
        inner = self.open(label, span, place)
        return self.record_scope(inner, self.body(body, x, replace(place, scope=inner)))

    def step(self, node: syntax.Node, x: Ref, place: Place, label: str) -> Ref:
        """One node: its attributes, its op, its contract."""
        self.count(node.at.span, place)
        self.reaching.begins()
        at = node.at
        env = place.env.at(self.shape(x))
        here = replace(place.deeper(), env=env, named=at.name.span if at.name else None)
        try:
            if at.when is not None and not self.truth(at.when, env, "when"):
                self.leave_out(node, place, label)
                return x
            if at.source is not None:
                x = self.started(node, x, here, label)
                env = place.env.at(self.shape(x))
                here = replace(here, env=env)
            if isinstance(node, syntax.For):
                result = self.loop(node, x, here, label)
            else:
                name = label or (self.segment(at.name, env) if at.name else "")
                result = self.dispatch(node, x, here, name)
        except Poison:
            self.lost(node, x, place, label)
            return None
        if at.shape is not None:
            self.contract(at.shape, result, env)
        if not place.scope.path:
            self.after_root_step(place)
        return result

    def started(self, node: syntax.Node, x: Ref, place: Place, label: str) -> Ref:
        """The value that a node starts from; what the node holds is walked without it too."""
        assert node.at.source is not None
        try:
            return self.lookup(node.at.source, place)
        except Poison:
            self.fails(node, x, place, label)
            return None

    def lost(self, node: syntax.Node, x: Ref, place: Place, label: str) -> None:
        """Keep the names of a node that failed before it took them, so that they are not missed."""
        self.fails(node, x, place, label)
        number = place.scope.number() if node.at.name is None and _is_leaf(node) else ""
        self.forget(place.scope, label or _plain_name(node) or number)
        place.scope.count += 1

    def fails(self, node: syntax.Node, x: Ref, place: Place, label: str) -> None:
        segment = label or _plain_name(node) or place.scope.number()
        self.reaching.fails(place.scope.join(segment), word_of(node), (x,), node.at.span)

    def count(self, span: Span, place: Place) -> None:
        """A step: a node, a branch, a share of a split or a round of a loop."""
        self.spend(1, span, place)
        if place.depth > MAX_DEPTH:
            message = f"blocks and structures nested more than {MAX_DEPTH} deep"
            self.beyond(message, "does a block call itself?", span, place)

    def spend(self, steps: float, span: Span, place: Place) -> None:
        """Take so many steps of those that are left."""
        if self.evaluator.exhausted or self.report.full:
            raise Stop
        try:
            self.steps.spend(steps)
        except Exhausted:
            message = f"more than {MAX_STEPS} steps"
            self.beyond(message, "a loop or a block repeats too often", span, place)

    @property
    def taken(self) -> float:
        """The steps that were taken, or the share of all operations that were, if that is more."""
        meter = self.evaluator.meter
        return MAX_STEPS - min(self.steps.left, meter.left * MAX_STEPS / MAX_WORK)

    def beyond(self, message: str, help: str, span: Span, place: Place) -> NoReturn:
        self.report.error("bound", message, span, help, place.env.frames[-3:])
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
            case syntax.BrokenNode():
                self.lost(node, x, place, name)
                return None
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
                return self.split(branches, x, self.labels(node, place), at.span)
            case syntax.Merge(at, op, branches):
                place = self.labels(node, place)
                kept = [branch for branch in branches if not self.left_out(branch, x, place)]
                if not kept:
                    help = "a branch `[]` keeps the value as it is"
                    self.fail("structure", "`when` leaves every branch out", at.span, place, help)
                refs = [self.branch(branch, x, place) for branch in kept]
                return self.merge(op, kept, refs, place, at.span)
            case syntax.Residual():
                return self.residual(node, x, place)
        raise AssertionError(node)

    def branch(self, branch: syntax.Branch, x: Ref, place: Place) -> Ref:
        self.count(branch.span, place)
        return self.labelled(branch.label, branch.span, branch.body, x, place)

    def left_out(self, branch: syntax.Branch, x: Ref, place: Place) -> bool:
        """Whether a branch has nodes, and `when` leaves all of them out."""
        env = place.env.at(self.shape(x))
        conditions = [node.at.when for node in branch.body.nodes]
        try:
            gone = bool(conditions) and not any(
                when is None or self.truth(when, env, "when") for when in conditions
            )
        except Poison:  # told where the node is walked
            return False
        for node in branch.body.nodes if gone else ():
            self.leave_out(node, place, branch.label)
        return gone

    def split(self, branches: tuple[syntax.Branch, ...], x: Ref, place: Place, span: Span) -> Ref:
        refs: list[Ref] = []
        for index, branch in enumerate(branches):
            share = registry()["share"].create({"index": index, "of": len(branches)})
            self.count(branch.span, place)
            part = self.add_value(share, (x,), place, span)
            refs.append(self.branch(branch, part, place))
        return self.merge("concat", branches, refs, place, span)

    def residual(self, node: syntax.Residual, x: Ref, place: Place) -> Ref:
        result = self.body(node.body, x, place)
        if node.skip is not None and not self.truth(node.skip, place.env, "skip"):
            return result
        side = x if node.shortcut is None else self.body(node.shortcut, x, place)
        if result is not None and side is not None and self.shape(result) != self.shape(side):
            start = self.shape(x) or self.nodes[side].shape
            self.unlike(node.body, (result, side), start, place, node.at.span)
            self.unjoined(merging("add"), (result, side), place, node.at.span)
            result = None
        return self.add_value(merging("add"), (result, side), place, node.at.span)

    def contract(self, term: syntax.Term, ref: Ref, env: Env) -> None:
        if not self.contracts:
            self.skipped += 1
            return
        found = self.shape(ref)
        try:
            expected = self.shape_of(term, env)
        except Poison:
            return
        self.confirmed += 1
        if ref is not None and found and found != expected:
            figured = other_than(self.nodes[ref], expected)
            message = f"the spec says {expected}, the shape is {found}{figured.beside}"
            differ = [i for i, (a, b) in enumerate(zip(expected, found, strict=False)) if a != b]
            path = (differ[0],) if len(differ) == 1 and len(expected) == len(found) else ()
            related = self.evaluator.elsewhere("the size is set", term, env, path)
            self.report.error("contract", message, term.span, "", env.frames, related)
            self.reaching.refused(self.nodes[ref], figured.whole)

    # --- loops ---

    def loop(self, node: syntax.For, x: Ref, place: Place, label: str) -> Ref:
        meters = (self.steps, self.evaluator.meter)
        shares = [meter.share for meter in meters]
        try:
            for index, row in enumerate(self.rows(node, place.env)):
                again, written = [meter.again for meter in meters], len(self.nodes)
                self.count(node.at.span, place)
                env = place.env.extended(row, _origins(node, place.env, index))
                x = self.round(node, x, replace(place, env=env.at(self.shape(x))), label)
                self.recount(again, len(self.nodes) - written, node.at.span, place)
                if node.is_repeat and x is None:  # the other rounds would fail like this one
                    self.forget(place.scope)
                    break
                if node.is_repeat and not self.report.failed:  # what fails is not long for it
                    for meter in meters:
                        meter.share = AGAIN
        finally:
            for meter, share in zip(meters, shares, strict=True):
                meter.share = share
        return x

    def recount(self, again: Sequence[float], nodes: int, span: Span, place: Place) -> None:
        """After a round that wrote so many nodes: what wrote nothing counts in full."""
        steps, work = again
        self.steps.recount(steps, STEPS_EACH * nodes)
        self.spend(0, span, place)
        self.evaluator.recount(work, WORK_EACH * nodes, span)

    def round(self, node: syntax.For, x: Ref, place: Place, label: str) -> Ref:
        own = tuple(column.name for column in node.columns if column.name)
        place = replace(place, variables=(*place.variables, *own), repeated=True)
        inner = replace(place, named=None)
        name = label or (self.segment(node.at.name, place.env) if node.at.name else "")
        if not name:
            return self.body(node.body, x, inner)
        scope = self.open(name, node.at.name.span if node.at.name else node.at.span, place)
        return self.record_scope(scope, self.body(node.body, x, replace(inner, scope=scope)))

    def rows(self, node: syntax.For, env: Env) -> Iterator[Row]:
        """The values of the loop's names, row by row."""
        columns = {column.name: self.column(column, env) for column in node.columns}
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"`{name}` has {length}" for name, length in lengths.items())
            self.unequal(node, f"the columns of `for` differ in length: {told}", env)
        for values in zip(*columns.values(), strict=True):
            self.evaluator.spend(len(columns), node.at.span)
            yield {name: value for name, value in zip(columns, values, strict=True) if name}

    def unequal(self, node: syntax.For, message: str, env: Env) -> NoReturn:
        """Report columns that differ in length: at the one that was given, if one was."""
        found = {column.name: written(column.value, env) for column in node.columns}
        away = {
            name: where
            for column, (name, where) in zip(node.columns, found.items(), strict=True)
            if not column.value.span.covers(where.span)
        }
        given = [where.span for where in away.values() if where.given]
        span = given[0] if len(given) == 1 else node.at.span
        related = [
            Related("read", node.at.span),
            *(Related(f"`{n}` is set", w.span) for n, w in away.items()),
        ]
        self.report.error("value", message, span, "", env.frames, tuple(related))
        raise Poison

    def column(self, column: syntax.Arg, env: Env) -> list[Any] | range:
        value = self.evaluator.value(column.value, env)
        if isinstance(value, list):
            return value
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
            message = f"a loop takes a list or a count, found {show(value)}"
        elif not 0 <= value <= MAX_ROWS:
            message = f"a count is from 0 to {MAX_ROWS}, found {show(value)}"
        else:
            return range(int(value))
        self.evaluator.wrong("value", message, column.value, env, mend(value))

    # --- calls ---

    def use(
        self,
        target: syntax.Term,
        args: tuple[syntax.Arg, ...],
        x: Ref,
        place: Place,
        name: str,
        span: Span,
    ) -> Ref:
        value = self.evaluator.value(target, place.env)
        if isinstance(value, str):
            ops = [op for op, cls in registry().items() if not cls.internal]
            if value in ops:
                return self.op(value, args, x, place, name, span)
            try:
                value = convert(value, "block", place.env.home)
            except TypeError:
                if place.env.home.spec.open:
                    raise Poison from None
                spec = place.env.home.spec
                help = partial(_meant, value, [*spec.blocks, *ops], spec)
                message = f"no block or op is named `{value}`"
                self.evaluator.wrong("name", message, target, place.env, help)
        if not isinstance(value, BlockRef):
            message = f"`use` takes a block or an op, found {show(value)}"
            self.evaluator.wrong("type", message, target, place.env)
        return self.call(value, args, x, place, name, span)

    def call(
        self,
        ref: BlockRef | None,
        args: tuple[syntax.Arg, ...],
        x: Ref,
        place: Place,
        name: str,
        span: Span,
    ) -> Ref:
        """Expand a block: bind its parameters, open its scope, walk its body."""
        guessed = place.scope.uncounted and not name
        scope = self.open(name or place.scope.number(), span, place)
        scope.guessed = guessed
        if ref is None:  # an unknown block, told by the check of names
            self.forget(scope)
            return self.record_scope(scope, None)
        block, given = ref.block, self.given(ref, args, place, span)
        bound = len(block.params) + 2 * len(block.let)  # a value of `let` is computed, too
        self.steps.left -= bound / BINDINGS  # in full where rounds are repeated, too
        self.spend(0, span, place)
        own = Env(ref.home, {}, self.shape(x), place.env.frames)
        own = self.evaluator.bind(block.params, given, place.env, own, span, block.name)
        values = public(own.locals, self.shown)
        told = ", ".join(f"{key}={show(value)}" for key, value in values.items())
        frame = Frame(f"{scope.path}: {block.name}({told})", span)
        own = self.evaluator.let(block.let, replace(own, frames=(frame, *place.env.frames)))
        scope.block, scope.args = block.name, public(own.locals, self.shown)
        scope.defaults = {
            p.name: p.default.value for p in block.params if isinstance(p.default, syntax.Const)
        }
        return self.record_scope(scope, self.body(block.body, x, Place(own, scope, place.depth)))

    def given(
        self, ref: BlockRef, args: tuple[syntax.Arg, ...], place: Place, span: Span
    ) -> dict[str, syntax.Arg]:
        """A call's arguments by name.

        Beside one of an unknown name those that are not given are Broken: it may stand for any.
        """
        block, given = ref.block, {arg.name: arg for arg in args}
        known = [param.name for param in block.params]
        unknown = sorted(set(given) - set(known))
        for name in () if ref.home.spec.open else unknown:
            message, help = f"{block.name} has no parameter `{name}`", partial(suggest, name, known)
            self.report.error("name", message, given[name].key, help, place.env.frames)
        absent = set(known) - set(given) if unknown else set()
        return given | {name: syntax.Arg(name, span, syntax.Broken(span)) for name in absent}


def _meant(word: str, known: Sequence[str], spec: syntax.Spec) -> str:
    """The remedy for a word that names neither a block nor an op."""
    return or_of_package(word, nearest_op(word, known), spec.requires)


def _plain_name(node: syntax.Node) -> str:
    """The name of a node, where it is written without an expression."""
    name = node.at.name
    return str(name.value) if isinstance(name, syntax.Const) else ""


def _is_leaf(node: syntax.Node) -> bool:
    """Whether a node without a name is one member of its scope, and what it holds within it."""
    single = isinstance(node, syntax.BrokenNode) and node.single
    return single or isinstance(node, syntax.OpCall | syntax.BlockCall | syntax.Use)


def _origins(node: syntax.For, env: Env, index: int) -> dict[str, Origin]:
    """Where the values of a loop's names were written, in one of its rounds."""
    return {c.name: Origin(c.value, env, index) for c in node.columns if c.name}
