"""Structure → places: how large everything is, and where it stands.

All lengths are in points. The words are those of a diagram from top to bottom: what is in sequence
grows down, branches stand left to right, and the line of the main value enters at x = 0, y = 0.
A diagram from left to right is the same across the diagonal: `left` is above then, `right` below.

page/layout.js computes the same places; a test compares them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from cnndsl.diagram.errors import Oversize
from cnndsl.diagram.rows import Web, is_via
from cnndsl.diagram.structure import Fork, Head, Parts, Structure
from cnndsl.diagram.wiring import Net, is_port

GAP, ENTER, LEAVE = 18.0, 24.0, 10.0
"""Between two boxes in sequence; from a group's upper border to its first box, beside the title;
from its last box to the lower border."""
TURN, LEVEL = 8.0, 6.0
"""More between them where wires branch off or come together, and for each port beside the main."""
BESIDE, LANE, NEXT_LANE = 16.0, 14.0, 9.0
"""Between branches; from a branch to a wire that passes it, and from that to the next one."""
PAD, TITLE = 10.0, 18.0
"""Left and right of what is in a group; how high its title is, and how far from the line."""
HANG = 22.0
"""From the bottom of an item to the top of what hangs on it."""
COLUMN = 30.0
"""Between columns; half of it is above and below them."""
MAX_MOVED = 50_000
"""How often boxes and places of wires are put in what is around them at the most."""
ROW, PASSING = 36.0, 10.0
"""Between rows of a web, and about a wire that passes a row."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a key of a net stands: the line that enters it, its upper edge, and its reach."""

    x: float = 0.0
    y: float = 0.0
    left: float = 0.0
    right: float = 0.0
    length: float = 0.0
    out: float = 0.0
    """How far right of the line that enters the line of the result leaves."""


@dataclass(slots=True)
class Block:
    """Something laid out: how far it reaches from the line that enters it, and what is in it.

    `lanes` are where wires pass branches, by their numbers, and `floors` the lower edges of the
    rows that keys of webs stand in; `jumps` are the lower, right and upper
    turns of the wires to the top of a column, by the key that stands there.
    """

    left: float = 0.0
    right: float = 0.0
    length: float = 0.0
    out: float = 0.0
    spots: dict[str, Spot] = field(default_factory=dict)
    lanes: dict[int, float] = field(default_factory=dict)
    floors: dict[str, float] = field(default_factory=dict)
    jumps: dict[str, tuple[float, float, float]] = field(default_factory=dict)

    def take(self, other: Block, x: float, y: float) -> None:
        """Put another block in, its line at x and its upper edge at y."""
        for key, at in other.spots.items():
            self.spots[key] = Spot(at.x + x, at.y + y, at.left, at.right, at.length, at.out)
        self.lanes |= {number: lane + x for number, lane in other.lanes.items()}
        self.floors |= {key: floor + y for key, floor in other.floors.items()}
        self.left = max(self.left, other.left - x)
        self.right = max(self.right, other.right + x)
        self.length = max(self.length, other.length + y)


@dataclass(frozen=True)
class Measures:
    """What geometry knows of a figure: the sizes of boxes and of the titles of open groups."""

    sizes: Mapping[str, tuple[float, float]]
    titles: Mapping[str, float]
    nets: Mapping[str, Net]
    structures: Mapping[str, Structure]
    across: bool = False
    """Whether the diagram goes from left to right."""


Breaks = Mapping[str, Sequence[int]]
"""For a net in columns, the parts of its main sequence with which a column begins."""


def lay_out(measures: Measures, breaks: Breaks) -> dict[str, Block]:
    """The block of each net, the outermost one's id is ""."""
    layout = _Layout(measures, breaks)
    layout.net("")
    return layout.blocks


