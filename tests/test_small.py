"""A small file never costs much.

Each of these files has less than 10 kB. Each is checked, emitted and drawn within two seconds and
500 MB, or refused by an error that says which bound it passes.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from metered import Commands

SECONDS, MEGABYTES, BYTES = 2.0, 500.0, 10_000
CHECK, EMIT = ("build", "net.yaml", "--check-shapes"), ("build", "net.yaml", "-o", "net.py")
DRAW, PAGE = ("draw", "net.yaml", "-o", "net.svg"), ("draw", "net.yaml", "-o", "net.html")
TEXT, ALL = ("draw", "net.yaml", "-o", "net.dot"), ("draw", "net.yaml", "--expand", "-o", "net.svg")


def many(unit: str, room: int = 9_600) -> str:
    """As many of a unit as there is room for; `#` in it is the number of each."""
    units: list[str] = []
    while room > 0:
        units.append(unit.replace("#", str(len(units))))
        room -= len(units[-1]) + 2
    return ", ".join(units[:-1])


def net(body: str, more: str = "", channels: int = 3) -> str:
    return f"{more}\ninput: [{channels}, 8, 8]\nbody: {body}\n"


def within(body: str, opening: str, closing: str, depth: int) -> str:
    return opening * depth + body + closing * depth


@dataclass(frozen=True)
class Small:
    """A file, and what of an error tells where it is refused."""

    text: str
    refused: str = ""
    more: tuple[tuple[str, ...], ...] = ()
    """Other commands that it is given to."""


def shares(unit: str) -> str:
    split = many(unit)
    return net(f"{{split: [{split}]}}", channels=split.count(unit))


STEPS, OPERATIONS = "more than 20000 steps", "more than 300000 operations"
NAMED = "{for: {i: 1500}, do: {relu: {}, name: a$i}}"
BIG = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
PASSED = "wires that pass more than"

TABLE = {
    # The body.
    "chain": Small(net("{repeat: 10000, do: relu}")),
    "chain of named nodes": Small(net("{for: {i: 9990}, do: {conv: 3, name: c$i}}")),
    "chain of a thousand lines": Small("input: [3, 8, 8]\nbody:\n" + "  - relu\n" * 1_000),
    "chain of different nodes": Small(net("{for: {i: 9990}, do: {conv: $(i + 1)}}"), "boxes"),
    "blocks that differ": Small(
        net(
            "{for: {i: 1200}, do: {B: {n: $i}}}",
            "blocks: {B: {params: {n: 1}, body: {residual: [{conv: 3, name: c$n}, relu]}}}",
        )
    ),
    "lists that are read again and again": Small(
        net(
            "[relu, {repeat: 4000, do: [{B: {a: $r, b: $r, c: $r, d: $r}}]}]",
            "let: {r: $(range(990))}\n"
            "blocks: {B: {params: {a: list, b: list, c: list, d: list}, body: []}}",
        )
    ),
    "lists made again and again": Small(
        net("{repeat: 8200, do: B}", "blocks: {B: {let: {a: $(range(900))}, body: [relu]}}"),
        OPERATIONS,
    ),
    "values that each call names": Small(
        net(
            "{repeat: 3000, do: B}",
            f"blocks: {{B: {{let: {{{many('p#: $x.channels', 5_000)}}}, body: [relu]}}}}",
        ),
        OPERATIONS,
    ),
    "empty rounds": Small(net("{for: {i: 1000000}, do: []}"), STEPS),
    "rounds of what is left out": Small(
        net("{for: {i: 1000000}, do: {relu: {}, when: false}}"), STEPS
    ),
    "blocks that double": Small(
        net(
            "{A13: {}}",
            "blocks: {A0: {body: relu}, "
            + ", ".join(f"A{n}: {{body: [A{n - 1}, A{n - 1}]}}" for n in range(1, 14))
            + "}",
        ),
        STEPS,
    ),
    "repetitions within each other": Small(
        net(
            "{A12: {}}",
            "blocks: {A0: {body: relu}, "
            + ", ".join(f"A{n}: {{body: [A{n - 1}, A{n - 1}]}}" for n in range(1, 13))
            + "}",
        ),
        more=(PAGE,),
    ),
    # Rounds of `repeat` that write little.
    "rounds that leave all out": Small(
        net(
            "{repeat: 1250, do: B}",
            f"blocks: {{B: {{body: [relu, {many('{relu: {}, when: false}', 9_000)}]}}}}",
        ),
        STEPS,
    ),
    "rounds of nothing": Small(net("[{repeat: 450000, do: []}, relu]"), STEPS),
    "rounds of rounds of nothing": Small(
        net("[{repeat: 400, do: {repeat: 1000, do: []}}, relu]"), STEPS
    ),
    "rounds that pass a value on": Small(net("{repeat: 400000, do: {from: input}}"), STEPS),
    "rounds of many values passed on": Small(
        net(f"{{repeat: 1600, do: [{many('{from: input}', 9_000)}, relu]}}"), STEPS
    ),
    "rounds of empty branches": Small(
        net(f"{{repeat: 1600, do: {{add: [{many('[]', 9_000)}]}}}}"), STEPS
    ),
    "rounds of scopes": Small(
        net(f"{{repeat: 8000, do: {within('relu', '{seq: ', '}', 55)}}}"), STEPS
    ),
    "rounds of calls": Small(
        net(
            "{repeat: 9000, do: A49}",
            "blocks: {A0: {body: relu}, "
            + ", ".join(f"A{n}: {{body: A{n - 1}}}" for n in range(1, 50))
            + "}",
        ),
        STEPS,
    ),
    "rounds of sums": Small(
        net(f"{{repeat: 20000, do: {{relu: {{}}, when: $({'+'.join(['1*1'] * 45)} == 45)}}}}"),
        "operations",
    ),
    "rounds that fail": Small(
        net("{repeat: 400000, do: [relu, {conv: {out: 3, kernel: 20}}]}"), "does not fit"
    ),
    "a block that calls itself": Small(net("A", "blocks: {A: {body: [A, A]}}"), "60 deep"),
    "blocks of many parameters": Small(
        net(
            "{for: {i: 9000}, do: B}", f"blocks: {{B: {{params: {{{many('p#: 1')}}}, body: relu}}}}"
        ),
        STEPS,
    ),
    "scopes within each other": Small(
        net(
            "{for: {i: 300}, do: B}",
            f"blocks: {{B: {{body: {within('relu', '{name: a, seq: ', '}', 50)}}}}}",
        ),
        more=(ALL,),
    ),
    "repetitions within each other and opened": Small(
        net(
            "{A12: {}}",
            "blocks: {A0: {body: relu}, "
            + ", ".join(f"A{n}: {{body: [A{n - 1}, A{n - 1}]}}" for n in range(1, 13))
            + "}",
        ),
        "more than 5,000 boxes",
        more=(ALL,),
    ),
    "scopes that look different": Small(
        net("{for: {i: 1660}, do: {seq: [{conv: $(i + 1)}, {conv: 4, name: c$i}], name: s$i}}"),
        more=(PAGE, ALL),
    ),
    # Branches.
    "empty branches": Small(net(f"{{for: {{i: 9990}}, do: {{add: [{many('[]', 9000)}]}}}}"), STEPS),
    "an addition of thousands": Small(net(f"{{add: [{many('[]')}]}}"), more=(PAGE,)),
    "a product of thousands": Small(net(f"{{mul: [{many('relu')}]}}")),
    "a concat of thousands": Small(net(f"{{concat: [{many('relu')}]}}"), more=(TEXT,)),
    "a wide split": Small(shares("relu")),
    "shares as they are": Small(shares("[]")),
    "branches in branches": Small(net(within("relu", "{add: [[], ", "]}", 28))),
    "branches that double": Small(net(within("relu", "{for: {i: 2}, do: ", "}", 14)), STEPS),
    "a dense network": Small(net("{for: {i: 900}, do: {dense: {conv: 4}}}")),
    # Wires.
    "long skips": Small(
        net(f"[{NAMED}, {{add: [{many('{from: a#}', 9000)}]}}]"), PASSED, more=(TEXT,)
    ),
    "skips within each other": Small(
        net(f"[{NAMED}, {{for: {{i: 1500}}, do: {{add: [[], {{from: a$(1499 - i)}}]}}}}]"), PASSED
    ),
    "skips beside each other": Small(
        net(f"[{NAMED}, {{for: {{i: 1500}}, do: {{add: [[], {{from: a$i}}]}}}}]"), PASSED
    ),
    "one value read everywhere": Small(
        net("[{relu: {}, name: a}, {for: {i: 3900}, do: {add: [[], {from: a}]}}]")
    ),
    "a scope of many inputs": Small(
        net(f"[{NAMED}, {{name: s, seq: [{{add: [{many('{from: a#}', 9000)}]}}]}}]"), PASSED
    ),
    "a scope of many outputs": Small(
        net(
            f"[{{name: s, seq: [{NAMED}]}}, {{add: [{many('{from: s.a#}', 9000)}]}}]",
        ),
        PASSED,
    ),
    "a path of thousands": Small(net(f"[relu, {{from: {'a.' * 4_800}a}}]"), "a path of 4801 parts"),
    "long paths again and again": Small(
        net(
            "[{relu: {}, name: a}, "
            + within("{for: {i: 9000}, do: {from: a}}", "{name: b, seq: ", "}", 50)
            + "]"
        ),
        "more than",
    ),
    "strides that multiply": Small(
        net("{for: {i: 900}, do: {max_pool: {kernel: 1, stride: 2147483647}}}"),
        more=(("build", "net.yaml", "--json"), ("compare", "net.yaml")),
    ),
    # Columns and expressions.
    "columns of loops": Small(net(f"{{for: {{{many('c#: 999999')}}}, do: relu}}"), OPERATIONS),
    "lists in loops": Small(
        net("{for: {i: 19000}, do: {relu: {}, when: $(19000 in a)}}", "let: {a: $(range(999))}"),
        OPERATIONS,
    ),
    "lists that grow": Small(
        net(
            "relu",
            "let: {l0: $(range(9)), "
            + ", ".join(f"l{n}: $(l{n - 1} + l{n - 1})" for n in range(1, 90))
            + "}",
        ),
        "a list of more than 1000 items",
    ),
    "a tower of powers": Small(net("{conv: $(10 ** 10 ** 10)}"), "too large"),
    "parentheses": Small(net(f"{{conv: $({'(' * 900}1{')' * 900})}}"), "nested more than 25 deep"),
    "signs": Small(net(f"{{conv: $({'-' * 1900}1)}}"), "nested more than 25 deep"),
    "a number of thousands of digits": Small(
        net(f"{{conv: {'9' * 9_800}}}"), "conv takes an integer"
    ),
    # Rules.
    "rules by path": Small(
        net(
            "{for: {i: 9000}, do: {conv: 3, name: c$i}}",
            "init: {" + many("'*#': {weight: #}", 9_300) + "}",
        ),
        "comparisons",
    ),
    "stars": Small(
        net(
            f"{{for: {{i: 3000}}, do: {{conv: 3, name: {BIG}$i}}}}",
            "init: {" + many("'*a*a*a*a*a*#b': {weight: 0}", 9_000) + "}",
        ),
        "comparisons",
    ),
    "a weight for each": Small(
        net(
            "{for: {i: 480}, do: {conv: 3, name: c$i}}",
            "init: {" + many("c#: {weight: #}", 9_000) + "}",
        )
    ),
    # Messages.
    "names that do not exist": Small(
        net(
            f"[{{for: {{i: 3000}}, do: {{relu: {{}}, name: {BIG}$i}}}}, "
            f"{many(f'{{from: {BIG}b#}}', 9_000)}]"
        ),
        "did you mean",
    ),
    **{
        f"a {what} that does not exist, in each round": Small(net(body, more), told)
        for what, body, more, told in (
            (
                "value",
                f"[{{for: {{i: 4000}}, do: {{relu: {{}}, name: {BIG}$i}}}}, "
                f"{{for: {{i: 7000}}, do: {{from: {BIG}$(i + 60000)}}}}]",
                "",
                "did you mean",
            ),
            *(
                (
                    f"{what} of {key}",
                    f"{{for: {{i: 9000}}, do: {{{node}}}}}",
                    f"{key}: {{{many('abcdefgh#: 1', 9_000)}}}",
                    "unknown name",
                )
                for key in ("params", "let")
                for what, node in (
                    ("parameter", "leaky_relu: $abcdefgx"),
                    ("term", "conv: $(abcdzzzz + i)"),
                    ("part of a name", 'relu: {}, name: "$xabcdefgh$i"'),
                )
            ),
            (
                "block",
                '{for: {i: 9000}, do: {use: "Abcdefzz$i"}}',
                f"blocks: {{{many('Abcdef#: {body: relu}', 9_000)}}}",
                "no block or op",
            ),
            (
                "parameter of a block",
                "{for: {i: 9000}, do: {B: {abcdefgx: 1}}}",
                f"blocks: {{B: {{params: {{{many('abcdefgh#: 1', 9_000)}}}, body: relu}}}}",
                "is not among",
            ),
        )
    },
    "ops that do not exist": Small(net(f"[{many('convx#: 3')}]"), "unknown op"),
    "parameters that do not exist": Small(
        net(f"[{many('{conv: $paramx#}', 4_000)}]", f"params: {{{many('param#: 1', 5_000)}}}"),
        "did you mean",
    ),
    "one mistake in each round": Small(
        net("{for: {i: 9990}, do: {add: [{conv: {out: 3, kernel: 99}}, []]}}"), "kernel"
    ),
    "mistakes within each other": Small(net(within("{conv: [a]}", "{residual: ", "}", 55)), "conv"),
    "mistakes on a long line": Small(net(f"[{many('{conv: {out: -1}}')}]"), "conv.out"),
    # The text.
    "an alias bomb": Small(
        "let:\n  a0: &a0 [1]\n"
        + "".join(f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 59)),
        "20000 values, aliases expanded",
    ),
    "aliases of a body": Small(
        net(
            "[" + ", ".join(["{seq: *a}"] * 16) + "]",
            f"blocks: {{A: {{body: &a [{many('relu', 3_000)}]}}}}",
        )
    ),
    "aliases of aliases": Small(
        "let:\n  a0: &a0 [1, 2, 3]\n"
        + "".join(f"  a{n}: &a{n} *a{n - 1}\n" for n in range(1, 500)),
        "syntax",
    ),
    "brackets": Small(net("[" * 9_000), "syntax"),
    "a text of one line": Small(net("relu", f"about: {'a' * 9_900}")),
    "merge markers": Small("<<<<<<< a\n" * 990, "conflict"),
    # Files.
    "variants": Small(
        net("{for: {i: $n}, do: relu}", f"params: {{n: 1}}\nvariants: {{{many('v#: {n: 9000}')}}}"),
        "more than 40000 steps in all",
    ),
    "recipes of variants": Small(
        net(
            "[flatten, {linear: 10}]",
            f"variants: {{{many('v#: {}', 4_000)}}}\n"
            f"train: {{variants: {{{many('v#: {epochs: 1}', 5_000)}}}}}",
        )
    ),
    "named recipes of variants": Small(
        net(
            "[flatten, {linear: 10}]",
            f"variants: {{{many('v#: {}', 4_000)}}}\n"
            f"train: {{recipes: {{{many('r#: {}', 5_000)}}}}}",
        ),
        "more than 40000 steps in all",
    ),
    "variants that repeat": Small(
        net(
            "{repeat: $n, do: [relu, sigmoid, tanh]}",
            f"params: {{n: 1}}\nvariants: {{{many('v#: {n: 120}')}}}",
        ),
        "more than 40000 steps in all",
    ),
    "what a recipe freezes": Small(
        net("relu", f"train: {{freeze: [{many('a#', 4_000)}]}}"), "items; at most 256"
    ),
    "outputs": Small(net("relu", f"outputs: {{{many('o#: {}')}}}"), "at most 64"),
    "inputs": Small(
        f"inputs: {{{many('i#: [3, 8, 8]', 4_800)}}}\nbody: {{add: [{many('{from: i#}', 3_900)}]}}"
    ),
    "imports": Small(net("relu", f"import: {{{many('a#: resnet')}}}")),
    "imports of itself": Small(
        net("relu", f"import: {{{many('a#: net.yaml')}}}"), "use each other"
    ),
}

SLOW = """
chain of named nodes; chain of different nodes; blocks that differ; scopes within each other
blocks that double; blocks of many parameters; branches that double; a concat of thousands
a product of thousands; shares as they are; skips within each other; skips beside each other
one value read everywhere; a scope of many outputs; long paths again and again
repetitions within each other; repetitions within each other and opened
rounds of rounds of nothing; rounds that pass a value on; rounds of many values passed on
rounds of empty branches; rounds of scopes; rounds of calls; rounds of sums
scopes that look different; aliases of a body; variants; recipes of variants; variants that repeat
a parameter of params that does not exist, in each round
a parameter of let that does not exist, in each round
a part of a name of params that does not exist, in each round
a part of a name of let that does not exist, in each round
a term of params that does not exist, in each round
"""
"""Those that take most of the time: they are left to the long run."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("small")


