"""Colours and strokes of diagrams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cnndsl.diagram.plan import Kind, Link


@dataclass(frozen=True, slots=True)
class Paint:
    """The colours of a box."""

    fill: str
    border: str


@dataclass(frozen=True, slots=True)
class Stroke:
    """The look of an edge; a higher `weight` makes it shorter and straighter."""

    color: str
    style: str
    weight: int


@dataclass(frozen=True, slots=True)
class Theme:
    """All colours of a diagram; the clusters' fills alternate by depth."""

    paints: Mapping[Kind, Paint]
    strokes: Mapping[Link, Stroke]
    clusters: tuple[str, ...]
    cluster_border: str
    background: str
    text: str
    muted: str
    font: str = "Helvetica"


LIGHT = Theme(
    paints={
        Kind.INPUT: Paint("#f3f4f6", "#6b7280"),
        Kind.CONVOLUTION: Paint("#dbeafe", "#2563eb"),
        Kind.DEPTHWISE: Paint("#cffafe", "#0891b2"),
        Kind.LINEAR: Paint("#fee2e2", "#dc2626"),
        Kind.POOLING: Paint("#ffedd5", "#ea580c"),
        Kind.NORMALIZATION: Paint("#fef9c3", "#ca8a04"),
        Kind.ACTIVATION: Paint("#dcfce7", "#16a34a"),
        Kind.REGULARIZATION: Paint("#fce7f3", "#db2777"),
        Kind.RESHAPE: Paint("#e2e8f0", "#64748b"),
        Kind.MERGE: Paint("#ede9fe", "#7c3aed"),
        Kind.BLOCK: Paint("#ffffff", "#334155"),
        Kind.OUTPUT: Paint("#f3f4f6", "#6b7280"),
        Kind.JOINT: Paint("#6b7280", "#6b7280"),
    },
    strokes={
        Link.MAIN: Stroke("#6b7280", "solid", 8),
        Link.TRAIN: Stroke("#9ca3af", "dashed", 2),
        Link.PROJECTION: Stroke("#7c3aed", "solid", 2),
        Link.IDENTITY: Stroke("#7c3aed", "dashed", 1),
    },
    clusters=("#f8fafc", "#eef2f7"),
    cluster_border="#94a3b8",
    background="#ffffff",
    text="#111827",
    muted="#4b5563",
)
