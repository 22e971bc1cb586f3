"""Names for terms, so that the paths of a spec are those of the modules.

This follows the rules by which the language names values: a number where a member stands at its
place among the members of its scope, a name elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from cnndsl.importer.confirming import HELP
from cnndsl.importer.errors import ModelError, Problem
from cnndsl.importer.terms import Body, Head, Outline, Term
from cnndsl.words import OUTPUT, SEGMENT, skeleton, taken_as


def name(outline: Outline, input: int) -> Outline:
    """The outline with names, and with paths for the values that are taken up again."""
    terms = [*outline.body, *(term for head in outline.heads for term in head.body)]
    taken_up = {t.source for term in terms for t in term.walk() if t.kind == "take"}
    taken_up |= {head.source for head in outline.heads}
    namer = _Namer(input, {source for source in taken_up if source is not None})
    root = _Scope("", reserved=_wanted(terms))
    root.taken.add("input")
    body = namer.body(outline.body, root)
    heads = tuple(namer.head(head, root) for head in outline.heads)
    for output in [outline.main, *(head.name for head in heads)] if heads else ():
        namer.output(output)
    if namer.problems:
        raise ModelError("module names that a spec cannot have", "", namer.problems)
    if namer.ways:
        raise ModelError("the flow of values cannot be written as a spec", HELP, namer.ways)
    return replace(outline, body=namer.resolved(body, ""), heads=heads)


def _wanted(terms: Iterable[Term]) -> set[str]:
    """The segments that members of a scope take, those in groups without a scope too."""
    found: set[str] = set()
    for term in terms:
        if term.kind in ("op", "seq"):
            found |= {term.segment} if term.segment else set()
        else:
            found |= _wanted(inner for body in term.bodies for inner in body)
    return found


def _result(term: Term) -> int | None:
    """The value that a group of nodes ends with."""
    if term.kind != "seq":
        return term.source
    return _result(term.bodies[0][-1]) if term.bodies[0] else None


@dataclass
class _Scope:
    """A scope while its members are named."""

    path: str
    reserved: set[str]
    """Names that modules in it have."""
    count: int = 0
    taken: set[str] = field(default_factory=set)
    used: dict[str, int] = field(default_factory=dict)

    def join(self, segment: str) -> str:
        return f"{self.path}.{segment}" if self.path else segment

    def free(self, word: str) -> str:
        """The name that the language gives a merge: the word, or with a number behind it."""
        n = self.used.get(word, 0)
        segment = word
        while n or segment in self.taken:
            n += 1
            segment = word if n == 1 else f"{word}_{n}"
            if segment not in self.taken:
                break
        self.used[word] = n
        self.taken.add(segment)
        return segment


@dataclass
class _Namer:
    input: int
    taken_up: set[int]
    paths: dict[int, str] = field(default_factory=dict)
    """By value, its path in the spec."""
    problems: list[Problem] = field(default_factory=list)
    ways: list[Problem] = field(default_factory=list)
    """Outputs that stand where no name is at fault."""
    written: dict[str, str] = field(default_factory=dict)
    """The names in the spec, by what those that look alike share."""

    def __post_init__(self) -> None:
        self.paths[self.input] = "input"

    def body(self, body: Body, scope: _Scope) -> Body:
        return tuple(self.term(term, scope) for term in body)

    def term(self, term: Term, scope: _Scope) -> Term:
        if term.kind == "take":
            return term
        if term.kind in ("op", "seq"):
            return self.member(term, scope)
        bodies = []
        for body in term.bodies:
            if term.kind == "split":
                scope.free("share")
            bodies.append(self.body(body, scope))
        merge = {"residual": "add", "split": "concat"}.get(term.kind, term.kind)
        if term.source is not None:
            self.paths[term.source] = scope.join(scope.free(merge))
        return replace(term, bodies=tuple(bodies))

    def member(self, term: Term, scope: _Scope) -> Term:
        segment, written = self.segment(term, scope)
        scope.count += 1
        scope.taken.add(segment)
        path = scope.join(segment)
        if term.source is not None:
            self.paths[term.source] = path
        if term.kind == "seq":
            inner = _Scope(path, reserved=_wanted(term.bodies[0]))
            term = replace(term, bodies=(self.body(term.bodies[0], inner),))
            result = _result(term)
            if result is not None:
                self.paths[result] = path
            return replace(term, name=(segment,), auto=written is None)
        return replace(term, name=(written,))

    def segment(self, term: Term, scope: _Scope) -> tuple[str, str | None]:
        """(the segment of a member, the name that has to be written for it)."""
        number = str(scope.count)
        if term.segment is None:
            if number not in scope.reserved | scope.taken and term.source not in self.taken_up:
                return number, None
            word = term.head[0]
            others = scope.reserved | scope.taken
            free = next(
                w for w in (word, *(f"{word}{n}" for n in range(2, 999))) if w not in others
            )
            return free, free
        if term.segment == number:
            return number, None
        if not SEGMENT.accepts(term.segment) or taken_as(term.segment):
            self.problems.append(Problem(term.path, f"`{term.segment}` is no name in a spec"))
        elif term.segment in scope.taken:
            fact = f"`{term.segment}` is the name of another value in the spec"
            self.problems.append(Problem(term.path, fact))
        elif self.twin(term.segment) != term.segment:
            fact = f"`{term.segment}` looks like `{self.twin(term.segment)}`, in other letters"
            self.problems.append(Problem(term.path, fact))
        return term.segment, term.segment

    def output(self, name: str) -> None:
        """Tell where an output cannot be called so."""
        if fault := OUTPUT.fault(name):
            self.problems.append(Problem("", f"an output is `{name}`, and {fault}"))
        elif self.twin(name) != name:
            fact = f"the output `{name}` looks like `{self.twin(name)}`, in other letters"
            self.problems.append(Problem("", fact))

    def twin(self, name: str) -> str:
        """The first name that looks as this one."""
        return self.written.setdefault(skeleton(name), name)

    # --- values that are taken up again ---

    def resolved(self, body: Body, scope: str) -> Body:
        """The body with paths in its takes, as they read within the scope."""
        return tuple(self.resolve(term, scope) for term in body)

    def resolve(self, term: Term, scope: str) -> Term:
        if term.kind == "take":
            assert term.source is not None
            return replace(term, head=(self.relative(term.source, scope),))
        inner = scope
        if term.kind == "seq":
            inner = term.path
        return replace(term, bodies=tuple(self.resolved(body, inner) for body in term.bodies))

    def relative(self, value: int, scope: str) -> str:
        path = self.paths[value]
        parts, ours = path.split("."), scope.split(".") if scope else []
        shared = 0
        while shared < min(len(ours), len(parts) - 1) and ours[shared] == parts[shared]:
            shared += 1
        return ".".join(parts[shared:])

    def head(self, head: Head, root: _Scope) -> Head:
        """A head's body under its label: a single member is named by it."""
        if len(head.body) == 1 and head.body[0].kind in ("op", "seq"):
            (term,) = head.body
            label = term.segment or head.name
            taken = "the name of a module" if label in root.taken else taken_as(label)
            if taken:
                fact = f"the output `{label}` would be a module, and its name is {taken}"
                self.problems.append(Problem(term.path, fact))
            root.count += 1
            root.taken.add(label)
            if term.kind == "seq":
                inner = _Scope(root.join(label), reserved=_wanted(term.bodies[0]))
                term = replace(term, bodies=(self.body(term.bodies[0], inner),))
            value = _result(term)
            if value is not None:
                self.paths[value] = root.join(label)
            term = replace(term, name=(None,))
            path = self.paths[head.source]
            return replace(head, name=label, body=self.resolved((term,), ""), path=path)
        if head.body:
            fact = f"the output `{head.name}` is computed by several calls beside the other outputs"
            self.ways.append(Problem(head.body[-1].path, fact))
        return replace(head, path=self.paths[head.source])
