"""What an import tells: what it refuses, what a spec does not hold, and never a traceback."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune
from typer.testing import CliRunner

from cnndsl.cli import app
from cnndsl.importer import Imported, ModelError, import_spec


def conv(before: int = 3, after: int = 3, **more: Any) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, padding=1, **more)


def imported(name: str, shape: tuple[int, ...] = (3, 16, 16)) -> Imported:
    return import_spec(f"{__name__}:{name}", shape)


class Net(nn.Module):
    """Two convolutions and a head; what follows differs from it in one thing each."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv()
        self.b = conv()
        self.head = nn.Linear(3, 2)

    def features(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)))

    def forward(self, x: Tensor) -> Any:
        return self.head(self.features(x).mean((2, 3)))


def test_nothing_is_told_of_what_a_spec_holds() -> None:
    assert imported("Net").notes == ()


class OneReLU(Net):
    """A module without parameters stands in no state dict, whatever its names."""

    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU()
        self.again = self.act

    def features(self, x: Tensor) -> Tensor:
        return self.again(self.b(self.act(self.a(x))))


def test_a_module_without_parameters_may_have_two_names() -> None:
    assert imported("OneReLU").notes == ()


# --- refusals ------------------------------------------------------------------------------------


class Tied(Net):
    def __init__(self) -> None:
        super().__init__()
        self.b.weight = self.a.weight


class OneMemory(Net):
    def __init__(self) -> None:
        super().__init__()
        self.b.weight = nn.Parameter(self.a.weight.data)


class TiedWithin(Net):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(2)
        self.norm.bias = self.norm.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(super().forward(x))


class TwoNames(Net):
    def __init__(self) -> None:
        super().__init__()
        self.again = nn.Sequential(self.b)

    def features(self, x: Tensor) -> Tensor:
        return self.again(F.relu(self.a(x)))


class TwoNamesAbove(Net):
    """Told once, of the module that stands twice and not of each in it."""

    def __init__(self) -> None:
        super().__init__()
        self.again = nn.ModuleDict({"x": nn.Sequential(self.a, self.b)})
        self.more = self.again


class NumberTimesWeight(Net):
    def __init__(self) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(3, 1, 1))

    def features(self, x: Tensor) -> Tensor:
        return super().features(x) * (0.5 * self.g)


class Buffer(Net):
    """A buffer would be a parameter in the spec, and learn."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("g", torch.ones(3, 1, 1))

    def features(self, x: Tensor) -> Tensor:
        return super().features(x) * self.g


class NoReturn(Net):
    def forward(self, x: Tensor) -> None:
        self.features(x)


class Nothing(Net):
    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        self.features(x)
        return ()


class Nested(Net):
    def forward(self, x: Tensor) -> Any:
        return self.a(x), [self.b(x)]


class TwoInputs(Net):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return super().forward(x + y)


class ThrownAway(Net):
    def __init__(self) -> None:
        super().__init__()
        self.other = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Any:
        x = self.features(x).mean((2, 3))
        self.other(x)
        return self.head(x)


class UnreadWeight(Net):
    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(3))


class NamedInput(Net):
    def __init__(self) -> None:
        super().__init__()
        self.input = conv()

    def features(self, x: Tensor) -> Tensor:
        return super().features(self.input(x))


class FrozenNorm(Net):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def train(self, mode: bool = True) -> FrozenNorm:
        super().train(mode)
        self.norm.eval()
        return self

    def features(self, x: Tensor) -> Tensor:
        return self.norm(super().features(x))


class AlwaysInTraining(Net):
    """Dropout that is left on to measure uncertainty."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.2)

    def train(self, mode: bool = True) -> AlwaysInTraining:
        super().train(mode)
        self.drop.train()
        return self

    def forward(self, x: Tensor) -> Tensor:
        return self.drop(super().forward(x))


class ChannelsLast(Net):
    """A view that its memory does not allow; only real numbers show it."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(768, 2)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).view(x.size(0), -1))


class Unsteady(Net):
    """Each pass changes a weight."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            self.a.weight.mul_(1.5)
        return super().forward(x)


