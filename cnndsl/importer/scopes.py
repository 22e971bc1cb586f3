"""Steps → the tree of modules that they lie in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import nn

from cnndsl.importer.errors import ModelError, Problem
from cnndsl.importer.rewriting import home, within
from cnndsl.importer.steps import Step


@dataclass(frozen=True)
class Group:
    """A module with what runs in it, in order; `cls` is empty for an nn.Sequential and a list."""

    path: str
    cls: str
    members: tuple[Member, ...]

    def steps(self) -> Iterator[Step]:
        for member in self.members:
            if isinstance(member, Step):
                yield member
            else:
                yield from member.steps()


Member = Step | Group


def grouped(steps: tuple[Step, ...], classes: Mapping[str, str], stateful: frozenset[str]) -> Group:
    """The tree of modules; ModelError where two modules' members run in turns."""
    members, rest = _members("", list(steps), classes, stateful)
    assert not rest
    return Group("", classes.get("", ""), members)


def _members(
    scope: str, steps: list[Step], classes: Mapping[str, str], stateful: frozenset[str]
) -> tuple[tuple[Member, ...], list[Step]]:
    """The members of a scope, taken from the front of the steps, and the steps after them."""
    found: list[Member] = []
    done: set[str] = set()
    while steps and within(home(steps[0]), scope):
        place = home(steps[0])
        if place == scope:
            found.append(steps.pop(0))
            continue
        rest = place[len(scope) + 1 if scope else 0 :].split(".")[0]
        child = f"{scope}.{rest}" if scope else rest
        if child in done:
            problem = Problem(child, "its members run in turns with those of other modules")
            raise ModelError("a module cannot be one part of a spec", _TURNS, [problem])
        done.add(child)
        _absorb(child, steps, stateful)
        inner, steps = _members(child, steps, classes, stateful)
        found.append(_collapsed(Group(child, classes.get(child, ""), inner), stateful))
    return tuple(found), steps


_TURNS = "a module that holds both, one for each round, can be imported"


def _absorb(child: str, steps: list[Step], stateful: frozenset[str]) -> None:
    """Move stateless steps that run between the members of a list into the list."""
    last = max(i for i, step in enumerate(steps) if within(home(step), child))
    between = [step for step in steps[:last] if not within(home(step), child)]
    if any(step.path in stateful for step in between):
        return
    for index, step in enumerate(steps[:last]):
        if step in between:
            steps[index] = Step(**{**vars(step), "path": child, "named": False})


def _collapsed(group: Group, stateful: frozenset[str]) -> Member:
    """A module around a single function is that op."""
    (first, *others) = group.members
    if isinstance(first, Step) and not others and not first.named:
        return Step(**{**vars(first), "path": group.path, "named": True})
    return group


def classes_of(model: nn.Module) -> dict[str, str]:
    """The class of each module with a forward pass of its own making, by path."""
    plain = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
    return {
        path: f"{type(module).__module__}.{type(module).__qualname__}"
        for path, module in model.named_modules()
        if type(module) not in plain
    }


def stateful_paths(model: nn.Module) -> frozenset[str]:
    """The paths of modules, and of weights, that a state dict holds something of."""
    names = list(model.state_dict())
    return frozenset(name.rpartition(".")[0] for name in names) | frozenset(names)
