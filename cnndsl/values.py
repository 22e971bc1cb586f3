"""Terms → values: the names in scope, and the types of parameters."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NoReturn

from cnndsl import syntax
from cnndsl.declared import truth_meant, type_meant
from cnndsl.diagnostics import Diagnostic, Frame, Help, Related, Report, Span, suggest
from cnndsl.expr import (
    Exhausted,
    Expr,
    ExprError,
    Meter,
    Missing,
    Outside,
    Unknown,
    UnknownAttribute,
    UnknownName,
    evaluate,
    oversize,
    show,
)
from cnndsl.expr.tree import MAX_NUMBER, MAX_WORK
from cnndsl.ops.base import Shape
from cnndsl.provenance import Origin, Path, Written, read, reader, written
from cnndsl.source import resolve
from cnndsl.words import qualified

MISSING = Missing()


class Poison(Exception):  # noqa: N818 - named for what it says
    """A value cannot be known, because of a mistake that was already reported."""


@dataclass(frozen=True, eq=False)
class Home:
    """A file with the values of its parameters: what its blocks see wherever they are called."""

    spec: syntax.Spec
    values: Mapping[str, Any]
    imports: Mapping[str, Home]
    origins: Mapping[str, Origin] = field(default_factory=dict)
    """Where the values were written."""

    def block(self, alias: str, name: str) -> BlockRef | None:
        home = self.imports.get(alias) if alias else self
        block = home.spec.blocks.get(name) if home else None
        return BlockRef(block, home) if block and home else None


@dataclass(frozen=True, eq=False)
class BlockRef:
    """A block as a value: it keeps the file that it comes from."""

    block: syntax.Block
    home: Home

    def __str__(self) -> str:
        return self.block.name


@dataclass(frozen=True)
class Env(Mapping[str, Any]):
    """The names that an expression may read: locals, the file's values, its blocks, and `x`."""

    home: Home
    locals: Mapping[str, Any] = field(default_factory=dict)
    x: Shape | None = None
    frames: tuple[Frame, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)
    """Where the values of the locals were written."""

    def at(self, x: Shape | None) -> Env:
        return replace(self, x=x)

    def extended(self, more: Mapping[str, Any], origins: Mapping[str, Origin]) -> Env:
        return replace(self, locals={**self.locals, **more}, origins={**self.origins, **origins})

    def origin(self, name: str) -> Origin | None:
        """Where the value of a name was written, if the spec or the request gave it."""
        origins = self.origins if name in self.locals else self.home.origins
        return None if name == "x" else origins.get(name)

    def __getitem__(self, name: str) -> Any:
        if name in self.locals:
            return self.locals[name]
        if name == "x":
            return MISSING if self.x is None else describe(self.x)
        if name in self.home.values:
            return self.home.values[name]
        block = self.home.block("", name)
        if block is None:
            raise KeyError(name)
        return block

    def __contains__(self, name: object) -> bool:
        return (
            name == "x"
            or name in self.locals
            or name in self.home.values
            or name in self.home.spec.blocks
        )

    def __iter__(self) -> Iterator[str]:
        return iter({*self.locals, *self.home.values, *self.home.spec.blocks, "x"})

    def __len__(self) -> int:
        return sum(1 for _ in self)


OF_X = ("channels", "height", "width", "shape")


def describe(x: Shape) -> dict[str, Any]:
    """What `$x` offers: its channels and whole shape, for an image also its height and width."""
    names = OF_X[:3] if len(x) == 3 else OF_X[:1]
    return {**dict(zip(names, x, strict=False)), "shape": list(x)}


