"""Every op of the registry against PyTorch: no list of ops to maintain."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from importlib import import_module
from math import isfinite
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from measured import peak_bytes, saved_bytes, storage_of, tensors_of
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.convnext import LayerNorm2d
from torchvision.models.shufflenetv2 import channel_shuffle

from cnndsl.ops import registry
from cnndsl.ops.base import Call, Op, Reject, Shape
from cnndsl.ops.kinds import Choice, Either, Items, Kind, Nothing, Number, Truth
from cnndsl.ops.memory import FLOAT
from cnndsl.ops.reading import Along

torch.set_num_threads(1)

PUBLIC = {name: op for name, op in registry().items() if not op.internal}
MERGES = {name: op for name, op in registry().items() if op.arity is None}
# The same examples each time, so that a failure is the change's own; raise the number to hunt.
HUNT = settings(max_examples=60, deadline=None, derandomize=True, database=None)

every_op = pytest.mark.parametrize("op_type", PUBLIC.values(), ids=PUBLIC.keys())

# What PyTorch raises when it refuses; anything else, as a TypeError, is a defect of our call.
REFUSALS = (RuntimeError, ValueError, IndexError, AssertionError, ZeroDivisionError, Reject)


# Random ops and inputs


def single(bound: float, other: float) -> float:
    """The float32 that is next to a bound, on the side of the other one."""
    near = np.float32(bound)
    beyond = near < bound if bound < other else near > bound
    return float(np.nextafter(near, np.float32(other)) if beyond else near)


def values_of(kind: Kind) -> st.SearchStrategy[Any]:
    """Values that the kind takes; numbers are small, since real tensors are made of them."""
    match kind:
        case Number(whole=True, min=low, max=high):
            start = -3 if low is None else int(low)
            return st.just(start) | st.integers(start, start + 6 if high is None else int(high))
        case Number(min=low, max=high):
            low, high = -4.0 if low is None else float(low), 4.0 if high is None else float(high)
            ends = (single(low, high), single(high, low))
            return st.floats(*ends, width=32, allow_subnormal=False) | st.sampled_from(
                [low, (low + high) / 2, high]
            )
        case Truth():
            return st.booleans()
        case Choice(words_=words):
            return st.sampled_from(words)
        case Nothing():
            return st.none()
        case Items(item=item, lengths=()):
            orders = st.sampled_from([2, 3]).flatmap(lambda n: st.permutations(range(n)))
            return orders | st.lists(values_of(item), min_size=1, max_size=4)
        case Items(item=item, lengths=lengths):
            lists = [st.lists(values_of(item), min_size=n, max_size=n) for n in lengths]
            return st.one_of(lists)
        case Either(kinds=kinds):
            return st.one_of([values_of(inner) for inner in kinds])
    raise TypeError(kind)


def ops(op_type: type[Op]) -> st.SearchStrategy[Op]:
    required = {a.name: values_of(a.kind) for a in op_type.args.values() if a.required}
    optional = {a.name: values_of(a.kind) for a in op_type.args.values() if not a.required}
    return st.fixed_dictionaries(required, optional=optional).map(op_type.create)


def ops_on_inputs(op_type: type[Op]) -> st.SearchStrategy[tuple[Op, Shape]]:
    """Ops, each with an input of a rank that it takes."""
    return ops(op_type).flatmap(
        lambda op: st.tuples(st.just(op), st.sampled_from(op.ranks).flatmap(shapes))
    )


def shapes(rank: int) -> st.SearchStrategy[Shape]:
    channels = st.sampled_from([1, 2, 3, 4, 6, 8, 9, 12])
    rest = st.lists(st.integers(1, 7), min_size=rank - 1, max_size=rank - 1)
    return st.builds(lambda c, sides: Shape((c, *sides)), channels, rest)


# Calls brought to life


def resolve(target: str) -> Any:
    if ":" in target:
        module, name = target.split(":")
        return getattr(import_module(module), name)
    package, name = target.split(".")
    return getattr({"nn": nn, "F": F, "torch": torch}[package], name)


def make(call: Call, *inputs: Tensor, **extra: Any) -> Any:
    args = [make(value) if isinstance(value, Call) else value for value in call.args]
    return resolve(call.target)(*inputs, *args, **dict(call.kwargs), **extra)


def shortened(op: Op, call: Call) -> Call:
    """The call as it is printed: without what equals the default of the op's argument so named."""
    kept = [(k, v) for k, v in call.kwargs if k not in op.args or op.args[k].default != v]
    return Call(call.target, call.args, tuple(kept))


