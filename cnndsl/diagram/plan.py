"""What a diagram shows, before any word of DOT: boxes in nested groups, and the edges between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum


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
    BLOCK = "block"
    OUTPUT = "output"


class Link(Enum):
    """What an edge is for; its colour and stroke. Of two edges between the same boxes, the first counts."""

    MAIN = "data"
    TRAIN = "training only"
    PROJECTION = "projection shortcut"
    IDENTITY = "identity shortcut"


@dataclass(frozen=True, slots=True)
class Box:
    """One drawn node: an op, fused ops, or a closed scope; `nodes` are the graph's nodes that it stands for.

    `shown` are the first instance's nodes where the box is part of `times` repetitions.
    """

    id: str
    kind: Kind
    name: str
    text: str
    shape: str
    nodes: tuple[int, ...]
    shown: tuple[int, ...]
    times: int = 1
    train_only: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A scope or a repeated run of members, drawn as a cluster around its items.

    `look` is equal for groups that are drawn alike, and `closed` stands for the group where it is not opened.
    """

    id: str
    name: str
    block: str
    items: tuple[Box | Group, ...]
    closed: Box
    look: str
    times: int = 1
    train_only: bool = False


Item = Box | Group


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow between two boxes, by their ids."""

    source: str
    target: str
    link: Link


@dataclass(frozen=True, slots=True)
class Plan:
    """A diagram: `items` and `edges` in the order in which they are written."""

    title: str
    subtitle: str
    about: str
    items: tuple[Item, ...]
    edges: tuple[Edge, ...]

    @property
    def boxes(self) -> tuple[Box, ...]:
        return tuple(boxes(self.items))

    @property
    def groups(self) -> tuple[Group, ...]:
        return tuple(groups(self.items))

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of the boxes that are present, in the order of the legend."""
        present = {box.kind for box in self.boxes}
        return tuple(kind for kind in Kind if kind in present)

    @property
    def links(self) -> tuple[Link, ...]:
        present = {edge.link for edge in self.edges}
        return tuple(link for link in Link if link in present)


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
