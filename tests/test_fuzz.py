"""Whatever is written in a spec: soon a graph that holds, or diagnostics that point into it."""

from __future__ import annotations

import copy
import multiprocessing
import os
import random
import resource
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import cnndsl
from cnndsl.diagnostics import Diagnostic, SpecError
from cnndsl.elaborate.walking import MAX_STEPS

SPECS = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parent.parent / "specs").glob("*.yaml"))
}
CPU_SECONDS = 2.0
WALL_SECONDS = 60.0  # of a check on a machine that others use too; past it the worker is ended
MEMORY = 500 << 20
COMPILED_NODES = 1_000

QUICK = settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
HEAVY = settings(QUICK, max_examples=7_000, derandomize=False)


# The worker: a process of its own, so that a hang or a full memory is a finding, not the end


@dataclass(frozen=True)
class Outcome:
    """What became of a text: `kind` is graph, errors or crash."""

    kind: str
    detail: str
    seconds: float
    megabytes: int


def serve(connection: Connection, folder: str) -> None:
    """Check each text that comes, with bounded memory, until the other end closes."""
    path = Path(folder) / "spec.yaml"
    check_text(path, "input: [3, 32, 32]\nbody: relu\n")  # loads what is loaded late
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    while True:
        try:
            text = connection.recv()
        except EOFError:
            return
        begin = time.process_time()
        kind, detail = check_text(path, text)
        seconds = time.process_time() - begin
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        connection.send(Outcome(kind, detail, seconds, memory))


def check_text(path: Path, text: str) -> tuple[str, str]:
    path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    try:
        graph = cnndsl.check(path)
    except SpecError as error:
        return "errors", faults(error)
    except BaseException:
        return "crash", traceback.format_exc(limit=-6)
    try:
        graph.verify()
        if len(graph.nodes) <= COMPILED_NODES and len(text) % 4 == 0:
            compile(cnndsl.emit(graph), "model.py", "exec")
    except BaseException:
        return "crash", traceback.format_exc(limit=-6)
    return "graph", str(len(graph.nodes))


def faults(error: SpecError) -> str:
    """What is wrong with the diagnostics themselves, if anything is."""
    if not any(d.severity == "error" for d in error.diagnostics):
        return "no error among the diagnostics"
    wrong = [str(d) for d in error.diagnostics if not presentable(d)]
    return f"not presentable: {wrong[0]}" if wrong else ""


def presentable(diagnostic: Diagnostic) -> bool:
    span = diagnostic.span
    lines = span.source.lines
    line = lines[span.line - 1] if 1 <= span.line <= len(lines) else None
    return (
        line is not None
        and 1 <= span.column <= len(line) + 1
        and (span.line, span.column) < (span.end_line, span.end_column)
        and 0 < len(diagnostic.message) <= 700
        and diagnostic.code.isalpha()
        and str(diagnostic).startswith(f"{span}: {diagnostic.severity}[{diagnostic.code}]: ")
        and all(len(shown) <= 800 for shown in str(diagnostic).split("\n"))
        and bool(diagnostic.to_json())
    )


