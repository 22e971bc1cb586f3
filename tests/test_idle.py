"""Arguments of ops that change nothing beside the others: PyTorch says which they are."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import cnndsl
from cnndsl.init import SCHEMES, idle_args
from cnndsl.ops import registry
from cnndsl.ops.base import Call, Op, Reject
from cnndsl.ops.kinds import Choice, Either, Items, Kind, Nothing, Number, Truth

torch.set_num_threads(1)
PUBLIC = {name: op for name, op in registry().items() if not op.internal}
SHAPES = [(4, 7, 8), (4, 6, 7), (4, 6), (12,)]
"""Of one sample, of each rank; sides that windows and strides divide, and others."""
REFUSALS = (RuntimeError, ValueError, IndexError, AssertionError, ZeroDivisionError, Reject)
MOST = 3
"""How many choices of the other arguments are judged by default."""


def values_of(kind: Kind) -> Iterator[Any]:
    """A few values of a kind, those among them that are special: 0, 1, and what is next to them."""
    match kind:
        case Number(whole=True):
            tried: list[Any] = [-1, 0, 1, 2]
        case Number():
            tried = [-0.5, 0.0, 0.3, 1.0, 2.5]
        case Truth():
            tried = [False, True]
        case Choice(words_=words):
            tried = [*words]
        case Nothing():
            tried = [None]
        case Items(lengths=()):
            tried = [[1, 2, 0], [1, 0]]
        case Items(lengths=lengths):
            lists = ([1, 2], [0, 1], [1, 1], [0, 0, 0, 1], [0, 0, 0, 0], [3, 2, 2])
            tried = [one for one in lists if len(one) in lengths]
        case Either(kinds=kinds):
            tried = [value for inner in kinds for value in values_of(inner)]
        case _:
            raise TypeError(kind)
    for value in tried:
        try:
            kind.check(value)
        except Reject:
            continue
        yield value


def make(call: Call) -> Any:
    module, _, name = call.target.rpartition(":")
    package = {"nn": nn, "torch": torch}
    found = getattr(import_module(module), name) if module else None
    if found is None:
        head, name = call.target.split(".")
        found = getattr(package[head], name)
    args = [make(value) if isinstance(value, Call) else value for value in call.args]
    return found(*args, **dict(call.kwargs))


def effect(op_type: type[Op], values: dict[str, Any]) -> list[dict[str, Tensor] | None]:
    """All that PyTorch's module is and does, on each input; None where it takes none such."""
    return [_effect(op_type, values, shape) for shape in SHAPES]