@dataclass(frozen=True)
class Evaluator:
    """Computes terms; a fault is reported once, where it stands, and raises Poison."""

    report: Report
    meter: Meter = field(default_factory=Meter)
    texts: dict[Span, str] = field(default_factory=dict)
    """Texts that are defaults, and that calls gave another type, or that read as a misspelt type:
    the remedy, if there is one."""

    @property
    def exhausted(self) -> bool:
        """Whether the bound of all computations is passed: then no value can be known any more."""
        return self.meter.left < 0

    def spend(self, work: int, span: Span) -> None:
        """Count work of the walk against the bound."""
        if self.exhausted:
            raise Poison
        try:
            self.meter.spend(work)
        except Exhausted:
            message = f"more than {MAX_WORK} operations; the spec computes too much"
            self.report.error("bound", message, span)
            raise Poison from None

    def recount(self, since: float, most: float, span: Span) -> None:
        """Count in full what was done again since then, but for so much of it."""
        self.meter.recount(since, most)
        if self.exhausted:
            self.meter.left = 0
            self.spend(1, span)

    def value(self, term: syntax.Term, env: Env) -> Any:
        self.spend(1, term.span)
        match term:
            case syntax.Const(value):
                return self.literal(value, term.span, env)
            case syntax.Formula(expr):
                return self.compute(expr, term, env)
            case syntax.Terms(items):
                return self.list_of([self.value(item, env) for item in items], term.span, env)
            case syntax.Text(parts):
                values = (p if isinstance(p, str) else self.compute(p, term, env) for p in parts)
                return "".join(filled(value) for value in values)
        raise Poison

    def literal(self, value: Any, span: Span, env: Env) -> Any:
        """A value as it is written; a number is held to the bound that expressions have too."""
        if isinstance(value, int | float) and MAX_NUMBER < abs(value) <= sys.float_info.max:
            fault = f"the value is beyond {MAX_NUMBER:.0e}"
            self.report.error("bound", fault, span, "", env.frames)
            raise Poison
        return value

    def list_of(self, values: list[Any], span: Span, env: Env) -> list[Any]:
        fault = oversize(values)
        if fault:
            self.report.error("bound", fault, span, "", env.frames)
            raise Poison
        return values

    def compute(self, expr: Expr, term: syntax.Formula | syntax.Text, env: Env) -> Any:
        try:
            return evaluate(expr, env, self.meter)
        except Unknown:
            raise Poison from None
        except Exhausted:
            self.meter.left = 0
            self.spend(1, term.span)
            raise Poison from None
        except ExprError as e:
            self.misread(e, term, env)

    def misread(self, fault: ExprError, term: syntax.Formula | syntax.Text, env: Env) -> NoReturn:
        """Report an expression that cannot be computed, beside the one value that it reads.

        A text that was meant as another value, and a list that was given and has no such item, are
        told themselves.
        """
        span = term.span.inside(term.text, fault.start, fault.end)
        help, found = fault.help, read(term, env, fault)
        if found and not isinstance(fault, UnknownName) and self.remedy(found):
            self.miswritten("expression", fault.message, found, span, env)
        if isinstance(fault, UnknownName):
            if env.home.spec.open or self.report.knows("expression", fault.message, span):
                raise Poison from None
            help, found = suggest(fault.name, list(env)), None
        if isinstance(fault, UnknownAttribute):
            help = near if (near := suggest(fault.name, fault.known)).startswith("did") else help
        related = found.related if found else ()
        if found and not term.span.covers(found.span):
            related = (Related(f"`{found.name}` is set", found.span), *related)
        cause = related[-1].span if related else span
        if found and found.given and not found.related and isinstance(fault, Outside):
            span, related = found.span, (Related("read", span),)
        told = Diagnostic("expression", fault.message, span, help, env.frames, related=related)
        self.report.blame(told, cause)
        raise Poison from None

    def elsewhere(
        self, words: str, term: syntax.Term, env: Env, path: Path = (), at: Span | None = None
    ) -> tuple[Related, ...]:
        """Where the value of a term was written, if not in the term itself, or in `at`."""
        where = written(term, env, path)
        near = (at or term.span).covers(where.span)
        own = () if near else (Related(words, where.span),)
        return (*own, *where.related)

    def wrong(
        self,
        code: str,
        message: str,
        term: syntax.Term,
        env: Env,
        help: Help = "",
        path: Path = (),
        more: tuple[Related, ...] = (),
    ) -> NoReturn:
        """Report a value that its reader does not take, where it was written.

        `path` is the item at fault of a list, `more` further places.
        """
        where = written(term, env, path)
        reads = reader(term, path)
        if self.remedy(where):
            self.miswritten(code, message, where, reads, env, more)
        elsewhere = not term.span.covers(where.span)
        related = (Related("read", reads),) if elsewhere else ()
        related = (*related, *more, *where.related)
        self.report.error(
            code, message, where.span, help, env.frames, related, distinct=elsewhere or bool(more)
        )
        if elsewhere and code != "value":  # not of the type that is taken
            self.report.accuse(where.span)
        raise Poison from None

    def miswritten(
        self,
        code: str,
        message: str,
        where: Written,
        reads: Span,
        env: Env,
        more: tuple[Related, ...] = (),
    ) -> NoReturn:
        """Report a text that was meant as another value, once, whatever reads it."""
        place = where.related[-1].span if where.related else where.span
        if not self.report.is_wrong(place):
            related = () if reads.covers(place) else (Related("read", reads),)
            help = self.remedy(where)
            self.report.error(code, message, place, help, env.frames, (*related, *more))
            self.report.accuse(place)
        raise Poison from None

    def typed(self, term: syntax.Term, env: Env, kind: str, what: str) -> Any:
        """The value, of a type as parameters name it; `what` names it in the message."""
        return self.converted(self.value(term, env), term, env, kind, what)

    def converted(self, value: Any, term: syntax.Term, env: Env, kind: str, what: str) -> Any:
        try:
            return convert(value, kind, env.home)
        except TypeError:
            if kind == "block" and isinstance(value, str):
                if env.home.spec.open:
                    raise Poison from None
                near = partial(suggest, value, [*env.home.spec.blocks])
                self.wrong("name", f"unknown block `{value}`", term, env, near)
            message = f"{what} takes {WORDS[kind]}, found {show(value)}"
            truth = truth_meant(value) if kind == "bool" else ""
            help = f"write `{truth}`" if truth else mend(value)
            self.wrong("type", message, term, env, help)

    def remedy(self, where: Written) -> str:
        """What a text was meant as, where that is another value or a type."""
        place = where.related[-1].span if where.related else where.span
        return self.texts.get(place) or mend(where.value)

    def argument(self, param: syntax.Param, term: syntax.Term, env: Env, given: bool) -> Any:
        """The value of a parameter, of its type."""
        value, default = self.value(term, env), param.default
        if param.type == "str" and isinstance(default, syntax.Const):
            if meant := type_meant(default.value):
                self.texts.setdefault(default.span, f"did you mean `{meant}`?")
            if given and not isinstance(value, str):
                self.mistyped(param.name, value, default, term, env)
            if not given and self.texts.get(default.span) == "":
                raise Poison  # a call was told, that gives another type
        return self.converted(value, term, env, param.type, f"`{param.name}`")

    def mistyped(
        self, name: str, value: Any, default: syntax.Const, term: syntax.Term, env: Env
    ) -> NoReturn:
        """Report a value that is no text, of a parameter whose default is one, once.

        A default that reads as a misspelt type is told itself.
        """
        if self.report.is_wrong(default.span):
            raise Poison
        self.report.accuse(default.span)
        help = self.texts.setdefault(default.span, "")
        if help:
            told = f"`{default.value}` is no type, and `{name}` is given {show(value)}"
            self.report.error("type", told, default.span, help, (), (Related("given", term.span),))
            raise Poison
        told = f"`{name}` takes text, found {show(value)}"
        related = (Related("the default is set", default.span),)
        self.wrong("type", told, term, env, mend(value), more=related)

    def let(self, lets: tuple[syntax.Arg, ...], env: Env) -> Env:
        """The names with the named values, each seeing those before it."""
        local, origins = dict(env.locals), dict(env.origins)
        env = replace(env, locals=local, origins=origins)
        for item in lets:
            try:
                local[item.name] = self.value(item.value, env)
            except Poison:
                local[item.name] = MISSING
            origins[item.name] = Origin(item.value, env)
        return env

    def bind(
        self,
        params: tuple[syntax.Param, ...],
        given: Mapping[str, syntax.Arg],
        caller: Env | None,
        own: Env,
        at: Span | None,
        what: str,
    ) -> Env:
        """The names of parameters: the given as the caller sees them, defaults as the callee does.

        A file has no caller: what is given there stands for a default. A missing value is told at
        `at`, where the call stands; where none is, at its declaration.
        """
        values: dict[str, Any] = {}
        origins: dict[str, Origin] = {}
        own = replace(own, locals=values, origins=origins)  # a default sees those before it
        caller = caller or own
        for param in params:
            arg = given.get(param.name)
            term, env = (arg.value, caller) if arg else (param.default, own)
            try:
                if term is None:
                    help = f"`{param.name}` is of type {param.type}"
                    message = f"{what} needs a value for `{param.name}`"
                    self.report.error("argument", message, at or param.span, help, caller.frames)
                    raise Poison
                origins[param.name] = Origin(term, env, given=arg is not None)
                if _is_no_block(param, own.home):
                    raise Poison  # told by the check of names
                values[param.name] = self.argument(param, term, env, given=arg is not None)
            except Poison:
                values[param.name] = MISSING
        return own


