"""Keys of a recipe that what is chosen beside them does not read, as `betas` of `sgd`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cnndsl.expr import show
from cnndsl.recipe.section import Misfit, Nested, Section, args_of, plain

Values = Mapping[str, Any]


class Unread(NamedTuple):
    """A key that is written at one of several places, and not read."""

    place: int
    misfit: Misfit


def unread(
    recipe: type[Section], places: Sequence[Values], first: int = 0, choices: Iterable[Values] = ()
) -> Iterator[Unread]:
    """The keys that nothing reads, of a recipe that is written at several places.

    Each place is a nested mapping whose sections are `spread`, later ones stand over the earlier;
    those before `first` are not judged. A key is judged by the choice beside it. Where there is
    none, one that any choice reads is right: the one that it was written over, the last of all,
    or one of `choices`, which are places that may stand over these in another variant.
    """
    for name, arg in args_of(recipe).items():
        if isinstance(arg.kind, Nested):
            own = [_section(place, name) for place in places]
            others = [_section(place, name) for place in choices]
            for index, misfit in _of_section(arg.kind.section, own, others):
                if index >= first:
                    yield Unread(index, misfit.under(name))


def unread_beside(recipe: type[Section], values: Values) -> Iterator[Misfit]:
    """The keys that the choice beside them does not read, where there is one."""
    for name, arg in args_of(recipe).items():
        own = _section(values, name)
        rules = arg.kind.section.read_by if isinstance(arg.kind, Nested) else {}
        for key, rule in rules.items():
            if key in own and rule.choice in own and not _reads(own[rule.choice], rule.kinds):
                yield Misfit(_told(rule.choice, own[rule.choice]), (name, key), rule.help)


def without_unread(section: Section) -> dict[str, Any]:
    """The section as plain values, without what its own choices do not read."""
    values = plain(section)
    for name in args_of(type(section)):
        inner = getattr(section, name)
        if isinstance(inner, Section):
            values[name] = without_unread(inner)
    dropped = {
        name
        for name, rule in type(section).read_by.items()
        if not _reads(getattr(section, rule.choice), rule.kinds)
    }
    return {name: value for name, value in values.items() if name not in dropped}


def _section(place: Values, name: str) -> Values:
    value = place.get(name)
    return value if isinstance(value, Mapping) else {}


def _of_section(
    section: type[Section], places: Sequence[Values], others: Sequence[Values]
) -> Iterator[tuple[int, Misfit]]:
    for name, rule in section.read_by.items():
        choice = args_of(section)[rule.choice]
        chosen, standing = choice.default, []  # what is chosen at each place
        for place in places:
            chosen = place.get(rule.choice, chosen)
            standing.append(chosen)
        elsewhere = [other[rule.choice] for other in others if rule.choice in other]
        for index, place in enumerate(places):
            judges = [standing[index]]
            if rule.choice not in place:
                judges += [chosen, *elsewhere]
            known = all(choice.kind.accepts(value) for value in judges)
            if name in place and known and not any(_reads(v, rule.kinds) for v in judges):
                yield index, Misfit(_told(rule.choice, standing[index]), (name,), rule.help)


def _told(choice: str, value: Any) -> str:
    if choice == "name":
        return f"`{value}` does not read it"
    return f"nothing reads it where `{choice}` is {show(value)}"


def _reads(value: Any, kinds: tuple[str, ...]) -> bool:
    return value in kinds if kinds else bool(value)
