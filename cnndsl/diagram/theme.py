"""Colours and strokes of diagrams.

The kinds' colours are told apart in greyscale, where they differ in lightness, and by readers who
see no red, no green or no blue; a test measures both. The words on a box say its kind too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from cnndsl.diagram.plan import Box, Kind, Link, Mark

K = TypeVar("K", Kind, Mark)


@dataclass(frozen=True, slots=True)
class Paint:
    """The colours of a box."""

    fill: str
    border: str


@dataclass(frozen=True, slots=True)
class Stroke:
    """The look of a wire: `dash` is empty where it is solid."""

    color: str
    dash: str = ""


@dataclass(frozen=True, slots=True)
class Theme:
    """All colours of a diagram; the clusters' fills alternate by depth."""

    name: str
    paints: Mapping[Kind, Paint]
    marks: Mapping[Mark, Paint]
    strokes: Mapping[Link, Stroke]
    clusters: tuple[str, ...]
    cluster_border: str
    background: str
    text: str
    muted: str
    font: str = "Helvetica"

    def paint(self, box: Box) -> Paint:
        """The colours of a box: where networks are compared, of what became of it."""
        return self.marks[box.mark] if box.mark else self.paints[box.kind]


def mixed(color: str, ground: str, share: float) -> str:
    """A colour of which only a share covers the ground."""
    parts = [
        round(share * int(color[i : i + 2], 16) + (1 - share) * int(ground[i : i + 2], 16))
        for i in (1, 3, 5)
    ]
    return "#" + "".join(f"{part:02x}" for part in parts)


def _paints(colors: Mapping[K, str], ground: str, share: float) -> dict[K, Paint]:
    return {kind: Paint(mixed(color, ground, share), color) for kind, color in colors.items()}


LIGHT = Theme(
    name="light",
    paints=_paints(
        {
            Kind.INPUT: "#6b7280",
            Kind.CONVOLUTION: "#3168f1",
            Kind.DEPTHWISE: "#1ac8f9",
            Kind.LINEAR: "#ef4864",
            Kind.POOLING: "#da8634",
            Kind.NORMALIZATION: "#6f5602",
            Kind.ACTIVATION: "#014923",
            Kind.REGULARIZATION: "#a63f86",
            Kind.RESHAPE: "#a2adba",
            Kind.MERGE: "#56349c",
            Kind.OUTPUT: "#6b7280",
        },
        "#ffffff",
        0.12,
    )
    | {Kind.BLOCK: Paint("#ffffff", "#111827")},
    marks=_paints(
        {Mark.ADDED: "#00664a", Mark.REMOVED: "#d64027", Mark.CHANGED: "#c99700"}, "#ffffff", 0.14
    )
    | {Mark.SAME: Paint("#ffffff", "#a9b1bc")},
    strokes={
        Link.MAIN: Stroke("#4b5563"),
        Link.TRAIN: Stroke("#6b7280", "4 3"),
        Link.PROJECTION: Stroke("#56349c"),
        Link.IDENTITY: Stroke("#56349c"),
        Link.ADDED: Stroke("#00664a"),
        Link.REMOVED: Stroke("#d64027", "2 3"),
    },
    clusters=("#f6f7f9", "#eceff3"),
    cluster_border="#a3acb9",
    background="#ffffff",
    text="#111827",
    muted="#4b5563",
)

DARK = Theme(
    name="dark",
    paints=_paints(
        {
            Kind.INPUT: "#9ca3af",
            Kind.CONVOLUTION: "#8c9dfe",
            Kind.DEPTHWISE: "#5ee0fe",
            Kind.LINEAR: "#c03331",
            Kind.POOLING: "#fed5b4",
            Kind.NORMALIZATION: "#a79b06",
            Kind.ACTIVATION: "#149d5e",
            Kind.REGULARIZATION: "#fd89c9",
            Kind.RESHAPE: "#747f8b",
            Kind.MERGE: "#895fb5",
            Kind.OUTPUT: "#9ca3af",
        },
        "#0d1117",
        0.2,
    )
    | {Kind.BLOCK: Paint("#0d1117", "#f3f4f6")},
    marks=_paints(
        {Mark.ADDED: "#2fd6a3", Mark.REMOVED: "#f0563b", Mark.CHANGED: "#f0d264"}, "#0d1117", 0.22
    )
    | {Mark.SAME: Paint("#0d1117", "#5b6470")},
    strokes={
        Link.MAIN: Stroke("#b3bac4"),
        Link.TRAIN: Stroke("#8b949e", "4 3"),
        Link.PROJECTION: Stroke("#b794e6"),
        Link.IDENTITY: Stroke("#b794e6"),
        Link.ADDED: Stroke("#2fd6a3"),
        Link.REMOVED: Stroke("#f0563b", "2 3"),
    },
    clusters=("#161b22", "#1f2630"),
    cluster_border="#4b5563",
    background="#0d1117",
    text="#f3f4f6",
    muted="#b3bac4",
)

THEMES = {theme.name: theme for theme in (LIGHT, DARK)}