class GivesItsInput(Net):
    def forward(self, x: Tensor) -> Tensor:
        return x


class Bare(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.contiguous()


class LooksLike(nn.Module):
    """Two names of one shape, in ASCII and in Cyrillic, at different places."""

    def __init__(self) -> None:
        super().__init__()
        self.a = conv()
        self.inner = nn.Sequential()
        self.inner.add_module("\N{CYRILLIC SMALL LETTER A}", conv())

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.a(x))


class Outputs(nn.Module):
    """Three outputs: one of the trunk, one of a module, one of a function."""

    names: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = conv(), conv()

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.a(x)
        return dict(zip(Outputs.names, (x, self.b(x), F.relu(x)), strict=True))


@pytest.mark.parametrize(
    ("names", "fact"),
    [
        (("low-level", "q", "r"), "an output is `low-level`, and the name of an output begins"),
        (("p", "", "r"), "an output is ``"),
        (("p", "q", "_r"), "an output is `_r`"),
        (("0", "1", "2"), "an output is `0`"),
        (("p", "q", "forward"), "its name is an attribute of every nn.Module"),
        (("p", "q", "b"), "its name is the name of a module"),
        (("p", "q", "\N{CYRILLIC SMALL LETTER ER}"), "looks like `p`, in other letters"),
    ],
)
def test_the_name_of_an_output_is_told_where_no_spec_can_have_it(
    names: tuple[str, ...], fact: str
) -> None:
    Outputs.names = names
    with pytest.raises(ModelError, match="names that a spec cannot have") as caught:
        imported("Outputs")
    assert fact in str(caught.value)
    assert not caught.value.help


class GatedWithoutGradient(Net):
    """One of two ways, by which a weight learns through the other."""

    def features(self, x: Tensor) -> Tensor:
        x = self.a(x)
        with torch.no_grad():
            gate = x.sigmoid()
        return self.b(x) * gate


class AddedWithoutGradient(Net):
    def features(self, x: Tensor) -> Tensor:
        x = self.a(x)
        with torch.inference_mode():
            more = F.relu(x)
        return self.b(x) + more.clone()


class Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return -gradient


class Reversed(Net):
    def features(self, x: Tensor) -> Tensor:
        result: Tensor = Reversal.apply(super().features(x))
        return result


class HookedValue(Net):
    def features(self, x: Tensor) -> Tensor:
        x = super().features(x)
        if x.requires_grad:
            x.register_hook(lambda gradient: gradient * 2)
        return F.relu(x)


class HookedWeight(Net):
    def __init__(self) -> None:
        super().__init__()
        self.a.weight.register_hook(lambda gradient: gradient * 2)


class HookedAfterwards(Net):
    def __init__(self) -> None:
        super().__init__()
        self.a.weight.register_post_accumulate_grad_hook(lambda weight: None)


class HookedModule(Net):
    def __init__(self) -> None:
        super().__init__()
        self.a.register_full_backward_hook(lambda module, before, after: None)


class HookedBefore(Net):
    def __init__(self) -> None:
        super().__init__()
        self.register_full_backward_pre_hook(lambda module, gradient: None)


class Replaced(Net):
    def __init__(self) -> None:
        super().__init__()
        self.a.forward = lambda x: F.conv2d(x, self.a.weight, self.a.bias, padding=1) * 3


class ReplacedWithin(Net):
    def __init__(self) -> None:
        super().__init__()
        self.a._conv_forward = lambda x, weight, bias: F.conv2d(x, weight, bias, padding=1) * 3


