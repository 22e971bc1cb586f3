"""Ops with their arguments, and the nodes that they become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NoReturn

from cnndsl import syntax
from cnndsl.diagnostics import Related, Span, suggest
from cnndsl.elaborate.asking import Given, Place, Ref
from cnndsl.elaborate.figuring import too_small
from cnndsl.elaborate.idle import Idle
from cnndsl.elaborate.naming import Naming
from cnndsl.elaborate.reaching import Reaching
from cnndsl.elaborate.remedies import channels_first, ranked
from cnndsl.graph import Node
from cnndsl.ops import registry
from cnndsl.ops.base import Op, Reject, Shape
from cnndsl.ops.kinds import MAX_ELEMENTS
from cnndsl.values import Env, Poison, mend


@dataclass
class Adding(Naming):
    """The nodes of the network so far."""

    nodes: list[Node] = field(default_factory=list)
    idle: Idle = field(default_factory=Idle)
    made: dict[tuple[type[Op], int, int], tuple[Op, dict[str, Given]]] = field(default_factory=dict)
    """Ops whose arguments are all constants, by class, and identity of their arguments and file."""
    inferred: dict[tuple[int, tuple[Shape, ...]], tuple[Op, Shape]] = field(default_factory=dict)
    """The shape that an op gives for inputs, by the identity of the op, which is kept with it."""
    contracts: bool = True
    """Whether `shape:` contracts are confirmed, not skipped."""
    reaching: Reaching = field(init=False)

    def __post_init__(self) -> None:
        self.reaching = Reaching(self.report, self.nodes)

    def op(
        self, op: str, args: tuple[syntax.Arg, ...], x: Ref, place: Place, name: str, span: Span
    ) -> Ref:
        cls = registry().get(op)
        ref: Ref = None
        made: Op | None = None
        if cls is not None and not cls.internal:
            given: dict[str, Given] = {}
            try:
                made = self.create(cls, args, place, span, given)
                ref = self.infer(made, (x,), place, span, given)
            except Poison:
                failed = place.scope.join(name or place.scope.number())
                self.reaching.fails(failed, made or op, (x,), span)
        path = self.take(name or place.scope.number(), span, place)
        if made and ref is not None:
            self.add(made, (x,), path, place, span, name)
        self.values[path] = None if place.scope.uncounted and not name else ref
        place.scope.count += 1
        return ref

    def create(
        self,
        cls: type[Op],
        args: tuple[syntax.Arg, ...],
        place: Place,
        span: Span,
        told: dict[str, Given],
    ) -> Op:
        """The op with its arguments: the node's, beside them the file's defaults."""
        home = place.env.home
        known = self.made.get((cls, id(args), id(home)))
        if known:
            told |= known[1]
            return known[0]
        given = self.arguments(cls, args, place)
        defaults = self.arguments(cls, home.spec.defaults.get(cls.name, ()), place)
        values: dict[str, Any] = {}
        for source, env in ((defaults, Env(home)), (given, place.env)):
            for name, arg in source.items():
                if source is defaults and name in given:
                    continue
                values[name] = self.evaluator.value(arg.value, env)
                told[name] = Given(arg.value, env, span if source is defaults else None)
        try:
            made = cls.create(values)
        except Reject as e:
            if e.arg not in told:
                if home.spec.open or not home.spec.defaults.keys() <= registry().keys():
                    raise Poison from None  # the default may stand under a misspelt key
                self.fail("argument", e.message, span, place, e.help)
            one, help = told[e.arg], e.help or mend(values[e.arg])
            env = replace(one.env, frames=place.env.frames)
            self.evaluator.wrong("argument", e.message, one.term, env, help, e.item, one.users)
        self.idle.note(made, defaults | given)
        if all(
            isinstance(arg.value, syntax.Const) for arg in (*defaults.values(), *given.values())
        ):
            self.made[cls, id(args), id(home)] = made, dict(told)
        return made

    def arguments(
        self, cls: type[Op], args: tuple[syntax.Arg, ...], place: Place
    ) -> dict[str, syntax.Arg]:
        """The arguments that are written, by name."""
        primary = next((arg.name for arg in cls.args.values() if arg.primary), "")
        written: dict[str, syntax.Arg] = {}
        for arg in args:
            if isinstance(arg.value, syntax.Broken):
                raise Poison
            name = arg.name or primary
            if isinstance(arg.value, syntax.Broken):
                raise Poison  # told by the schema
            if name not in cls.args:
                told = (
                    f"{cls.name} has no argument `{name}`"
                    if name
                    else f"{cls.name} takes no short form"
                )
                self.fail("name", told, arg.key, place, partial(suggest, name, list(cls.args)))
            written[name] = arg
        return written

    def infer(
        self, op: Op, inputs: tuple[Ref, ...], place: Place, span: Span, given: Mapping[str, Given]
    ) -> Ref:
        """The id that the op's value will have; its shape is checked here."""
        shapes = [self.shape(ref) for ref in inputs]
        if any(shape is None for shape in shapes):
            raise Poison
        try:
            known = tuple(shape for shape in shapes if shape is not None)
            if (id(op), known) in self.inferred:
                return len(self.nodes)
            shape = op.infer(known)
            weights = [Shape(weight) for weight in op.weights(known[0]).values()]
        except Reject as e:
            if len(known[0]) not in op.ranks and inputs[0] is not None:
                e.help = e.help or ranked(op, inputs[0], self.nodes, asked=not self.contracts)
            e.help = channels_first(self.nodes[0].shape) or e.help
            e.message += too_small(op, known).beside
            self.refused(e, given.get(e.arg), span, place)
        except OverflowError:
            self.fail("bound", f"{op.name}: the numbers are too large", span, place)
        if max(tensor.size for tensor in (shape, *weights)) > MAX_ELEMENTS:
            self.fail("bound", f"{op.name} needs a tensor of more than 2**40 elements", span, place)
        self.inferred[id(op), known] = op, shape
        return len(self.nodes)

    def refused(self, reject: Reject, arg: Given | None, span: Span, place: Place) -> NoReturn:
        """Report an op that does not take its input, beside where the argument at fault is set."""
        related: tuple[Related, ...] = ()
        if arg is not None:
            span = arg.user or arg.term.span
            words = f"`{reject.arg}` is set"
            related = self.evaluator.elsewhere(words, arg.term, arg.env, reject.item, span)
        frames = place.env.frames
        self.report.error("shape", reject.message, span, reject.help, frames, related)
        raise Poison

    def add(
        self, op: Op, inputs: tuple[Ref, ...], path: str, place: Place, span: Span, label: str
    ) -> None:
        refs = tuple(ref for ref in inputs if ref is not None)
        shapes = tuple(self.nodes[ref].shape for ref in refs)
        node = Node(
            len(self.nodes),
            path,
            op,
            refs,
            shapes,
            self.inferred[id(op), shapes][1],
            span,
            label,
            numbered=not label,
        )
        self.nodes.append(node)
        place.scope.members.append(node)

    def add_value(self, op: Op, inputs: tuple[Ref, ...], place: Place, span: Span) -> Ref:
        """A merge or share: a value with a name of its own, beside the numbered members."""
        try:
            ref = self.infer(op, inputs, place, span, {})
        except Poison:
            self.unjoined(op, inputs, place, span)
            ref = None
        segment = self.free(place.scope, op.name)
        path = self.take(segment, span, place)
        if ref is not None:
            self.add(op, inputs, path, place, span, segment)
        self.values[path] = None if place.scope.uncounted else ref
        return ref

    def unjoined(self, op: Op, inputs: Sequence[Ref], place: Place, span: Span) -> None:
        """A merge or share has no value: keep it, if it is the first that fails."""
        path = place.scope.join(self.free(place.scope, op.name))
        self.reaching.fails(path, op, inputs, span)

    def shape(self, ref: Ref) -> Shape | None:
        return None if ref is None else self.nodes[ref].shape