@dataclass
class _Layout:
    measures: Measures
    breaks: Breaks
    blocks: dict[str, Block] = field(default_factory=dict)
    moved: int = 0

    def take(self, block: Block, other: Block, x: float, y: float) -> None:
        """Put a block in another one, as long as there is no end of it."""
        self.moved += len(other.spots)
        if self.moved > MAX_MOVED:
            raise Oversize(f"more than {MAX_MOVED:,} places within each other")
        block.take(other, x, y)

    def net(self, id: str) -> Block:
        structure = self.measures.structures[id]
        chunks = _chunks(structure.parts, self.breaks.get(id, ()))
        columns = [self.sequence(chunk, structure.heads) for chunk in chunks]
        title = 0.0 if self.measures.across else self.measures.titles.get(id, 0.0)
        block = columns[0] if len(columns) == 1 else self.columns(columns, chunks, title)
        for (
            key,
            spot,
        ) in block.spots.items():  # values enter and leave at the border, from any branch
            if is_port(key):
                block.spots[key] = replace(spot, y=0.0 if is_entry(key) else block.length)
        self.blocks[id] = block
        return block

    def leaf(self, key: str) -> Block:
        """An item or port."""
        if is_port(key) or is_via(key):
            spot = Spot()
        elif key in self.measures.nets:
            spot = self.group(key)
        else:
            width, height = self.measures.sizes[key]
            width, height = (height, width) if self.measures.across else (width, height)
            spot = Spot(left=width / 2, right=width / 2, length=height)
        return Block(spot.left, spot.right, spot.length, spot.out, {key: spot})

    def group(self, id: str) -> Spot:
        """An open group: its net with a border and a title."""
        inner, title = self.net(id), self.measures.titles[id]
        left, right, length = inner.left + PAD, inner.right + PAD, inner.length
        if self.measures.across:
            left, length = left + TITLE, max(length, title + 2 * PAD)
        else:
            right = max(right, last_entry(inner) + TITLE / 2 + title + PAD)
        return Spot(0.0, 0.0, left, right, length, inner.out)

    # --- in sequence ---

    def sequence(self, parts: Parts, heads: Sequence[Head]) -> Block:
        block, x, y = Block(), 0.0, 0.0
        edges: list[tuple[float, float, float]] = []  # upper, lower and right edges of the parts
        hosts = {head.source for head in heads}
        for index, part in enumerate(parts):
            behind = parts[index + 1] if index + 1 < len(parts) else ""
            laid = self.part(part, behind)
            self.take(block, laid, x, y)
            edges.append((y, y + laid.length, x + laid.right))
            x, y = x + laid.out, y + laid.length + self.gap(part, behind, hosts)
        block.out = x
        for head in reversed([head for head in heads if head.source in block.spots]):
            self.hang(block, head, edges)
        return block

    def part(self, part: str | Fork | Web, behind: str | Fork | Web) -> Block:
        if isinstance(part, str):
            return self.leaf(part)
        if isinstance(part, Web):
            return self.web(part)
        plain = isinstance(behind, str) and behind in self.measures.sizes
        return self.fork(part, self.leaf(str(behind)).right if plain else 0.0)

    def gap(self, part: str | Fork | Web, behind: str | Fork | Web, hosts: set[str]) -> float:
        """The room between two parts."""
        if behind == "":
            return 0.0
        enters = is_entry(part)
        room = (GAP if self.measures.across else ENTER) if enters else GAP
        if isinstance(behind, str) and behind.startswith("out/"):
            room = LEAVE
        turns = (not isinstance(part, str) and not enters) + (not isinstance(behind, str))
        ports = 0
        if isinstance(part, str) and part in self.measures.nets:
            ports += len(self.measures.nets[part].exits) - 1
        if isinstance(behind, str) and behind in self.measures.nets:
            ports += len(self.measures.nets[behind].entries) - 1
        if enters and (ports or isinstance(behind, Web)):
            room += self.below_title()
        return room + TURN * max(turns, part in hosts) + LEVEL * ports

    def hang(self, block: Block, head: Head, edges: list[tuple[float, float, float]]) -> None:
        """Put a head right of all that stands beside it."""
        laid, host = self.sequence(head.parts, ()), block.spots[head.source]
        net = self.measures.nets.get(head.source)
        top = host.y + host.length + HANG + (LEVEL * (len(net.exits) - 1) if net else 0.0)
        bottom = top + laid.length
        beside = [right for upper, lower, right in edges if lower > host.y and upper < bottom]
        x = max(beside) + BESIDE + laid.left
        self.take(block, laid, x, top)
        edges.append((top, bottom, x + laid.right))

    # --- side by side ---

    def fork(self, fork: Fork, behind: float) -> Block:
        """Branches, and right of them the wires that pass; what follows reaches `behind` right."""
        laid = [self.sequence(branch, ()) for branch in fork.branches]
        length = max((one.length for one in laid), default=0.0)
        places = _centred(laid) if fork.spine is None else _about(laid, fork.spine)
        block = Block(out=0.0 if fork.spine is None else laid[fork.spine].out)
        for index, (one, x) in enumerate(zip(laid, places, strict=True)):
            beside = fork.spine is not None and index != fork.spine
            self.take(block, one, x, _drop(fork.branches[index], length - one.length, beside))
        lane = max(block.right, behind) + LANE
        for number in fork.lanes:
            block.lanes[number] = block.right = lane
            lane += NEXT_LANE
        return block

    def below_title(self) -> float:
        """How far down the lines that enter a group go straight, beside its title."""
        return 0.0 if self.measures.across else TITLE

    def web(self, web: Web) -> Block:
        block, y = Block(), 0.0
        for row in web.rows:
            laid = [self.leaf(key) for key in row]
            below = self.below_title() if any(is_entry(key) for key in row) else 0.0
            height = max(below, *(one.length for one in laid))
            for key, one in zip(row, laid, strict=True):
                if is_via(key):
                    one.left = one.right = PASSING
                    one.spots[key] = Spot(length=height)
            for one, x in zip(laid, _centred(laid), strict=True):
                self.take(block, one, x, y)
            block.floors |= dict.fromkeys(row, y + height)
            y += height + ROW
        return block

    def columns(self, columns: Sequence[Block], chunks: Sequence[Parts], title: float) -> Block:
        """Columns side by side, the second right of the title; their first boxes are in one row."""
        room = GAP if self.measures.across else ENTER
        top = room if is_entry(chunks[0][0]) else 0.0
        block = Block()
        self.take(block, columns[0], 0.0, 0.0)
        if title:
            block.right = max(block.right, last_entry(block) + TITLE / 2 + title)
        for before, column, chunk in zip(columns, columns[1:], chunks[1:], strict=False):
            turn = block.right + COLUMN / 2
            lower = before.length + (0.0 if before is columns[0] else top) + COLUMN / 3
            block.jumps[str(chunk[0])] = (lower, turn, top - COLUMN / 2)
            x = block.right + COLUMN + column.left
            self.take(block, column, x, top)
            block.out = x + column.out
        block.length += COLUMN / 2
        return block


