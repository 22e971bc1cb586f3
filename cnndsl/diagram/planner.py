"""Graph → Plan: what is fused, what is folded, what is closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from cnndsl.costs import cost
from cnndsl.diagram import words
from cnndsl.diagram.folding import Folder, Member, Run, nodes, scopes
from cnndsl.diagram.links import wires
from cnndsl.diagram.opening import opened
from cnndsl.diagram.plan import Box, Group, Item, Kind, Plan, boxes
from cnndsl.graph import Graph, Node, Scope
from cnndsl.ops.base import Family

FUSING = (Family.CONVOLUTION, Family.LINEAR, Family.NORMALIZATION, Family.MERGE)
"""What a box may begin with, for a normalization and an activation to be written into it."""


def make_plan(
    graph: Graph,
    *,
    depth: int | None = None,
    fold: bool = True,
    fuse: bool = True,
) -> Plan:
    """Choose what to show of a graph.

    `depth` is how many levels of scopes are opened, by default as many as give a readable diagram;
    `fold` draws consecutive equal scopes once, and `fuse` writes the normalization and activation
    behind a layer into its box.
    """
    items = opened(_Planner(graph, fold, fuse).all_items(), depth)
    total = cost(graph)
    params, macs = words.quantity(total.params), words.quantity(total.macs)
    return Plan(
        title=graph.variant or graph.name,
        subtitle=f"{params} parameters, {macs} multiply-adds",
        about=" ".join(graph.about.split()),
        items=items,
        wires=wires(graph, items),
        result=f"output/{graph.output.name}",
    )


@dataclass
class _Planner:
    graph: Graph
    fold: bool
    fuse: bool
    twins: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """For a node of a first repetition, the nodes at its place in all repetitions."""
    last: dict[str, Scope] = field(default_factory=dict)
    """For the path of a scope in a first repetition, the scope at its place in the last one."""

    @cached_property
    def folder(self) -> Folder:
        return Folder(self.graph)

    @cached_property
    def only_reader(self) -> dict[int, int]:
        """The node that alone reads a value, where there is exactly one."""
        readers: dict[int, set[int]] = {output.node: {-1} for output in self.graph.outputs}
        for node in self.graph.nodes:
            for source in node.inputs:
                readers.setdefault(source, set()).add(node.id)
        return {source: min(found) for source, found in readers.items() if len(found) == 1}

    def all_items(self) -> tuple[Item, ...]:
        """Everything, each output beside the outermost item that computes it."""
        items = self.items(self.graph.root.members, "")
        number = {
            node: index
            for index, item in enumerate(items)
            for box in boxes([item])
            for node in box.nodes
        }
        ends = {output.name: number[output.node] for output in self.graph.outputs}
        return tuple(
            shown
            for index, item in enumerate(items)
            for shown in (item, *(b for b in self.outputs() if ends[b.name] == index))
        )

    def items(self, members: Sequence[Member], base: str) -> list[Item]:
        """What is drawn for the members; names are relative to the path `base`."""
        found: list[Item] = []
        fused: list[Node] = []  # the nodes of the box that still takes nodes
        for run in self.runs(members):
            if run.times == 1 and isinstance(run.members[0], Node):
                node = run.members[0]
                if fused and not self.joins(fused, node):
                    found.append(self.box(fused, base))
                    fused = []
                fused.append(node)
                continue
            if fused:
                found.append(self.box(fused, base))
                fused = []
            found.extend(self.scope_items(run, base))
        return [*found, self.box(fused, base)] if fused else found

    def runs(self, members: Sequence[Member]) -> list[Run]:
        if self.fold:
            return list(self.folder.runs(members))
        filled = [m for m in members if isinstance(m, Node) or any(m.nodes())]
        return [Run((member,), (member,), 1, 0) for member in filled]

    # --- boxes ---

    def joins(self, fused: Sequence[Node], node: Node) -> bool:
        """Whether a node is written into the box of the nodes before it."""
        before = fused[-1]
        alone = node.inputs == (before.id,) and self.only_reader.get(before.id) == node.id
        if not (self.fuse and alone and fused[0].op.family in FUSING):
            return False
        if node.op.family is Family.NORMALIZATION:
            return len(fused) == 1 and before.op.family is not Family.NORMALIZATION
        return node.op.family is Family.ACTIVATION and before.op.family is not Family.ACTIVATION

    def box(self, fused: Sequence[Node], base: str) -> Box:
        """The box of a node and of those that are fused with it."""
        head, kind = fused[0], words.kind(fused[0])
        # A merge has no name but its op's.
        name = "" if head.op.internal else _name(head.path, base)
        op, rest = words.title(head), words.tail(fused[1:])
        if kind is Kind.MERGE:
            op, text = op + rest, words.merge_text(self.graph, self.alike(head.id))
        else:
            texts = [words.brief(self.graph.nodes[twin]) for twin in self.alike(head.id)]
            text = (words.spread(texts) + rest).strip()
        return Box(
            id=head.path,
            kind=kind,
            name=name,
            op=op,
            text=text,
            shape=self.shape(fused[-1].id),
            nodes=self.all_alike(fused),
            shown=tuple(node.id for node in fused),
            train_only=head.id in self.graph.train_only,
        )

    def alike(self, node: int) -> tuple[int, ...]:
        """The nodes at this place in all repetitions of all folds around it."""
        return self.twins.get(node, (node,))

    def all_alike(self, found: Sequence[Node]) -> tuple[int, ...]:
        return tuple(twin for node in found for twin in self.alike(node.id))

    def shape(self, node: int) -> str:
        return words.shape([self.graph.nodes[twin].shape for twin in self.alike(node)])

    def outputs(self) -> list[Box]:
        """A box for each value that the network gives."""
        return [
            Box(
                id=f"output/{output.name}",
                kind=Kind.OUTPUT,
                name=output.name,
                op="",
                text=f"training only, loss × {output.loss_weight:g}" if output.train_only else "",
                shape=words.shape([self.graph.nodes[output.node].shape]),
                nodes=(),
                shown=(),
                train_only=output.train_only,
            )
            for output in self.graph.outputs
        ]

    # --- scopes ---

    def scope_items(self, run: Run, base: str) -> list[Item]:
        """A repeated run or a single scope, as a group or less."""
        self.record(run)
        if len(run.scopes) > 1:
            return [self.wrap(run, "", tuple(self.items(run.members, base)), base)]
        (scope,) = run.scopes
        if run.times == 1 and not scope.block and self.is_branch(scope):
            return self.items(scope.members, base)
        # The scope's group is drawn around what repeats with it: a dense layer and its concat.
        inner: list[Item] = []
        for member in run.members:
            if isinstance(member, Scope):
                inner += self.items(member.members, member.path)
            else:
                inner += self.items([member], base)
        return [self.wrap(run, scope.block, tuple(inner), base)]

    def record(self, run: Run) -> None:
        """Remember which nodes and scopes those of the first repetition stand for."""
        if run.times > 1:
            for node in nodes(run.members):
                places = [node.id + run.size * k for k in range(run.times)]
                self.twins[node.id] = tuple(t for place in places for t in self.alike(place))
            for first, last in zip(scopes(run.members), scopes(run.last), strict=True):
                self.last[first.path] = self.last.get(last.path, last)

    def is_branch(self, scope: Scope) -> bool:
        """Whether the scope only labels one of the ways into a merge beside it."""
        result = self.graph.values[scope.path]
        reader = self.only_reader.get(result)
        if reader is None or reader < 0 or self.graph.nodes[reader].op.family is not Family.MERGE:
            return False
        return self.graph.nodes[reader].path.rpartition(".")[0] == scope.path.rpartition(".")[0]

    def wrap(self, run: Run, block: str, inner: tuple[Item, ...], base: str) -> Item:
        """A group around the items, or the only item with the scope's name."""
        scope = run.scopes[0]
        path = scope.path if len(run.scopes) == 1 else f"run/{scope.path}"
        name = _relative(scope.path, base)
        if run.times > 1:
            name = words.run_name(name, _relative(run.last_scope.path, base))
        if len(inner) == 1 and isinstance(inner[0], Box) and inner[0].times == 1:
            name = block if _is_number(name) else name
            return replace(inner[0], id=path, name=name, times=run.times)
        closed = self.closed(run, path, name, block)
        look = block or ", ".join(self.folder.outline(scope) for scope in run.scopes)
        return Group(path, name, block, inner, closed, look, run.times, closed.train_only)

    def closed(self, run: Run, path: str, name: str, block: str) -> Box:
        """The box for a scope or run that is not opened."""
        inside = list(nodes(run.members))
        alone = len(run.members) == 1
        result = self.graph.values[run.scopes[0].path] if alone else inside[-1].id
        return Box(
            id=path,
            kind=Kind.BLOCK,
            name="" if block and _is_number(name) else name,
            op=block,
            text=self.arguments(run.scopes[0]) if block else words.layer_count(inside),
            shape=self.shape(result),
            nodes=tuple(sorted(set(self.all_alike(inside)))),
            shown=tuple(node.id for node in inside),
            times=run.times,
            train_only=all(node.id in self.graph.train_only for node in inside),
        )

    def arguments(self, scope: Scope) -> str:
        """The arguments of a block, in all repetitions."""
        last = self.last.get(scope.path, scope)
        return words.spread([words.arguments(scope), words.arguments(last)])


def _relative(path: str, base: str) -> str:
    return path.removeprefix(f"{base}.") if base else path


def _is_number(name: str) -> bool:
    """Whether a name only counts: `3`, or `1…35`."""
    return name.replace("…", "").isdigit()


def _name(path: str, base: str) -> str:
    """The path below `base`, empty where it is a bare number."""
    relative = _relative(path, base)
    return "" if relative.isdigit() else relative
