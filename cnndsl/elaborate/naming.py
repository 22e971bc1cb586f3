"""The names of values: taken, opened, found again."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from cnndsl import syntax
from cnndsl.diagnostics import Frame, Related, Span, suggest
from cnndsl.elaborate.asking import Asking, Place, Ref
from cnndsl.elaborate.remedies import varied
from cnndsl.expr import show
from cnndsl.scopes import OpenScope
from cnndsl.values import Env, Poison
from cnndsl.words import MAX_WORD, SEGMENT, normal, skeleton, taken_as

MAX_DEPTH = 60
"""How deep blocks and structures are nested, and so how many segments a path has."""


@dataclass
class Naming(Asking):
    """The paths of the network so far, with the values that they stand for."""

    values: dict[str, Ref] = field(default_factory=dict)
    absent: dict[str, Span] = field(default_factory=dict)
    """The paths of named nodes that `when` leaves out, with the place of that."""
    incomplete: set[str] = field(default_factory=set)
    """The paths of scopes in which something failed before its names were known."""
    walked: set[str] = field(default_factory=set)
    """The paths of scopes whose nodes were all walked: what they do not hold is not in them."""
    used: dict[tuple[str, str], int] = field(default_factory=dict)
    """How far the numbers behind a word went in a scope, by its path."""

    def take(self, segment: str, span: Span, place: Place) -> str:
        """The path of a new name in the scope; a second one is an error."""
        scope = place.scope
        span = place.named or span
        path = scope.join(segment)
        shape = skeleton(segment)
        if shape not in scope.taken:
            scope.taken[shape] = (segment, span)
            return path
        word, first = scope.taken[shape]
        other = self.free(scope, segment)
        if word == segment:
            message = f"the name `{path}` is taken"
            line = span.source.lines[span.line - 1] if place.named else ""
            written = line[span.column - 1 : span.end_column - 1] or segment
            alike = f"choose another, as `{'name: ' if place.named else ''}{other}`"
            help = varied(written, place.variables) if place.repeated else alike
        else:
            message = f"the name `{path}` looks like `{scope.join(word)}`, in other letters"
            help = "choose a name that can be told apart"
        related = (Related("first used", first),)
        self.report.error("name", message, span, help, place.env.frames, related)
        return scope.join(other)

    def free(self, scope: OpenScope, word: str) -> str:
        """`word`, or with a number behind it, whatever the scope has not used yet."""
        n = self.used.get((scope.path, word), 0)
        segment = word
        while n or skeleton(segment) in scope.taken:
            n += 1
            segment = word if n == 1 else f"{word}_{n}"
            if skeleton(segment) not in scope.taken:
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
        self.values[scope.path] = None if scope.guessed else ref
        if not scope.guessed:
            self.walked.add(scope.path)
        return ref

    def record(self, label: str, span: Span, ref: Ref, place: Place) -> Ref:
        """Give an existing value another name."""
        self.values[self.take(label, span, place)] = ref
        return ref

    def segment(self, term: syntax.Term, env: Env) -> str:
        name = normal(str(self.evaluator.value(term, env)))
        fault = SEGMENT.fault(name)
        if len(name) > MAX_WORD:
            message = f"a name of {len(name)} characters; at most {MAX_WORD}"
            self.evaluator.wrong("bound", message, term, env)
        if fault:
            self.evaluator.wrong("name", f"{fault}, found {show(name)}", term, env)
        self.attribute(name, "name", term, env)
        return name

    def attribute(self, word: str, what: str, term: syntax.Term, env: Env) -> None:
        """Refuse a word that cannot be the name of a module's child."""
        if taken := taken_as(word):
            message = f"`{word}` is {taken}; choose another {what}"
            self.evaluator.wrong("name", message, term, env)

    def lookup(self, term: syntax.Term, place: Place) -> Ref:
        """The value that `from` names: in this scope or one around it, up to the block's."""
        name = normal(self.text(term, place.env, "from"))
        parts = name.count(".") + 1
        if parts > MAX_DEPTH:
            self.fail("bound", f"a path of {parts} parts; at most {MAX_DEPTH}", term.span, place)
        scope: OpenScope | None = place.scope
        paths = []
        while scope is not None:
            path = scope.join(name)
            paths.append(path)
            self.evaluator.spend(parts, term.span)
            if path in self.values or self.unknown(path):
                return self.values.get(path)
            scope = None if scope.block else scope.parent
        message = f"no value before this is named `{name}`"
        if self.told_absent(message, name, paths, term.span, place.env.frames):
            raise Poison
        help = partial(self.whereabouts, name, place.scope)
        self.evaluator.wrong("name", message, term, place.env, help)

    def leave_out(self, node: syntax.Node, place: Place, label: str = "") -> None:
        """Note the name of a node that `when` leaves out."""
        name = label or (node.at.name.value if isinstance(node.at.name, syntax.Const) else "")
        if name and node.at.when is not None:
            self.absent.setdefault(place.scope.join(normal(str(name))), node.at.when.span)

    def told_absent(
        self,
        message: str,
        name: str,
        paths: list[str],
        span: Span,
        frames: tuple[Frame, ...] = (),
    ) -> bool:
        """Report a value that is missing since `when` left it, or what would hold it, out."""
        heads = (path.split(".")[:n] for path in paths for n in range(1, path.count(".") + 2))
        gone = next((head for head in map(".".join, heads) if head in self.absent), None)
        if gone is None:
            return False
        help = f"`when` leaves it out: give what starts from `{name}` the same `when`"
        related = (Related("left out", self.absent[gone]),)
        self.report.error("name", message, span, help, frames, related)
        return True

    def whereabouts(self, name: str, scope: OpenScope | None) -> str:
        """Where a value is that `from` does not reach by this name, or what it does reach."""
        around = set[str]()
        while scope is not None:
            around.add(scope.path)
            if scope.block:
                break
            scope = scope.parent
        known = [path for path in self.values if path.rpartition(".")[0] in around]
        if scope is not None and name in self.values:
            return "a block reads its own values, and not those around its call"
        inner = next((path for path in self.values if path.endswith(f".{name}")), "")
        if inner and scope is None:
            return f"did you mean `{inner}`?"
        return suggest(name, [path.rpartition(".")[2] for path in known])

    def unknown(self, path: str) -> bool:
        """Whether a path may be missing only since something failed that would hold it."""
        outer = path
        while outer:
            outer = outer.rpartition(".")[0]
            if outer in self.incomplete:
                return True
            if outer in self.walked:
                return False
            if outer in self.values:
                return self.values[outer] is None
        return False

    def forget(self, scope: OpenScope, name: str = "") -> None:
        """Note that a member failed: under its name, or under names that are not known."""
        scope.uncounted = True
        if name:
            self.values.setdefault(scope.join(name), None)
        else:
            self.incomplete.add(scope.path)