def _is_no_block(param: syntax.Param, home: Home) -> bool:
    """Whether the default reads as a block that does not exist, and was meant as a type."""
    name = param.default.value if isinstance(param.default, syntax.Const) else None
    if param.type != "block" or not isinstance(name, str) or name in home.spec.blocks:
        return False
    return bool(type_meant(name))


def filled(value: Any) -> str:
    """A value within a text, as it would stand there."""
    return show(value) if value is None or isinstance(value, bool | list) else str(value)


def mend(value: Any) -> str:
    """The remedy for a text that was meant as another value, and for `$x` as a whole."""
    if isinstance(value, dict) and "channels" in value:
        return "take a part of it, as in `$x.channels`"
    text = value.strip() if isinstance(value, str) else ""
    if text.startswith("(") and text.endswith(")"):
        listed = re.sub(r",\s*\)", ")", text).replace("(", "[").replace(")", "]")
        write = f"a list has brackets: write `{listed}`"
        return write if "," in text else f"an expression has a `$`: write `${text}`"
    number = resolve(text)
    if isinstance(value, str) and isinstance(number, int | float) and not isinstance(number, bool):
        return f"write `{text}`, without quotation marks"
    bare = text.rstrip(", ")
    return f"write {bare} without the comma" if bare and bare != text else ""