class TwoOutputs(Net):
    """An output of one call, and one of several that begin before it."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.features(x)
        return {"low": self.norm(x), "out": self.head(x.mean((2, 3)))}


class Recursive(Net):
    def forward(self, x: Tensor) -> Any:
        return self(x)


class Asserts(Net):
    def forward(self, x: Tensor) -> Any:
        assert len(x) == 1
        return super().forward(x)


class Exits(Net):
    def forward(self, x: Tensor) -> Tensor:
        raise SystemExit("no")


class Wrong(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(x)


class ChunkGate(Net):
    """The parts of a split go on to a product."""

    def __init__(self) -> None:
        super().__init__()
        self.b = conv(3, 6)

    def features(self, x: Tensor) -> Tensor:
        a, b = super().features(x).chunk(2, 1)
        return a * b


class HalfOfThem(Net):
    def __init__(self) -> None:
        super().__init__()
        self.b = conv(3, 6)

    def features(self, x: Tensor) -> Tensor:
        return super().features(x)[:, :3]


class Double(Net):
    def __init__(self) -> None:
        super().__init__()
        self.double()


class ClosedOver(Net):
    """What cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = (row for row in ())


shared = ClosedOver()


def scripted() -> nn.Module:
    return nn.Sequential(torch.jit.script(conv()), nn.ReLU())


def lazy() -> nn.Module:
    return nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU())


def compiled() -> Any:
    return torch.compile(conv())


def hooked() -> nn.Module:
    layer = conv()
    layer.register_forward_hook(lambda module, inputs, value: value * 2)
    return nn.Sequential(layer)


def with_weight_norm() -> nn.Module:
    return nn.Sequential(parametrizations.weight_norm(conv()))


def with_old_weight_norm() -> nn.Module:
    return nn.Sequential(torch.nn.utils.weight_norm(conv()))


def pruned() -> nn.Module:
    layer = conv()
    prune.l1_unstructured(layer, "weight", 0.5)
    return nn.Sequential(layer)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Tied", "b.weight: is one tensor with `a.weight`"),
        ("OneMemory", "b.weight: is one tensor with `a.weight`"),
        ("TiedWithin", "norm.bias: is one tensor with `norm.weight`"),
        ("TwoNames", "again.0: Conv2d is the module `b` again"),
        ("TwoNamesAbove", "again.x.0: Conv2d is the module `a` again"),
        ("NumberTimesWeight", "torch.Tensor.mul, which reads the weight `g`"),
        ("Buffer", "torch.Tensor.mul of the buffer `g`"),
        ("NoReturn", "the forward pass returns no tensor in training"),
        ("Nothing", "the forward pass returns no tensor in training"),
        ("Nested", "the output `output1` is no tensor but list"),
        ("TwoInputs", "forward takes `x`, `y`"),
        ("ThrownAway", "other: Linear has weights that no output needs"),
        ("UnreadWeight", "token: is a weight that no output needs"),
        ("NamedInput", "input: `input` is the name of another value in the spec"),
        ("FrozenNorm", "norm: bn stays as in inference while the network trains"),
        ("AlwaysInTraining", "drop: dropout is active in inference too"),
        ("ChannelsLast", "the network itself fails on real numbers at FILE:LINE: RuntimeError"),
        ("Unsteady", "the network gives two results for one input"),
        ("GivesItsInput", "cannot be expressed"),
        ("Bare", "the network gives out its input as it is"),
        ("LooksLike", "looks like `a`, in other letters"),
        ("GatedWithoutGradient", "the network's gradients are not those of the values"),
        ("AddedWithoutGradient", "the network's gradients are not those of the values"),
        ("Reversed", "the network's gradients are not those of the values"),
        ("HookedValue", "the network's gradients are not those of the values"),
        ("HookedWeight", "a.weight: has a hook, which may change its gradient"),
        ("HookedAfterwards", "a.weight: has a hook, which may change its gradient"),
        ("HookedModule", "a: Conv2d has a hook, which may change its gradients"),
        ("HookedBefore", "the network itself: HookedBefore has a hook"),
        ("Replaced", "a: the method `forward` of this Conv2d was replaced"),
        ("ReplacedWithin", "a: the method `_conv_forward` of this Conv2d was replaced"),
        ("TwoOutputs", "head: the output `out` is computed by several calls"),
        (
            "Recursive",
            "a batch of 3 samples [3, 16, 16] fails in the forward pass at FILE:LINE: Rec",
        ),
        ("Asserts", "a batch of 3 samples [3, 16, 16] fails in the forward pass at FILE:LINE: Ass"),
        ("Exits", "SystemExit: no"),
        ("Wrong", "the network does not take [3, 16, 16], in `head` at FILE:LINE: RuntimeError"),
        ("ChunkGate", "a part of the channels goes on to something else"),
        ("HalfOfThem", "a part of the channels goes on to something else"),
        ("Double", "a.weight: is float64"),
        ("shared", "shared cannot be copied"),
        ("scripted", "0: is a ScriptModule"),
        ("lazy", "0.weight: has no shape yet"),
        ("compiled", "a compiled network's calls cannot be followed"),
        ("hooked", "0: Conv2d has a hook"),
        ("with_weight_norm", "0: the weight of Conv2d is computed by a parametrization"),
        ("with_old_weight_norm", "0: Conv2d has a hook"),
        ("pruned", "0: Conv2d has a hook"),
    ],
)
def test_refused(name: str, message: str) -> None:
    """By what is wrong with the network, and never as a defect of the importer."""
    with pytest.raises(ModelError) as caught:
        imported(name)
    told = re.sub(rf"\S*{Path(__file__).name}:\d+", "FILE:LINE", str(caught.value))
    assert message in told
    assert "defect" not in f"{told} {caught.value.help}"
    assert len(caught.value.problems) <= 6