class Worker:
    """The checking process; a new one is started where one was ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.slowest = 0.0
        self.start()

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, inner = context.Pipe()
        self.process = context.Process(target=serve, args=(inner, str(self.folder)), daemon=True)
        self.process.start()
        inner.close()

    def stop(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.join()

    def check(self, text: str) -> Outcome:
        self.connection.send(text)
        try:
            if self.connection.poll(WALL_SECONDS):
                outcome: Outcome = self.connection.recv()
                self.slowest = max(self.slowest, outcome.seconds)
                return outcome
            detail = "the check hangs"
        except EOFError:
            detail = "the process died"
        self.stop()
        self.start()
        return Outcome("crash", detail, WALL_SECONDS, 0)

    def holds(self, text: str) -> Outcome:
        """Assert that the text is checked as any text must be."""
        outcome = self.check(text)
        assert outcome.kind != "crash", f"{outcome.detail}\n{text[:3000]}"
        assert outcome.kind == "graph" or not outcome.detail, f"{outcome.detail}\n{text[:3000]}"
        # `repeat` alone writes more layers than there are steps; that costs in proportion.
        layers = int(outcome.detail) if outcome.kind == "graph" else 0
        most = CPU_SECONDS * max(1, layers / MAX_STEPS)
        assert outcome.seconds < most, f"{outcome.seconds} s\n{text[:3000]}"
        return outcome


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    worker = Worker(tmp_path_factory.mktemp("fuzz"))
    yield worker
    worker.stop()


# Mutations of the values that YAML gives


SCALARS: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 3, 7, 64, 10**6, 10**9, 10**15, 10**18, 10**100, -(10**30)),
    *(0.0, 0.5, -0.5, 1.5, 1e-300, 1e300, float("inf"), float("-inf"), float("nan")),
    *("", "relu", "conv", "bn", "flatten", "Block", "std.Block", "x", "a b", "a.b", "é", "int"),
    *("block", "same", "true", "input", "body", "0", "forward", "ü" * 200, "-", "\u2028", "\t"),
    *("$", "$$", "$x", "$x.channels", "$x.height", "$(", "$()", "$(1)", "$(1 / 0)", "$(-1)"),
    *("$classes", "$width", "$depths", "$depths.0", "$block", "$(width * 2)", "${width}"),
    *("$(10 ** 15)", "$(2 ** 2 ** 9)", "$(range(10 ** 9))", "$([1] * 10 ** 9)", "$('a' * 999)"),
    *("$(x)", "$([])", "$([[[]]])", "$('%999999999d' % 1)", "$(x.channels // 3)", "$(true + 1)"),
    *("$(1 if x.channels > 3 else 'a')", "$(max(1, 2, [3]))", "$(min())", "$(sum(range(999)))"),
    *("stage$i", "a$(i + 1)", "$i", "$stage", "$(not 1)", "$(1 < 2 < 3)", "$('a' in 'abc')"),
    *([], [0], [3, 32, 32], [64, 7, 7], [1, 2, 3, 4], [[1]], ["relu"], {}, {"out": 8}, [{}]),
    *({"conv": 8}, {"for": {"i": 3}, "do": "relu"}, {"repeat": 9999, "do": ["bn"]}, {"use": "$x"}),
    *({"concat": [[], []]}, {"residual": ["flatten"]}, {"from": "input"}, {"from": "0"}),
    *({"split": ["relu", "bn"]}, {"mul": [[], "relu"]}, {"linear": 10}, {"seq": []}, "dense"),
]

Container = dict[Any, Any] | list[Any]
Place = tuple[Container, Any]


def places(value: Any) -> list[Place]:
    """Every place within: what holds it, and its key or index."""
    found: list[Place] = []
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    for key in keys:
        found.append((value, key))
        found += places(value[key])
    return found


def renamed(mapping: dict[Any, Any], old: Any, new: Any) -> None:
    """Give a key another name, in its place."""
    items = [(new if key == old else key, value) for key, value in mapping.items()]
    mapping.clear()
    mapping.update(items)


def typo(word: str, rng: random.Random) -> str:
    at = rng.randrange(len(word) + 1)
    letter = rng.choice("abeorx_-.A1 $")
    return rng.choice(
        [word[:at] + letter + word[at:], word[:at] + word[at + 1 :], word.upper(), ""]
    )


def replace_value(root: Any, place: Place, rng: random.Random) -> None:
    place[0][place[1]] = copy.deepcopy(rng.choice(SCALARS))


def delete_value(root: Any, place: Place, rng: random.Random) -> None:
    del place[0][place[1]]


def duplicate_value(root: Any, place: Place, rng: random.Random) -> None:
    holder, key = place
    if isinstance(holder, list):
        for _ in range(rng.choice([1, 1, 2, 30])):
            holder.insert(key, copy.deepcopy(holder[key]))
    else:
        holder[typo(str(key), rng)] = copy.deepcopy(holder[key])


def swap_values(root: Any, place: Place, rng: random.Random) -> None:
    """Put a value of elsewhere here, and this one there."""
    (holder, key), (other, where) = place, rng.choice(places(root))
    here, there = copy.deepcopy(holder[key]), copy.deepcopy(other[where])
    other[where] = here
    if key in holder if isinstance(holder, dict) else key < len(holder):
        holder[key] = there


def rename_key(root: Any, place: Place, rng: random.Random) -> None:
    holder, key = place
    if isinstance(holder, dict):
        renamed(holder, key, typo(str(key), rng))


def take_key(root: Any, place: Place, rng: random.Random) -> None:
    """Use a key that stands elsewhere in the file."""
    keys = [key for holder, key in places(root) if isinstance(holder, dict)]
    if isinstance(place[0], dict) and keys:
        renamed(place[0], place[1], rng.choice(keys))


def change_number(root: Any, place: Place, rng: random.Random) -> None:
    holder, key = place
    value = holder[key]
    if isinstance(value, int | float) and not isinstance(value, bool):
        choices = [-value, 0, value + 1, value * 1000, value * 10**12, value / 3, float(value)]
        holder[key] = rng.choice([*choices, [value, value], str(value), f"$({value})"])
    else:
        holder[key] = rng.choice([value, [value], {"seq": value}, str(value)])


def wrap_value(root: Any, place: Place, rng: random.Random) -> None:
    holder, key = place
    value = holder[key]
    wrappers: list[Callable[[Any], Any]] = [
        lambda v: [v],
        lambda v: {"residual": v},
        lambda v: {"repeat": 3, "do": v},
        lambda v: {"concat": [v, []]},
        lambda v: {"seq": v, "name": "outer"},
        lambda v: {"for": {"i": 3}, "do": v, "name": "s$i"},
        lambda v: {"split": [v, "relu"]},
    ]
    for _ in range(rng.choice([1, 1, 1, 12, 25])):
        value = rng.choice(wrappers)(value)
    holder[key] = value


CHANGES = (
    *(replace_value, replace_value, delete_value, duplicate_value, swap_values, rename_key),
    *(take_key, change_number, change_number, wrap_value),
)


def mutated_values(text: str, seed: int, count: int) -> str:
    rng = random.Random(seed)
    root = yaml.safe_load(text)
    for _ in range(count):
        found = places(root)
        if found:
            rng.choice(CHANGES)(root, rng.choice(found), rng)
    return str(
        yaml.safe_dump(root, sort_keys=False, default_flow_style=rng.choice([None, True, False]))
    )


# Mutations of the text


TOKENS = (
    *(
        "\t",
        "\n",
        "  ",
        "- ",
        ": ",
        ", ",
        "[",
        "]",
        "{",
        "}",
        '"',
        "'",
        "#",
        " #",
        "&a ",
        "*a",
        "!t ",
    ),
    *(
        "$",
        "$(",
        ")",
        "(",
        "|",
        ">",
        "%",
        "@",
        "`",
        "---\n",
        "...\n",
        "<<: ",
        "? ",
        "~",
        "\\",
        "\x00",
    ),
    *(
        "\u2028",
        "\ufeff",
        "\r",
        "é",
        "😀",
        "\ud800",
        "0x",
        "1e9",
        "9" * 30,
        "null",
        "- - - ",
        "[" * 70,
    ),
    *(
        "when: false\n",
        "name: a\n",
        "from: input\n",
        "shape: [1]\n",
        "$x",
        " if ",
        "**",
        "//",
        ".0",
    ),
)


def edit_line(lines: list[str], rng: random.Random) -> None:
    """One edit as a hand on a keyboard makes it."""
    at = rng.randrange(len(lines))
    line = lines[at]
    column = rng.randrange(len(line) + 1)
    match rng.randrange(10):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, line)
        case 2:
            other = rng.randrange(len(lines))
            lines[at], lines[other] = lines[other], line
        case 3:
            lines[at] = " " * rng.choice([1, 2, 4]) + line
        case 4:
            lines[at] = line[rng.choice([1, 2]) :] if line.startswith("  ") else line.lstrip()
        case 5:
            lines[at] = line[:column] + rng.choice(TOKENS) + line[column:]
        case 6:
            lines[at] = line[:column] + line[column + rng.choice([1, 1, 2, 8]) :]
        case 7:
            lines[at] = line[:column]
        case 8:
            lines[at : at + rng.randrange(1, 9)] = []
        case _:
            source = rng.choice(list(SPECS.values())).split("\n")
            start = rng.randrange(len(source))
            lines[at:at] = source[start : start + rng.randrange(1, 9)]
    if not lines:
        lines.append("")


def mutated_text(text: str, seed: int, count: int) -> str:
    rng = random.Random(seed)
    lines = text.split("\n")
    for _ in range(count):
        edit_line(lines, rng)
    return "\n".join(lines)


# Light specs come more often, for the sake of time.
names = st.sampled_from([*SPECS, *(["lenet", "nin", "inception", "resnet_mnist", "resnet"] * 3)])
seeds = st.integers(0, 2**32)
counts = st.sampled_from([1, 1, 1, 2, 2, 3, 5, 8])


def assert_values(worker: Worker, name: str, seed: int, count: int) -> None:
    worker.holds(mutated_values(SPECS[name], seed, count))


def assert_text(worker: Worker, name: str, seed: int, count: int) -> None:
    worker.holds(mutated_text(SPECS[name], seed, count))


@QUICK
@given(name=names, seed=seeds, count=counts)
def test_changed_values(worker: Worker, name: str, seed: int, count: int) -> None:
    assert_values(worker, name, seed, count)


@QUICK
@given(name=names, seed=seeds, count=counts)
def test_changed_text(worker: Worker, name: str, seed: int, count: int) -> None:
    assert_text(worker, name, seed, count)


@settings(QUICK, max_examples=200)
@given(text=st.text("[]{}:,-#&*!|>'\"%@`? \n\tab1$().~<é\x85", max_size=60))
def test_random_text(worker: Worker, text: str) -> None:
    worker.holds(text)


WITH_VALUES = """\
name: net
params: {w: 8, p: VALUE}
variants: {v: {w: VALUE}}
input: [3, VALUE, VALUE]
let: {l: VALUE}
defaults: {conv: {padding: VALUE}}
blocks: {B: {params: {q: VALUE, r: int}, let: {m: VALUE}, body: {conv: VALUE}}}
body:
  - {conv: VALUE, when: VALUE, shape: [VALUE, 8, 8], name: VALUE}
  - {conv: {out: VALUE, kernel: [VALUE, VALUE], bias: VALUE}}
  - {for: {i: [VALUE], k: VALUE}, do: {conv: VALUE}}
  - {repeat: VALUE, do: relu}
  - {residual: {body: relu, skip: VALUE}}
  - {use: VALUE, with: {out: VALUE}}
  - {B: {q: VALUE, r: VALUE}, from: VALUE}
  - {elu: VALUE}
  - {dropout: {p: VALUE}}
