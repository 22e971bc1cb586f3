"""One scalar or key of a valid spec is changed: the network changes, or something is told."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from random_specs import random_specs

import cnndsl
from cnndsl import shipped
from cnndsl.checker import check_variants, tree_of
from cnndsl.graph import Scope
from cnndsl.shipped import variants

LIB = """params: {k: 3}
defaults: {bn: {eps: 0.01}}
blocks:
  Side:
    params: {n: 2}
    body: [{repeat: $n, do: [{conv: {out: 8, kernel: $k, padding: 1}}, bn]}]
"""
BASE = """cnndsl: 1
about: text
params: {width: 8, classes: 10, aux: true, drop: 0.1, deep: [1, 2], block: Basic, act: relu}
variants:
  small: {width: 4, aux: false}
  big: {width: 16, deep: [2, 3]}
inputs: {image: [3, 32, 32], mask: [1, 32, 32]}
defaults: {bn: {eps: 1e-3, momentum: 0.05}, conv: {bias: false}}
let: {wide: $(2 * width), lone: [3, 5]}
import: {lib: lib.yaml}
blocks:
  Basic:
    about: a block
    params: {out: int, stride: 1, groups: 2}
    let: {mid: $(out // 2)}
    body:
      - residual:
          body:
            - {conv: {out: $mid, kernel: 3, stride: $stride, padding: 1, groups: $groups}, name: c}
            - bn
            - {use: $act}
            - {conv: {out: $out, kernel: [3, 1], padding: [1, 0]}, name: conv2}
          shortcut: {conv: {out: $out, stride: $stride}, when: $(stride > 1 or x.channels != out)}
          skip: true
      - relu
body:
  - {concat: [[], {from: mask}], name: joined}
  - conv: {out: $width, kernel: $lone.0, padding: same, padding_mode: reflect}
    name: stem
    shape: [$width, 32, 32]
    note: text
  - {conv: {out: $width, kernel: $lone.1, padding: 2}}
  - for: {depth: $deep, out: ["$wide", "$(2 * wide)"], i: 2}
    name: layer$i
    do:
      - {use: $block, with: {out: $out, stride: 2}}
      - repeat: $(depth - 1)
        do: {use: $block, with: {out: $out}}
  - {seq: [{conv: 8}, {bn: {affine: false}}], name: enc}
  - concat: {a: {conv: 4}, b: [{conv: {out: 4, dilation: 2, kernel: 3, padding: 2}}, relu]}
  - {lib.Side: {n: 3}}
  - split: [relu, tanh]
  - mul: [[], {seq: [{global_avg_pool: {keepdim: true}}, {conv: 8}, sigmoid]}]
  - dense: {conv: {out: 2, bias: true}}
  - {max_pool: {kernel: 3, stride: 2, padding: 1, ceil: true}}
  - {upsample: {scale: 2, mode: bilinear, align_corners: false}}
  - {stochastic_depth: {p: 0.2, mode: batch}}
  - {dropout: $drop}
  - {prelu: {per_channel: true, init: 0.1}}
  - global_avg_pool
  - {linear: $classes, name: fc}
outputs:
  logits: {}
  aux:
    from: layer0
    body: [global_avg_pool, {linear: $classes}]
    train_only: true
    loss_weight: 0.3
    when: $aux
init:
  conv: {weight: {kaiming_normal: {mode: fan_out, nonlinearity: relu}}}
  fc: {weight: {normal: {mean: 0, std: 0.01}}, bias: 0}
  layer*.*.c: {weight: {trunc_normal: {std: 0.1, a: -2, b: 2}}}
expect:
  small: {output: [10], shapes: {stem: [4, 32, 32]}}
published:
  small: {top1: 80.5, source: here}
train:
  about: text
  data: {name: digits}
  epochs: 3
  optimizer: {name: sgd, lr: 0.1, momentum: 0.9, weight_decay: 1e-4}
  schedule: {name: cosine, warmup: 1, min_lr: 0.001}
  augment: {flip: 0.5}
  freeze: [stem]
  lr_scale: {fc: 2}
  variants: {small: {epochs: 2}}
  recipes:
    long: {about: text, epochs: 30, optimizer: {name: adam, betas: [0.9, 0.99]}}
"""
HEIR = """extends: base.yaml:small
params: {width: 6, act: tanh}
variants: {v: {width: 12}}
train: {epochs: 5, variants: {v: {epochs: 6}}}
"""
WORDS = ("about", "note")
"""Keys whose values are words for readers."""
FREE = {("variants", "big", "key")}
"""A name that nothing mentions may be any other."""


@dataclass(frozen=True)
class Site:
    """A scalar of a text, and what may stand there instead."""

    path: tuple[Any, ...]
    start: int
    end: int
    others: tuple[str, ...]

    def change(self, text: str, other: str) -> str:
        return text[: self.start] + other + text[self.end :]


def sites(text: str) -> Iterator[Site]:
    """All scalars of a text but words for readers."""
    for path, node in _scalars(yaml.compose(text), ()):
        if path[-1] not in WORDS:
            yield Site(path, node.start_mark.index, node.end_mark.index, _others(node, path))


def _scalars(node: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*path, key.value, "key"), key
            yield from _scalars(value, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _scalars(value, (*path, index))
    else:
        yield path, node


def _others(node: Any, path: tuple[Any, ...]) -> tuple[str, ...]:
    """Values of the same type; a scalar is read if one of them makes a difference."""
    text: str = node.value
    if path[-1] == "key":
        return (f"{text}q",)
    if re.fullmatch(r"-?\d+", text):
        number = int(text)
        return (str(number + 1), str(number + 2), str(2 * number), str(abs(number - 1)))
    if re.fullmatch(r"-?[\d.]+(e-?\d+)?", text):
        return (repr(float(text) / 2), repr(float(text) + 1))
    if text in ("true", "false"):
        return ("false" if text == "true" else "true",)
    if "$" in text:
        return ("1", "3", "true", "false", "[1, 2]")
    return (f"{text}q",)


def outcome(path: Path) -> list[Any]:
    """All that a check tells of each variant, but the names of files, network and variants."""
    found = []
    try:
        for variant in [None, *tree_of(str(path)).variants]:
            graph = cnndsl.check(path, variant)
            nodes = [(n.path, n.op, n.inputs, n.shape) for n in graph.nodes]
            told = [(d.code, d.message, d.severity) for d in graph.diagnostics]
            recipes = (graph.train, graph.recipes, dict(graph.published))
            facts = (graph.contracts, graph.facts, graph.outputs, dict(graph.init))
            found.append((nodes, told, recipes, facts, [*_paths(graph.root)]))
    except cnndsl.SpecError as e:
        return [(d.code, d.message) for d in e.diagnostics]
    return found


def _paths(scope: Scope) -> Iterator[str]:
    yield scope.path
    for member in scope.members:
        if isinstance(member, Scope):
            yield from _paths(member)


def silent(path: Path, chosen: Iterable[Site]) -> list[str]:
    """The scalars of a file of which no other value makes a difference."""
    text, changed = path.read_text(encoding="utf-8"), path.with_name("changed.yaml")
    before, found = outcome(path), []
    for site in chosen:
        for other in site.others:
            changed.write_text(site.change(text, other), encoding="utf-8")
            if outcome(changed) != before:
                break
        else:
            line = text[: site.start].count("\n") + 1
            found.append(f"{line}: {'.'.join(map(str, site.path))}")
    return found


@pytest.fixture
def base(tmp_path: Path) -> Path:
    for name, text in (("lib", LIB), ("base", BASE), ("heir", HEIR)):
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    path = tmp_path / "base.yaml"
    assert all(not graph.diagnostics for graph in check_variants(str(path)))
    return path


@pytest.mark.parametrize("part", [0.2, pytest.param(1.0, marks=pytest.mark.heavy)])
def test_no_scalar_is_silent(part: float, base: Path) -> None:
    chance = random.Random(part)
    places = [site for site in sites(BASE) if site.path not in FREE and chance.random() <= part]
    assert len(places) > 300 * part - 20
    assert silent(base, places) == []


def test_no_scalar_of_an_extending_file_is_silent(base: Path) -> None:
    assert silent(base.with_name("heir.yaml"), sites(HEIR)) == []


@pytest.mark.heavy
@pytest.mark.parametrize("name", [n for n, p in shipped.files().items() if len(variants(p)) < 4])
def test_no_scalar_of_a_shipped_spec_is_silent(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.yaml"
    path.write_text(shipped.files()[name].read_text(encoding="utf-8"), encoding="utf-8")
    free = {("name",), *(("variants", variant, "key") for variant in variants(path))}
    places = [site for site in sites(path.read_text(encoding="utf-8")) if site.path not in free]
    random.Random(name).shuffle(places)
    assert silent(path, places[:50]) == []


@pytest.mark.heavy
def test_no_scalar_of_a_random_spec_is_silent(tmp_path: Path) -> None:
    """Of those that are told nothing of, so that no part of them is idle."""
    path, walked = tmp_path / "random.yaml", []

    @settings(
        max_examples=300,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(random_specs())
    def walk(text: str) -> None:
        path.write_text(text, encoding="utf-8")
        if cnndsl.check(path).diagnostics or "when: " in text:
            return
        # The only column of a loop may be there for the count, whatever its name is.
        places = [s for s in sites(text) if s.path[-3:] != ("for", "i", "key")]
        assert silent(path, [site for site in places if site.path != ("name",)]) == []
        walked.append(text)

    walk()
    assert len(walked) > 20


def test_the_walk_finds_what_is_silent(tmp_path: Path) -> None:
    """A default that each call overrides gives the type alone; what `when` leaves out is idle."""
    path = tmp_path / "net.yaml"
    text = """input: [3, 8, 8]
blocks:
  B:
    params: {s: 1}
    body: [{conv: {out: 3, stride: $s}}]
body:
  - {B: {s: 2}}
  - {conv: 4, when: false}
"""
    path.write_text(text, encoding="utf-8")
    assert silent(path, sites(text)) == ["4: blocks.B.params.s", "8: body.1.conv"]
