"""Branches of unequal sizes: what is told of them, against sizes that are computed by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from random import Random

import pytest
from following import told

from cnndsl import check
from cnndsl.diagnostics import Diagnostic, SpecError

Size = tuple[int, int]


@dataclass(frozen=True)
class Layer:
    """A node with what it does to a side: `down`, `up`, `times` or `plus`."""

    text: str
    kind: str
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    ceil: bool = False
    factor: Fraction = Fraction(1)

    def side(self, n: int) -> int:
        """PyTorch's formulas, from the pages of its layers."""
        reach = self.dilation * (self.kernel - 1) + 1
        if self.kind == "up":
            return (n - 1) * self.stride - 2 * self.padding + reach
        if self.kind == "times":
            return int(n * self.factor)
        if self.kind == "plus":
            return n + 2 * self.padding
        room = n + 2 * self.padding - reach
        if not self.ceil:
            return room // self.stride + 1
        last = -(-room // self.stride)
        return last if last * self.stride >= n + self.padding else last + 1

    @property
    def scale(self) -> Fraction:
        if self.kind == "up":
            return Fraction(self.stride)
        return self.factor if self.kind == "times" else Fraction(1, self.stride)


def layer(random: Random, channels: int) -> Layer:
    kind = random.choice(["conv", "conv", "pool", "pool", "up", "times", "pad"])
    kernel, stride = random.randint(1, 5), random.choice([1, 1, 2, 2, 3])
    if kind == "conv":
        padding, dilation = random.randint(0, 2), random.choice([1, 1, 1, 2])
        text = (
            f"{{conv: {{out: {channels}, kernel: {kernel}, stride: {stride}, "
            f"padding: {padding}, dilation: {dilation}}}}}"
        )
        return Layer(text, "down", kernel, stride, padding, dilation)
    if kind == "pool":
        op, ceil = random.choice(["max_pool", "avg_pool"]), random.random() < 0.3
        padding = random.randint(0, kernel // 2)
        text = (
            f"{{{op}: {{kernel: {kernel}, stride: {stride}, padding: {padding}, "
            f"ceil: {str(ceil).lower()}}}}}"
        )
        return Layer(text, "down", kernel, stride, padding, 1, ceil)
    if kind == "up":
        text = f"{{conv_transpose: {{out: {channels}, kernel: {kernel}, stride: {stride}}}}}"
        return Layer(text, "up", kernel, stride)
    if kind == "times":
        factor = random.choice([Fraction(2), Fraction(3), Fraction(3, 2)])
        return Layer(f"{{upsample: {float(factor):g}}}", "times", factor=factor)
    return Layer("{pad: 1}", "plus", padding=1)


@dataclass
class Net:
    """Lines of a spec that are still to be written, so that remedies can be put among them."""

    channels: int
    size: Size
    body: list[str | Merge] = field(default_factory=list)

    def text(self) -> str:
        return "\n".join(self.lines()) + "\n"

    def lines(self) -> Iterator[str]:
        yield f"input: [{self.channels}, {self.size[0]}, {self.size[1]}]"
        yield "body:"
        for node in self.body:
            yield from [f"  - {node}"] if isinstance(node, str) else node.lines()

    def line_of(self, node: str | Merge) -> int:
        return next(i for i, line in enumerate(self.lines(), 1) if str(node) in line)


@dataclass
class Merge:
    op: str
    branches: list[list[str]]
    labels: list[str] | None = None
    number: int = 0

    def __str__(self) -> str:
        return f"{self.op}: # {self.number}"

    def lines(self) -> Iterator[str]:
        yield f"  - {self}"
        for index, nodes in enumerate(self.branches):
            head = f"      {self.labels[index]}:" if self.labels else "      -"
            yield head if nodes else f"{head} []"
            yield from (f"        - {node}" for node in nodes)

    @property
    def words(self) -> list[str]:
        names = [f"`{label}`" for label in self.labels or []] or ["1", "2", "3"]
        return [f"branch {name}" for name in names]


def named(node: Layer, name: str) -> Layer:
    return replace(node, text=f"{node.text[:-1]}, name: {name}}}")


@dataclass
class Drawn:
    """Two branches from one value, each a chain of layers, and where they meet."""

    net: Net
    merge: Merge
    chains: tuple[list[Layer], list[Layer]]
    fork: Size


def drawn(random: Random) -> Drawn:
    channels = random.randint(1, 4)
    size = (random.randint(20, 70), random.randint(20, 70))
    net = Net(channels, size if random.random() < 0.5 else (size[0], size[0]))
    trunk = [named(layer(random, channels), f"t{i}") for i in range(random.randint(0, 2))]
    long = [named(layer(random, channels), f"a{i}") for i in range(random.randint(1, 5))]
    short = [named(layer(random, channels), f"b{i}") for i in range(random.randint(0, 3))]
    net.body = [*(node.text for node in trunk), "{relu: , name: fork}"]
    labels = ["left", "right"] if random.random() < 0.4 else None
    op = random.choice(["concat", "concat", "add", "mul"])
    branches = [[node.text for node in chain] for chain in (long, short)]
    if random.random() < 0.4:  # the long one goes on, the short one is taken back
        net.body += branches[0]
        branches = [[], ["{from: fork}", *branches[1]]]
        labels = None
    elif random.random() < 0.3:
        branches.reverse()
        long, short = short, long
    merge = Merge(op, branches, labels)
    net.body.append(merge)
    fork = tuple(chained(side, trunk)[-1] for side in net.size)
    return Drawn(net, merge, (long, short), (fork[0], fork[1]))


def chained(side: int, layers: list[Layer]) -> list[int]:
    """The side before, between and behind the layers; 0 from where a window does not fit."""
    sides = [side]
    for one in layers:
        sides.append(max(0, one.side(sides[-1])) if sides[-1] else 0)
    return sides


def sides_of(case: Drawn) -> list[list[list[int]]]:
    """By branch and axis: the sides on the way from the fork."""
    return [[chained(side, chain) for side in case.fork] for chain in case.chains]


def differing(case: Drawn) -> list[int]:
    """The axes in which the two ends do not fit."""
    ours, theirs = ([way[-1] for way in ways] for ways in sides_of(case))
    return [
        axis
        for axis in (0, 1)
        if ours[axis] != theirs[axis]
        and (case.merge.op == "concat" or 1 not in (ours[axis], theirs[axis]))
    ]


def cases(count: int, seed: int) -> Iterator[tuple[Drawn, Random]]:
    random = Random(seed)
    while count:
        case = drawn(random)
        if all(min(way) > 0 for ways in sides_of(case) for way in ways) and differing(case):
            count -= 1
            yield case, random


def expected_places(case: Drawn) -> list[tuple[int, str]]:
    """The line of each layer whose output is not its input times its scale, with both sides."""
    found: dict[int, tuple[bool, int, str]] = {}
    for axis in differing(case):
        for chain, ways in zip(case.chains, sides_of(case), strict=True):
            for index, one in enumerate(chain):
                before, after = ways[axis][index : index + 2]
                if after != before * one.scale:
                    line = case.net.line_of(one.text)
                    text = f"{before} → {after}, {in_words(before, after, one.scale)}"
                    found.setdefault(line, (one.scale == 1, line, text))
    first = sorted(found.values(), key=lambda place: place[0])[:3]
    return [(line, text) for _, line, text in sorted(first, key=lambda place: place[1])]


def in_words(before: int, after: int, scale: Fraction) -> str:
    exact = before * scale
    more = f"{float(after - exact):g} more" if after > exact else f"{float(exact - after):g} less"
    if scale == 1:
        return more
    times = f"·{scale.numerator}" if scale.numerator > 1 else ""
    whole = f"{before}{times}" + (f"/{scale.denominator}" if scale.denominator > 1 else "")
    if abs(after - exact) < 1:
        return f"{whole} rounded {'up' if after > exact else 'down'}"
    return f"{whole}, {more}"


def expected_ways(case: Drawn, axis: int) -> list[str]:
    """`goes 7 → 3 → 6 in branch 1`, without what is told of each."""
    texts = []
    for ways, words in zip(sides_of(case), case.merge.words, strict=False):
        start, *sides = (side for side, _ in groupby(ways[axis]))
        way = " → ".join(map(str, [start, *sides]))
        texts.append(f"goes {way} in {words}" if sides else f"stays {way} in {words}")
    return texts


def followed(case: Drawn, help: str, by_input: bool) -> bool:
    """Do what the help says, one way or the other; whether it says this one."""
    new = re.search(r"`input: \[(\d+), (\d+), (\d+)\]`", help)
    if by_input:
        if new:
            case.net.size = (int(new[2]), int(new[3]))
        return new is not None
    ends = re.findall(r"end (branch [^ ]+) with `([^`]+)`(?:; |, or |$)", help)
    assert ends, help
    for words, nodes in ends:
        branch = case.merge.branches[case.merge.words.index(words)]
        branch.extend(re.findall(r"\{(?:[^{}]|\{[^{}]*\})*\}|\w+", nodes))
    return True


def assert_told(case: Drawn, error: Diagnostic) -> None:
    ours, theirs = ([way[-1] for way in ways] for ways in sides_of(case))
    assert error.span.line == case.net.line_of(case.merge)
    for size in (ours, theirs):
        assert f"[{case.net.channels}, {size[0]}, {size[1]}]" in error.message
    bare = re.sub(r" \([^)]* at [^)]*\)", "", error.message)
    for way in expected_ways(case, differing(case)[0]):
        assert way in bare, case.net.text()
    places = [(place.span.line, place.words) for place in error.related]
    assert sorted(places) == expected_places(case), case.net.text()


def assert_pair(case: Drawn, random: Random, folder: Path) -> None:
    """What is told of one case is so, and what is advised repairs it."""
    (error,) = told(case.net.text(), folder)
    assert_told(case, error)
    followed(case, error.help, by_input="`input: " in error.help and random.random() < 0.5)
    assert not told(case.net.text(), folder), f"{error}\n{case.net.text()}"


@dataclass
class UNet:
    """Down and up again, with each level's value beside that which comes up to it."""

    net: Net
    down: list[list[Layer]]
    """By level, from its skip to the next one."""
    up: list[Layer]
    merges: list[Merge]

    def fits(self) -> bool:
        """Whether each window has its image on the way down; a side of 1 is repeated in `add`."""
        layers = [layer for level in self.down for layer in level]
        return all(min(chained(side, layers)) > 1 for side in self.net.size)

    def unfit(self) -> Drawn | None:
        """The first merge whose sides do not fit, if nothing was put into a branch."""
        starts = [self.net.size]
        for layers in self.down:
            starts.append(tuple(chained(side, layers)[-1] for side in starts[-1]))
        for level in reversed(range(len(self.down))):
            way = [*self.down[level], self.up[level]]
            case = Drawn(self.net, self.merges[level], (way, []), starts[level])
            if differing(case):
                return case
        return None


def u_net(random: Random) -> UNet:
    channels, depth = random.randint(1, 3), random.randint(1, 4)
    side = random.randint(24, 90)
    net = Net(channels, (side, side if random.random() < 0.5 else random.randint(24, 90)))
    down, up, merges = [], [], []
    for level in range(depth):
        net.body.append(f"{{relu: , name: skip{level}}}")
        down.append([scaled(random, channels, f"down{level}"), inner(random, channels, level)])
        net.body += [one.text for one in down[-1]]
    for level in reversed(range(depth)):
        up.insert(0, enlarging(random, channels, f"up{level}"))
        merge = Merge(
            random.choice(["concat", "add"]), [[], [f"{{from: skip{level}}}"]], None, level
        )
        merges.insert(0, merge)
        net.body += [up[0].text, merge, f"{{conv: {channels}}}"]
    return UNet(net, down, up, merges)


def scaled(random: Random, channels: int, name: str) -> Layer:
    """What halves an image, more or less."""
    kernel, padding = random.choice([(2, 0), (2, 0), (3, 1), (3, 0), (4, 1)])
    if random.random() < 0.5:
        ceil = random.random() < 0.2
        text = f"kernel: {kernel}, stride: 2, padding: {padding}, ceil: {str(ceil).lower()}"
        return Layer(f"{{max_pool: {{{text}}}, name: {name}}}", "down", kernel, 2, padding, 1, ceil)
    text = f"out: {channels}, kernel: {kernel}, stride: 2, padding: {padding}"
    return Layer(f"{{conv: {{{text}}}, name: {name}}}", "down", kernel, 2, padding)


def inner(random: Random, channels: int, level: int) -> Layer:
    padding = random.choice([1, 1, 1, 0])
    text = f"{{conv: {{out: {channels}, kernel: 3, padding: {padding}}}, name: inner{level}}}"
    return Layer(text, "down", 3, 1, padding)


def enlarging(random: Random, channels: int, name: str) -> Layer:
    if random.random() < 0.5:
        return Layer(f"{{upsample: 2, name: {name}}}", "times", factor=Fraction(2))
    kernel = random.choice([2, 2, 3])
    text = f"{{conv_transpose: {{out: {channels}, kernel: {kernel}, stride: 2}}, name: {name}}}"
    return Layer(text, "up", kernel, 2)


def assert_unet(unet: UNet, random: Random, folder: Path) -> tuple[int, int]:
    """Follow one piece of advice after the other; how many of each kind it took."""
    counts = [0, 0]
    while errors := told(unet.net.text(), folder):
        (error,) = errors
        assert sum(counts) < len(unet.merges), unet.net.text()
        case = unet.unfit()
        if not counts[0] and unet.fits():
            assert case is not None
            assert_told(case, error)
        merge = next(m for m in unet.merges if unet.net.line_of(m) == error.span.line)
        by_input = "`input: " in error.help and random.random() < 0.5
        followed(Drawn(unet.net, merge, ([], []), unet.net.size), error.help, by_input)
        counts[by_input] += 1
    assert sum(counts) or unet.unfit() is None
    return counts[0], counts[1]


def u_nets(count: int, seed: int, folder: Path) -> tuple[int, int]:
    random, ends, inputs = Random(seed), 0, 0
    while count:
        unet = u_net(random)
        if not unet.fits():
            continue
        count -= 1
        a, b = assert_unet(unet, random, folder)
        ends, inputs = ends + a, inputs + b
    return ends, inputs


def test_two_branches(tmp_path: Path) -> None:
    for case, random in cases(50, seed=0):
        assert_pair(case, random, tmp_path)


def test_u_nets(tmp_path: Path) -> None:
    assert min(u_nets(40, 0, tmp_path)) > 8


@pytest.mark.parametrize("op", ["concat", "add", "mul"])
@pytest.mark.parametrize(
    "branches",
    [
        [[], ["global_avg_pool"]],
        [["flatten"], []],
        [["{conv: 4}"], ["{conv: 8}"]],
        [["{conv: {out: 4, kernel: 3}}"], ["{conv: 8}"]],
        [["global_avg_pool", "{linear: 5}"], ["flatten", "{linear: 7}"]],
        [["{conv: 4}", "global_avg_pool"], ["{conv: {out: 4, stride: 2}}"], []],
        [["{max_pool: 2}"], ["{max_pool: 4}"], []],
        [["{max_pool: {kernel: [1, 3], stride: [1, 2]}}"], ["{max_pool: {kernel: [3, 1]}}"]],
    ],
)
def test_other_shapes(op: str, branches: list[list[str]], tmp_path: Path) -> None:
    merge = Merge(op, [list(nodes) for nodes in branches])
    net = Net(4, (16, 16), [merge])
    for _ in range(3):
        if errors := told(net.text(), tmp_path):
            (error,) = errors
            followed(Drawn(net, merge, ([], []), net.size), error.help, by_input=False)
    assert not told(net.text(), tmp_path)


ODD = """\
input: [3, 30, 30]
body:
  - {name: a, conv: {out: 4, kernel: 3, stride: 2, padding: 1}}
  - {name: b, max_pool: 2}
  - {upsample: 2}
  - {concat: [[], {from: a}]}
"""


def test_an_input_is_advised_where_nothing_else_holds_its_sizes(tmp_path: Path) -> None:
    (error,) = told(ODD, tmp_path)
    assert error.help.endswith("or take an input that divides evenly: `input: [3, 32, 32]`")
    stated = ODD.replace("name: b,", "name: b, shape: [4, 7, 7],")
    for text in (stated, f"{ODD}expect: {{output: [8, 15, 15]}}\n"):
        (error,) = told(text, tmp_path)
        assert "input: [" not in error.help
    two = ODD.replace("input: ", "inputs: {other: [3, 3, 3], image: ").replace("30]", "30]}")
    (error,) = told(two.replace("name: a,", "name: a, from: image,"), tmp_path)
    assert "input" not in error.help
    (error,) = told(ODD.replace("max_pool: 2", "max_pool: 4"), tmp_path)
    assert "input" not in error.help
    (tmp_path / "spec.yaml").write_text(f"{ODD}expect: {{output: [8, 15, 15]}}\n")
    with pytest.raises(SpecError) as caught:
        check(tmp_path / "spec.yaml", input=[3, 34, 34])
    assert "`--input 3,36,36`" in str(caught.value)


def test_sizes_of_a_block_that_is_called_often(tmp_path: Path) -> None:
    block = """\
input: [3, 30, 30]
blocks: {Down: {body: [{concat: {up: [{max_pool: 2}, {upsample: 2}], beside: []}}, {max_pool: 2}]}}
body: [Down, Down]
"""
    (error,) = told(block, tmp_path)
    assert error.help.startswith("take an input that divides evenly: `input: [3, 32, 32]`, or end")
    assert not told(block.replace("30, 30", "32, 32"), tmp_path)


def test_a_size_of_one_is_repeated_and_not_told(tmp_path: Path) -> None:
    pools = "[{max_pool: [8, 2]}], [{max_pool: [1, 4]}]"
    text = f"input: [3, 8, 8]\nbody: [{{add: [{pools}]}}]\n"
    (error,) = told(text, tmp_path)
    assert "the width goes 8 → 4 in branch 1" in error.message
    assert "the height" not in error.message


def test_the_sides_of_a_residual(tmp_path: Path) -> None:
    body = "{conv: {out: 3, kernel: 3, stride: 2, padding: 1}}, {upsample: 2}"
    (error,) = told(f"input: [3, 9, 9]\nbody: [{{residual: [{body}]}}]\n", tmp_path)
    way = "each side goes 9 → 5 (9/2 rounded up at conv `0`) → 10 in the body, and stays 9"
    assert way in error.message
    assert [place.words for place in error.related] == ["9 → 5, 9/2 rounded up"]


def test_long_ways_are_shortened(tmp_path: Path) -> None:
    body = "".join(f"  - {{conv: {{out: 3, kernel: 3}}, name: c{i}}}\n" for i in range(40))
    text = f"input: [3, 99, 99]\nbody:\n{body}  - {{concat: [[], {{from: input}}]}}\n"
    (error,) = told(text, tmp_path)
    assert len(error.message) <= 600
    assert len(error.related) == 3


@pytest.mark.heavy
def test_many_branches(tmp_path: Path) -> None:
    for case, random in cases(5_000, seed=1):
        assert_pair(case, random, tmp_path)
    assert min(u_nets(3_000, 1, tmp_path)) > 500