outputs: {o: {from: VALUE}}
init: {conv: {weight: {normal: {std: VALUE}}, bias: VALUE}}
expect: {params: VALUE}
published: {top1: VALUE}
train:
  epochs: VALUE
  optimizer: {name: VALUE, lr: VALUE, betas: [VALUE, VALUE]}
  data: {name: digits, mean: [VALUE]}
  params: {w: VALUE}
  freeze: [VALUE]
  lr_scale: {VALUE: VALUE}
"""
"""A spec with a value at each place that takes one; the value is right at none or some of them."""

ATOMS = ["w", "p", "x.channels", "q", "i", "conv", "x", "2", "0.5", "3", "1e9", "'a'", "true", "if"]
SIGNS = [*"+-*/%<>()[],.=$", "//", "**", "==", "$(", "not ", " ", " in ", " else ", ", "]
values = st.lists(st.sampled_from(ATOMS) | st.sampled_from(SIGNS), min_size=1, max_size=7).map(
    "".join
)
holes = st.integers(0, WITH_VALUES.count("VALUE") - 1)


def with_value(value: str, place: int) -> str:
    """The spec with the value at one place, and 8 at all others."""
    parts = WITH_VALUES.split("VALUE")
    return "8".join(parts[: place + 1]) + value + "8".join(parts[place + 1 :])


@QUICK
@given(value=values, place=holes)
@example("2*w)", 9)
@example("w) + w", 9)
@example("0.1 * w) 3", 30)
def test_random_values(worker: Worker, value: str, place: int) -> None:
    """Of names, numbers, signs and brackets, at each place that takes a value."""
    worker.holds(with_value(value, place))
    worker.holds(with_value(f'"{value}"', place))


@pytest.mark.heavy
@HEAVY
@given(name=names, seed=seeds, count=counts)
def test_changed_values_long(worker: Worker, name: str, seed: int, count: int) -> None:
    assert_values(worker, name, seed, count)


@pytest.mark.heavy
@settings(HEAVY, max_examples=10_000)
@given(name=names, seed=seeds, count=counts)
def test_changed_text_long(worker: Worker, name: str, seed: int, count: int) -> None:
    assert_text(worker, name, seed, count)


@pytest.mark.heavy
@settings(HEAVY, max_examples=3_000)
@given(text=st.text(max_size=200))
def test_random_text_long(worker: Worker, text: str) -> None:
    worker.holds(text)


# Written by hand to take long, or much


INPUT = "input: [3, 32, 32]\n"


def numbered(count: int, form: str) -> str:
    return ", ".join(
        form.replace("@", str(n)).replace("~", str(n - 1)) for n in range(1, count + 1)
    )


def conv(expression: str) -> str:
    return f'{INPUT}body: [{{conv: "$({expression})"}}]\n'


def many(count: int, name: str) -> str:
    nodes = ", ".join([f'{{relu: , name: "{name}"}}'] * count)
    return f"{INPUT}body: [{nodes}]\n"


@cache
def hostile() -> dict[str, str]:
    """Texts by what they try."""
    recursive = "A: {params: {n: int}, body: [" + ", ".join(
        ["{A: {n: $(n - 1)}, when: $(n > 0)}"] * 2
    )
    loops = "{for: {a: 10000}, do: [" * 4
    return {
        "open brackets": "[" * 290_000,
        "open braces": "{a: " * 70_000,
        "deep flow": f"{INPUT}body: {'[' * 59}{']' * 59}",
        "deep seq": f"{INPUT}body: {'{seq: [' * 29}relu{']}' * 29}",
        "deep residual": f"{INPUT}body: {'{residual: {body: ' * 29}relu{'}}' * 29}",
        "deep nodes and parentheses": INPUT
        + f"body: {'{residual: {body: ' * 28}"
        + conv("(" * 24 + "3" + ")" * 24).partition("[")[2].rpartition("]")[0]
        + "}}" * 28,
        "long text": f"{INPUT}about: {'a' * 280_000}\nbody: relu",
        "too long": "a" * 1_000_000,
        "long name": f"{INPUT}body: [{{relu: , name: {'a' * 200_000}}}]",
        "long op": f"{INPUT}body: [{'a' * 200_000}]",
        "long block": f"{INPUT}body: [A{'a' * 200_000}]",
        "long key": f'{INPUT}body: relu\n"{"a" * 200_000}": 1',
        "long quoted key": f'{INPUT}body: relu\n? "{"a" * 200_000}"\n: 1',
        "long reference": f"{INPUT}body: [{{conv: ${'a' * 200_000}}}]",
        "long import": f"{INPUT}import: {{a: ./{'a' * 200_000}.yaml}}\nbody: relu",
        "many params": f"{INPUT}params: {{{numbered(9_900, 'p@: 1')}}}\nbody: relu",
        "too many params": f"{INPUT}params: {{{numbered(20_000, 'p@: 1')}}}\nbody: relu",
        "params of params": f"{INPUT}params: {{p0: 1, {numbered(9_000, 'p@: $p~')}}}\nbody: relu",
        "lets of lets": f"{INPUT}let: {{p0: 1, {numbered(9_000, 'p@: $p~')}}}\nbody: relu",
        "unknown ops": f"{INPUT}body: [{numbered(19_000, 'op@')}]",
        "unknown keys": f"{INPUT}body: relu\n" + numbered(9_000, "k@: 1").replace(", ", "\n"),
        "unknown names": f"{INPUT}params: {{{numbered(4_000, 'p@: 1')}}}\n"
        f"body: [{numbered(2_500, '{conv: $q@}')}]",
        "unknown paths": f"{INPUT}body: {{for: {{i: 8000}}, do: {{relu: , name: b$i}}}}\n"
        f"expect: {{shapes: {{{numbered(4_000, 'q@: [1]')}}}}}",
        "unknown heads": f"{INPUT}body: {{repeat: 9000, do: relu}}\n"
        f"outputs: {{{numbered(64, 'h@: {from: q@}')}}}",
        "many heads": f"{INPUT}body: relu\noutputs: {{{numbered(4_000, 'h@: {}')}}}",
        "many nodes": f"{INPUT}body: [{', '.join(['relu'] * 19_000)}]",
        "many convs": f"{INPUT}body: [{', '.join(['{conv: 3}'] * 6_000)}]",
        "many errors": f"{INPUT}body: [{', '.join(['{conv: 0}'] * 6_000)}]",
        "many branches": f"{INPUT}body: {{concat: [{', '.join(['{from: input}'] * 6_000)}]}}",
        "many merges": f"{INPUT}body: {{repeat: 6000, do: {{add: [[], []]}}}}",
        "doubling concat": f"{INPUT}body: {{repeat: 6000, do: {{concat: [[], []]}}}}",
        "one name": f"{INPUT}body: {{repeat: 9000, do: {{relu: , name: a}}}}",
        "empty loops": f"{INPUT}body: {loops}{']}' * 4}",
        "full loops": f"{INPUT}body: {loops}relu{']}' * 4}",
        "skipped nodes": f"{INPUT}body: {loops}{{relu: , when: false}}{']}' * 4}",
        "block in itself": f"{INPUT}blocks: {{A: {{body: [A]}}}}\nbody: A",
        "block twice in itself": f"{INPUT}blocks: {{A: {{body: [A, A]}}}}\nbody: A",
        "bounded recursion": f"{INPUT}blocks: {{{recursive}]}}}}\nbody: {{A: {{n: 40}}}}",
        "wide block": f"{INPUT}blocks: {{A: {{params: {{{numbered(3000, 'p@: 1')}}}, body: bn}}}}\n"
        "body: {repeat: 1000, do: A}",
        "alias bomb": "a0: &a0 [x, x, x]\n"
        + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 40)),
        "many anchors": f"[{numbered(9_000, '&a@ x')}]",
        "parentheses": conv("(" * 100_000 + "1" + ")" * 100_000),
        "some parentheses": conv("(" * 900 + "1" + ")" * 900),
        "long sum": conv("1 + " * 60_000 + "1"),
        "some terms": conv("1 + " * 400 + "1"),
        "no operators": conv("1 " * 60_000),
        "powers": conv("1 ** " * 300 + "1"),
        "signs": conv("-" * 1_900 + "1"),
        "negations": conv("not " * 400 + "true"),
        "choices": conv("1 if true else " * 120 + "1"),
        "indices": conv("a" + "[0]" * 500),
        "attributes": conv("a" + ".b" * 900),
        "calls": conv("abs(" * 300 + "1" + ")" * 300),
        "lists": conv("[" * 800 + "]" * 800),
        "precedences": conv(" and ".join(["1 + 1 * 1 < 2 ** 1 or not -1"] * 60)),
        "many references": many(150, "$a" * 900),
        "many expressions": many(150, "$(a)" * 450),
        "huge integer": f"{INPUT}body: [{{conv: {'9' * 100_000}}}]",
        "huge hexadecimal": f"{INPUT}body: [{{conv: 0x{'f' * 100_000}}}]",
        "large integer": f"{INPUT}body: [{{conv: {'9' * 399}}}]",
        "long fraction": f"{INPUT}body: [{{conv: 1.{'9' * 280_000}}}]",
        "long float": f"{INPUT}body: [{{conv: {'9' * 280_000}.0}}]",
        "huge exponent": f"{INPUT}body: [{{upsample: 1e308}}]",
        "huge power": conv("10 ** 10 ** 10"),
        "huge product": conv("*".join(["999999999999999"] * 90)),
        "huge round": conv("round(5, -1000000000)"),
        "huge text": conv("'%999999999d' % 5"),
        "huge list": conv("len([0] * 10 ** 15)"),
        "huge range": conv("len(range(10 ** 15))"),
        "doubled lists": f"{INPUT}let: {{a0: [1], "
        + numbered(50, 'a@: "$([a~, a~])"')
        + "}\nbody: relu",
        "doubled terms": f"{INPUT}params: {{a0: [1], {numbered(50, 'a@: [$a~, $a~]')}}}\nbody: bn",
        "nested terms": f"{INPUT}params: {{a0: [1], {numbered(900, 'a@: [$a~]')}}}\nbody: relu",
        "work in loops": f"{INPUT}body: {{for: {{a: 10000}}, do: "
        '{identity: , when: "$(sum(cumsum(range(1000))) > 0)"}}',
        "sums in loops": f"{INPUT}body: {{for: {{a: 10000}}, do: "
        f'{{identity: , when: "$({" + ".join(["a"] * 90)} > 0)"}}}}',
        "regular expressions": f"{INPUT}body: [{{bn: , name: '{'a' * 50000}!'}}, {'1_' * 20_000}x]",
        "number that is none": f"{INPUT}body: [{'1e' * 50_000}, {'.' * 50_000}, {'0' * 50_000}x]",
        "smallest input": "input: [3, 1000000, 1000000]\n"
        "body: [{repeat: 500, do: relu}, {conv: {out: 3, kernel: 999}}]\nexpect: {min_input: 9}",
        "names of numbers": f"{INPUT}body: [{', '.join(['{relu: , name: 0}'] * 3_000)}]",
        "other numbers": conv("٣ + ３"),
    }


@pytest.mark.parametrize("name", hostile())
def test_hostile(worker: Worker, name: str) -> None:
    worker.holds(hostile()[name])
