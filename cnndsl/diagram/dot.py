"""Plan → DOT, for Graphviz and the tools around it."""

from __future__ import annotations

import html
from math import ceil

import graphviz

from cnndsl.diagram.heading import meanings
from cnndsl.diagram.hints import Hints, hints, title_id
from cnndsl.diagram.labels import label, title, tooltip
from cnndsl.diagram.plan import Box, Edge, Group, Item, Link, Mark, Plan
from cnndsl.diagram.theme import Paint, Theme

LEGEND_COLUMNS = 4
WEIGHTS = {
    Link.MAIN: 8,
    Link.TRAIN: 2,
    Link.PROJECTION: 2,
    Link.IDENTITY: 1,
    Link.ADDED: 4,
    Link.REMOVED: 1,
}
"""A higher weight makes an edge shorter and straighter."""


def write_dot(plan: Plan, theme: Theme, across: bool = False) -> graphviz.Digraph:
    """The diagram as DOT; equal plans give equal text."""
    digraph = graphviz.Digraph(plain(plan.title))
    digraph.attr("graph", **_graph_attributes(plan, theme), rankdir="LR" if across else "TB")
    digraph.attr(
        "node",
        shape="box",
        style="rounded,filled",
        fontname=theme.font,
        fontsize="11",
        fontcolor=theme.text,
        margin="0.1,0.05",
        height="0",
        width="0",
        penwidth="1.2",
    )
    digraph.attr("edge", color=theme.strokes[Link.MAIN].color, arrowsize="0.6", penwidth="1.2")
    layout = hints(plan)
    for item in plan.items:
        _item(digraph, item, theme, layout, 0)
    _rows(digraph, layout, "")
    for index, edge in enumerate(plan.edges):
        # At the top level: an edge inside a cluster captures foreign nodes.
        _edge(digraph, edge, theme)
        for group in layout.titles.get(index, ()):
            # An unseen edge keeps the title right of the boxes that the group begins with.
            digraph.edge(edge.source, title_id(group), style="invis", weight="0")
    return digraph


def _graph_attributes(plan: Plan, theme: Theme) -> dict[str, str]:
    return {
        "label": _heading(plan, theme),
        "labelloc": "t",
        "tooltip": plain(plan.about or plan.title),
        "fontname": theme.font,
        "fontcolor": theme.text,
        "bgcolor": theme.background,
        "ordering": "out",
        "nodesep": "0.25",
        "ranksep": "0.28",
        "pad": "0.2",
    }


def _item(digraph: graphviz.Digraph, item: Item, theme: Theme, layout: Hints, depth: int) -> None:
    if isinstance(item, Box):
        digraph.node(item.id, **_box_attributes(item, theme))
        return
    beside = any(item.id in groups for groups in layout.titles.values())
    with digraph.subgraph(name=f"cluster_{item.id}") as cluster:
        cluster.attr(**_group_attributes(item, theme, depth, beside))
        for inner in item.items:
            _item(cluster, inner, theme, layout, depth + 1)
        if beside:
            cluster.node(
                title_id(item.id), label=_group_title(item, theme), shape="plain", style=""
            )
        _rows(cluster, layout, item.id)


def _rows(digraph: graphviz.Digraph, layout: Hints, group: str) -> None:
    """Put branches that begin together in one row."""
    for row in layout.rows.get(group, ()):
        with digraph.subgraph() as same:
            same.attr(rank="same")
            for box in row:
                same.node(box)


def _box_attributes(box: Box, theme: Theme) -> dict[str, str]:
    paint = theme.paint(box)
    attributes = {
        "label": _box_label(box, theme),
        "fillcolor": paint.fill,
        "color": paint.border,
        "tooltip": plain(tooltip(box)),
        "class": box.kind.name.lower(),
    }
    if box.train_only or box.mark is Mark.REMOVED:
        attributes["style"] = "rounded,filled,dashed"
    if box.times > 1:
        attributes["penwidth"] = "3"
    return attributes


def _box_label(box: Box, theme: Theme) -> str:
    """The lines of the box: the bold name left and the shape right, and what is below."""
    first, *rest = label(box).lines
    shape = _font(first.shape, theme.muted, 10)
    if not rest:
        return f"<<b>{escape(first.name)}</b>&#160;&#160; {shape}>"
    rows = f'<tr><td align="left"><b>{escape(first.name)}</b></td>{_right(shape)}</tr>'
    for line in rest:
        words, shape = _font(line.words, theme.text, 10), _font(line.shape, theme.muted, 10)
        cells = f'<td align="left">{words}</td>{_right(shape)}'
        whole = f'<td colspan="2" align="left">{words}</td>'
        rows += f"<tr>{cells if shape else whole}</tr>"
    return _table(rows)


