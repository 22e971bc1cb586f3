"""Graph → what the page knows: nets of items, closed and open, and repetitions one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from cnndsl.diagram import columns, geometry, labels, metrics, routes
from cnndsl.diagram.labels import has_stripe, label, title
from cnndsl.diagram.page.facts import Facts
from cnndsl.diagram.plan import Box, Group, Item, Kind, Link, Mark, Plan, boxes
from cnndsl.diagram.rows import Web
from cnndsl.diagram.structure import Fork, Parts, Structure, structure
from cnndsl.diagram.wiring import Exit, Net, net

Json = dict[str, Any]

CONSTANTS: Mapping[str, Any] = {
    **{
        name: getattr(module, name)
        for module, names in (
            (
                geometry,
                "GAP ENTER LEAVE TURN LEVEL BESIDE LANE NEXT_LANE PAD TITLE HANG COLUMN ROW "
                "PASSING",
            ),
            (routes, "BELOW BELOW_TITLE ABOVE"),
            (columns, "SHORTER LEAST MOST MAX_COLUMNS MAX_OUTER MAX_NETS WIDER"),
            (labels, "NAME WORDS FIRST_LINE NEXT_LINE PADDING STRIPE"),
        )
        for name in names.split()
    },
    "DOWN": asdict(columns.DOWN),
    "ACROSS": asdict(columns.ACROSS),
    "ABOVE_TEXT": labels.ABOVE,
    "WIDTHS": metrics.tables(),
}
"""What the scripts of the page take from here, so that both lay out alike."""


def make_model(facts: Facts, items: Sequence[Item], plan: Plan, expand: bool, across: bool) -> Json:
    """All that the page shows: the items, of which those of the plan are open at first."""
    writer = _Writer(facts, {group.id for group in plan.groups}, expand)
    return {
        "title": plan.title,
        "subtitle": plan.subtitle,
        "about": plan.about,
        "across": across,
        "compared": bool(plan.marks),
        "net": writer.net(items, (), plan.result),
        "facts": writer.facts.to_json(),
        "legend": _legend(items),
        "constants": CONSTANTS,
    }


def _legend(items: Sequence[Item]) -> list[list[str]]:
    """Kinds or marks, as the style sheet calls them, with their words."""
    marks = {box.mark for box in boxes(items)}
    if marks - {None}:
        return [[f"m-{m.value}", f"{m.sign} {m.value}".strip()] for m in Mark if m in marks]
    present = {box.kind for box in boxes(items)} | {Kind.BLOCK}
    return [[kind.name.lower(), kind.value] for kind in Kind if kind in present and kind.explained]


class _Writer:
    def __init__(self, facts: Facts, first: set[str], expand: bool) -> None:
        self.facts = facts
        self.first = first
        self.expand = expand

    def net(self, items: Sequence[Item], exits: Sequence[Exit], result: str = "") -> Json:
        found = net(items, exits, result)
        return {
            "items": [self.item(item, found.leaving[item.id]) for item in items],
            "entries": found.entries,
            "exits": found.exits,
            **_structure(found, structure(found)),
        }

    def item(self, item: Item, exits: Sequence[Exit]) -> Json:
        box = item if isinstance(item, Box) else item.closed
        shown = label(box)
        model: Json = {
            "id": item.id,
            "kind": box.kind.name.lower(),
            "lines": [[line.name, line.words, line.shape] for line in shown.lines],
            "w": shown.width,
            "h": shown.height,
            "stripe": has_stripe(box),
            "nodes": _ranges(item.nodes),
            "times": item.times,
            "train": item.train_only,
            "mark": item.mark.value if item.mark else "",
            "state": 2 if self.expand and item.units else 0,
        }
        if isinstance(item, Group):
            heading = title(item)
            model["title"] = [heading.name, heading.words, heading.width]
            model["net"] = self.net(item.items, exits)
            model["block"] = self.facts.block(item.id.removeprefix("run/"))
            if not model["state"]:
                model["state"] = int(self.expand or item.id in self.first)
        if item.units:
            model["title"] = model.get("title") or _box_title(item)
            model["units"] = self.net(item.units, exits)
        return model


def _box_title(box: Item) -> list[Any]:
    """The title of a repeated box, where its repetitions are shown one by one."""
    assert isinstance(box, Box)
    name = f"{box.name or box.op} ×{box.times}"
    return [name, "", round(metrics.text_width(name, labels.NAME, bold=True), 1)]


def _structure(found: Net, shape: Structure) -> Json:
    links = list(Link)
    return {
        "wires": [
            [wire.source, wire.target, wire.value, links.index(wire.link), way.value]
            for wire, way in zip(found.wires, shape.ways, strict=True)
        ],
        "parts": _parts(shape.parts),
        "heads": [{"source": head.source, "parts": _parts(head.parts)} for head in shape.heads],
        "vias": {str(number): keys for number, keys in shape.vias.items() if keys},
    }


def _parts(parts: Parts) -> list[str | Json]:
    return [part if isinstance(part, str) else _part(part) for part in parts]


def _part(part: Fork | Web) -> Json:
    if isinstance(part, Web):
        return {"rows": part.rows}
    branches = [_parts(branch) for branch in part.branches]
    return {"branches": branches, "lanes": part.lanes, "spine": part.spine}


def _ranges(nodes: Sequence[int]) -> list[list[int]]:
    """Numbers as stretches of following ones, [first, last]."""
    return list(_stretches(sorted(nodes)))


def _stretches(nodes: Sequence[int]) -> Iterator[list[int]]:
    for _, run in groupby(enumerate(nodes), key=lambda entry: entry[1] - entry[0]):
        found = [node for _, node in run]
        yield [found[0], found[-1]]
