"""Terms → the nodes of a spec: what differs becomes parameters, columns of loops and expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cnndsl.importer.conditions import condition
from cnndsl.importer.formulas import channels_formula
from cnndsl.importer.terms import (
    ABSENT,
    Body,
    Channels,
    Column,
    Rows,
    Term,
    filled,
    mapped,
    values,
    zipped,
)
from cnndsl.importer.variables import (
    Code,
    Kind,
    Mix,
    Variable,
    code,
    compatible,
    equal,
    even_growth,
    kind_of,
    snake,
    uniform,
)
from cnndsl.ops import registry

Defaults = Mapping[str, Mapping[str, Any]]
"""The file's `defaults:`, by op and argument."""


@dataclass
class Block:
    """A block of the spec: how its call is written, and its parameters by name."""

    name: str
    parameters: list[Variable]
    body: list[Any]
    lets: dict[str, Any] = field(default_factory=dict)

    def default(self, parameter: Variable) -> Any:
        """The value that a call may leave out; a type's name where it may not."""
        return _default(parameter)

    def kind(self, name: str) -> Kind:
        return next(p.kind for p in self.parameters if p.name == name)

    def args(self, index: int, entry: int) -> dict[str, Column]:
        """What the call for an instance gives; `entry` are the channels that enter there."""
        return {p.name: (_given(p.column[index], entry),) for p in self.parameters}


def _given(value: Any, entry: int) -> Any:
    if isinstance(value, Channels):
        return value if value == entry else int(value)
    return value


FEW = 8
"""Up to so many rounds, their numbers are listed."""

REQUIRED = ("int", "float", "str", "list", "bool")


def _default(parameter: Variable) -> Any:
    found = [v for v in parameter.column if v is not ABSENT]
    if parameter.nullable or parameter.absent:
        return None
    if len({_type(value) for value in found}) > 1:
        return None
    plain = {"kernel": 1, "stride": 1, "padding": 0, "groups": 1, "dilation": 1}.get(parameter.hint)
    if plain is not None and any(value == plain and _type(value) == "int" for value in found):
        return plain
    if isinstance(found[0], bool):
        return max((True, False), key=found.count)
    common = max(found, key=found.count)
    most = parameter.kind == "window" and 2 * found.count(common) > len(found)
    return _plain(common) if most else _type(found[0])


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, list | tuple):
        return "list"
    return {int: "int", Channels: "int", float: "float", str: "str"}[type(value)]


@dataclass
class _Frame:
    """A loop that is being written, or the block (or network) that all stands in."""

    variables: list[Variable] = field(default_factory=list)
    counter: Variable | None = None
    count: Column = ()