def _right(shape: str) -> str:
    return f'<td align="right">&#160; {shape}</td>'


def _table(rows: str, padding: int = 1) -> str:
    """An HTML-like label of rows without lines between them."""
    return f"<{_inner_table(rows, 0, padding)}>"


def _inner_table(rows: str, spacing: int, padding: int) -> str:
    attributes = f'border="0" cellborder="0" cellspacing="{spacing}" cellpadding="{padding}"'
    return f"<table {attributes}>{rows}</table>"


def _group_attributes(
    group: Group, theme: Theme, depth: int, titled_inside: bool
) -> dict[str, str]:
    return {
        "label": "" if titled_inside else _group_label(group, theme),
        "labeljust": "r",
        "style": "rounded,filled,dashed" if group.train_only else "rounded,filled",
        "fillcolor": theme.clusters[depth % len(theme.clusters)],
        "color": theme.cluster_border,
        "penwidth": "3" if group.times > 1 else "1",
        "margin": "10",
        "tooltip": plain(group.id),
    }


def _group_label(group: Group, theme: Theme) -> str:
    """The title on one line: `layer1`, `inception3a Inception`."""
    return f'<<font point-size="11">{"&#160; ".join(_title_parts(group, theme))}</font>>'


def _group_title(group: Group, theme: Theme) -> str:
    """The title in two lines, to stand beside a box."""
    name, *rest = _title_parts(group, theme)
    lines = [name, "&#160; ".join(rest)] if rest else [name]
    rows = "".join(f'<tr><td align="left">{line}</td></tr>' for line in lines)
    return _table(rows)


def _title_parts(group: Group, theme: Theme) -> list[str]:
    shown = title(group)
    words = _font(shown.words, theme.muted, 10)
    return [f"<b>{escape(shown.name)}</b>", *([words] if words else [])]


def _edge(digraph: graphviz.Digraph, edge: Edge, theme: Theme) -> None:
    stroke = theme.strokes[edge.link]
    attributes = {"weight": str(WEIGHTS[edge.link])}
    if edge.link is not Link.MAIN:
        attributes |= {"color": stroke.color}
    if stroke.dash:
        attributes |= {"style": "dashed"}
    digraph.edge(edge.source, edge.target, **attributes)


# --- heading and legend ---


def _heading(plan: Plan, theme: Theme) -> str:
    """The title over the diagram, with the legend of the kinds that are present."""
    entries = [_swatch(words, paint, theme) for words, paint, _, _ in meanings(plan, theme)]
    columns = ceil(len(entries) / max(1, ceil(len(entries) / LEGEND_COLUMNS)))
    rows = [entries[i : i + columns] for i in range(0, len(entries), max(1, columns))]
    legend = _inner_table("".join(f"<tr>{''.join(row)}</tr>" for row in rows), 4, 0)
    title = f'<b><font point-size="16">{escape(plan.title)}</font></b>'
    lines = [title, _font(plan.subtitle, theme.muted, 10), *([legend] if rows else [])]
    return _table("".join(f"<tr><td>{line}</td></tr>" for line in lines), padding=2)


def _swatch(words: str, paint: Paint, theme: Theme) -> str:
    colors = f'bgcolor="{paint.fill}" color="{paint.border}"'
    word = _font(words, theme.muted, 9)
    return (
        f'<td border="1" fixedsize="true" width="14" height="10" {colors}></td>'
        f'<td align="left">{word}&#160;&#160;</td>'
    )


def _font(text: str, color: str, size: int) -> str:
    return f'<font point-size="{size}" color="{color}">{escape(text)}</font>' if text else ""


# --- escapes ---


def escape(text: str) -> str:
    """Text within an HTML-like label, where Graphviz replaces `\\N` and the like too."""
    return html.escape(_printable(text)).replace("\\", "\\\\")


def plain(text: str) -> str:
    """Text as the value of an attribute, where Graphviz reads entities and backslashes too."""
    return str(graphviz.escape(html.escape(_printable(text), quote=False)))


def _printable(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    return "".join(c if c.isprintable() else " " for c in text)
