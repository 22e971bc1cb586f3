"""Syntax tree → Graph: parameters bound, blocks expanded, loops unrolled, shapes inferred.

One walk in the order of computation. A step that fails has no value; steps that read it stay
silent, all others go on, so that one run tells all independent mistakes.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from keyword import iskeyword
from typing import Any

from cnndsl import syntax
from cnndsl.diagnostics import NOWHERE, Diagnostic, Reached, Related, Report, suggest
from cnndsl.elaborate.asking import Place, Ref
from cnndsl.elaborate.recipes import recipes_of, tell_unfitting
from cnndsl.elaborate.remedies import channels_first
from cnndsl.elaborate.walking import MAX_STEPS, Stop, Walking
from cnndsl.expr import Meter
from cnndsl.graph import Graph, Input, Node, Output
from cnndsl.init import initialize
from cnndsl.ops.base import Shape
from cnndsl.provenance import Origin
from cnndsl.prune import prune
from cnndsl.scopes import OpenScope
from cnndsl.values import Env, Evaluator, Home, Poison, public
from cnndsl.words import IDENTIFIER, OUTPUT, normal, skeleton

__all__ = ["MAX_STEPS", "Request", "elaborate"]


@dataclass(frozen=True)
class Request:
    """What of a spec is wanted: a variant, and values in place of the written ones."""

    variant: str = ""
    params: tuple[syntax.Arg, ...] = ()
    input: syntax.Term | None = None

    @property
    def changed(self) -> bool:
        """Whether the network is another than the one that the spec states facts of."""
        return bool(self.params) or self.input is not None


def elaborate(
    spec: syntax.Spec, request: Request, report: Report, together: Meter | None = None
) -> Graph | None:
    """The network of a spec; None where a mistake was reported.

    Its steps, at least one for each layer, are taken from those that are left `together`; raises
    Exhausted if there are too few.
    """
    evaluator = Evaluator(report)
    home = _home(spec, request, evaluator, {})
    walk = _Network(report, evaluator, home=home, contracts=request.input is None)
    try:
        graph = walk.network(request)
    except Stop:
        report.reached = walk.reached(request.variant)
        return None
    if together:
        together.spend(max(walk.taken, len(walk.nodes)))
    if graph is None or report.failed:
        report.reached = walk.reached(request.variant)
        return None
    for warning in spec.unread:
        report.add(warning)
    walk.idle.tell(report)
    graph = initialize(prune(graph, report), walk.home, report)
    tell_unfitting(spec.train, graph, report)
    return None if report.failed else graph


def _home(
    spec: syntax.Spec, request: Request, evaluator: Evaluator, known: dict[int, Home]
) -> Home:
    """The file's parameters: defaults, then values of an extending file, variant and request.

    `known` are the homes of imported files by the identity of their trees: a file has one.
    """
    if id(spec) in known:
        return known[id(spec)]
    imports = {
        alias: _home(file, Request(), evaluator, known) for alias, file in spec.imports.items()
    }
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    home = Home(
        spec, values, imports, origins
    )  # filled below: a block that a parameter holds sees it too
    variant = spec.variants.get(request.variant, ())
    given = {arg.name: arg for arg in (*spec.overrides, *variant, *request.params)}
    bound = evaluator.bind(spec.params, given, None, Env(home), None, spec.name)
    values |= bound.locals
    origins |= bound.origins
    named = evaluator.let(spec.let, Env(home))
    values |= named.locals
    origins |= named.origins
    known[id(spec)] = home
    return home


@dataclass
class _Network(Walking):
    """The network as a whole: its inputs, its body, its outputs."""

    pending: list[tuple[syntax.Head, str]] = field(default_factory=list)
    outputs: dict[str, Output | None] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)

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
        recipes = recipes_of(
            spec.train, request.variant, self.evaluator, Env(self.home), self.report
        )
        if self.report.failed:
            return None
        lost = self.reaching.lost
        assert not lost, f"{lost} layers have no value, and no error was told"
        if not self.check_outputs(spec):
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
            train=recipes.pop(""),
            recipes=recipes,
            contracts=self.confirmed,
        )

    def reached(self, variant: str) -> Reached:
        reaching = self.reaching
        if not reaching.count:
            return NOWHERE
        return Reached(self.home.spec.name, variant, reaching.layers, reaching.failed)

    def inputs(self, override: syntax.Term | None, root: OpenScope) -> list[Ref]:
        spec = self.home.spec
        declared = spec.inputs
        if not declared and override is None:
            self.missing("input", "as in `input: [3, 224, 224]`")
            return []
        if not declared:
            declared = (syntax.Arg("input", spec.span, syntax.Const(None, spec.span)),)
        if override is not None:
            if len(declared) > 1:
                names = ", ".join(f"`{arg.name}`" for arg in declared)
                message = f"the network has several inputs: {names}; which one is meant?"
                help = f"make the sizes parameters, as `{declared[0].name}: [3, $size, $size]`"
                self.report.error("argument", message, override.span, f"{help}, and set those")
                return []
            declared = (replace(declared[0], value=override),)
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
            if len(shape) == 3 and shape[1] > 4 and (shape[2] > 1 or shape[0] == shape[1]):
                self.warn_of_last(shape, arg)
            ref = len(self.nodes)
            node = Node(ref, arg.name, Input(), (), (), shape, arg.key, arg.name, numbered=False)
            self.nodes.append(node)
            root.members.append(node)
        except Poison:
            pass
        root.taken[skeleton(arg.name)] = (arg.name, arg.key)
        self.values[arg.name] = ref
        if IDENTIFIER.fault(arg.name):
            self.forget(root)
        return ref

    def warn_of_last(self, shape: Shape, arg: syntax.Arg) -> None:
        """Warn of an image that looks as if its channels stood last."""
        if help := channels_first(shape):
            message = f"{shape} is an image of {shape[0]} channels, {shape[1]}×{shape[2]}"
            self.report.warn("shape", message, arg.value.span, help)

    def note_contracts(self, request: Request) -> None:
        if self.skipped and request.input:
            message = (
                f"{self.skipped} `shape:` contracts hold for the spec's own input, not checked"
            )
            self.report.add(Diagnostic("contract", message, request.input.span, severity="info"))

    # --- outputs ---

    def heads(self, place: Place) -> None:
        self.tell_apart()
        for head in self.home.spec.outputs:
            try:
                self.field(head)
                if head.when and not self.truth(head.when, place.env, "when"):
                    self.dropped.append(head.name)
                    self.absent[head.name] = head.when.span
                    continue
                self.outputs[head.name] = None
                source = self.text(head.source, place.env, "from") if head.source else ""
            except Poison:
                self.outputs[head.name] = None
                if head.body:
                    self.values[head.name] = None
                continue
            self.pending.append((head, normal(source)))

    def field(self, head: syntax.Head) -> None:
        """Refuse an output that no field of a tuple can be called."""
        if iskeyword(head.name) or iskeyword(head.name.lower()):
            message = f"`{head.name}` is a keyword of Python; choose another name for the output"
            self.report.error("name", message, head.span)
            raise Poison

    def tell_apart(self) -> None:
        """Report inputs and outputs of one name: exported files have one list of values."""
        spec = self.home.spec
        outputs = {head.name: head.span for head in spec.outputs}
        for arg in spec.inputs:
            if arg.name in (outputs or ("output",)):
                message = f"`{arg.name}` is an input and an output; choose another name"
                span = outputs.get(arg.name, arg.key)
                self.report.error("name", message, span, related=(Related("first used", arg.key),))

    def after_root_step(self, place: Place) -> None:
        """Compute the heads whose source exists by now, as a hand-written forward pass would."""
        place = replace(place, env=Env(self.home))
        while ready := next((item for item in self.pending if self.is_ready(item[1])), None):
            self.pending.remove(ready)
            self.head(ready[0], self.source(ready[1]), place)

    def is_ready(self, source: str) -> bool:
        """Whether a value of that path exists, or an output of that name has its value."""
        return source in self.values or bool(self.outputs.get(source))

    def source(self, path: str) -> Ref:
        output = self.outputs.get(path)
        return self.values.get(path, output.node if output else None)

    def finish_heads(self, last: Ref, place: Place) -> None:
        for head, _ in [item for item in self.pending if not item[1]]:
            self.pending.remove((head, ""))
            self.head(head, last, place)
        self.after_root_step(place)
        if not self.home.spec.outputs and last is not None:
            self.outputs["output"] = Output("output", last)
        starts = {head.name: source for head, source in self.pending}
        self.values |= {head.name: None for head, _ in self.pending if head.body}
        named = not any(OUTPUT.fault(head.name) for head in self.home.spec.outputs)
        for head, source in self.pending:
            if named and source not in self.outputs and not self.unknown(source):
                assert head.source is not None
                told, span = f"no value is named `{source}`", head.source.span
                if not self.told_absent(told, source, [source], span):
                    help = suggest(source, list(self.values))
                    with suppress(Poison):
                        self.evaluator.wrong("name", told, head.source, Env(self.home), help)
        for head, _ in self.pending:
            if head.name == min(_circle(head.name, starts), key=list(starts).index, default=""):
                message = f"the output `{head.name}` starts from itself"
                self.report.error("name", message, head.span)

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


def _circle(name: str, sources: Mapping[str, str]) -> list[str]:
    """The outputs on a way from an output back to itself, each started from the next."""
    way = [name]
    while (source := sources.get(way[-1], "")) not in ("", *way):
        way.append(source)
    return way if source == name else []
