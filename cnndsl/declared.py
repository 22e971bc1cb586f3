"""What a file declares, and unknown words that may stand for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from cnndsl import syntax
from cnndsl.diagnostics import Related, Report, Span, suggest, typo

TYPES = ("int", "float", "bool", "str", "list", "block")
_OTHERS = {
    "integer": "int",
    "number": "float",
    "double": "float",
    "boolean": "bool",
    "string": "str",
    "text": "str",
    "tuple": "list",
    "array": "list",
    "module": "block",
}
"""Types as others call them."""


@lru_cache(1_000)
def type_meant(word: str) -> str:
    """The type of parameters that a word stands for, misspelt or as others call it; or ""."""
    lower = word.lower()
    if lower in TYPES or lower in _OTHERS:
        return _OTHERS.get(lower, lower)
    return next((one for one in TYPES if len(one) > 2 and typo(word, one)), "")


def truth_meant(word: object) -> str:
    """`true` or `false`, for a word or a number that stands for it elsewhere; or ""."""
    lower = str(word).lower()
    if lower in ("yes", "on", "y", "true", "1"):
        return "true"
    return "false" if lower in ("no", "off", "n", "false", "0", "none") else ""


@dataclass(eq=False)
class Written:
    """What a file declares: whether anything reads it, and the block whose parameter it is."""

    what: str
    span: Span
    help: str
    block: str = ""
    column: bool = False
    """Whether it is a column of a loop."""
    items: tuple[Span, ...] = ()
    """Of a literal list."""
    read: bool = False
    taken: set[int | None] = field(default_factory=set)
    """The items that are read by their numbers; None stands for all of them."""

    @property
    def left(self) -> list[Span]:
        """The items that nothing reads, of a list that is read."""
        if None in self.taken or not self.read:
            return []
        return [span for number, span in enumerate(self.items) if number not in self.taken]


@dataclass(frozen=True)
class Unknown:
    """A word that names nothing, with the known ones, and where some of these are declared."""

    code: str
    message: str
    span: Span
    word: str
    known: list[str]
    places: Mapping[str, Span]

    def meant(self, unread: Mapping[Span, Written]) -> tuple[str, Span | None]:
        """The remedy, and where what is meant is declared: rather something that nothing reads."""
        near = [w for w, span in self.places.items() if span in unread and typo(self.word, w)]
        help = suggest(self.word, near or self.known)
        word = help.split("`")[1] if help.startswith("did") else ""
        return help, self.places.get(word)


def tell_unknown(
    unknown: Sequence[Unknown], written: Iterable[Written], report: Report
) -> dict[Span, str]:
    """Report unknown words, beside what they may mean if nothing reads that.

    Where several uses of one word may mean it, its declaration is misspelt, and is told once,
    there. Returns the words by the places of such declarations.
    """
    unread = {item.span: item for item in written if not item.read} if unknown else {}
    found = [(one, *one.meant(unread)) for one in unknown]
    misspelt = {}
    for span, item in unread.items():
        users = [one for one, _, meant in found if meant == span and not item.column]
        if len(users) > 1 and len({one.word for one in users}) == 1:
            word = misspelt[span] = users[0].word
            message = f"nothing reads {item.what}, and `{word}` is unknown"
            related = (Related(f"`{word}` is read", users[0].span),)
            report.error("name", message, span, f"did you mean `{word}`?", (), related)
    for one, help, meant in found:
        if meant not in misspelt:
            places = (Related("declared", meant),) if meant and meant in unread else ()
            report.error(one.code, one.message, one.span, help, (), places)
    return misspelt


def renamed(spec: syntax.Spec, words: Mapping[Span, str]) -> syntax.Spec:
    """The file with other names for parameters, `let` values and blocks, by their places."""

    def params(own: tuple[syntax.Param, ...]) -> tuple[syntax.Param, ...]:
        return tuple(replace(param, name=words.get(param.span, param.name)) for param in own)

    def let(own: tuple[syntax.Arg, ...]) -> tuple[syntax.Arg, ...]:
        return tuple(replace(item, name=words.get(item.key, item.name)) for item in own)

    blocks = {}
    for block in spec.blocks.values():
        name = words.get(block.span, block.name)
        own = params(block.params), let(block.let)
        blocks[name] = replace(block, name=name, params=own[0], let=own[1])
    return replace(spec, params=params(spec.params), let=let(spec.let), blocks=blocks)