def test_a_module_that_stands_twice_is_told_once() -> None:
    with pytest.raises(ModelError) as caught:
        imported("TwoNamesAbove")
    again = [p.path for p in caught.value.problems if p.fact.endswith("again")]
    assert again == ["again.x.0", "again.x.1", "more"]


# --- calls in every spelling ---------------------------------------------------------------------

CALLS = [
    *(f"torch.{f}(x, y)" for f in ("add", "mul", "sub", "div", "maximum", "matmul")),
    *(f"torch.{f}(input=x, other=y)" for f in ("add", "mul", "sub", "div")),
    *(f"{number} {op} x" for number in (2, 0.5, True) for op in ("+", "-", "*", "/", "**")),
    *(f"x {op} {number}" for number in (2, 0.5, True) for op in ("+", "-", "*", "/", "**", "//")),
    *(f"torch.ones(3, 1, 1) {op} x" for op in ("+", "*", "/")),
    *(f"x {op} torch.ones(3, 1, 1)" for op in ("+", "*", "/")),
    *(f"x {op} x.shape[0]" for op in ("+", "*", "/")),
    *(f"self.a.weight {op} 2" for op in ("+", "*", "/")),
    *(f"self.a.weight.{call}" for call in ("mean()", "mean(0)", "flatten()", "view(-1)")),
    *(f"self.a.weight.{call}" for call in ("permute(1, 0, 2, 3)", "chunk(3)[0]", "sum()", "t_()")),
    "x.add(y, alpha=2)",
    "torch.cat([x, y])",
    "torch.cat(tensors=(x, y), dim=1)",
    "torch.cat([x, torch.ones(3, 3, 16, 16)], 1)",
    "torch.cat([self.a.weight, self.b.weight])",
    "torch.stack([x, y])",
    *(
        f"x[{i}]"
        for i in ("0", "None", "...", "..., 0", ":, 0", "[0, 1]", "x > 0", ":, -1:", "::2")
    ),
    *(f"x[{i}]" for i in (":, :, ::2, ::2", ":, torch.tensor([0])", "slice(None)", ":, [0, 2]")),
    *(f"x[:, :, {i}]" for i in ("1:-1, 1:-1", "1:, :", "x.shape[2] // 2:", "None")),
    *(f"x.mean({a})" for a in ("", "0", "1", "-1", "(2, 3)", "dim=(-1, -2)", "(1, 2, 3)", "(2,)")),
    *(f"x.amax({a})" for a in ("", "1", "(2, 3)", "dim=(2, 3), keepdim=True")),
    *(f"x.view({a})" for a in ("-1", "3, -1", "torch.int32", "x.shape", "3, 3, 256", "-1, 16")),
    *(f"x.reshape({a})" for a in ("-1, 768", "(3, -1)", "9, 16, 16", "1, 9, 16, 16")),
    *(f"x.{call}" for call in ("squeeze()", "unsqueeze(0)", "unsqueeze(-1)", "view_as(y)", "T")),
    *(f"x.{call}" for call in ("permute(1, 0, 2, 3)", "permute(dims=(0, 2, 3, 1))", "mT", "t_()")),
    *(f"x.{call}" for call in ("transpose(0, 1)", "transpose(dim0=1, dim1=-1)", "swapaxes(1, 2)")),
    *(f"torch.{f}(x, 3, dim=1)[1]" for f in ("chunk", "split", "tensor_split")),
    *(f"torch.{f}(x, 2)[0]" for f in ("chunk", "split", "tensor_split", "unbind", "topk")),
    "torch.split(x, [1, 2], dim=1)[0]",
    "x.unflatten(1, (3, 1))",
    "torch.flatten(x, start_dim=1)",
    "torch.flatten(input=x, start_dim=2, end_dim=-1)",
    *(f"F.pad(x, {p})" for p in ("(1, 1)", "(1,) * 4", "(1,) * 6", "(-1,) * 4", "[0] * 4")),
    *(f"F.pad(x, (1,) * 4, {m})" for m in ("'reflect'", "value=1", "mode='constant', value=None")),
    "F.interpolate(x, scale_factor=(2, 1))",
    "F.interpolate(x, size=(8, 8), mode='bilinear', antialias=True)",
    *(f"F.{f}(x)" for f in ("relu", "gelu", "softmax", "layer_norm", "glu", "instance_norm")),
    "F.layer_norm(x, x.shape[1:])",
    "F.group_norm(x, 3)",
    "F.max_pool2d(x, 2, return_indices=True)[0]",
    "F.max_pool2d(input=x, kernel_size=torch.Size([2, 2]))",
    "F.adaptive_avg_pool2d(x, (None, 4))",
    "F.avg_pool2d(x, x.shape[-1])",
    "F.dropout(x, training=False)",
    "F.dropout(x, 0.5, self.training)",
    "F.conv2d(x, self.a.weight)",
    "torch.where(x > 0, x, y)",
    "torch.einsum('nchw->nc', x)",
    "x.clamp_(0, 6)",
    "x.data",
    "x.detach()",
    "x.float()",
    "x.half()",
    "x.to(torch.float64)",
    "x.clone().fill_(0)",
    "torch.zeros_like(x)",
    "torch.rand(3, 3)",
    "self.a.weight",
    "x",
    "x.shape",
    "3",
    "{'a': x, 'b': None}",
    "{0: x, 1: y}",
    "(x, x)",
    "(x, y, y)",
    "iter([x])",
]


