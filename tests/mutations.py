"""One mistake in a valid spec: of a known sort, at a place that a draw chooses.

A mistake is written with a word, or a number, that stands nowhere else in the text, so that its
place is found without what is tested.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

Yaml = dict[str, Any]
Path = tuple[str | int, ...]

MARK = "zzz"
NUMBER = 987654
MERGES = ("concat", "add", "mul", "split")
STRUCTURES = (*MERGES, "residual", "dense", "seq", "for", "repeat", "use")
ATTRIBUTES = ("name", "when", "from", "shape", "note", "do", "with")


@dataclass(frozen=True)
class Mistake:
    """What is put in place of the value at a path; where `key` is given, in place of that key."""

    sort: str
    path: Path
    value: Any
    key: str = ""

    def applied(self, spec: Yaml) -> str:
        """The text of the spec with the mistake in it."""
        whole: Any = copy.deepcopy(spec)
        holder = whole
        for step in self.path[:-1]:
            holder = holder[step]
        last = self.path[-1]
        if not self.key:
            holder[last] = self.value
        else:
            items = [(self.key if k == last else k, v) for k, v in holder.items()]
            holder.clear()
            holder |= items
        return written(whole)


def written(spec: Yaml) -> str:
    return str(yaml.safe_dump(spec, sort_keys=False, default_flow_style=None, allow_unicode=True))


def place_of(text: str) -> tuple[int, int]:
    """Line and column of the mistake in a text."""
    at = max(text.find(MARK), text.find(str(NUMBER)))
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def mistakes(spec: Yaml) -> list[Mistake]:
    """All the mistakes that can be made in a spec."""
    found = [m for path, node in _nodes(spec) for m in _of_node(path, node)]
    found += [m for path, term in _terms(spec) for m in _of_term(path, term)]
    found += _of_declarations(spec)
    for name, head in spec.get("outputs", {}).items():
        at: Path = ("outputs", name)
        found += [
            Mistake("source", at, {**head, "from": MARK}),
            Mistake("key", at, {**head, MARK: 1}),
            Mistake("condition", at, {**head, "when": f"${MARK}"}),
            Mistake("condition", at, {**head, "when": NUMBER}),
            Mistake("condition", at, {**head, "train_only": NUMBER}),
            Mistake("name", at, None, f"{MARK}-1"),
        ]
    return found


def _of_declarations(spec: Yaml) -> Iterator[Mistake]:
    owners: list[tuple[Path, Yaml]] = [((), spec)]
    owners += [(("blocks", name), block) for name, block in spec.get("blocks", {}).items()]
    for owner, holder in owners:
        for section in ("params", "let"):
            for name in holder.get(section, {}):
                at: Path = (*owner, section, name)
                yield Mistake("declared name", at, None, f"{MARK} a")
                yield Mistake("declared value", at, {MARK: 1})
                yield Mistake("declared value", at, f"$({MARK}")
                yield Mistake("declared value", at, f"${MARK}")
                if not owner:  # that of a block's parameter says its type
                    is_list = isinstance(holder[section][name], list)
                    wrong = f"({MARK}, 8)" if is_list else f"{MARK},"
                    yield Mistake("declared literal", at, wrong)
    for name in spec.get("blocks", {}):
        yield Mistake("block key", ("blocks", name, "body"), None, MARK)
        yield Mistake("block key", ("blocks", name), {**spec["blocks"][name], MARK: 1})
        yield Mistake("block name", ("blocks", name), None, f"z{MARK}")
    for key in ("params", "let", "blocks", "outputs", "body", "input", "inputs"):
        if key in spec:
            yield Mistake("section", (key,), NUMBER)
    for name in spec.get("inputs", {}):
        yield Mistake("input", ("inputs", name), f"${MARK}")
        yield Mistake("input", ("inputs", name), [MARK])
        yield Mistake("input", ("inputs", name), None, f"{MARK} a")


def _nodes(spec: Yaml) -> Iterator[tuple[Path, Any]]:
    for name, block in spec.get("blocks", {}).items():
        yield from _body(("blocks", name, "body"), block["body"])
    yield from _body(("body",), spec["body"])
    for name, head in spec.get("outputs", {}).items():
        if "body" in (head or {}):
            yield from _body(("outputs", name, "body"), head["body"])


def _body(path: Path, body: Any) -> Iterator[tuple[Path, Any]]:
    if isinstance(body, list):
        for index, node in enumerate(body):
            yield from _node((*path, index), node)
    else:
        yield from _node(path, body)


def _node(path: Path, node: Any) -> Iterator[tuple[Path, Any]]:
    yield path, node
    for key, value in node.items() if isinstance(node, dict) else ():
        inner: Path = (*path, key)
        if key in MERGES:
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for step, branch in items:
                yield from _body((*inner, step), branch)
        elif key == "residual" and isinstance(value, dict) and {"body", "shortcut"} & {*value}:
            for side in ("body", "shortcut"):
                if side in value:
                    yield from _body((*inner, side), value[side])
        elif key in ("residual", "dense", "seq", "do"):
            yield from _body(inner, value)


def _terms(spec: Yaml) -> Iterator[tuple[Path, Any]]:
    """The values of arguments that are no mappings."""
    for path, node in _nodes(spec):
        for key, value in node.items() if isinstance(node, dict) else ():
            if key in STRUCTURES or key in ATTRIBUTES:
                continue
            inner = value.items() if isinstance(value, dict) else [(None, value)]
            for name, term in inner:
                yield (*path, key) if name is None else (*path, key, name), term


def _of_node(path: Path, node: Any) -> Iterator[Mistake]:
    if isinstance(node, str):
        yield Mistake("op", path, f"{MARK}_op")
        yield Mistake("block", path, {f"Z{MARK}": {}})
        yield Mistake("node", path, NUMBER)
        yield Mistake("node", path, [MARK])
        yield Mistake("when", path, {node: {}, "when": f"${MARK}"})
        return
    op = next((key for key in node if key not in ATTRIBUTES), None)
    labelled = isinstance(path[-1], str) and path[-1] not in ("body", "do", "shortcut")
    labelled |= path[-1] == "body" and path[0] == "outputs"
    yield Mistake("attribute", path, {**node, MARK: 1})
    yield Mistake("source", path, {**node, "from": MARK})
    yield Mistake("when", path, {**node, "when": f"${MARK}"})
    yield Mistake("when", path, {**node, "when": NUMBER})
    yield Mistake("shape", path, {**node, "shape": [NUMBER]})
    yield Mistake("shape", path, {**node, "shape": MARK})
    if not labelled:
        yield Mistake("name", path, {**node, "name": f"{MARK} a"})
        yield Mistake("name", path, {**node, "name": f"a$({MARK})"})
    if op is not None:
        yield from _of_op(path, node, op)


def _of_op(path: Path, node: Yaml, op: str) -> Iterator[Mistake]:
    inner: Path = (*path, op)
    value = node[op]
    if op in ("for", "repeat"):
        yield Mistake("do", (*path, "do"), None, MARK)
    if op == "for":
        for name in value:
            yield Mistake("declared name", (*inner, name), None, f"{MARK} a")
            for wrong in (MARK, -NUMBER, f"${MARK}", {MARK: 1}, 0.5 + NUMBER, [f"${MARK}"]):
                yield Mistake("loop", (*inner, name), wrong)
    elif op == "repeat":
        for wrong in (MARK, -NUMBER, f"${MARK}", {MARK: 1}, [[MARK]]):
            yield Mistake("loop", inner, wrong)
    elif op in MERGES:
        for step in value if isinstance(value, dict) else range(len(value)):
            yield Mistake("branch", (*inner, step), NUMBER)
        for step in value if isinstance(value, dict) else ():
            yield Mistake("label", (*inner, step), None, f"{MARK} a")
    elif op == "residual" and isinstance(value, dict) and {"body", "shortcut"} & {*value}:
        for side in value:
            yield Mistake("side", (*inner, side), None, MARK)
            yield Mistake("side", (*inner, side), NUMBER)
    elif op in STRUCTURES:
        yield Mistake("op", inner, None, f"{MARK}_op")
        yield Mistake("body", inner, NUMBER)
    else:
        yield Mistake("op", inner, None, f"{MARK}_op")
        yield Mistake("block", inner, None, f"Z{MARK}")
        if isinstance(value, dict):
            yield Mistake("argument", inner, {**value, MARK: 1})
            for name in value:
                yield Mistake("argument", (*inner, name), None, MARK)


def _of_term(path: Path, term: Any) -> Iterator[Mistake]:
    for wrong in (MARK, {MARK: 1}, f"${MARK}", f"$({MARK} + 1)", f"$(1 + {MARK}"):
        yield Mistake("value", path, wrong)
    if "conv" in path[-2:]:
        yield Mistake("value", path, -NUMBER)
    if path[-2:] == ("conv", "kernel"):
        yield Mistake("window", path, NUMBER)


def with_names(spec: Yaml) -> Yaml:
    """The spec with its channels written as parameters, values of `let`, and items of lists."""
    whole: Yaml = copy.deepcopy(spec)
    numbers: set[int] = set()
    for index, (path, term) in enumerate(_terms(whole)):
        if "conv" in path[-2:] and (path[-1] in ("conv", "out")) and isinstance(term, int):
            holder: Any = whole
            for step in path[:-1]:
                holder = holder[step]
            forms = (term, f"$w{term}", f"$c{term}", f"$(c{term} + 0)", f"$list{term}.1")
            holder[path[-1]] = forms[index % len(forms)]
            numbers.add(term)
    head = {
        "params": {
            **{f"w{n}": n for n in sorted(numbers)},
            **{f"list{n}": [1, n] for n in sorted(numbers)},
        },
        "let": {f"c{n}": f"$w{n}" for n in sorted(numbers)},
    }
    return {**whole, **head}