@pytest.fixture(scope="module")
def commands(folder: Path) -> Iterator[Commands]:
    found = Commands(folder)
    yield found
    found.close()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.heavy if name in re.split("[;\\n] *", SLOW) else ())
        for name in TABLE
    ],
)
def test_a_small_file_costs_little(name: str, folder: Path, commands: Commands) -> None:
    small = TABLE[name]
    refusals = costs(small.text, folder, commands, *small.more)
    if small.refused:
        assert refusals
        assert all(small.refused in told for told in refusals)
    else:
        assert not refusals


def costs(text: str, folder: Path, commands: Commands, *more: tuple[str, ...]) -> list[str]:
    """What is told by the commands that refuse a file; none of them takes much."""
    assert len(text) <= BYTES
    (folder / "net.yaml").write_text(text, encoding="utf-8")
    refusals: list[str] = []
    for command in (CHECK, EMIT, DRAW, *more):
        taken = commands.run(*command)
        assert taken.code in (0, 1), taken.told[-3_000:]
        assert taken.seconds < SECONDS, (command, taken.seconds)
        assert taken.megabytes < MEGABYTES, (command, taken.megabytes)
        assert len(taken.told) < 100_000
        if taken.code:
            assert "error[" in taken.told
            refusals.append(taken.told)
            if command is CHECK:
                break
    if command is not CHECK:
        compile((folder / "net.py").read_text(encoding="utf-8"), "net.py", "exec")
    return refusals


