"""Random specs, valid by construction: what the language can say, in combinations nobody chose.

A spec is drawn as it is written: nested scopes, blocks that are called often, values read again
from inner and outer scopes, merges, loops, several inputs, outputs and heads. The shape of each
value is kept, so that what is drawn next fits it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml
from hypothesis import strategies as st

Shape = tuple[int, int]
"""Channels, and the side of a square image."""
Yaml = dict[str, Any]

NAMES = ("a", "b", "c", "x", "out", "enc", "enc-2", "out2", "print", "1x1", "F", "self", "nn", "t_")
"""Names that the emitted source might use itself are among them."""
CHANNELS = (2, 4, 6)
DEPTH = 4


@dataclass
class Scope:
    """What `from` can name at one place, and the names that are taken there."""

    parent: Scope | None = None
    values: dict[str, Shape] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    begun: bool = False
    """Whether it has a node: the first one is `0` where it has no name."""
    names: tuple[str, ...] = ()
    """What it is called in the scope around it, in each round where it is a loop's."""

    @property
    def visible(self) -> dict[str, Shape]:
        outer = dict(self.parent.visible) if self.parent else {}
        outer.pop("0", None)  # a number means the member of the scope itself
        nearer = tuple(f"{name}." for name in self.names)
        outer = {path: shape for path, shape in outer.items() if not path.startswith(nearer)}
        return {**outer, **self.values}


@dataclass(frozen=True)
class Block:
    """A block for values of one shape; its last layer has as many channels as the call says."""

    name: str
    takes: Shape
    values: dict[str, Shape]
    side: int
    body: list[Yaml | str]


