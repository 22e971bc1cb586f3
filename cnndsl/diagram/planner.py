"""Graph → boxes and groups: what is fused, and what is folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from cnndsl.diagram import words
from cnndsl.diagram.changes import NOTHING, REMOVED, Changes
from cnndsl.diagram.folding import Folder, Member, Run, nodes, one_by_one, scopes
from cnndsl.diagram.links import reads, shortcuts
from cnndsl.diagram.outputs import output_box
from cnndsl.diagram.plan import Box, Group, Item, Kind, Link, Mark, Read, Was, boxes
from cnndsl.graph import Graph, Node, Scope
from cnndsl.ops.base import Family

FUSING = (Family.CONVOLUTION, Family.LINEAR, Family.NORMALIZATION, Family.MERGE)
"""What a box may begin with, for a normalization and an activation to be written into it."""

MAX_UNITS, MAX_SHOWN = 400, 20_000
"""How many members a run has at the most for its repetitions to be shown one by one, and how many
nodes stand behind all that are shown so, those of the repetitions around them included."""


@dataclass
class Shown:
    """How many nodes are left that may stand behind repetitions which are shown one by one."""

    left: int = MAX_SHOWN

    def take(self, nodes: int) -> bool:
        """Whether there is room for so many, which is then taken."""
        fits = nodes <= self.left
        self.left -= nodes * fits
        return fits


@dataclass
class Planner:
    """The boxes and groups of one graph; with `units`, repetitions one by one too."""

    graph: Graph
    fold: bool
    fuse: bool
    units: bool = False
    changes: Changes = NOTHING
    twins: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """For a node of a first repetition, the nodes at its place in all repetitions."""
    last: dict[str, Scope] = field(default_factory=dict)
    """For the path of a scope in a first repetition, the scope at its place in the last one."""
    shown: Shown = field(default_factory=Shown)

    @cached_property
    def folder(self) -> Folder:
        return Folder(self.graph, self.changes)

    @cached_property
    def special(self) -> dict[tuple[int, int], Link]:
        return shortcuts(self.graph)

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
        items = self.items(self.runs(self.graph.root.members), "")
        number = {
            node: index
            for index, item in enumerate(items)
            for box in boxes([item])
            for node in box.nodes
        }
        beside: dict[int, list[Box]] = {}
        for output in self.graph.outputs:
            box = output_box(self.graph, self.changes, output)
            beside.setdefault(max(number[value] for value, _ in box.reads), []).append(box)
        return tuple(
            shown for index, item in enumerate(items) for shown in (item, *beside.get(index, ()))
        )

    def items(self, runs: Sequence[Run], base: str) -> list[Item]:
        """What is drawn for members and their repetitions; names are relative to `base`."""
        found: list[Item] = []
        fused: list[Node] = []  # the nodes of the box that still takes nodes
        for run in runs:
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
        return one_by_one(members)

    # --- boxes ---

    def joins(self, fused: Sequence[Node], node: Node) -> bool:
        """Whether a node is written into the box of the nodes before it."""
        before = fused[-1]
        alone = node.inputs == (before.id,) and self.only_reader.get(before.id) == node.id
        if not (self.fuse and alone and fused[0].op.family in FUSING):
            return False
        first, mark = (self.changes.marks.get(n.id) for n in (fused[0], node))
        if first is not mark and (first, mark) != (Mark.CHANGED, Mark.SAME):
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
            text = (words.spread(self.briefs(head)) + rest).strip()
        return Box(
            id=head.path,
            kind=kind,
            name=name,
            op=op,
            text=text,
            shape=self.shape(fused[-1].id),
            nodes=self.all_alike(fused),
            reads=self.reads(fused),
            train_only=head.id in self.graph.train_only,
            mark=self.changes.marks.get(head.id),
            was=self.was(head, fused),
        )

    def briefs(self, node: Node) -> list[str]:
        """What the nodes at this place say in all repetitions: each kind once, then the last."""
        twins = [self.graph.nodes[twin] for twin in self.alike(node.id)]
        kinds = {(id(twin.op), twin.x): twin for twin in twins}
        return [words.brief(twin) for twin in (*kinds.values(), twins[-1])]

    def alike(self, node: int) -> tuple[int, ...]:
        """The nodes at this place in all repetitions of all folds around it."""
        return self.twins.get(node, (node,))

    def all_alike(self, found: Sequence[Node]) -> tuple[int, ...]:
        return tuple(twin for node in found for twin in self.alike(node.id))

    def was(self, head: Node, fused: Sequence[Node]) -> Was | None:
        """What the box of a changed node said before."""
        old = self.changes.was.get(head.id)
        if old is None or self.changes.marks[head.id] is not Mark.CHANGED:
            return None
        last = self.changes.was.get(fused[-1].id)
        said, says = words.difference(old, head)
        return Was(said, says, words.shape([last.shape]) if last else "")

    def reads(self, found: Sequence[Node]) -> tuple[Read, ...]:
        """What the nodes of a first repetition read."""
        shown = [node.id for node in found]
        own = self.all_alike(found)
        links = reads(self.graph, self.changes, self.special, shown, own)
        if not self.graph.train_only.issuperset(shown):
            return links
        kept = (Link.ADDED, Link.REMOVED)
        return tuple((value, link if link in kept else Link.TRAIN) for value, link in links)

    def shape(self, node: int) -> str:
        return words.shape([self.graph.nodes[twin].shape for twin in self.alike(node)])

    # --- scopes ---

    def scope_items(self, run: Run, base: str) -> list[Item]:
        """A repeated run or a single scope, as a group or less."""
        self.record(run)
        if len(run.scopes) != 1:
            return [self.wrap(run, "", tuple(self.items(self.runs(run.members), base)), base)]
        (scope,) = run.scopes
        if run.times == 1 and not scope.block and self.is_branch(scope):
            return self.items(self.runs(scope.members), base)
        # The scope's group is drawn around what repeats with it: a dense layer and its concat.
        inner: list[Item] = []
        for member in run.members:
            if isinstance(member, Scope):
                inner += self.items(self.runs(member.members), member.path)
            else:
                inner += self.items(one_by_one([member]), base)
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
        reader = self.only_reader.get(self.result(scope))
        if reader is None or reader < 0 or self.graph.nodes[reader].op.family is not Family.MERGE:
            return False
        return self.graph.nodes[reader].path.rpartition(".")[0] == scope.path.rpartition(".")[0]

    def result(self, scope: Scope) -> int:
        """The node whose value a scope gives: its last one, where it gives an outer value or none.

        A scope of which only inner values are read has no result that anything needs.
        """
        own = [node.id for node in scope.nodes()]
        value = self.graph.values.get(scope.path)
        return value if value in own else own[-1]

    def wrap(self, run: Run, block: str, inner: tuple[Item, ...], base: str) -> Item:
        """A group around the items, or the only item with the scope's name."""
        path = run.head.path if len(run.scopes) == 1 else f"run/{run.head.path}"
        name = _relative(run.head.path, base)
        if run.times > 1:
            name = words.run_name(name, _relative(run.last_head.path, base))
        if len(inner) == 1 and isinstance(inner[0], Box) and inner[0].times == 1:
            name = block if _is_number(name) else name
            box = replace(inner[0], id=path, name=name, times=run.times)
            return replace(box, units=self.all_units(run, base))
        closed = self.closed(run, path, name, block)
        alike = run.scopes or run.members
        look = block or ", ".join(self.folder.outline(member) for member in alike)
        units = self.all_units(run, base)
        return Group(path, name, block, inner, closed, look, run.times, closed.train_only, units)

    def all_units(self, run: Run, base: str) -> tuple[Item, ...]:
        """The repetitions one by one, each as it is for itself and in the folds around the run."""
        if run.times == 1 or not self.units or len(run.all) > MAX_UNITS:
            return ()
        if not self.shown.take(sum(len(self.alike(node.id)) for node in nodes(run.members))):
            return ()
        alone = Planner(self.graph, self.fold, self.fuse, self.units, self.changes)
        alone.folder, alone.special, alone.shown = self.folder, self.special, self.shown
        alone.only_reader = self.only_reader
        alone.twins = {node.id: self.alike(node.id) for node in nodes(run.all)}
        for node in nodes(run.members):  # those of this run stand behind those of the outer ones
            found = alone.twins[node.id]
            alone.twins[node.id] = found[: len(found) // run.times]
        return tuple(alone.items(one_by_one(run.all), base))

    def closed(self, run: Run, path: str, name: str, block: str) -> Box:
        """The box for a scope or run that is not opened."""
        inside = list(nodes(run.members))
        alone = len(run.members) == 1
        result = self.result(run.scopes[0]) if alone and run.scopes else inside[-1].id
        return Box(
            id=path,
            kind=Kind.BLOCK,
            name="" if _is_number(name) and (block or not run.scopes) else name,
            op=block,
            text=self.arguments(run.scopes[0]) if block else words.layer_count(inside),
            shape=self.shape(result),
            nodes=tuple(sorted(set(self.all_alike(inside)))),
            reads=self.reads(inside),
            times=run.times,
            train_only=all(node.id in self.graph.train_only for node in inside),
            mark=self.changes.mark(node.id for node in inside),
        )

    def arguments(self, scope: Scope) -> str:
        """The arguments of a block, in all repetitions."""
        last = self.last.get(scope.path, scope)
        return words.spread([words.arguments(scope), words.arguments(last)])


def _relative(path: str, base: str) -> str:
    """The path below `base`, without the sign of what gave its path to something new."""
    relative = path.removeprefix(f"{base}.") if base else path
    return relative.replace(REMOVED, "")


def _is_number(name: str) -> bool:
    """Whether a name only counts: `3`, or `1…35`."""
    return name.replace("…", "").isdigit()


def _name(path: str, base: str) -> str:
    """The path below `base`, empty where it is a bare number."""
    relative = _relative(path, base)
    return "" if relative.isdigit() else relative
