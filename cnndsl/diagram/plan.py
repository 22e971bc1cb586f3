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


@dataclass(frozen=True, slots=True)
class Box:
    """One drawn node: an op, fused ops, or a closed scope.

    `name` is that of the spec, empty where it would be a bare number; `op` and `text` say what is
    computed. `nodes` are the nodes of the graph that the box stands for, and `shown` those of them
    that belong to the first of `times` repetitions.
    """

    id: str
    kind: Kind
    name: str
    op: str
    text: str
    shape: str
    nodes: tuple[int, ...]
    shown: tuple[int, ...]
    times: int = 1
    train_only: bool = False


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

    def with_items(self, items: tuple[Box | Group, ...]) -> Group:
        return replace(self, items=items)


Item = Box | Group


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow between two boxes, by their ids."""

    source: str
    target: str
    link: Link


@dataclass(frozen=True, slots=True)
class Wire:
    """The node `value` of the graph, on its way from the box that computes it to one that reads it.

    Within a group, the ends are what lies directly in it: see `wiring`.
    """

    source: str
    target: str
    value: int
    link: Link


@dataclass(frozen=True)
class Plan:
    """A diagram: `items` in the order in which they run, and the `wires` between their boxes."""

    title: str
    subtitle: str
    about: str
    items: tuple[Item, ...]
    wires: tuple[Wire, ...]
    result: str
    """The box of the main output."""

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """One edge for each two boxes of which one reads the other, in the order of the readers."""
        order = list(Link)
        found: dict[tuple[str, str], Link] = {}
        for wire in self.wires:
            ends = wire.source, wire.target
            found[ends] = min(found.get(ends, wire.link), wire.link, key=order.index)
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