def _effect(
    op_type: type[Op], values: dict[str, Any], shape: tuple[int, ...]
) -> dict[str, Tensor] | None:
    from cnndsl.ops.base import Shape

    x = Shape(shape)
    try:
        op = op_type.create(values)
        op.infer((x,))
        torch.manual_seed(0)
        call = op.module(x)
        assert call is not None
        module = make(call)
        if isinstance(module, nn.Parameter):
            return {"parameter": module.detach()}
        own = {name: value.detach().clone() for name, value in module.state_dict().items()}
        batch = 3 * torch.randn(2, *shape, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            for mode in (True, False):
                torch.manual_seed(2)
                own[f"output {mode}"] = module.train(mode)(batch)
        return own | {f"then {name}": value for name, value in module.state_dict().items()}
    except REFUSALS:
        return None


def same(one: dict[str, Tensor] | None, other: dict[str, Tensor] | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.keys() == other.keys() and all(
        one[name].shape == other[name].shape
        and torch.allclose(one[name].double(), other[name].double(), 1e-5, 1e-6, equal_nan=True)
        for name in one
    )


def cases(op_type: type[Op], name: str) -> list[dict[str, Any]]:
    """Choices of the other arguments."""
    others = {arg.name: [*values_of(arg.kind)] for arg in op_type.args.values() if arg.name != name}
    return [
        dict(zip(others, values, strict=True)) for values in itertools.product(*others.values())
    ]


ARGS = [
    pytest.param(op, arg.name, id=f"{op.name}-{arg.name}")
    for op in PUBLIC.values()
    for arg in op.args.values()
    if not arg.required
]


def hold(op_type: type[Op], name: str, others: list[dict[str, Any]], most: int) -> int:
    """Hold what an op says against what PyTorch does; how many choices were judged."""
    default, judged = op_type.args[name].default, 0
    others_of = values_of(op_type.args[name].kind)
    tried = [value for value in others_of if value not in (default, [default] * 2, [default] * 4)]
    for values in others:
        plain = effect(op_type, values)
        if judged == most:
            break
        if not any(plain):
            continue
        changed = [(v, effect(op_type, {**values, name: v})) for v in tried]
        taken = [
            (v, [(a, b) for a, b in zip(plain, found, strict=True) if a is None or b is not None])
            for v, found in changed
            if any(found)
        ]
        if not taken:
            continue
        judged += 1
        acts = any(not same(a, b) for _, pairs in taken for a, b in pairs)
        for value, _ in taken:
            said = name in op_type.create({**values, name: value}).idle()
            assert said != acts, (op_type.name, name, value, values)
    return judged


@pytest.mark.parametrize(("op_type", "name"), ARGS)
@pytest.mark.parametrize("most", [MOST, pytest.param(100, marks=pytest.mark.heavy)])
def test_an_argument_is_idle_where_pytorch_does_not_heed_it(
    op_type: type[Op], name: str, most: int
) -> None:
    others = cases(op_type, name)
    random.Random(name).shuffle(others)
    judged = hold(op_type, name, others, most)
    assert judged or (op_type.name, name) in NEEDED


NEEDED = {("upsample", "scale"), ("upsample", "size")}
"""Arguments of which one must be given."""


# Arguments of initial values.

SCHEME_ARGS = [(scheme, name) for scheme, kinds in SCHEMES.items() for name in kinds]


def filled(scheme: str, values: dict[str, Any]) -> Tensor | None:
    torch.manual_seed(0)
    try:
        weight: Tensor = getattr(nn.init, f"{scheme}_")(torch.empty(6, 5), **values)
    except REFUSALS:
        return None
    return weight


@pytest.mark.parametrize(("scheme", "name"), SCHEME_ARGS)
def test_arguments_of_schemes(scheme: str, name: str) -> None:
    kinds = SCHEMES[scheme]
    others = {n: [*values_of(kind), None] for n, kind in kinds.items() if n != name}
    judged = 0
    for chosen in itertools.product(*others.values()):
        given = {n: v for n, v in zip(others, chosen, strict=True) if v is not None}
        made = [filled(scheme, {**given, name: value}) for value in values_of(kinds[name])]
        taken = [weight for weight in made if weight is not None]
        constant = 0 in (given.get("std"), given.get("gain")) or given.get("a", 0) == given.get("b")
        if len(taken) < 2 or constant:
            continue
        idle = all(torch.equal(taken[0], weight) for weight in taken)
        assert idle == (name in idle_args(scheme, given)), (scheme, name, given)
        judged += 1
    assert judged


# What is told of a spec.

CONV = "conv: {out: 8, kernel: 3, padding_mode: reflect"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"body: [{{{CONV}}}}}]", ["2:35 conv.padding_mode `padding: 0`"]),
        (f"body: [{{{CONV}, padding: [0, 0]}}}}]", ["2:35 conv.padding_mode `padding: [0, 0]`"]),
        (f"body: [{{{CONV}, padding: 1}}}}]", []),
        # what an expression decides may be otherwise with another value
        (f"params: {{p: 0}}\nbody: [{{{CONV}, padding: $p}}}}]", []),
        # a default that is written is no mistake
        ("body: [{conv: {out: 8, padding_mode: zeros, dilation: [1, 1]}}]", []),
        ("body: [{bn: {track_running_stats: false, momentum: 0.1}}]", []),
        # what acts in one of the nodes is read
        (
            "defaults: {conv: {padding_mode: reflect}}\n"
            "body: [{conv: 3}, {conv: {out: 3, kernel: 3, padding: 1}}]",
            [],
        ),
        (
            "defaults: {conv: {padding_mode: reflect}}\nbody: [{conv: 3}]",
            ["2:19 conv.padding_mode `padding: 0`"],
        ),
        # the values of a parameter, and each place once
        (
            "params: {m: 0.2}\nbody: [{bn: {track_running_stats: false, momentum: $m}}]",
            ["3:42 bn.momentum `track_running_stats: false`"],
        ),
        (
            "blocks: {B: {body: [{upsample: {scale: 1, mode: bicubic}}]}}\nbody: [B, B]",
            ["2:43 upsample.mode `scale: 1`"],
        ),
        (
            "body: [{repeat: 3, do: {use: stochastic_depth, with: {p: 0, mode: batch}}}]",
            ["2:61 stochastic_depth.mode `p: 0`"],
        ),
        # initial values
        (
            "body: [{conv: 3}]\n"
            "init: {conv: {weight: {kaiming_normal: {a: 1, nonlinearity: relu}}}}",
            ["3:41 kaiming_normal.a `nonlinearity: relu`"],
        ),
        (
            "params: {n: relu}\nbody: [{conv: 3}]\n"
            "init: {conv: {weight: {kaiming_normal: {a: 1, nonlinearity: $n}}}}",
            [],
        ),
        ("body: [{conv: 3}]\ninit: {conv: {weight: {kaiming_normal: {a: 1}}}}", []),
    ],
)
def test_idle_arguments_are_told(text: str, told: list[str], tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"input: [3, 8, 8]\n{text}\n")
    found = [
        f"{d.span.line}:{d.span.column} {d.message.replace(' changes nothing beside', '')}"
        for d in cnndsl.check(path).diagnostics
    ]
    assert found == told


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop"])
@pytest.mark.parametrize("value", ["true", "false"])
def test_nesterov_is_of_sgd_alone(name: str, value: str, tmp_path: Path) -> None:
    """Beside any other optimizer it is told once, and the remedy is to leave it away."""
    path = tmp_path / "net.yaml"
    momentum = ", momentum: 0.9" if name in ("sgd", "rmsprop") else ""
    optimizer = f"{{name: {name}{momentum}, nesterov: {value}}}"
    path.write_text(
        f"input: [3, 8, 8]\nbody: [flatten, {{linear: 2}}]\ntrain: {{optimizer: {optimizer}}}"
    )
    if name == "sgd":
        assert cnndsl.check(path).diagnostics == ()
        return
    with pytest.raises(cnndsl.SpecError) as caught:
        cnndsl.check(path)
    (told,) = caught.value.diagnostics
    assert "nesterov" in told.message
    assert "nesterov: false" not in told.help
    path.write_text(path.read_text().replace(f", nesterov: {value}", ""))
    assert cnndsl.check(path).diagnostics == ()


