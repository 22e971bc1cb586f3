"""Two graphs → one that holds the nodes and edges of both, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain

from cnndsl.diagram.changes import NOTHING, REMOVED, Changes
from cnndsl.diagram.diff.align import Member, align
from cnndsl.diagram.plan import Mark
from cnndsl.graph import Graph, Input, Node, Output, Scope


@dataclass(frozen=True)
class Union(Graph):
    """What two graphs are together: the later one's nodes, and those that it no longer has.

    `origins` are the ids of each node in the graphs before and after.
    """

    before: Graph = field(kw_only=True)
    after: Graph = field(kw_only=True)
    origins: tuple[tuple[int | None, int | None], ...] = ()
    changes: Changes = NOTHING
    training: frozenset[int] = frozenset()

    @cached_property
    def train_only(self) -> frozenset[int]:
        return self.training


def unite(before: Graph, after: Graph) -> Union:
    """Both graphs in one."""
    return _Uniting(before, after).union()


class _Uniting:
    def __init__(self, before: Graph, after: Graph) -> None:
        self.before = before
        self.after = after
        self.nodes: list[tuple[Node | None, Node | None]] = []
        self.ids: tuple[dict[int, int], dict[int, int]] = ({}, {})
        """The new ids of the nodes before, and of those after."""
        self.paths: list[str] = []
        self.taken = {node.path for node in after.nodes} | _scope_paths(after.root)
        self.values: dict[str, int] = {}

    def union(self) -> Union:
        root = self.scope(self.before.root, self.after.root, "")
        nodes = tuple(self.node(number) for number in range(len(self.nodes)))
        return Union(
            name=self.after.name,
            variant=self.after.variant,
            about=self.after.about,
            params=self.after.params,
            nodes=nodes,
            root=_renewed(root, nodes),
            outputs=self.outputs(),
            values=self.values,
            before=self.before,
            after=self.after,
            origins=tuple((_id(a), _id(b)) for a, b in self.nodes),
            changes=self.changes(),
            training=self.training(),
        )

    def changes(self) -> Changes:
        numbers = range(len(self.nodes))
        edges: dict[tuple[int, int], Mark] = {}
        for number in numbers:
            before, after = (self.inputs(number, side) for side in (0, 1))
            edges |= {(i, number): Mark.REMOVED for i in self.gone(number)}
            edges |= {(i, number): Mark.ADDED for i in after if i not in before}
        pairs = list(enumerate(self.nodes))
        outputs, ends = self.became_of_outputs()
        return Changes(
            marks={number: self.mark(*pair) for number, pair in pairs},
            was={number: a for number, (a, b) in pairs if a is not None and b is not None},
            edges=edges,
            ends=ends,
            outputs=outputs,
        )

    # --- scopes and nodes ---

    def scope(self, a: Scope | None, b: Scope | None, path: str) -> Scope:
        """The members of both scopes; their nodes are only placed yet."""
        before, after = (_filled(s.members) if s else [] for s in (a, b))
        members = tuple(self.member(*pair, path) for pair in align(before, after))
        known = b or a
        assert known is not None
        if path:
            graph, ids = (self.after, self.ids[1]) if b else (self.before, self.ids[0])
            if known.path in graph.values:  # else nothing reads the value that it gives
                self.values[path] = ids[graph.values[known.path]]
        return replace(known, path=path, members=members)

    def member(self, a: Member | None, b: Member | None, around: str) -> Member:
        known = b or a
        assert known is not None
        path = self.path(known, around, removed=b is None)
        if isinstance(known, Scope):
            assert not isinstance(a, Node)
            assert not isinstance(b, Node)
            return self.scope(a, b, path)
        assert not isinstance(a, Scope)
        assert not isinstance(b, Scope)
        number = len(self.nodes)
        self.nodes.append((a, b))
        self.paths.append(path)
        for node, ids in zip((a, b), self.ids, strict=True):
            if node is not None:
                ids[node.id] = number
        self.values[path] = number
        return replace(known, id=number, path=path)

    def path(self, member: Member, around: str, removed: bool) -> str:
        """The path in the union; a removed member gives way to one of the later graph."""
        last = member.path.rpartition(".")[2]
        path = f"{around}.{last}" if around else last
        while removed and path in self.taken:
            path += REMOVED
        self.taken.add(path)
        return path

    def node(self, number: int) -> Node:
        a, b = self.nodes[number]
        known = b or a
        assert known is not None
        inputs = dict.fromkeys(chain(self.inputs(number, 1), self.gone(number)))
        return replace(known, id=number, path=self.paths[number], inputs=tuple(inputs))

    def inputs(self, number: int, side: int) -> list[int]:
        """What a node reads in the graph before, 0, or after, 1."""
        node = self.nodes[number][side]
        return [self.ids[side][i] for i in node.inputs] if node else []

    def gone(self, number: int) -> list[int]:
        """What a node reads no more, but where something new merely came between."""
        after = self.inputs(number, 1)
        missing = [i for i in self.inputs(number, 0) if i not in after]
        return [i for i in missing if i not in self.behind_new(after)]

    def behind_new(self, reads: list[int]) -> set[int]:
        """What new nodes among these read, and what new ones among those read, and so on."""
        ahead, found = list(reads), set[int]()
        while ahead:
            number = ahead.pop()
            if self.nodes[number][0] is None:
                ahead += [i for i in self.inputs(number, 1) if i not in found]
                found.update(self.inputs(number, 1))
        return found

    def mark(self, a: Node | None, b: Node | None) -> Mark:
        if a is None or b is None:
            return Mark.ADDED if a is None else Mark.REMOVED
        given = isinstance(b.op, Input) and a.shape != b.shape
        weights = [list(node.weights.values()) for node in (a, b)]
        same = a.op == b.op and weights[0] == weights[1] and not given
        return Mark.SAME if same else Mark.CHANGED

    # --- outputs ---

    def outputs(self) -> tuple[Output, ...]:
        """The outputs after, and those that are no more."""
        later = [replace(o, node=self.ids[1][o.node]) for o in self.after.outputs]
        known = {output.name for output in later}
        gone = [o for o in self.before.outputs if o.name not in known]
        return (*later, *(replace(o, node=self.ids[0][o.node]) for o in gone))

    def became_of_outputs(self) -> tuple[dict[str, Mark], dict[str, int]]:
        """The mark of each output, and the node that it was before, if another."""
        before, after = (
            {output.name: output.node for output in graph.outputs}
            for graph in (self.before, self.after)
        )
        marks: dict[str, Mark] = {name: Mark.REMOVED for name in before if name not in after}
        ends: dict[str, int] = {}
        for name, node in after.items():
            if name not in before:
                marks[name] = Mark.ADDED
                continue
            old = before[name]
            earlier, later = self.ids[0][old], self.ids[1][node]
            if earlier not in {later, *self.behind_new([later])}:
                ends[name] = earlier
            same = self.before.nodes[old].shape == self.after.nodes[node].shape
            marks[name] = Mark.SAME if same else Mark.CHANGED
        return marks, ends

    def training(self) -> frozenset[int]:
        """What inference does without in all graphs that have it."""
        later = {self.ids[1][node] for node in self.after.train_only}
        earlier = {self.ids[0][node] for node in self.before.train_only}
        gone = {number for number, (_, b) in enumerate(self.nodes) if b is None}
        return frozenset(later | (earlier & gone))


def _id(node: Node | None) -> int | None:
    return None if node is None else node.id


def _filled(members: Sequence[Member]) -> list[Member]:
    return [m for m in members if isinstance(m, Node) or any(m.nodes())]


def _scope_paths(scope: Scope) -> set[str]:
    inner = [member for member in scope.members if isinstance(member, Scope)]
    return {scope.path, *(path for one in inner for path in _scope_paths(one))}


def _renewed(scope: Scope, nodes: Sequence[Node]) -> Scope:
    """The scope with its nodes as they are once all of them are known."""
    members = tuple(
        nodes[member.id] if isinstance(member, Node) else _renewed(member, nodes)
        for member in scope.members
    )
    return replace(scope, members=members)
