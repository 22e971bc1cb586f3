"""Which nodes the rules of `init:` mean: all patterns against all paths, in one pass.

The patterns are a tree of segments, and a path walks through it in all the ways that it can. What
is known of a scope is known of all in it, and a segment meets each pattern once a scope.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cnndsl.expr import Meter
from cnndsl.graph import Node


@dataclass(eq=False)
class _Branch:
    """A place in the tree of patterns: what may follow, and the patterns that end here."""

    exact: dict[str, _Branch] = field(default_factory=dict)
    globs: dict[str, _Branch] = field(default_factory=dict)
    ends: list[str] = field(default_factory=list)


class Selectors:
    """Paths with `*` in them, and the nodes that they mean.

    Each comparison of a segment with a pattern is a unit of the meter; `Exhausted` where it ends.
    """

    def __init__(self, patterns: Iterable[str], meter: Meter) -> None:
        self.meter = meter
        root = _Branch()
        for pattern in patterns:
            branch = root
            for segment in pattern.split("."):
                following = branch.globs if "*" in segment else branch.exact
                branch = following.setdefault(segment, _Branch())
            branch.ends.append(pattern)
        self.reached: dict[str, tuple[_Branch, ...]] = {"": (root,)}
        """The places to which the path of a scope leads."""

    def select(self, nodes: Iterable[Node]) -> dict[str, list[Node]]:
        """The nodes by pattern, in their order."""
        found: dict[str, list[Node]] = {}
        for node in nodes:
            for branch in self.reach(node.path, keep=False):
                for pattern in branch.ends:
                    self.meter.spend(1)
                    found.setdefault(pattern, []).append(node)
        return found

    def reach(self, path: str, keep: bool = True) -> tuple[_Branch, ...]:
        if path in self.reached:
            return self.reached[path]
        scope, _, segment = path.rpartition(".")
        found = tuple(b for place in self.reach(scope) for b in self.following(place, segment))
        if keep:
            self.reached[path] = found
        return found

    def following(self, place: _Branch, segment: str) -> list[_Branch]:
        self.meter.spend(len(place.globs))
        found = [branch for glob, branch in place.globs.items() if fits(glob.split("*"), segment)]
        return [*found, place.exact[segment]] if segment in place.exact else found


def fits(parts: Sequence[str], segment: str) -> bool:
    """Whether a segment has the parts of a pattern, which its stars divide, one after the other."""
    first, *inner, last = parts
    if len(segment) < len(first) + len(last) or not segment.startswith(first):
        return False
    place, end = len(first), len(segment) - len(last)
    for part in inner:
        place = segment.find(part, place, end)
        if place < 0:
            return False
        place += len(part)
    return segment.endswith(last)