# --- what nobody thought of ---

LEAVES = ("relu", "tanh", "bn", "{conv: 3}", "{conv: {out: 3, kernel: 3, padding: 1}}", "[]")
COUNTS = (1, 2, 3, 7, 30, 200, 2_000)


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(400))
def test_whatever_is_small_costs_little(seed: int, folder: Path, commands: Commands) -> None:
    costs(written(random.Random(seed)), folder, commands, PAGE)


def written(chance: random.Random) -> str:
    """A file of nested structures, many of them wide or long, with reads across them."""
    while True:
        parts = [structure(chance, 4) for _ in range(chance.randint(1, 4))]
        rounds = chance.choice(COUNTS)
        parts.append(f"{{for: {{i: {rounds}}}, name: s$i, do: [{structure(chance, 2)}, relu]}}")
        reads = (f"{{from: s{chance.randrange(rounds)}}}" for _ in range(chance.choice(COUNTS[:6])))
        parts.append(f"{{{chance.choice(('add', 'concat'))}: [{', '.join(reads)}]}}")
        text = net(f"[{', '.join(parts)}]")
        if len(text) < BYTES:
            return text


def structure(chance: random.Random, depth: int) -> str:
    if depth == 0:
        return chance.choice(LEAVES)
    kind = chance.choice(("for", "for", "add", "mul", "split", "residual", "seq", "leaf"))
    inner = structure(chance, depth - 1)
    many = chance.choice(COUNTS)
    match kind:
        case "for":
            name = chance.choice(("", f"name: n{chance.randrange(10**6)}_$j, "))
            return f"{{for: {{j: {many}}}, {name}do: [{inner}]}}"
        case "add" | "mul":
            return f"{{{kind}: [{', '.join([f'[{inner}]'] * min(many, 200))}]}}"
        case "split":
            return f"{{split: [{', '.join(chance.choice(LEAVES[:3]) for _ in range(3))}]}}"
        case "residual" | "seq":
            return f"{{{kind}: [{inner}, {structure(chance, depth - 1)}]}}"
    return chance.choice(LEAVES)