class Calls(Net):
    """One expression of a value x and another y."""

    expression = "x"
    code: Any = None

    def forward(self, x: Tensor) -> Any:
        x, y = self.a(x), self.b(x)
        return eval(Calls.code, {"torch": torch, "F": F, "x": x, "y": y, "self": self})


LEAKS = re.compile(r"Value\(|Weight\(|Foreign\(|slice\(|Ellipsis|<\w|object at|Event\(|torch\.Size")
"""How Python shows what a user never wrote."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("expression", CALLS)
def test_every_call_is_read_or_refused_in_words(expression: str) -> None:
    Calls.code = compile(expression, "<expression>", "eval")
    try:
        imported("Calls")
    except ModelError as e:
        told = f"{e.message} {e.help} {' '.join(map(str, e.problems))}"
        assert "defect" not in told
        assert not LEAKS.search(told)


# --- notes ---------------------------------------------------------------------------------------


class Frozen(Net):
    def __init__(self) -> None:
        super().__init__()
        self.a.requires_grad_(False)


class WithoutGradient(Net):
    """A part of the forward pass that autograd does not follow."""

    def features(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            x = F.relu(self.a(x))
        return self.b(x)


class InInferenceMode(Net):
    def features(self, x: Tensor) -> Tensor:
        with torch.inference_mode():
            x = F.relu(self.a(x))
        return self.b(x.clone())


class Upsampled(Net):
    def features(self, x: Tensor) -> Tensor:
        return F.interpolate(F.max_pool2d(super().features(x), 2), size=x.shape[2:])


class UpsampledAtTheEnd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = conv()

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(F.max_pool2d(self.a(x), 2), size=x.shape[2:])


class PooledWhole(Net):
    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        return self.head(F.avg_pool2d(x, x.size()[2:]).flatten(1))


class ByItsSize(Net):
    def features(self, x: Tensor) -> Tensor:
        x = super().features(x)
        return F.max_pool2d(x, 2) if x.shape[-1] > 8 else x


class Regrouped(Net):
    """What is joined anew: a and b, then a, b and c."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = conv(3, 4), conv(4, 4)
        self.c, self.head = conv(8, 4), nn.Linear(4, 2)
        self.d = conv(12, 4)

    def features(self, x: Tensor) -> Tensor:
        a = self.a(x)
        b = F.relu(self.b(a))
        c = F.relu(self.c(torch.cat([a, b], 1)))
        return self.d(torch.cat([a, b, c], 1)) * 0.2 + a