def compute(form: Call | str, *inputs: Tensor, parameter: Tensor | None = None) -> Tensor:
    """Run what `Op.function` gave."""
    if isinstance(form, Call):
        return make(form, *inputs)
    names = [f"x{i}" for i in range(len(inputs))]
    known = {"torch": torch, "F": F, "p": parameter, **dict(zip(names, inputs, strict=True))}
    return eval(form.format(*names, parameter="p"), known)


def settings_of(module: nn.Module) -> dict[str, Any]:
    return {k: v for k, v in vars(module).items() if not k.startswith("_")}


# The contract. PyTorch's side is computed on small CPU tensors: the meta kernels leave out checks
# that the real ones make (padding bounds of reflect and circular among them), and give no values.


@dataclass
class Answer:
    """What PyTorch makes of an op and a batch of 2: shapes without the batch, or a refusal."""

    shape: Shape
    weights: dict[str, tuple[int, ...]]
    macs: int


def pytorch(op: Op, x: Shape) -> Answer | None:
    """PyTorch's answer by the op's module, in training and inference, and by its function."""
    batch = torch.randn(2, *x)
    try:
        call, form = op.module(x), op.function(x)
        assert call is not None
        module = make(call)
        if isinstance(module, nn.Parameter):
            assert isinstance(form, str)
            return Answer(sample(compute(form, batch, parameter=module)), {"": module.shape}, 0)
        outputs = [module.train()(batch), module.eval()(batch)]
        outputs += [] if form is None else [compute(form, batch)]
    except REFUSALS:
        return None
    assert outputs[0].shape == outputs[-1].shape
    torch.testing.assert_close(outputs[-1], outputs[1], rtol=0, atol=0, equal_nan=True)
    if 0 in outputs[-1].shape:
        return None  # PyTorch computes with empty tensors; a network has no use for them.
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(batch)
    weights = {name: tuple(p.shape) for name, p in module.named_parameters()}
    return Answer(sample(outputs[-1]), weights, counter.get_total_flops() // 2 // len(batch))


def sample(batch: Tensor) -> Shape:
    """The shape without the batch."""
    return Shape(batch.shape[1:])


def ours(op: Op, x: Shape) -> Answer | None:
    try:
        return Answer(op.infer((x,)), op.weights(x), op.macs(x))
    except Reject as e:
        reject = e
    assert reject.arg in ("", *op.args), f"{reject.arg} is no argument of {op.name}"
    assert not reject.message[0].isupper()
    return None


@every_op
def test_op_agrees_with_pytorch(op_type: type[Op]) -> None:
    seen: Counter[bool] = Counter()

    @HUNT
    @given(ops_on_inputs(op_type))
    def agrees(case: tuple[Op, Shape]) -> None:
        op, x = case
        answer = ours(op, x)
        assert answer == pytorch(op, x)
        seen[answer is not None] += 1

    agrees()
    assert seen[True] >= 3, "the examples hardly exercise the op"


@every_op
def test_other_ranks_are_rejected(op_type: type[Op]) -> None:
    @settings(HUNT, max_examples=5)
    @given(ops(op_type), st.data())
    def rejects(op: Op, data: st.DataObject) -> None:
        for rank in {1, 2, 3, 4} - set(op.ranks):
            with pytest.raises(Reject, match="needs"):
                op.infer((data.draw(shapes(rank)),))

    rejects()


@every_op
def test_flags_and_printed_calls_are_true(op_type: type[Op]) -> None:
    """In place is safe where the op says so, and leaving out defaults changes nothing."""

    @settings(HUNT, max_examples=15)
    @given(ops_on_inputs(op_type))
    def holds(case: tuple[Op, Shape]) -> None:
        op, x = case
        if ours(op, x) is None:
            return
        call, form = op.module(x), op.function(x)
        assert call is not None
        printed = make(shortened(op, call))
        if isinstance(printed, nn.Module):
            assert settings_of(printed) == settings_of(make(call))
        if isinstance(form, Call):
            batch = torch.randn(2, *x)
            short = compute(shortened(op, form), batch)
            torch.testing.assert_close(short, compute(form, batch), rtol=0, atol=0, equal_nan=True)
        if op.inplace:
            check_inplace(call, form, x)
        if op.overwritable:
            check_overwritable(call, form, x)

    holds()


def check_inplace(call: Call, form: Call | str | None, x: Shape) -> None:
    """The same values and gradients in place; dropouts and the like are random, so seeded."""
    runs = [make(call), make(call, inplace=True)]
    results = [_gradient(run, x) for run in runs]
    if isinstance(form, Call):
        results.append(_gradient(lambda batch: make(form, batch, inplace=True), x))
    for y, gradient in results[1:]:
        assert torch.equal(y, results[0][0])
        # Some take the gradient from the output where the input is gone, and round otherwise.
        torch.testing.assert_close(gradient, results[0][1], equal_nan=True)


def _gradient(run: Any, x: Shape) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    batch = torch.randn(2, *x, requires_grad=True)
    y = run(batch.clone())
    y.square().sum().backward()
    assert batch.grad is not None
    return y, batch.grad


def check_overwritable(call: Call, form: Call | str | None, x: Shape) -> None:
    """The op's own gradient does not miss its output, and nothing else sees it change."""
    batch = torch.randn(2, *x, requires_grad=True)
    module = make(call)
    if isinstance(module, nn.Parameter):
        assert isinstance(form, str)
        y = compute(form, batch, parameter=module)
    else:
        y = module.train()(batch)
    before = batch.detach().clone()
    y.zero_()
    assert torch.equal(batch, before)
    y.sum().backward()


# Memory: what autograd keeps, what inference makes on the way, and what shares memory


@every_op
def test_memory_is_pytorchs(op_type: type[Op]) -> None:
    @settings(HUNT, max_examples=30)
    @given(ops_on_inputs(op_type))
    def agrees(case: tuple[Op, Shape]) -> None:
        op, x = case
        if ours(op, x) is not None:
            for inplace in {False, op.inplace}:
                check_memory(op, (x,), runnable(op, x, inplace), inplace)

    agrees()


def runnable(op: Op, x: Shape, inplace: bool) -> nn.Module:
    """The op's module; what is no more than a parameter becomes one that applies it."""
    call, form = op.module(x), op.function(x)
    assert call is not None
    module = make(call, **({"inplace": True} if inplace else {}))
    if isinstance(module, nn.Module):
        return module
    assert isinstance(form, str)
    applied = nn.Module()
    applied.parameter = module
    applied.forward = lambda batch: compute(form, batch, parameter=module)
    return applied


def check_memory(op: Op, xs: tuple[Shape, ...], module: nn.Module, inplace: bool) -> None:
    """The claims of `shares`, `kept` and `scratch`, by batches of 2 and 3."""
    kept, out = op.kept(*xs, inplace=inplace), op.infer(xs)
    sizes = [FLOAT * x.size for x in xs]
    saved = [training_bytes(module.train(), xs, count) for count in (2, 3)]
    inputs = sum(sizes) if kept.input or kept.learning_input else 0
    shared = inplace or op.shares(*xs, training=True)
    output = FLOAT * out.size if kept.output and not (shared and kept.input) else 0
    assert saved[1] - saved[0] == inputs + output + kept.own
    assert saved[0] == 2 * (inputs + output + kept.own) + kept.batch
    batches = [[torch.randn(count, *x) for x in xs] for count in (2, 3)]
    own = tensors_of(module.eval())
    peaks = [peak_bytes(module, batch, own) for batch in batches]
    shared = inplace or op.shares(*xs, training=False)
    output = 0 if shared else FLOAT * out.size
    assert peaks[1] - peaks[0] == sum(sizes) + output + op.scratch(*xs)
    given = batches[0]
    assert (storage_of(module(*given)) == storage_of(given[0])) == shared


def training_bytes(module: nn.Module, xs: tuple[Shape, ...], count: int) -> int:
    batch = [torch.randn(count, *x, requires_grad=True) for x in xs]
    inner = [x.clone() for x in batch]  # in place works on no leaves
    return saved_bytes(module, inner, tensors_of(module))


# Receptive fields


@every_op
def test_reading_is_pytorchs(op_type: type[Op]) -> None:
    @settings(HUNT, max_examples=30)
    @given(ops_on_inputs(op_type))
    def agrees(case: tuple[Op, Shape]) -> None:
        op, x = case
        if ours(op, x) is not None and x.size < 200:
            check_reading(op, x)

    agrees()


def check_reading(op: Op, x: Shape) -> None:
    """Each output depends on no more than the op says, and in rows and columns on no less."""
    found = dependence(runnable(op, x, False).double().eval(), x)
    out = op.infer((x,))
    for dim, reading in enumerate(op.reads(x, out)):
        if not isinstance(reading, Along):
            continue
        others = [d for d in range(len(x) + len(out)) if d not in (reading.to, len(out) + dim)]
        pairs = (
            found.sum(others) > 0 if others else found
        )  # by place of the output, and of the input
        for place in range(out[reading.to]):
            read = pairs[place].nonzero().flatten().tolist()
            group, index = divmod(place, len(reading.reads))
            span = reading.reads[index]
            first, last = (1, 0) if span is None else (s + group * reading.step for s in span)
            if reading.whole:
                first, last = 0, x[dim] - 1
            if "padding_mode" in op.args or ("mode" in op.args and (first < 0 or last >= x[dim])):
                continue  # filled from the image, or cut off at its border
            assert all(first <= i <= last for i in read)
            if dim and found.any() and 0 <= first <= last < x[dim]:
                assert read
                assert (read[0], read[-1]) == (first, last)


def dependence(module: nn.Module, x: Shape) -> Tensor:
    """Which output values change with which input values, [*out, *x] of one sample."""
    base = torch.rand(*x, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.1
    steps = 1000 * torch.eye(x.size, dtype=torch.float64).reshape(x.size, *x)
    before = first_of_two(module, base, base)
    alone = same(first_of_two(module, base, base + 1), before).all()
    changed = torch.zeros(x.size, *before.shape, dtype=torch.bool)
    for moved in (base + steps, base - steps):
        if alone:
            with torch.no_grad():
                values = module(torch.cat([moved, base[None]]))[:-1]
        else:  # normalization over the batch
            values = torch.stack([first_of_two(module, one, base) for one in moved])
        changed |= ~same(values, before)
    return changed.movedim(0, -1).reshape(*before.shape, *x)


def first_of_two(module: nn.Module, x: Tensor, other: Tensor) -> Tensor:
    with torch.no_grad():
        return module(torch.stack([x, other]))[0]


def same(a: Tensor, b: Tensor) -> Tensor:
    return torch.isclose(a, b, rtol=1e-9, atol=0, equal_nan=True)


# Merges


def neighbours(rank: int) -> st.SearchStrategy[tuple[Shape, ...]]:
    """Two or three shapes that differ in few places, so that they often fit together."""
    sizes = st.sampled_from([1, 2, 3])
    sides = st.lists(sizes, min_size=rank, max_size=rank)

    def changed(base: list[int]) -> st.SearchStrategy[tuple[Shape, ...]]:
        one = st.tuples(*(st.just(side) | sizes for side in base)).map(Shape)
        return st.lists(st.just(Shape(base)) | one, min_size=2, max_size=3).map(tuple)

    return sides.flatmap(changed)


class Merged(nn.Module):
    def __init__(self, op: Op, xs: tuple[Shape, ...]) -> None:
        super().__init__()
        self.form = op.function(*xs)

    def forward(self, *batches: Tensor) -> Tensor:
        return compute(self.form, *batches)


@pytest.mark.parametrize("op_type", MERGES.values(), ids=MERGES.keys())
def test_merge_agrees_with_pytorch(op_type: type[Op]) -> None:
    @HUNT
    @given(st.integers(1, 3).flatmap(neighbours))
    def agrees(xs: tuple[Shape, ...]) -> None:
        op, batches = op_type(), [torch.randn(2, *x, requires_grad=True) for x in xs]
        form = op.function(*xs)
        assert form is not None
        try:
            y = compute(form, *batches)
        except RuntimeError:
            with pytest.raises(Reject):
                op.infer(xs)
        else:
            assert op.infer(xs) == sample(y)
            assert op.overwritable
            check_memory(op, xs, Merged(op, xs), False)
            y.zero_()
            y.sum().backward()

    agrees()
    with pytest.raises(Reject, match=r"\[4\] and \[4, 1, 1\]"):
        op_type().infer((Shape((4,)), Shape((4, 1, 1))))
    with pytest.raises(Reject, match="no branches"):
        op_type().infer(())
    alone = Shape((3, 2, 2))
    assert op_type().infer((alone,)) == alone


@given(st.integers(1, 4), st.integers(1, 4), st.data())
@HUNT
def test_shares_are_chunks(count: int, each: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, count - 1))
    share = registry()["share"].create({"index": index, "of": count})
    x = Shape((count * each, 3, 2))
    batch = torch.randn(2, *x)
    form = share.function(x)
    assert form is not None
    part = compute(form, batch)
    assert share.infer((x,)) == sample(part)
    assert torch.equal(part, batch[:, index * each : (index + 1) * each])
    assert share.shares(x, training=True)
    assert storage_of(part) == storage_of(batch)
    with pytest.raises(Reject, match="5 channels"):
        registry()["share"].create({"index": 0, "of": 3}).infer((Shape((5, 3, 2)),))


# Arguments and their schema


ANY_VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 9)
    | st.integers()
    | st.floats(-3, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "same", "none", "1", "true"]),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=5,
)