class Renderer:
    """Writes the body of one block, or of the network."""

    def __init__(self, blocks: Mapping[str, Block], defaults: Defaults, entry: Column) -> None:
        self.blocks, self.defaults = blocks, defaults
        self.frames = [_Frame()]
        self.entry = entry
        """The channels that enter the block, by instance; empty for the network."""
        self.entered = Variable("channels", "channels", entry)
        """The same as a value of the block's `let`, which is written where something reads it."""
        self.labels: list[str] = []
        self.around: list[Column] = []
        """Of the nodes that the current one stands in, for whom they are present."""
        self.letters: set[str] = set()
        """Counters of the loops within the outermost."""
        self.every: list[Variable] = []
        """All variables of parameters and columns."""

    @property
    def depth(self) -> int:
        return len(self.frames) - 1

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
                return {"from": _quoted(next(values(term.head)))}
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
        if term.kind == "concat" and len(branches) == 2 and not branches[0]:
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
        frame = _Frame(count=term.count)
        if not self.depth:
            self.letters.clear()
        self.frames.append(frame)
        body = self.body(term.bodies[0])
        self.frames.pop()
        if not frame.variables and frame.counter is None:
            return {"repeat": self.value(term.count, "depth", "other"), "do": _single(body)}
        columns: dict[Any, Any] = {
            variable: self.value(_listed(variable.column), f"{variable.hint}s", "other")
            for variable in sorted(frame.variables, key=lambda v: v.hint != "stage")
        }
        if frame.counter is not None:
            columns[frame.counter] = self.value(term.count, "depth", "other")
        if len(body) == 1 and isinstance(body[0], dict) and set(body[0]) == {"name", "seq"}:
            return {"for": columns, "name": body[0]["name"], "do": _single(body[0]["seq"])}
        return {"for": columns, "do": _single(body)}

    # --- values ---

    def value(
        self,
        column: Column,
        hint: str,
        kind: Kind,
        term: Term | None = None,
        *,
        kernel: Any = None,
        block: str = "",
    ) -> Any:
        """A value that serves all instances and rounds: a constant or an expression."""
        if uniform(column):
            found = next(values(column), None)
            return (
                code("x.channels", column=column) if isinstance(found, Channels) else _plain(found)
            )
        known = self.known(column, hint, kind, term, kernel)
        if known is not None:
            return known
        grown = self.growing(column)
        if grown is not None:
            return grown
        while self.steady(column, self.depth_of(column)):
            column = _collapsed(column)
        level = self.depth_of(column)
        if level == 0:
            return self.variable(column, hint, kind, block)
        if not uniform(self.frames[level].count):
            parted = self.first_and_rest(column, hint, kind, block)
            if parted is not None:
                return parted
        return self.variable(column, hint, kind, block)

    def known(
        self, column: Column, hint: str, kind: Kind, term: Term | None, kernel: Any
    ) -> Code | None:
        """An expression of variables that are there already."""
        for variable in self.visible():
            alike = variable.hint == hint or (kind == "channels" == variable.kind)
            if not alike or variable.kind == "flag" or len(variable.column) != len(column):
                continue
            if _depth(variable.column) > _depth(column):
                continue
            if equal(column, variable.column):
                return code(variable, column=column)
            if not variable.nullable and _depth(variable.column) == _depth(column):
                if variable.hint == hint and compatible(column, variable.column):
                    variable.column = filled(variable.column, column)
                    return code(variable, column=column)
        if isinstance(kernel, Code) and kernel.column:
            halves = mapped(lambda k: k // 2 if isinstance(k, int) else ABSENT, kernel.column)
            if equal(column, halves):
                return code(kernel, " // 2", column=column)
        if kind == "channels" and term is not None:
            return channels_formula(self, column, term)
        return None

    def visible(self) -> Iterator[Variable]:
        for frame in self.frames:
            yield from frame.variables

    def variable(self, column: Column, hint: str, kind: Kind, block: str = "") -> Code:
        """A new parameter of the block, or a new column of a loop."""
        label = "_".join(label for label in self.labels if label)
        variable = Variable(hint, kind, column, label, block)
        self.frames[_depth(column)].variables.append(variable)
        self.every.append(variable)
        return code(variable, column=column)

    def growing(self, column: Column) -> Code | None:
        """`(0.2 * i / 16)`: a number that grows evenly from round to round, as of stochastic depth."""
        depth = _depth(column)
        if len(column) != 1 or depth not in (1, 2) or depth != self.depth:
            return None
        stages = [column[0]] if depth == 1 else list(column[0])
        if any(not isinstance(stage, Rows) for stage in stages):
            return None
        flat = [value for stage in stages for value in stage]
        found = even_growth(flat)
        if found is None:
            return None
        most, last = found
        if depth == 1:
            return code(f"{most} * ", self.counter(1), f" / {last}", column=column)
        starts = Rows(sum(map(len, stages[:n])) for n in range(len(stages)))
        start = self.value((starts,), "start", "other")
        told = code("(", start, " + ", self.counter(2), ")") if isinstance(start, Code) else None
        return told and code(f"{most} * ", told, f" / {last}", column=column)

    def depth_of(self, column: Column) -> int:
        return _depth(column)

    def steady(self, column: Column, depth: int) -> bool:
        """Whether the value is the same for all rounds of the innermost loop."""
        return depth > 0 and all(
            len({repr(v) for v in rows if v is not ABSENT}) <= 1 for rows in _innermost(column)
        )

    def first_and_rest(self, column: Column, hint: str, kind: Kind, block: str) -> Code | None:
        """`(a if i == 0 else b)`, where only the first round differs."""
        rows = list(_innermost(column))
        if any(ABSENT in r for r in rows) or max(map(len, rows)) < 3:
            return None
        if any(len({repr(v) for v in r[1:]}) > 1 for r in rows):
            return None
        rest = {repr(r[1]) for r in rows if len(r) > 1}
        if len(rest) != 1:
            return None
        later = next(r[1] for r in rows if len(r) > 1)
        first = self.value(_collapsed(column), hint, kind, block=block)
        counter = self.counter(_depth(column))
        told = first if isinstance(first, Code) else _literal(first)
        return code(told, " if ", counter, f" == 0 else {_literal(later)}", column=column)

    def counter(self, depth: int) -> Variable:
        frame = self.frames[depth]
        if frame.counter is None:
            letter = next(letter for letter in "ijklmn" if letter not in self.letters)
            self.letters.add(letter)
            frame.counter = Variable(letter, "other", (), name=letter)
        return frame.counter

    def numbered_name(self, column: Column) -> Mix:
        """`layer$stage` for layer1, layer2 …"""
        prefix = _prefix([str(v) for v in values(column)])
        numbers = mapped(lambda v: v if v is ABSENT else int(str(v)[len(prefix) :]), column)
        rows = list(_innermost(numbers))
        start = rows[0][0]
        ordered = all(
            all(n in (ABSENT, start + i) for i, n in enumerate(r)) for r in rows
        )
        listed = self.depth == 1 and len(rows[0]) <= FEW and start != 0
        if ordered and not listed:
            counter = self.counter(_depth(column))
            told = code(counter) if start == 0 else code(counter, f" + {start}")
            return Mix((prefix, told))
        known = self.value(numbers, "stage", "other")
        return Mix((prefix, known if isinstance(known, Code) else str(known)))

    def condition(self, wanted: Column, term: Term, own: list[Variable]) -> Code:
        found = condition(self, wanted, term, own)
        if found is not None:
            return found
        while self.steady(wanted, _depth(wanted)):
            wanted = _collapsed(wanted)
        label = next((label for label in reversed(self.labels) if label), "")
        hint = _word(term) or label or term.kind
        return self.variable(wanted, hint, "flag")


GROUPS = ("concat", "add", "mul", "split", "residual")


ORDER = ("out", "kernel", "stride", "padding")


def _place(arg: str) -> int:
    """Where an argument stands: these four first."""
    return ORDER.index(arg) if arg in ORDER else len(ORDER)


def _word(term: Term) -> str:
    return snake(term.head_text) if term.kind in ("op", "call") else ""


def _is(value: Any, default: Any) -> bool:
    if isinstance(value, Code | Mix):
        return False
    return bool(value == default) and isinstance(value, bool) == isinstance(default, bool)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _literal(value: Any) -> str:
    words = {True: "true", False: "false", None: "null"}
    if isinstance(value, bool) or value is None:
        return words[value]
    return repr(list(value) if isinstance(value, tuple) else value)


def _short(head: str, args: dict[str, Any], told: dict[str, Any]) -> Any:
    if not args and not told and not head[:1].isupper():
        return head
    return {head: args, **told}


def _mapping(node: Any) -> dict[str, Any]:
    return node if isinstance(node, dict) else {node: {}}


def _single(body: list[Any]) -> Any:
    return body[0] if len(body) == 1 else body


def _quoted(path: str) -> Any:
    return path


def _depth(column: Any) -> int:
    """How many loops a column lies in."""
    inner = [_depth(item) for item in column if isinstance(item, Rows)]
    return 1 + max(inner) if inner else 0


def _innermost(column: Any) -> Iterator[Rows]:
    for item in column:
        if isinstance(item, Rows):
            if any(isinstance(inner, Rows) for inner in item):
                yield from _innermost(item)
            else:
                yield item


def _collapsed(column: Any) -> Any:
    """The first value of each innermost loop in place of its rounds."""

    def collapse(item: Any) -> Any:
        if not isinstance(item, Rows):
            return item
        if any(isinstance(inner, Rows) for inner in item):
            return Rows(collapse(inner) for inner in item)
        return next((v for v in item if v is not ABSENT), ABSENT)

    return tuple(collapse(item) for item in column)


def _listed(column: Column) -> Column:
    """A column of a loop as one list for each place around it."""

    def listed(item: Any) -> Any:
        if not isinstance(item, Rows):
            return item
        if any(isinstance(inner, Rows) for inner in item):
            return Rows(listed(inner) for inner in item)
        return tuple(None if v is ABSENT else _plain(v) for v in item)

    return tuple(listed(item) for item in column)


def _prefix(names: list[str]) -> str:
    """What all names begin with before their number."""
    first = names[0].rstrip("0123456789")
    return first


def nameable(column: Column) -> bool:
    """Whether names that differ can be written: one word with numbers behind it."""
    names = [str(v) for v in values(column)]
    prefix = _prefix(names)
    return all(n.startswith(prefix) and n[len(prefix) :].isdigit() for n in names) and not any(
        n[len(prefix) :] != str(int(n[len(prefix) :])) for n in names
    )
