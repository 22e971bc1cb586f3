"""Where a wrong value is told: each way to write a value, with each reader that may refuse it.

`<L>` stands before the value as it is written, and `<R>` before what reads it, which is `$v`; both
are taken out of the texts, and say where the message must point.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import cnndsl
from cnndsl.checker import check_terms, written_arg
from cnndsl.diagnostics import Diagnostic, Report, Span, SpecError

OF_FILE = {
    "params": "params: {v: <L>VALUE}",
    "let": "let: {v: <L>VALUE}",
    "let of a parameter": "params: {w: <L>VALUE}\nlet: {v: $w}",
    "item": "params: {w: [8, <L>VALUE]}\nlet: {v: '$(w[1])'}",
    "variant": "params: {v: null}\nvariants: {big: {v: <L>VALUE}}",
    "set": "params: {v: null}",
    "alias": "params: {w: &a VALUE, v: <L>*a}",
}
"""What a file gives `v`, or a request of it; `set` writes the value on the command line."""

IN_FILE = {
    "shape": ("input: [<R>'$v', 9, 9]\nbody: relu", -3),
    "recipe": ("body: relu\ntrain: {data: digits, epochs: <R>$v}", -3),
    "schedule": ("body: relu\ntrain: {data: digits, optimizer: {lr: <R>$v}}", "fast"),
    "initial weight": ("body: {conv: 8}\ninit: {conv: {weight: {normal: {std: <R>$v}}}}", -3),
    "default of an op": ("body: [{conv: 8}, {max_pool: 1}]\ndefaults: {conv: {kernel: <R>$v}}", -3),
    "default of the file": ("params: {w: [4], more: <R>$(v + 1)}\nbody: {conv: $more}", "wrong"),
    "train only": ("body: relu\noutputs: {a: {}, b: {train_only: <R>$v}}", 3),
    "output's when": ("body: relu\noutputs: {a: {}, b: {when: <R>$v}}", 3),
    "loss weight": ("body: relu\noutputs: {a: {}, b: {train_only: true, loss_weight: <R>$v}}", "w"),
    "output's source": ("body: relu\noutputs: {a: {from: <R>$v}}", "nowhere"),
}
"""What reads `v` beside the body, with a value that it refuses."""

IN_BODY = {
    "type": ("{conv: {out: <R>$v}}", "wrong"),
    "short form": ("{conv: <R>$v}", "wrong"),
    "range": ("{conv: {out: <R>$v}}", -3),
    "choice": ("{conv: {out: 3, padding_mode: <R>$v}}", "wrong"),
    "item": ("{conv: {out: 3, kernel: [<R>'$v', 3]}}", -3),
    "loop": ("{for: {i: <R>$v}, do: relu}", "wrong"),
    "repeat": ("{repeat: <R>$v, do: relu}", -3),
    "when": ("{relu: {}, when: <R>$v}", 3),
    "skip": ("{residual: {body: relu, skip: <R>$v}}", 3),
    "block's parameter": ("{Typed: {n: <R>$v}}", "wrong"),
    "use": ("{use: <R>$v}", "wrong"),
    "name": ("{relu: {}, name: <R>$v}", "two words"),
    "reserved name": ("{relu: {}, name: <R>$v}", "forward"),
    "source": ("{relu: {}, from: <R>$v}", "nowhere"),
    "contract": ("{relu: {}, shape: [<R>'$v', 9, 9]}", -3),
}
TOLD_AT_THE_READER = {
    "computed": ("{conv: {out: <R>$(0 * v)}}", 8),
    "expression": ("{conv: {out: $(<R>v + 1)}}", "wrong"),
    "function": ("{conv: {out: $(<R>sum(v))}}", 8),
    "window": ("{conv: {out: 3, kernel: <R>$v}}", 77),
    "groups": ("{group_norm: <R>$v}", 77),
    "contract that differs": ("{relu: {}, shape: <R>['$v', 9, 9]}", 77),
    "text within a name": ("{relu: {}, name: <R>a$v}", " b"),
}
"""Readers of a value that may be right elsewhere: what does not fit is how it is read."""

BLOCKS = {
    "call": "Reads: {params: {v: null}, body: [NODE]}",
    "default": "Reads: {params: {v: <L>VALUE}, body: [NODE]}",
    "let of a block": "Reads: {params: {w: null}, let: {v: $w}, body: [NODE]}",
    "two calls": "Reads: {params: {v: null}, body: [NODE]}\n"
    "  Hands: {params: {w: null}, body: [Reads: {v: $w}]}",
}
CALLS = {
    "call": "{Reads: {v: <L>VALUE}}",
    "default": "{Reads: {}}",
    "let of a block": "{Reads: {w: <L>VALUE}}",
    "two calls": "{Hands: {w: <L>VALUE}}",
}
COLUMNS = "{for: {v: [<L>VALUE]}, do: [NODE]}"


@dataclass(frozen=True)
class Case:
    """The text of a spec with its marks, and the value that is wrong."""

    text: str
    value: Any
    where: str


def whole(*parts: str) -> str:
    """Parts of a spec, with what they lack."""
    found = "\n".join(part for part in parts if part)
    blocks = "  Typed: {params: {n: 4}, body: [{conv: $n}]}"
    found = found if "input:" in found else f"input: [3, 9, 9]\n{found}"
    return f"{found}\nblocks:\n{blocks}\n" if "blocks:" not in found else f"{found}\n{blocks}\n"


def cases(readers: dict[str, tuple[str, Any]]) -> dict[str, Case]:
    found = {}
    for reader, (node, value) in readers.items():
        for writer, head in OF_FILE.items():
            found[f"{writer}, {reader}"] = Case(whole(head, f"body: [{node}]"), value, writer)
        for writer, block in BLOCKS.items():
            body = f"body: [{CALLS[writer]}]"
            text = whole(body, f"blocks:\n  {block.replace('NODE', node)}")
            found[f"{writer}, {reader}"] = Case(text, value, writer)
        text = whole(f"body: [{COLUMNS.replace('NODE', node)}]")
        found[f"column, {reader}"] = Case(text, value, "column")
    return found


def cases_of_file() -> dict[str, Case]:
    found = {}
    for reader, (rest, value) in IN_FILE.items():
        for writer, head in OF_FILE.items():
            if "params:" in rest and "params:" in head:
                continue
            found[f"{writer}, {reader}"] = Case(whole(head, rest), value, writer)
    return found


AT_LEAF = cases(IN_BODY) | {n: c for n, c in cases_of_file().items() if "default of the" not in n}
AT_READER = cases(TOLD_AT_THE_READER)


def places_in(text: str) -> tuple[str, dict[str, tuple[int, int]]]:
    """The text without its marks, and line and column of what they stand before."""
    places: dict[str, tuple[int, int]] = {}
    while found := re.search("<([LR])>", text):
        at = found.start()
        places[found[1]] = (text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
        text = text[:at] + text[found.end() :]
    return text, places


def errors(case: Case, folder: Path) -> tuple[list[Diagnostic], dict[str, tuple[int, int]], Path]:
    written = f"'{case.value}'" if isinstance(case.value, str) else str(case.value)
    text, places = places_in(case.text.replace("VALUE", written))
    path = folder / "net.yaml"
    path.write_text(text, encoding="utf-8")
    given = []
    if case.where == "set":
        given = [written_arg(f"v={written}", "--set", Report())]
        places["L"] = (1, 3)
    variant = "big" if case.where == "variant" else None
    with pytest.raises(SpecError) as caught:
        check_terms(str(path), variant, given, None)
    return [d for d in caught.value.diagnostics if d.severity == "error"], places, path


def at(span: Span) -> tuple[int, int]:
    return span.line, span.column


def near(found: tuple[int, int], expected: tuple[int, int]) -> bool:
    """Whether it is that place; a quotation mark, or the `$` of a name, may stand before it."""
    return found[0] == expected[0] and 0 <= found[1] - expected[1] <= 2


@pytest.mark.parametrize("name", AT_LEAF)
def test_a_value_that_is_refused_is_told_where_it_is_written(name: str, tmp_path: Path) -> None:
    case = AT_LEAF[name]
    (error,), places, path = errors(case, tmp_path)
    assert near(at(error.span), places["L"]), f"{case.text}\n{error}"
    assert (error.span.source.path == "--set") == (case.where == "set")
    readers = [place for place in error.places if place.words == "read"]
    assert [place for place in readers if near(at(place.span), places["R"])], f"{path}\n{error}"
    assert all(place.span.source.path == str(path) for place in readers)


@pytest.mark.parametrize("name", AT_READER)
def test_what_does_not_fit_is_told_at_the_reader(name: str, tmp_path: Path) -> None:
    case = AT_READER[name]
    (error,), places, _ = errors(case, tmp_path)
    assert near(at(error.span), places["R"]), f"{case.text}\n{error}"
    leaves = [place for place in error.places if near(at(place.span), places["L"])]
    assert leaves, f"{case.text}\n{error}"
    assert (leaves[0].span.source.path == "--set") == (case.where == "set")


FILES = {
    "imported": {
        "net.yaml": "input: [3, 9, 9]\nimport: {a: part.yaml}\nbody: a.B\n",
        "part.yaml": "params: {v: <L>VALUE}\nblocks: {B: {body: [{conv: <R>$v}]}}\n",
    },
    "given to an import": {
        "net.yaml": "input: [3, 9, 9]\nimport: {a: part.yaml}\nbody: {a.B: {v: <L>VALUE}}\n",
        "part.yaml": "blocks: {B: {params: {v: null}, body: [{conv: <R>$v}]}}\n",
    },
    "extending": {
        "net.yaml": "extends: base.yaml\nparams: {v: <L>VALUE}\n",
        "base.yaml": "params: {v: null}\ninput: [3, 9, 9]\nbody: {conv: <R>$v}\n",
    },
    "extended": {
        "net.yaml": "extends: base.yaml\n",
        "base.yaml": "params: {v: <L>VALUE}\ninput: [3, 9, 9]\nbody: {conv: <R>$v}\n",
    },
    "extended variant": {
        "net.yaml": "extends: base.yaml:big\n",
        "base.yaml": "params: {v: null}\nvariants: {big: {v: <L>VALUE}}\ninput: [3, 9, 9]\n"
        "body: {conv: <R>$v}\n",
    },
}


@pytest.mark.parametrize("value", ["'wrong'", "-3", "'(8, 16)'", "'8,'"])
@pytest.mark.parametrize("name", FILES)
def test_a_value_of_another_file_is_told_there(name: str, value: str, tmp_path: Path) -> None:
    expected = {}
    for file, text in FILES[name].items():
        written, places = places_in(text.replace("VALUE", value))
        (tmp_path / file).write_text(written, encoding="utf-8")
        expected |= {mark: (file, *place) for mark, place in places.items()}
    with pytest.raises(SpecError) as caught:
        cnndsl.check(tmp_path / "net.yaml")
    (error,) = caught.value.diagnostics
    (reader,) = error.places
    spans = {"L": error.span, "R": reader.span}
    found = {mark: (Path(span.source.path).name, *at(span)) for mark, span in spans.items()}
    assert found == expected
    assert reader.words == "read"


@pytest.mark.parametrize("value", ["wrong", "[8]", "0.5", "null", "$(1 / 3)"])
def test_a_parameter_while_it_is_trained_has_its_type(value: str, tmp_path: Path) -> None:
    text, places = places_in(
        "params: {w: 4}\ninput: [1, 8, 8]\nbody: [{conv: $w}, global_avg_pool]\n"
        f"train:\n  data: digits\n  params: {{w: <L>{value}}}\n"
    )
    (tmp_path / "net.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        cnndsl.check(tmp_path / "net.yaml")
    (error,) = caught.value.diagnostics
    assert at(error.span) == places["L"]
    assert error.message.startswith("`w` takes an integer, found ")


LISTS = {
    "input": "input: VALUE\nbody: relu",
    "input by parameter": "params:\n  v: VALUE\ninput: $v\nbody: relu",
    "contract": "input: [4, 8, 8]\nbody:\n  - relu:\n    shape: VALUE",
    "argument": "body:\n  - max_pool:\n      kernel: VALUE",
    "short form": "body:\n  - max_pool: VALUE",
    "argument by let": "let:\n  v: VALUE\nbody: [{max_pool: $v}]",
    "default of an op": "defaults:\n  max_pool:\n    kernel: VALUE\nbody: max_pool",
    "column": "body:\n  - for:\n      i: VALUE\n    do: {conv: $i}",
    "column by parameter": "params:\n  v: VALUE\nbody: [{for: {i: $v}, do: {conv: $i}}]",
    "item": "params:\n  v: VALUE\nbody: [{conv: $v.0}, {conv: $v.1}, {conv: '$(v[2])'}]",
    "sum": "params:\n  v: VALUE\nbody: [{conv: $(sum(v))}, {conv: $(len(v))}, {conv: $v.0}]",
    "block": "blocks: {B: {params: {v: list}, body: [{conv: $v.0}]}}\n"
    "body:\n  - B:\n      v: VALUE",
    "variant": "params: {v: [1]}\nvariants:\n  big:\n    v: VALUE\nbody: [{conv: $v.0}]",
    "fact": "input: [4, 8, 8]\nbody: relu\nexpect:\n  output: VALUE",
    "recipe": "body: relu\ntrain:\n  data: digits\n  augment:\n    random_resized_crop: VALUE",
}


@pytest.mark.parametrize("reader", LISTS)
def test_a_list_in_round_brackets_is_told_once_with_the_list(reader: str, tmp_path: Path) -> None:
    """The remedy is followed to the letter, and then the spec holds."""
    inner = {"recipe": "0.1, 1", "input": "4, 8, 8", "contract": "4, 8, 8", "fact": "4, 8, 8"}
    sizes = "2, 2" if reader.startswith(("argument", "short", "default")) else "4, 8, 8"
    sizes = inner.get(reader, sizes)
    text = LISTS[reader] if "input:" in LISTS[reader] else f"input: [4, 8, 8]\n{LISTS[reader]}"
    path = tmp_path / "net.yaml"
    path.write_text(text.replace("VALUE", f"({sizes})"), encoding="utf-8")
    variant = "big" if reader == "variant" else None
    with pytest.raises(SpecError) as caught:
        cnndsl.check(path, variant)
    (error,) = caught.value.diagnostics
    line = text[: text.index("VALUE")].count("\n") + 1
    column = text.index("VALUE") - text.rfind("\n", 0, text.index("VALUE"))
    assert at(error.span) == (line, column)
    remedy = re.findall("`([^`]+)`", error.help)[-1]
    assert remedy == f"[{sizes}]"
    path.write_text(text.replace("VALUE", remedy), encoding="utf-8")
    assert cnndsl.check(path, variant)