@dataclass
class Drawer:
    """Draws the parts of one spec. `anonymous` bodies run several times in one scope."""

    draw: Callable[..., Any]
    blocks: list[Block] = field(default_factory=list)
    left: int = 25
    """How many more nodes there may be."""

    def pick(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def number(self, least: int, most: int) -> int:
        return int(self.draw(st.integers(least, most)))

    def chance(self, percent: int) -> bool:
        return self.number(1, 100) <= percent

    # --- names ---

    def name(self, scope: Scope | None, percent: int = 40) -> str:
        """A free name, or none; a body without a scope of its own gives none."""
        if scope is None or not self.chance(percent):
            return ""
        name: str = self.pick(*NAMES)
        while name in scope.taken:
            name += self.pick("0", "2", "_")
        scope.taken.add(name)
        return name

    # --- sequences ---

    def nodes(
        self, x: Shape, scope: Scope | None, depth: int, to: Shape | None = None, least: int = 0
    ) -> tuple[list[Yaml | str], Shape]:
        """Nodes in a row, which end at the shape `to` if one is asked for."""
        found: list[Yaml | str] = []
        for _ in range(self.number(least, 3)):
            if self.left <= 0:
                break
            self.left -= 1
            first = scope is not None and not scope.begun
            if scope is not None:
                scope.begun = True
            made, x = self.node(x, scope, depth)
            if scope is not None and first and isinstance(made, str):
                scope.values["0"] = x
            found.append(made)
        if to is not None:
            found += self.adapter(x, to)
        if scope is not None and found:
            scope.begun = True
        return found, to or x

    def adapter(self, x: Shape, to: Shape) -> list[Yaml | str]:
        """What brings one shape to another."""
        found: list[Yaml | str] = []
        side = x[1]
        while side > to[1]:
            found.append({"max_pool": 2})
            side //= 2
        while side < to[1]:
            found.append({"upsample": 2})
            side *= 2
        return [*found, {"conv": to[0]}] if x[0] != to[0] else found

    def node(self, x: Shape, scope: Scope | None, depth: int) -> tuple[Yaml | str, Shape]:
        kinds = [self.op, self.op, self.op]
        if scope is not None and scope.visible:
            kinds += [self.read, self.read]
        if depth < DEPTH:
            kinds += [self.residual, self.merge, self.concat, self.dense, self.sequence]
            kinds += [self.loop, self.call, self.call]
            kinds += [self.split] if x[0] % 2 == 0 else []
        made, shape = self.pick(*kinds)(x, scope, depth)
        if isinstance(made, dict) and shape == x and "name" not in made and self.chance(5):
            made["when"] = True
        return made, shape

    # --- leaves ---

    def op(self, x: Shape, scope: Scope | None, depth: int) -> tuple[Yaml | str, Shape]:
        op, shape = self.layer(x)
        name = self.name(scope)
        if name and scope is not None:
            scope.values[name] = shape
            return ({op: {}, "name": name} if isinstance(op, str) else {**op, "name": name}), shape
        return op, shape

    def layer(self, x: Shape) -> tuple[Yaml | str, Shape]:
        """An op without a name, and the shape of its result."""
        channels, side = x
        same: list[Yaml | str] = ["bn", "relu", "gelu", "sigmoid", "prelu", "identity", "silu"]
        same += [{"dropout": 0.5}, {"stochastic_depth": 0.3}, {"layer_scale": 0.5}, {"scale": 1.5}]
        same += [{"relu": {}}, {"leaky_relu": 0.2}, {"group_norm": 1}, {"dropout2d": 0.2}]
        same += [{"max_pool": {"kernel": 3, "stride": 1, "padding": 1}}, "layer_norm"]
        kind = self.number(1, 10)
        if kind <= 5:
            out = self.pick(*CHANNELS)
            kernel = self.pick(*([1, 3] if side > 1 else [1]))
            conv = {"out": out, "kernel": kernel, "padding": kernel // 2}
            if self.chance(30):
                conv["bias"] = False
            return {"conv": conv}, (out, side)
        if kind == 6 and side > 2:
            return self.pick({"max_pool": 2}, {"avg_pool": 2}), (channels, side // 2)
        return self.pick(*same), x

    def read(self, x: Shape, scope: Scope, depth: int) -> tuple[Yaml | str, Shape]:
        """A node that starts from an earlier value."""
        path = self.pick(*sorted(scope.visible))
        shape = scope.visible[path]
        if self.chance(40):
            return {"from": path}, shape
        op, shape = self.layer(shape)
        return {"from": path, **(op if isinstance(op, dict) else {op: {}})}, shape

    # --- structure ---

    def grouped(
        self, scope: Scope | None, depth: int, make: Callable[[Scope | None], tuple[Yaml, Shape]]
    ) -> tuple[Yaml, Shape]:
        """A structure, with a scope of its own if it gets a name."""
        name = self.name(scope)
        if not name:
            return make(scope)
        inner = Scope(scope, names=(name,))
        made, shape = make(inner)
        assert scope is not None
        self.keep(scope, name, inner.values, shape)
        return {**made, "name": name}, shape

    def keep(self, scope: Scope, name: str, values: dict[str, Shape], result: Shape) -> None:
        scope.values |= {f"{name}.{path}": shape for path, shape in values.items()}
        scope.values[name] = result

    def sequence(self, x: Shape, scope: Scope | None, depth: int) -> tuple[Yaml, Shape]:
        def make(inner: Scope | None) -> tuple[Yaml, Shape]:
            nodes, shape = self.nodes(x, inner, depth + 1, least=1)
            return {"seq": nodes}, shape

        return self.grouped(scope, depth, make)

    def residual(self, x: Shape, scope: Scope | None, depth: int) -> tuple[Yaml, Shape]:
        def make(inner: Scope | None) -> tuple[Yaml, Shape]:
            to = x if self.chance(60) else (self.pick(*CHANNELS), x[1])
            body, _ = self.nodes(x, inner, depth + 1, to)
            if to == x and self.chance(50):
                return {"residual": body}, to
            shortcut = self.branch(x, inner, depth + 1, to)
            return {"residual": {"body": body, "shortcut": shortcut}}, to

        return self.grouped(scope, depth, make)

    def branch(
        self, x: Shape, scope: Scope | None, depth: int, to: Shape | None = None
    ) -> list[Yaml | str]:
        """The nodes of a branch, which may start from an earlier value."""
        start: list[Yaml | str] = []
        if scope is not None and scope.visible and self.chance(30):
            path = self.pick(*sorted(scope.visible))
            start, x = [{"from": path}], scope.visible[path]
        nodes, _ = self.nodes(x, scope, depth, to)
        return [*start, *nodes]

    def branches(
        self, x: Shape, scope: Scope | None, depth: int, to: list[Shape]
    ) -> list[Any] | Yaml:
        """Branches in a list, or by labels."""
        if scope is None or not self.chance(30):
            return [self.branch(x, scope, depth, shape) for shape in to]
        found: Yaml = {}
        for shape in to:
            label = self.name(scope, 100)
            if self.chance(25) and shape[1] == x[1]:
                found[label] = {"conv": shape[0]}
                scope.values[label] = shape
                continue
            inner = Scope(scope, names=(label,))
            found[label] = self.branch(x, inner, depth, shape)
            self.keep(scope, label, inner.values if found[label] else {}, shape)
        return found

    def merge(self, x: Shape, scope: Scope | None, depth: int) -> tuple[Yaml, Shape]:
        def make(inner: Scope | None) -> tuple[Yaml, Shape]:
            to = x if self.chance(60) else (self.pick(*CHANNELS), x[1])
            count = self.number(2, 3)
            op = self.pick("add", "mul")
            return {op: self.branches(x, inner, depth + 1, [to] * count)}, to

        return self.grouped(scope, depth, make)

    def concat(self, x: Shape, scope: Scope | None, depth: int) -> tuple[Yaml, Shape]:
        def make(inner: Scope | None) -> tuple[Yaml, Shape]:
            to = [(self.pick(*CHANNELS), x[1]) for _ in range(self.number(2, 3))]
            return {"concat": self.branches(x, inner, depth + 1, to)}, (sum(c for c, _ in to), x[1])

        return self.grouped(scope, depth, make)

    def split(self, x: Shape, scope: Scope | None, depth: int) -> tuple[Yaml, Shape]:
        def make(inner: Scope | None) -> tuple[Yaml, Shape]:
            to = [(self.pick(*CHANNELS), x[1]) for _ in range(2)]
            half = (x[0] // 2, x[1])
            made = {"split": self.branches(half, inner, depth + 1, to)}
            return made, (sum(c for c, _ in to), x[1])

        return self.grouped(scope, depth, make)

    def dense(self, x: Shape, scope: Scope | None, depth: int) -> tuple[Yaml, Shape]:
        def make(inner: Scope | None) -> tuple[Yaml, Shape]:
            to = (self.pick(*CHANNELS), x[1])
            nodes, _ = self.nodes(x, inner, depth + 1, to)
            if not nodes and inner is not None:
                inner.begun = True
            return {"dense": nodes or [{"conv": to[0]}]}, (x[0] + to[0], x[1])

        return self.grouped(scope, depth, make)

    # --- loops and blocks ---

    def loop(self, x: Shape, scope: Scope | None, depth: int) -> tuple[Yaml, Shape]:
        """A loop whose body keeps the shape; with a name, each round has a scope."""
        times = self.number(1, 3)
        name = self.name(scope)
        if not name or scope is None:
            nodes, _ = self.nodes(x, None, depth + 1, x, least=1)
            count = {"repeat": times} if self.chance(50) else {"for": {"i": times}}
            return {**count, "do": nodes or ["relu"]}, x
        inner = Scope(scope, names=tuple(f"{name}_{index}" for index in range(times)))
        before = dict(scope.values)
        nodes, _ = self.nodes(x, inner, depth + 1, x, least=1)
        scope.values = before
        for index in range(times):
            scope.taken.add(f"{name}_{index}")
            self.keep(scope, f"{name}_{index}", inner.values if nodes else {}, x)
        return {"for": {"i": times}, "name": f"{name}_$i", "do": nodes or ["relu"]}, x

    def call(self, x: Shape, scope: Scope | None, depth: int) -> tuple[Yaml | str, Shape]:
        fitting = [block for block in self.blocks if block.takes == x]
        if not fitting:
            return self.op(x, scope, depth)
        block = self.pick(*fitting)
        out = self.pick(*CHANNELS)
        shape = (out, block.side)
        name = self.name(scope)
        if name and scope is not None:
            self.keep(scope, name, {**block.values, "last": shape}, shape)
            return {block.name: {"out": out}, "name": name}, shape
        return {block.name: {"out": out}}, shape

    def block(self, name: str) -> Block:
        takes = (self.pick(*CHANNELS), self.pick(8, 8, 4))
        scope = Scope()
        scope.taken.add("last")
        nodes, shape = self.nodes(takes, scope, 1)
        nodes.append({"conv": {"out": "$out"}, "name": "last"})
        return Block(name, takes, scope.values, shape[1], nodes)

    # --- the whole ---

    def spec(self) -> Yaml:
        self.blocks = []
        for name in ("First", "Second", "F")[: self.number(0, 3)]:
            self.left = 6
            self.blocks.append(self.block(name))
        self.left = 25
        root = Scope()
        spec: Yaml = {"name": "net"}
        inputs = {name: (self.pick(*CHANNELS), 8) for name in ("image", "x")[: self.number(1, 2)]}
        if len(inputs) == 1:
            inputs = {"input": inputs["image"]}
            spec["input"] = [inputs["input"][0], 8, 8]
        else:
            spec["inputs"] = {name: [shape[0], 8, 8] for name, shape in inputs.items()}
        root.values |= inputs
        root.taken |= inputs.keys()
        if self.blocks:
            spec["blocks"] = {
                block.name: {"params": {"out": "int"}, "body": block.body} for block in self.blocks
            }
        nodes, shape = self.nodes(next(iter(inputs.values())), root, 0, least=1)
        spec["body"] = [*nodes, *self.adapter(shape, (3, shape[1]))] or ["relu"]
        if self.chance(60):
            spec["outputs"] = self.outputs(root, shape)
        return spec

    def outputs(self, root: Scope, last: Shape) -> Yaml:
        """The last value and heads, which may start from each other; one is left in inference."""
        found: Yaml = {}
        shapes: dict[str, Shape] = {}
        body = Scope(values=root.visible)
        for number in range(self.number(1, 4)):
            name = self.name(root, 100).replace("-", "_").replace("1x1", "x1") + "_" * number
            while name in root.taken:
                name += "_"
            root.taken.add(name)
            sources = {**root.visible, **shapes}
            head: Yaml = {}
            shape = (3, last[1])
            if found and self.chance(80):
                head["from"] = self.pick(*sorted(sources))
                shape = sources[head["from"]]
            if self.chance(50):
                # A head with a source runs as soon as that is there, before later values are.
                inner = Scope(None if "from" in head else body)
                self.left = max(self.left, 3)
                head["body"], shape = self.nodes(shape, inner, DEPTH - 1, least=1)
                self.keep(root, name, inner.values, shape)
            if found and self.chance(40):
                head["train_only"] = True
            found[name] = head
            shapes[name] = shape
        return found


@st.composite
def random_specs(draw: Callable[..., Any]) -> str:
    """The text of a spec that holds."""
    return str(yaml.safe_dump(Drawer(draw).spec(), sort_keys=False, default_flow_style=None))
