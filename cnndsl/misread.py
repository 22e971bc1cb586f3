"""What a file says in forms that other languages have and this one has not.

They are found before the schema, which would tell each of their parts as a mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cnndsl.diagnostics import Span
from cnndsl.flow import flow
from cnndsl.source import Entry, Located, Mapping, Scalar, Sequence, plain

MERGES = ("concat", "add", "mul", "split")
LOOPS = ("for", "repeat")
SIDES = ("body", "shortcut", "skip")
"""What a residual holds."""
CHOICES = ("if", "then", "else", "elif")
_HOLDERS = ("body", "do", "seq", "dense")
"""What takes one node without a list, beside the sides of a residual."""
_WORDS = ("sizes", "branches", "inputs", "axis", "dim", "from")
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Misreading:
    """A node that is told as one mistake, at the place of one of its words."""

    path: Path
    key: Span
    """Where the key stands whose value is not what it was taken for."""
    span: Span
    message: str
    help: str


def misread(root: Located) -> Iterator[Misreading]:
    """The misreadings of a file, the outermost where one lies within another."""
    todo: list[tuple[Path, Located]] = [((), root)]
    while todo:
        path, value = todo.pop()
        found = list(_node(path, value)) if isinstance(value, Mapping) else []
        yield from found[:1]
        if found:
            continue
        if isinstance(value, Mapping):
            todo += [((*path, entry.name), entry.value) for entry in value.entries]
        elif isinstance(value, Sequence):
            todo += [((*path, index), item) for index, item in enumerate(value.items)]


def _node(path: Path, node: Mapping) -> Iterator[Misreading]:
    for entry in node.entries:
        if entry.name in MERGES:
            for span, message, help in _branches(entry):
                yield Misreading(path, entry.key.span, span, message, help)
        elif entry.name == "from" and isinstance(entry.value, Sequence):
            message = "a node starts from one value, `from` names several"
            help = _joined(path, node, entry.value)
            yield Misreading(path, entry.key.span, entry.value.span, message, help)
        elif (
            entry.name == "residual"
            and isinstance(entry.value, Mapping)
            and not entry.value.entries
        ):
            message, help = "residual has no nodes", "as in `residual: [{conv: 8}, relu]`"
            yield Misreading(path, entry.key.span, entry.value.span, message, help)
        elif entry.name in CHOICES and (_in_body(path) or path[-1:] == ("residual",)):
            message = f"`{entry.name}` is not written here: each node says when it stands"
            yield Misreading(path, entry.key.span, entry.key.span, message, _chosen(node))
        elif entry.name in SIDES and "residual" in node.index and _in_body(path):
            message = f"the `{entry.name}` of a residual stands within it"
            help = f"`{flow(_sided(node))}` in place of the node"
            yield Misreading(path, entry.key.span, entry.key.span, message, help)


def _in_body(path: Path) -> bool:
    """Whether what stands at a path is a node: values are no mappings."""
    if len(path) > 1 and path[-2] in MERGES:  # of a label, or a number
        return True
    return bool(path) and (isinstance(path[-1], int) or path[-1] in (*_HOLDERS, *SIDES))


def _chosen(node: Mapping) -> str:
    """The node of `{if: …, then: …, else: …}` with its condition, or how one is written."""
    found = plain(node)
    asked = found.pop("if", None)
    whole: dict[str, Any] = {}
    if isinstance(asked, str) and "$" in asked and not {"when", *CHOICES} & {*found}:
        whole = {**found, "when": asked}
    elif isinstance(asked, str | bool) and set(found) == {"then"}:
        whole = {"seq": found["then"], "when": asked}
    elif set(found) == {"then", "else"} and (negated := _negated(asked)):
        sides = (("then", asked), ("else", negated))
        whole = {"seq": [{"seq": found[side], "when": when} for side, when in sides]}
    if whole:
        return f"`{flow(whole)}` in place of the node"
    return "give the node a `when`, as in `{conv: 8, when: $deep}` or `when: $(not deep)`"


def _negated(asked: Any) -> str:
    """The opposite of a condition that is one whole expression."""
    name = re.fullmatch(r"\$([\w.]+)", asked) if isinstance(asked, str) else None
    whole = re.fullmatch(r"\$(\([^$]*\))", asked) if isinstance(asked, str) else None
    return f"$(not {name[1]})" if name else f"$(not {whole[1]})" if whole else ""


def _sided(node: Mapping) -> dict[str, Any]:
    """A residual with the sides within it that stand beside it."""
    found: dict[str, Any] = plain(node)
    held = found["residual"]
    if not (isinstance(held, dict) and set(held) & {*SIDES}):
        held = {} if held is None else {"body": held}
    held = {side: found.pop(side) for side in SIDES if side in found} | held
    return {**found, "residual": {side: held[side] for side in SIDES if side in held}}


def _branches(entry: Entry) -> Iterator[tuple[Span, str, str]]:
    """What branches are written as, and are not."""
    op, value = entry.name, entry.value
    if isinstance(value, Sequence) and len(value.items) == 1:
        (only,) = value.items
        loop = next((e for e in _entries(only) if e.name in LOOPS), None)
        if loop:
            message = f"{op} has one branch: a loop within it runs in sequence"
            help = f"write each branch out, as in `{op}: [{{conv: 4}}, {{conv: 4}}]`"
            yield loop.key.span, message, help
    for inner in _entries(value):
        if inner.name in LOOPS and "do" in {e.name for e in _entries(value)}:
            message = f"the branches of {op} are written one by one, not by a loop"
            help = f"write each branch out, as in `{op}: [{{conv: 4}}, {{conv: 4}}]`"
            yield inner.key.span, message, help
        elif inner.name in _WORDS and not _is_body(inner):
            message = f"{op} has its branches alone, not `{inner.name}`"
            yield value.span, message, _plainly(op, value)
            return


def _is_body(entry: Entry) -> bool:
    """Whether a value may be a branch, whose label happens to be a word of another language."""
    if isinstance(entry.value, Sequence):
        return entry.name in ("sizes", "axis", "dim") and not _numbers(entry.value)
    return not isinstance(entry.value, Scalar) or isinstance(entry.value.value, str)


def _numbers(value: Sequence) -> bool:
    return all(isinstance(i, Scalar) and not isinstance(i.value, str) for i in value.items)


def _plainly(op: str, value: Located) -> str:
    """The branches as they are written here, of `{branches: […], …}` or `{from: [a, b]}`."""
    found: Any = plain(value)
    if isinstance(found.get("from"), list):
        return f"write `{flow([{'from': name} for name in found['from']])}`"
    branches = found.get("branches", found.get("inputs"))
    if not isinstance(branches, list):
        return f"its branches are a list, as in `{op}: [[], {{conv: 4}}]`"
    equal = ", which get equal shares of the channels" if op == "split" else ""
    return f"its branches stand in it directly{equal}: write `{flow(branches)}`"


def _joined(path: Path, node: Mapping, names: Sequence) -> str:
    """A node that starts from several values, as one that starts from their concatenation."""
    found = plain(node)
    sources = found.pop("from")
    if not all(isinstance(name, str) for name in sources):
        return "give each of these values a `name`, and join them, as in `concat: [{from: a}, []]`"
    if len(sources) == 1:
        return f"write `{flow(sources[0])}`"
    branches = [{"from": name} for name in sources]
    if path[:1] == ("outputs",):
        return f"a body joins them: `body: {flow([{'concat': branches}])}`"
    merge = next((op for op in MERGES if op in found and not found[op]), "concat")
    merged: dict[str, Any] = {merge: branches}
    if merge in found or not set(found) - {"name", "when", "shape", "note"}:
        whole: dict[str, Any] = {k: v for k, v in found.items() if k != merge} | merged
        return f"a branch names each of them: `{flow(whole)}` in place of the node"
    name = found.pop("name", None)
    inner = found if name is None else {**found, "name": name}
    return f"join them first: `{flow({'seq': [merged, inner]})}` in place of the node"


def _entries(value: Located) -> tuple[Entry, ...]:
    return value.entries if isinstance(value, Mapping) else ()