@every_op
def test_schema_and_check_agree(op_type: type[Op]) -> None:
    for a in op_type.args.values():
        validator = jsonschema.Draft202012Validator(a.schema())
        assert validator.is_valid("$x")
        assert validator.is_valid("$(2 * n)")
        check_schema(a.kind, validator)


def check_schema(kind: Kind, validator: jsonschema.Draft202012Validator) -> None:
    @settings(HUNT, max_examples=30)
    @given(values_of(kind) | ANY_VALUE)
    def agree(value: Any) -> None:
        try:
            kind.check(value)
        except Reject:
            assert not validator.is_valid(value) or odd_length(kind, value)
        else:
            assert validator.is_valid(value)

    agree()


def odd_length(kind: Kind, value: Any) -> bool:
    """Lists of three, where two or four are taken, pass the schema: it knows the least and most."""
    options = kind.kinds if isinstance(kind, Either) else (kind,)
    lengths = [k.lengths for k in options if isinstance(k, Items) and k.lengths]
    return isinstance(value, list) and any(len(value) not in taken for taken in lengths)


@every_op
def test_op_is_documented(op_type: type[Op]) -> None:
    assert op_type.__doc__
    assert op_type.__doc__.rstrip().endswith(".")
    assert sum(a.primary for a in op_type.args.values()) <= 1
    for a in op_type.args.values():
        assert a.doc.endswith(".")
        assert a.required or a.kind.check(a.default) == a.default


