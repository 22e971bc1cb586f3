"""Graph → one self-contained page: blocks open and close, and every figure is told."""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from pathlib import Path
from typing import Any

from cnndsl.diagram.diff.comparing import compare, gathered
from cnndsl.diagram.diff.union import unite
from cnndsl.diagram.figure import make_figure
from cnndsl.diagram.labels import NAME, WORDS
from cnndsl.diagram.metrics import FONTS
from cnndsl.diagram.page.facts import Facts
from cnndsl.diagram.page.model import make_model
from cnndsl.diagram.plan import Kind, Link, Mark
from cnndsl.diagram.planner import Planner
from cnndsl.diagram.planning import make_plan
from cnndsl.diagram.svg import printable, write_svg
from cnndsl.diagram.theme import DARK, LIGHT, THEMES, Theme
from cnndsl.graph import Graph

FOLDER = Path(__file__).parent
SCRIPTS = ("layout", "routes", "model", "draw", "card", "view", "find", "heat", "keys", "main")
HEAT = {"light": "#9a2c00", "dark": "#b94a12"}
HIT = {"light": "#c2410c", "dark": "#fb923c"}


def write_page(
    graph: Graph,
    *,
    depth: int | None = None,
    expand: bool = False,
    fuse: bool = True,
    across: bool = False,
    theme: str | None = None,
    before: Graph | None = None,
) -> str:
    """The page as HTML; it loads nothing.

    `depth` and `expand` say what is open at first, and `across` which way the data go. Without a
    `theme`, it is the reader's. With `before`, the page shows what became of that network.
    """
    if before is None:
        plan = make_plan(graph, depth=depth, fuse=fuse)
        figure = make_figure(plan, across=across)
        items = Planner(graph, fold=True, fuse=fuse, units=True).all_items()
        model = make_model(Facts(graph), items, plan, expand, across)
    else:
        plan = compare(before, graph, depth=depth, fuse=fuse)
        figure = make_figure(plan, across=across)
        both = unite(before, graph)
        planner = Planner(both, fold=True, fuse=fuse, units=True, changes=both.changes)
        facts = Facts(both, both.changes.gone)
        model = make_model(facts, gathered(planner.all_items()), plan, expand, across)
    script = "\n".join(
        ['"use strict";', "(() => {", *(_asset(f"{name}.js") for name in SCRIPTS), "})();"]
    )
    style = _style(theme)
    parts = {
        "title": escape(printable(plan.title)),
        "subtitle": escape(plan.subtitle),
        "policy": _policy(script),
        "style": style,
        "picture": write_svg(figure, THEMES.get(theme or "", LIGHT)),
        "model": _json(model),
        "script": script,
    }
    return _filled(_asset("page.html"), parts)


def _asset(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _filled(template: str, parts: dict[str, str]) -> str:
    """The template with its parts; what a part says is never taken for another's place."""
    pieces = template.split("{{")
    found = [pieces[0]]
    for piece in pieces[1:]:
        name, _, rest = piece.partition("}}")
        found += [parts[name], rest]
    return "".join(found)


def _json(model: dict[str, Any]) -> str:
    """JSON that holds nothing that HTML could take for a tag."""
    text = json.dumps(model, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _policy(script: str) -> str:
    """Nothing is loaded, and no script runs but this one."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _style(theme: str | None) -> str:
    """The style sheet with the colours of both themes."""
    sizes = {"fonts": FONTS, "words": f"{WORDS:g}", "name": f"{NAME:g}"}
    light, dark = _colors(LIGHT), _colors(DARK)
    first, other = (dark, light) if theme == "dark" else (light, dark)
    rules = [f":root {{ {first} }}"]
    if theme is None:
        rules.append(f"@media (prefers-color-scheme: dark) {{ :root {{ {other} }} }}")
    rules.append(f':root[data-theme="light"] {{ {light} }}')
    rules.append(f':root[data-theme="dark"] {{ {dark} }}')
    kinds = (kind.name.lower() for kind in Kind)
    rules += [f".k-{k} {{ --fill: var(--{k}-fill); --stroke: var(--{k}); }}" for k in kinds]
    marks = (f"m-{mark.value}" for mark in Mark)
    rules += [f".item.{m} {{ --fill: var(--{m}-fill); --stroke: var(--{m}); }}" for m in marks]
    return "\n".join([*rules, _filled(_asset("page.css"), sizes)])


def _colors(theme: Theme) -> str:
    named = {
        "background": theme.background,
        "text": theme.text,
        "muted": theme.muted,
        "border": theme.cluster_border,
        "heat": HEAT[theme.name],
        "hit": HIT[theme.name],
    }
    named |= {f"cluster-{i}": color for i, color in enumerate(theme.clusters)}
    named |= {f"link-{i}": theme.strokes[link].color for i, link in enumerate(Link)}
    for kind, paint in theme.paints.items():
        named[kind.name.lower()] = paint.border
        named[f"{kind.name.lower()}-fill"] = paint.fill
    for mark, paint in theme.marks.items():
        named[f"m-{mark.value}"] = paint.border
        named[f"m-{mark.value}-fill"] = paint.fill
    colors = [f"--{name}: {color};" for name, color in named.items()]
    return " ".join([*colors, f"color-scheme: {theme.name};"])