WORDS = {
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "list": "a list",
    "block": "a block",
    "any": "any value",
}


def convert(value: Any, kind: str, home: Home) -> Any:
    """The value as the type has it; TypeError where it is none of that type."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    number = number and abs(value) <= sys.float_info.max
    if kind == "block":
        alias, name = qualified(value) if isinstance(value, str) else ("", "")
        value = home.block(alias, name) or value
    fits = {
        "int": number and value == value // 1,
        "float": number,
        "bool": isinstance(value, bool),
        "str": isinstance(value, str),
        "list": isinstance(value, list),
        "block": isinstance(value, BlockRef),
        "any": True,
    }
    if not fits[kind]:
        raise TypeError
    return int(value) if kind == "int" else float(value) if kind == "float" else value


Shown = dict[int, tuple[list[Any], list[Any]]]
"""Lists by their identity, each with how it is shown: the rounds of a loop read the same ones."""


def public(values: Mapping[str, Any], known: Shown | None = None) -> dict[str, Any]:
    """Values as they are shown and stored: a block by its name."""
    known = {} if known is None else known

    def shown(value: Any) -> Any:
        if isinstance(value, BlockRef):
            return str(value)
        if not isinstance(value, list):
            return value
        if id(value) not in known:
            items = [shown(item) for item in value]
            same = all(item is one for item, one in zip(items, value, strict=True))
            known[id(value)] = value, value if same else items
        return known[id(value)][1]

    return {name: shown(value) for name, value in values.items() if value is not MISSING}
