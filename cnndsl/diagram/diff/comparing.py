"""Two graphs → Plan: what changed is open, and what did not is small."""

from __future__ import annotations

from collections.abc import Sequence

from cnndsl.amounts import amount
from cnndsl.costs import cost
from cnndsl.diagram.diff.union import unite
from cnndsl.diagram.opening import opened
from cnndsl.diagram.plan import Box, Group, Item, Kind, Mark, Plan
from cnndsl.diagram.planner import Planner
from cnndsl.graph import Graph

FEWEST = 3
"""How many unchanged items in sequence become one, beside those next to what changed."""


def compare(
    before: Graph,
    after: Graph,
    *,
    depth: int | None = None,
    fold: bool = True,
    fuse: bool = True,
) -> Plan:
    """Both networks in one plan, each box with its mark.

    Without a depth, the blocks that changed are open, and stretches that did not are one box.
    """
    both = unite(before, after)
    items = Planner(both, fold, fuse, changes=both.changes).all_items()
    return Plan(
        title=heading(before, after),
        subtitle=_figures(before, after),
        about=" ".join(after.about.split()),
        items=shown(gathered(items)) if depth is None else opened(items, depth),
        result=f"output/{both.output.name}",
    )


def heading(before: Graph, after: Graph) -> str:
    """`from resnet18 to resnet34`, or the name that both have."""
    first, second = (graph.variant or graph.name for graph in (before, after))
    return first if first == second else f"from {first} to {second}"


def _figures(before: Graph, after: Graph) -> str:
    first, second = cost(before), cost(after)
    pairs = [("parameters", first.params, second.params)]
    pairs += [("multiply-adds", first.macs, second.macs)]
    return ", ".join(_figure(*pair) for pair in pairs)


def _figure(name: str, before: int, after: int) -> str:
    told = f"{amount(after)} {name}"
    return told if before == after else f"{told} ({amount(before)} before)"


# --- what is open ---


def shown(items: Sequence[Item]) -> tuple[Item, ...]:
    """The items with the groups open that changed, and all others closed."""
    return tuple(item if isinstance(item, Box) else _open_or_closed(item) for item in items)


def _open_or_closed(group: Group) -> Item:
    if group.mark is Mark.CHANGED:
        return group.with_items(shown(group.items))
    return group.closed


def gathered(items: Sequence[Item]) -> tuple[Item, ...]:
    """The items with a group around what did not change in sequence, but next to changes."""
    found: list[Item] = []
    stretch: list[Item] = []
    for item in items:
        if _still(item) and (not stretch or _follows(item, stretch[-1])):
            stretch.append(item)
            continue
        found += _together(stretch)
        stretch = [item] if _still(item) else []
        if not stretch:
            if isinstance(item, Group) and item.mark is Mark.CHANGED:
                item = item.with_items(gathered(item.items))
            found.append(item)
    return (*found, *_together(stretch))


def _still(item: Item) -> bool:
    """Whether nothing became of an item, and it may be drawn with others."""
    kind = item.kind if isinstance(item, Box) else item.closed.kind
    return item.mark is Mark.SAME and kind not in (Kind.INPUT, Kind.OUTPUT)


def _follows(item: Item, before: Item) -> bool:
    """Whether an item reads nothing but what is before it."""
    own = set(before.nodes)
    return all(value in own for value, _ in item.reads)


def _together(stretch: Sequence[Item]) -> Sequence[Item]:
    """The first and the last of a stretch, and what is between them as one group."""
    inner = stretch[1:-1]
    if len(inner) < FEWEST:
        return stretch
    first, last = (item if isinstance(item, Box) else item.closed for item in (inner[0], inner[-1]))
    name = f"{len(inner)} unchanged"
    closed = Box(
        id=f"same/{inner[0].id}",
        kind=Kind.BLOCK,
        name=name,
        op="",
        text=f"{first.name or first.op} … {last.name or last.op}",
        shape=last.shape,
        nodes=tuple(sorted(node for item in inner for node in item.nodes)),
        reads=inner[0].reads,
        mark=Mark.SAME,
    )
    group = Group(closed.id, name, "", tuple(inner), closed, look=closed.id)
    return [stretch[0], group, stretch[-1]]