def last_entry(block: Block) -> float:
    """How far right the lines of values enter a group."""
    return max((s.x for key, s in block.spots.items() if key.startswith("in/")), default=0.0)


def is_entry(part: str | Fork | Web) -> bool:
    """Whether a part is where values enter a group."""
    if isinstance(part, Fork):
        return all(len(branch) == 1 and is_entry(branch[0]) for branch in part.branches)
    return isinstance(part, str) and part.startswith("in/")


def _chunks(parts: Parts, breaks: Sequence[int]) -> list[Parts]:
    bounds = [0, *breaks, len(parts)]
    return [parts[a:b] for a, b in pairwise(bounds)]


def _centred(laid: Sequence[Block]) -> list[float]:
    """The lines of blocks that stand side by side with 0 in their middle."""
    width = sum(one.left + one.right for one in laid) + BESIDE * (len(laid) - 1)
    found, x = [], -width / 2
    for one in laid:
        found.append(x + one.left)
        x += one.left + one.right + BESIDE
    return found


def _about(laid: Sequence[Block], spine: int) -> list[float]:
    """The lines of blocks that stand side by side, that of the spine at 0."""
    found = [0.0] * len(laid)
    for index in range(spine - 1, -1, -1):
        found[index] = found[index + 1] - laid[index + 1].left - BESIDE - laid[index].right
    for index in range(spine + 1, len(laid)):
        found[index] = found[index - 1] + laid[index - 1].right + BESIDE + laid[index].left
    return found


def _drop(branch: Parts, room: float, beside: bool) -> float:
    """How far below the top of a fork a branch begins: at its ports, or in the middle."""
    if isinstance(branch[-1], str) and branch[-1].startswith("out/"):
        return room
    return room / 2 if beside and not is_entry(branch[0]) else 0.0
