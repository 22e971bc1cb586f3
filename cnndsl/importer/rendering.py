"""Terms → the nodes of a spec: what differs becomes parameters, columns and expressions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cnndsl.importer.choosing import Chooser, Frame
from cnndsl.importer.columns import listed
from cnndsl.importer.definitions import REQUIRED, Block, Defaults
from cnndsl.importer.terms import ABSENT, Body, Column, Term, filled, values, zipped
from cnndsl.importer.variables import Code, Mix, kind_of
from cnndsl.ops import registry


class Renderer(Chooser):
    """Writes the body of one block, or of the network."""

    def __init__(self, blocks: Mapping[str, Block], defaults: Defaults, entry: Column) -> None:
        super().__init__(entry)
        self.blocks, self.defaults = blocks, defaults

    # --- nodes ---

    def body(self, body: Body, x: Column = ()) -> list[Any]:
        """The nodes; `x` are the shapes that enter, where the first node may be absent."""
        nodes: list[Any] = []
        for term in body:
            x = filled(term.x, x) if x else term.x
            nodes.append(self.node(replace(term, x=x)))
            x = filled(term.out, x)
        return nodes

    def node(self, term: Term) -> Any:
        """A node as the mapping or text that stands for it in YAML."""
        before = len(self.every)
        told = self.name(term)
        label = told.get("name", "")
        self.labels.append(label if isinstance(label, str) else "")
        self.around.append(term.present)
        node = self.written(term, told)
        self.around.pop()
        when = self.when(term, before)
        self.labels.pop()
        return node if when is None else {**_mapping(node), "when": when}

    def within(self, present: Column) -> Column:
        """Whether a node is present, left open where what it stands in is not."""
        for outer in self.around:
            present = zipped(lambda own, there: own if there is True else ABSENT, present, outer)
        return present

    def written(self, term: Term, told: dict[str, Any]) -> Any:
        match term.kind:
            case "op":
                return self.op(term, told)
            case "call":
                return _short(term.head_text, self.call_args(term), told)
            case "take":
                return {"from": next(values(term.head))}
            case "seq":
                return self.seq(term, told)
            case "loop":
                return self.loop(term)
            case "residual":
                return self.residual(term)
        return self.merge(term)

    def name(self, term: Term) -> dict[str, Any]:
        """The `name` attribute, if the node needs one."""
        found = set(values(term.name))
        if found <= {None}:
            return {}
        if len(found) == 1:
            return {"name": next(iter(found))}
        return {"name": self.numbered_name(term.name)}

    def when(self, term: Term, before: int) -> Code | None:
        present = self.within(term.present)
        if all(values(present)):
            return None
        own = [v for v in self.every[before:] if v.kind != "flag"]
        return self.condition(present, term, own)

    # --- ops and calls ---

    def op(self, term: Term, told: dict[str, Any]) -> Any:
        heads = set(values(term.head))
        if len(heads) > 1:
            act = self.value(term.head, "act", "other")
            return {"use": act, **told}
        (head,) = heads
        args = self.op_args(head, term)
        primary = next((a.name for a in registry()[head].args.values() if a.primary), "")
        if list(args) == [primary] and not isinstance(args[primary], dict):
            return {head: args[primary], **told}
        return _short(head, args, told)

    def op_args(self, op: str, term: Term) -> dict[str, Any]:
        args: dict[str, Any] = {}
        declared = registry()[op].args
        for name in sorted(declared, key=_place):
            kernel = args.get("kernel") if name == "padding" else None
            value = self.value(term.args[name], name, kind_of(name), term, kernel=kernel)
            default = self.defaults.get(op, {}).get(name, declared[name].default)
            if not _is(value, default):
                args[name] = value
        return args

    def call_args(self, term: Term) -> dict[str, Any]:
        block = self.blocks[term.head_text]
        args: dict[str, Any] = {}
        for parameter in block.parameters:
            column = term.args[parameter.name]
            if not list(values(column)):
                continue
            default = block.default(parameter)
            value = self.value(column, parameter.name, parameter.kind, term, block=block.name)
            if default in REQUIRED or not _is(value, default):
                args[parameter.name] = value
        return args

    # --- structure ---

    def seq(self, term: Term, told: dict[str, Any]) -> Any:
        body = self.body(term.bodies[0])
        if (
            len(body) == 1
            and isinstance(body[0], dict)
            and "name" not in body[0]
            and term.bodies[0][0].kind in GROUPS
        ):
            return {**told, **body[0]}
        return {**told, "seq": body}

    def merge(self, term: Term) -> Any:
        branches = [self.body(body) for body in term.bodies]
        taken = any(t.kind == "take" for t in term.bodies[-1])
        if term.kind == "concat" and len(branches) == 2 and not branches[0] and not taken:
            return {"dense": _single(branches[1])}
        labelled = self.labelled(term, branches)
        if labelled is not None:
            return {term.kind: labelled}
        return {term.kind: [_single(branch) for branch in branches]}

    def labelled(self, term: Term, branches: list[list[Any]]) -> dict[str, Any] | None:
        """The branches by their names, if each is one named node without a condition."""
        found: dict[str, Any] = {}
        for body, branch in zip(term.bodies, branches, strict=True):
            if len(branch) != 1 or not isinstance(branch[0], dict) or "when" in branch[0]:
                return None
            name = branch[0].get("name")
            if not isinstance(name, str) or "$" in name or name in found:
                return None
            rest = {key: value for key, value in branch[0].items() if key != "name"}
            if body[0].kind not in ("op", "call", "seq"):
                return None
            seq = set(rest) == {"seq"} and len(rest["seq"]) > 1
            if body[0].kind == "seq" and not seq:
                return None
            found[name] = rest["seq"] if seq else rest
        return found

    def residual(self, term: Term) -> Any:
        body = self.body(term.bodies[0])
        shortcut = self.body(term.bodies[1], term.x)
        if all(values(term.skip)):
            if not shortcut:
                return {"residual": body}
            return {"residual": {"body": _single(body), "shortcut": _single(shortcut)}}
        inner: dict[str, Any] = {"body": _single(body)}
        if shortcut:
            inner["shortcut"] = _single(shortcut)
        inner["skip"] = self.condition(term.skip, term, [])
        return {"residual": inner}

    def loop(self, term: Term) -> Any:
        frame = Frame(count=term.count)
        if not self.depth:
            self.letters.clear()
        self.frames.append(frame)
        body = self.body(term.bodies[0])
        self.frames.pop()
        if not frame.variables and frame.counter is None:
            return {"repeat": self.value(term.count, "depth", "other"), "do": _single(body)}
        columns: dict[Any, Any] = {
            variable: self.value(listed(variable.column), f"{variable.hint}s", "other")
            for variable in sorted(frame.variables, key=lambda v: v.hint != "stage")
        }
        if frame.counter is not None:
            columns[frame.counter] = self.value(term.count, "depth", "other")
        if len(body) == 1 and isinstance(body[0], dict) and set(body[0]) == {"name", "seq"}:
            return {"for": columns, "name": body[0]["name"], "do": _single(body[0]["seq"])}
        return {"for": columns, "do": _single(body)}


GROUPS = ("concat", "add", "mul", "split", "residual")


ORDER = ("out", "kernel", "stride", "padding")


def _place(arg: str) -> int:
    """Where an argument stands: these four first."""
    return ORDER.index(arg) if arg in ORDER else len(ORDER)


def _is(value: Any, default: Any) -> bool:
    if isinstance(value, Code | Mix):
        return False
    return bool(value == default) and isinstance(value, bool) == isinstance(default, bool)


def _short(head: str, args: dict[str, Any], told: dict[str, Any]) -> Any:
    if not args and not told and not head[:1].isupper():
        return head
    return {head: args, **told}


def _mapping(node: Any) -> dict[str, Any]:
    return node if isinstance(node, dict) else {node: {}}


def _single(body: list[Any]) -> Any:
    return body[0] if len(body) == 1 else body