def test_every_activation_of_pytorch_is_there() -> None:
    several_inputs = {"MultiheadAttention"}
    modules = set(torch.nn.modules.activation.__all__) - several_inputs
    assert modules <= {getattr(op, "nn", "") for op in registry().values()}


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 10**400])
def test_numbers_are_finite(value: float) -> None:
    assert not (isinstance(value, float) and isfinite(value))
    with pytest.raises(Reject, match="expected a number"):
        Number(whole=False).check(value)


# The same bits as torchvision


def our_module(name: str, x: Shape, **args: Any) -> nn.Module:
    call = registry()[name].create(args).module(x)
    assert call is not None
    module = make(call)
    assert isinstance(module, nn.Module)
    return module


IMAGE = Shape((12, 7, 5))


def batch_of(x: Shape) -> Tensor:
    return torch.randn(4, *x, generator=torch.Generator().manual_seed(0))


def test_global_avg_pool_is_torchvisions() -> None:
    x = batch_of(IMAGE)
    expected = torch.flatten(nn.AdaptiveAvgPool2d(1)(x), 1)
    assert torch.equal(our_module("global_avg_pool", IMAGE)(x), expected)
    form = registry()["global_avg_pool"]().function(IMAGE)
    assert form is not None
    assert torch.equal(compute(form, x), expected)


