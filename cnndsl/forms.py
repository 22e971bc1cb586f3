"""What a value of another form was meant to be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from cnndsl import source
from cnndsl.flow import flow
from cnndsl.hints import MAX_LISTED
from cnndsl.source import Located


def form_hint(value: Any, fits: Callable[[Any], bool]) -> str:
    """The value of another form that a value means: a list of it alone, or a part of a hundred."""
    if isinstance(value, str | int | float) and fits([value]) and not fits([None]):
        return f"write `{flow([value])}`"
    percent = re.fullmatch(r"(\d{1,3}(?:\.\d{1,6})?) ?%?", str(value))
    least = 0 if "%" in str(value) else 10
    if percent and least <= float(percent[1]) <= 100:
        part = float(percent[1]) / 100
        return f"write `{part:g}`" if fits(part) and (not fits(2) or not least) else ""
    return ""


def colon_hint(word: str, holder: Located) -> str:
    """The key and the value that a key without a value is, between which a colon is missing."""
    found = re.fullmatch(r"([A-Za-z_]\w*) +(\S.*)", word)
    entry = holder.index.get(word) if isinstance(holder, source.Mapping) else None
    if found is None or entry is None or source.plain(entry.value) is not None:
        return ""
    return f"a colon is missing: write `{found[1]}: {found[2]}`"


def loop_hint(text: str, names: Mapping[str, Any]) -> str:
    """The columns, or the count, of a loop that is written as Python writes it."""
    whole = re.fullmatch(r"(?:for )?(\w+) in ([^:]+):?", text)
    over = whole[2] if whole else text
    counted = re.fullmatch(r"range\((\d{1,4})(?:, ?(\d{1,4}))?\)", over)
    named = re.fullmatch(r"range\(\$?([A-Za-z_]\w*)\)|\$?([A-Za-z_]\w*)", over)
    found: Any = None
    if counted:
        start, end = (counted[1], counted[2]) if counted[2] else ("0", counted[1])
        listed = range(int(start), int(end))
        found = int(end) if start == "0" else [*listed] if len(listed) <= MAX_LISTED else None
    elif named and (named[1] or named[2]) in names:
        found = f"${named[1] or named[2]}"
    elif whole and re.fullmatch(r"\[[\w., ]+\]", over):
        found = [source.resolve(item.strip()) for item in over[1:-1].split(",")]
    if found is None:
        return ""
    return f"write `{flow({whole[1]: found} if whole else found)}`"


def wrapped(path: list[str | int], value: Any) -> dict[str, Any]:
    """The mapping that is meant by a value of `blocks:` or `outputs:` that is none."""
    if len(path) == 2 and path[0] == "blocks" and isinstance(value, list | str):
        return {"body": value}
    if len(path) == 2 and path[0] == "outputs" and isinstance(value, str):
        return {"from": value}
    if path == ["outputs"] and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return {name: {"from": name} for name in value}
    return {}


def makes_flat(sizes: Any) -> bool:
    """Whether these are the sizes that make a value flat, without the batch's or beside it."""
    if isinstance(sizes, dict) and len(sizes) == 1:
        (sizes,) = sizes.values()
    listed = sizes if isinstance(sizes, list) else [sizes]
    return -1 in listed and len(listed) <= 2


def scoped(root: Located, path: list[str | int]) -> str:
    """A node whose name is a path, within the scopes of that path."""
    node = source.plain(source.locate(root, iter(path[:-1])))
    *outer, name = (source.resolve(part) for part in str(node["name"]).split("."))
    node["name"] = name
    for scope in reversed(outer):
        node = {"name": scope, "seq": [node]}
    return f"`seq` opens a scope: `{flow(node)}` in place of the node"


def without_batch(root: Located) -> str:
    """The input's shape without a first size that is no number, as of a batch."""
    sizes = source.plain(root).get("input")
    batch = isinstance(sizes, list) and len(sizes) == 4 and sizes[0] in (None, -1, "N", "B", "?")
    return flow(sizes[1:]) if batch else ""


def lacks_colon(path: list[str | int], root: Located) -> bool:
    """Whether the key of a value is a key and its value, which is told of the key."""
    named = len(path) > 1 and path[-2] in _NAMED
    return named and bool(colon_hint(str(path[-1]), source.locate(root, iter(path[:-1]))))


_NAMED = ("for", "import", "let", "params", "inputs", "blocks", "outputs")
"""What holds names, so that a key that is none is told."""
