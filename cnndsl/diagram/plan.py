"""What a diagram shows, before any word of DOT: boxes in nested groups, and edges between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property


class Kind(Enum):
    """What a box shows; its colour, and its line in the legend."""

    INPUT = "input"
    CONVOLUTION = "convolution"
    DEPTHWISE = "depthwise convolution"
    LINEAR = "linear"
    POOLING = "pooling"
    NORMALIZATION = "normalization"
    ACTIVATION = "activation"
    REGULARIZATION = "regularization"
    RESHAPE = "reshape"
    MERGE = "merge"
    BLOCK = "block, closed"
    OUTPUT = "output"

    @property
    def explained(self) -> bool:
        """Whether the legend has a line for the kind; the others say themselves what they are."""
        return self not in (Kind.INPUT, Kind.OUTPUT)


class Link(Enum):
    """What an edge is for; its colour and stroke.

    Where several hold between two boxes, the edge drawn is of the first.
    """

    MAIN = "data"
    TRAIN = "training only"
    PROJECTION = "projection shortcut"
    IDENTITY = "identity shortcut"
    ADDED = "added"
    REMOVED = "removed"


class Mark(Enum):
    """What became of something, where two networks are compared."""

    SAME = "unchanged"
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"

    @property
    def sign(self) -> str:
        return {"added": "+", "removed": "–", "changed": "~"}.get(self.value, "")


Read = tuple[int, Link]
"""A node of the graph that is read, and what for."""


@dataclass(frozen=True, slots=True)
class Box:
    """One drawn node: an op, fused ops, or a closed scope.

    `name` is that of the spec, empty where it would be a bare number; `op` and `text` say what is
    computed. `nodes` are the nodes of the graph that the box stands for, in all of its `times`
    repetitions, and `reads` the nodes that the first of these needs from elsewhere.
    """

    id: str
    kind: Kind
    name: str
    op: str
    text: str
    shape: str
    nodes: tuple[int, ...]
    reads: tuple[Read, ...]
    times: int = 1
    train_only: bool = False
    units: tuple[Box | Group, ...] = ()
    """The repetitions one by one, where they were asked for."""
    mark: Mark | None = None
    was: Was | None = None


@dataclass(frozen=True, slots=True)
class Was:
    """What a box that has changed said before, and says now where its text does not."""

    words: str
    now: str
    shape: str


@dataclass(frozen=True, slots=True)
class Group:
    """A scope or a repeated run of members, drawn as a cluster around its items.

    `look` is equal for groups that are drawn alike, and `closed` is what stands for the group where
    it is not opened.
    """

    id: str
    name: str
    block: str
    items: tuple[Box | Group, ...]
    closed: Box
    look: str
    times: int = 1
    train_only: bool = False
    units: tuple[Box | Group, ...] = ()
    """The repetitions one by one, where they were asked for."""

    @property
    def nodes(self) -> tuple[int, ...]:
        return self.closed.nodes

    @property
    def reads(self) -> tuple[Read, ...]:
        return self.closed.reads

    @property
    def mark(self) -> Mark | None:
        return self.closed.mark

    def with_items(self, items: tuple[Box | Group, ...]) -> Group:
        return replace(self, items=items)


Item = Box | Group


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow between two boxes, by their ids."""

    source: str
    target: str
    link: Link


@dataclass(frozen=True)
class Plan:
    """A diagram: `items` in the order in which they run; `result` is the box of the main output."""

    title: str
    subtitle: str
    about: str
    items: tuple[Item, ...]
    result: str

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """One edge for each two boxes of which one reads the other, in the order of the readers."""
        home = {node: box.id for box in self.boxes for node in box.nodes}
        order = list(Link)
        found: dict[tuple[str, str], Link] = {}
        for box in self.boxes:
            for value, link in box.reads:
                ends = home[value], box.id
                found[ends] = min(found.get(ends, link), link, key=order.index)
        # Heads that inference does without stand beside the spine, not between its branches.
        ordered = sorted(found.items(), key=lambda entry: entry[1] is Link.TRAIN)
        return tuple(Edge(source, target, link) for (source, target), link in ordered)

    @property
    def boxes(self) -> tuple[Box, ...]:
        return tuple(boxes(self.items))

    @property
    def groups(self) -> tuple[Group, ...]:
        return tuple(groups(self.items))

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of boxes that the legend explains, of those that are present."""
        present = {box.kind for box in self.boxes}
        return tuple(kind for kind in Kind if kind in present and kind.explained)

    @property
    def marks(self) -> tuple[Mark, ...]:
        """What became of the boxes, of those marks that are present."""
        present = {box.mark for box in self.boxes}
        return tuple(mark for mark in Mark if mark in present)


def boxes(items: Iterable[Item]) -> Iterator[Box]:
    for item in items:
        if isinstance(item, Box):
            yield item
        else:
            yield from boxes(item.items)


def groups(items: Iterable[Item]) -> Iterator[Group]:
    for item in items:
        if isinstance(item, Group):
            yield item
            yield from groups(item.items)