def test_layer_norm_over_channels_is_torchvisions() -> None:
    x = batch_of(IMAGE)
    ours, theirs = our_module("layer_norm", IMAGE, eps=1e-6), LayerNorm2d(12, eps=1e-6)
    state = {name: torch.randn(12) for name in ("weight", "bias")}
    ours.load_state_dict(state)
    theirs.load_state_dict(state)
    assert torch.equal(ours(x), theirs(x))
    assert ours(x).stride() == theirs(x).stride()


def test_channel_shuffle_is_torchvisions() -> None:
    x = batch_of(IMAGE)
    assert torch.equal(our_module("channel_shuffle", IMAGE, groups=3)(x), channel_shuffle(x, 3))


@pytest.mark.parametrize("mode", ["row", "batch"])
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_stochastic_depth_is_torchvisions(p: float, mode: str) -> None:
    x = batch_of(IMAGE)
    ours = our_module("stochastic_depth", IMAGE, p=p, mode=mode)
    theirs = torchvision.ops.StochasticDepth(p, mode)
    results = []
    for module in (ours, theirs):
        torch.manual_seed(1)
        results.append((module.train()(x), module.eval()(x), torch.rand(1)))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_layer_scale_is_convnexts() -> None:
    op = registry()["layer_scale"].create({})
    call = op.module(IMAGE)
    assert call is not None
    assert torch.equal(make(call), torch.ones(12, 1, 1) * 1e-6)


SIDES = st.one_of(st.integers(1, 12), st.lists(st.integers(1, 12), min_size=2, max_size=2))


@given(SIDES, SIDES, SIDES, st.sampled_from(["conv", "conv_transpose", "max_pool"]))
def test_a_window_is_named_with_both_its_sides(
    kernel: Any, stride: Any, dilation: Any, op: str
) -> None:
    """What the words say is read back by hand."""
    given = {"kernel": kernel, "stride": stride, "dilation": dilation}
    more = {} if op == "max_pool" else {"out": 8}
    window, *words = registry()[op].create({**given, **more}).brief().split(", ")
    read = {"k": window} | {word[0]: word[1:] for word in words}
    found = []
    for key in "k/d":
        one, _, other = read.get(key, "1").partition("×")
        found.append([int(one), int(other or one)])
    assert found == [[v, v] if isinstance(v, int) else v for v in (kernel, stride, dilation)]