@pytest.mark.parametrize(
    ("freeze", "idle"),
    [
        ("['a.*', 'a.weight']", ["a.weight"]),
        ("['a.weight', 'a.*']", ["a.weight"]),
        ("[a, 'a.*']", ["a"]),
        ("['a.weight', 'a.bias']", []),
        ("['a.weight', 'a.bias', a]", ["a.bias", "a.weight"]),
        ("['*.weight', 'a.*']", []),
    ],
)
def test_patterns_that_freeze_nothing_more(freeze: str, idle: list[str], tmp_path: Path) -> None:
    """Without those that are told, the same is frozen."""
    path = tmp_path / "net.yaml"
    body = "[{conv: 3, name: a}, flatten, {linear: 2, name: b}]"
    path.write_text(f"input: [3, 8, 8]\nbody: {body}\ntrain: {{freeze: {freeze}}}")
    told = [d.message.split("`")[1] for d in cnndsl.check(path).diagnostics]
    assert sorted(told) == sorted(idle)


@pytest.mark.parametrize("key", ["recipes", "variants"])
def test_a_recipe_that_says_nothing(key: str, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "input: [3, 8, 8]\nbody: relu\nvariants: {a: {}, b: {}}\n"
        f"train: {{{key}: {{a: {{}}, b: {{epochs: 3}}}}}}"
    )
    (told,) = [d for d in cnndsl.check(f"{path}:a").diagnostics if d.code == "unused"]
    assert told.message == "`a` says nothing"
    assert told.span.line == 4