class Ones(Net):
    """Weights that begin otherwise: as a constant, and from another distribution."""

    def __init__(self) -> None:
        super().__init__()
        nn.init.ones_(self.a.bias)
        nn.init.normal_(self.b.weight, std=0.5)


class DrawnLater(Net):
    """Two dropouts that run in another order than a spec writes them."""

    def features(self, x: Tensor) -> Tensor:
        x = self.a(x)
        side = F.dropout(x, 0.5, self.training)
        return F.dropout(F.relu(self.b(x)), 0.5, self.training) + side


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("Frozen", ["frozen in the network, and learning in the spec: a.weight, a.bias"]),
        (
            "WithoutGradient",
            ["these get no gradient in the network, and learn in the spec: a.weight, a.bias"],
        ),
        (
            "InInferenceMode",
            ["these get no gradient in the network, and learn in the spec: a.weight, a.bias"],
        ),
        ("Upsampled", ["upsample.size comes from the size of its input: it is 16"]),
        (
            "UpsampledAtTheEnd",
            [
                "upsample.size comes from the size of its input: it is 16",
                "for [3, 8, 8] the spec's network gives [3, 16, 16], and the network [3, 8, 8]",
            ],
        ),
        (
            "PooledWhole",
            [
                "avg_pool.kernel comes from the size of its input: it is 16",
                "the spec's network does not take [3, 8, 8]",
            ],
        ),
        ("ByItsSize", ["the forward pass takes another way for [3, 8, 8];"]),
        ("Regrouped", ["gradients are equal but for rounding"]),
        ("Ones", ["2 of 6 weights begin otherwise in the network than in the spec: a.bias, b.w"]),
        ("DrawnLater", ["its random numbers are drawn in another order"]),
    ],
)
def test_what_a_spec_does_not_hold_is_noted(name: str, notes: list[str]) -> None:
    found = imported(name).notes
    assert len(found) == len(notes), found
    for note, wanted in zip(found, notes, strict=True):
        assert wanted in note


def test_a_fold_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The long form is written, and the user knows why."""

    def fail(*_: Any) -> Any:
        raise KeyError("column")

    monkeypatch.setattr("cnndsl.importer.blocks.folded", fail)
    found = imported("Net")
    assert found.notes == (
        "written at full length, since folding it failed (please report it): KeyError: 'column'",
    )
    assert "linear: 2" in found.text


class Talking(Net):
    def forward(self, x: Tensor) -> Any:
        print("shape", x.shape)
        return super().forward(x)


def test_prints_and_notes_stay_out_of_the_spec() -> None:
    shown = CliRunner().invoke(app, ["import", f"{__name__}:Talking", "--input", "3,16,16"])
    assert shown.exit_code == 0
    assert shown.stdout == imported("Talking").text
    noted = CliRunner().invoke(app, ["import", f"{__name__}:Frozen", "--input", "3,16,16"])
    assert "note: frozen in the network" in noted.stderr
    assert noted.stdout.startswith("cnndsl: 1")
