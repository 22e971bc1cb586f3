"""Initial weights: the rules of `init:`, and torchvision's weights from the same seed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

import cnndsl
from cnndsl.init import SCHEMES

BODY = """
input: [3, 8, 8]
params: {std: 0.5}
body:
  - {conv: {out: 64, kernel: 3}, name: a}
  - {seq: [{conv: {out: 64, bias: false}}, {bn: {}, name: n}], name: last}
  - global_avg_pool
  - {linear: 1000, name: fc}
"""

# Networks whose order of construction is torchvision's: then equal seeds give equal weights.
EQUAL = [
    *("alexnet", "vgg11_bn", "resnet18", "resnet50", "densenet121", "squeezenet1_1"),
    *("mobilenet_v2", "mobilenet_v3_small", "mnasnet0_5", "efficientnet_b0", "convnext_tiny"),
    "shufflenet_v2_x0_5",
]


def build(folder: Path, rules: str) -> dict[str, torch.Tensor]:
    path = folder / "net.yaml"
    path.write_text(BODY + "init:\n" + rules, encoding="utf-8")
    torch.manual_seed(0)
    return dict(cnndsl.build(path).named_parameters())


@pytest.mark.parametrize("name", EQUAL)
def test_weights_equal_torchvision(name: str) -> None:
    torch.manual_seed(3)
    theirs = torchvision.models.get_model(name).state_dict()
    torch.manual_seed(3)
    ours = cnndsl.build(name).state_dict()
    assert all(torch.equal(theirs[key], ours[key]) for key in theirs)


@pytest.mark.parametrize("name", ["googlenet", "regnet_y_400mf"])
def test_distribution_equals_torchvision_where_the_order_differs(name: str) -> None:
    options = {"init_weights": True} if name == "googlenet" else {}
    theirs = torchvision.models.get_model(name, **options).state_dict()
    ours = cnndsl.build(name).state_dict()
    for key, value in theirs.items():
        if value.numel() > 5000:
            assert ours[key].std().item() == pytest.approx(value.std().item(), rel=0.1), key
            assert ours[key].mean().item() == pytest.approx(0, abs=0.005)


def test_rules_by_op_and_by_path(tmp_path: Path) -> None:
    weights = build(
        tmp_path,
        "  conv: {weight: {normal: {std: $std}}, bias: 0.25}\n"
        "  linear: {weight: {uniform: {a: 1, b: 2}}}\n"
        "  last.n: {weight: 0}\n",
    )
    assert weights["a.weight"].std().item() == pytest.approx(0.5, rel=0.05)
    assert torch.all(weights["a.bias"] == 0.25)
    assert torch.all(weights["last.n.weight"] == 0)
    assert 1 <= weights["fc.weight"].min() <= weights["fc.weight"].max() <= 2
    assert weights["fc.bias"].abs().max() <= 1 / math.sqrt(64)


def test_a_later_rule_wins(tmp_path: Path) -> None:
    weights = build(tmp_path, "  a: {weight: 0}\n  conv: {weight: 1}\n  las*.*: {weight: 2}\n")
    assert torch.all(weights["a.weight"] == 1)
    assert torch.all(weights["last.0.weight"] == 2)
    assert torch.all(weights["last.n.weight"] == 2)


@pytest.mark.parametrize("scheme", sorted(set(SCHEMES) - {"constant"}))
def test_each_scheme_is_that_of_torch(scheme: str, tmp_path: Path) -> None:
    weights = build(tmp_path, f"  linear: {{weight: {scheme}, bias: 0}}\n")
    torch.manual_seed(0)
    plain = dict(cnndsl.build(tmp_path / "net.yaml").named_parameters())["fc.weight"]
    expected = torch.empty_like(plain)
    torch.manual_seed(0)
    bare = tmp_path / "bare.yaml"
    bare.write_text(BODY, encoding="utf-8")
    cnndsl.build(bare)  # draws the same numbers before the rules do
    getattr(torch.nn.init, f"{scheme}_")(expected)
    assert torch.equal(weights["fc.weight"], expected)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (
            "  nowhere.0: {weight: 0}",
            "10:3: error[name]: `nowhere.0` is neither an op nor the path",
        ),
        ("  bn: {weight: kaiming_normal}", "10:3: error[value]: kaiming_normal needs two dim"),
        ("  conv: {weight: {normal: {std: -1}}}", "10:33: error[schema]: normal.std takes"),
        ("  conv: {weight: {normal: {std: $(0 - std)}}}", "10:33: error[value]: normal.std"),
        ("  conv: {weight: {gaussian: {std: 1}}}", "10:19: error[schema]: unknown"),
        ("  conv: {weight: {normal: {}, uniform: {}}}", "error[schema]"),
    ],
)
def test_mistakes(rule: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(cnndsl.SpecError) as e:
        build(tmp_path, rule + "\n")
    assert told in str(e.value)


# Rules that mean no weight. The names of weights are those of PyTorch's modules with all of them.

WITHOUT = {
    "conv": ("{conv: {out: 4, bias: false}}", nn.Conv2d(4, 4, 1)),
    "conv_transpose": ("{conv_transpose: {out: 4, kernel: 2}}", nn.ConvTranspose2d(4, 4, 2)),
    "linear": ("{linear: {out: 4, bias: false}}", nn.Linear(4, 4)),
    "bn": ("{bn: {affine: false}}", nn.BatchNorm2d(4)),
    "group_norm": ("{group_norm: {groups: 2, affine: false}}", nn.GroupNorm(2, 4)),
    "instance_norm": ("instance_norm", nn.InstanceNorm2d(4, affine=True)),
    "layer_norm": ("{layer_norm: {bias: false}}", nn.LayerNorm(4)),
    "prelu": ("prelu", nn.PReLU()),
    "relu": ("relu", nn.ReLU()),
}


@pytest.mark.parametrize("op", WITHOUT)
@pytest.mark.parametrize("tensor", ["weight", "bias", "wieght", "running_mean", "gamma", "''"])
@pytest.mark.parametrize("selector", ["op", "path", "pattern"])
def test_every_rule_means_a_weight(op: str, tensor: str, selector: str, tmp_path: Path) -> None:
    """One for a weight that such an op never has is an error, for one that it lacks a warning."""
    node, module = WITHOUT[op]
    path = tmp_path / "net.yaml"
    chosen = {"op": op, "path": "s.0", "pattern": "s.*"}[selector]
    shape = [4] if op == "linear" else [4, 8, 8]
    body = f"input: {shape}\nbody: [{{seq: {node}, name: s}}]\n"
    path.write_text(f"{body}init:\n  {chosen}: {{{tensor}: 0}}\n")
    column = 6 + len(chosen)
    if tensor not in dict(module.named_parameters()):
        with pytest.raises(cnndsl.SpecError) as caught:
            cnndsl.check(path)
        [told] = caught.value.diagnostics
        assert (told.code, told.span.line, told.span.column) == ("name", 4, column)
        return
    bare = cnndsl.build(path)
    found = cnndsl.check(path).diagnostics
    if f"s.0.{tensor}" in bare.state_dict():
        assert found == ()
    else:
        [warning] = found
        assert (warning.code, warning.severity, warning.span.column) == (
            *("unused", "warning"),
            column,
        )


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("stage*.blok*: {weight: 0}", ["3:8 no node has a path as `stage*.blok*`"]),
        ("c*: {weight: 0}", []),
        ("s.*: {gamma: 0}", ["3:14 error"]),
        ("s.r*: {weight: 0}", ["3:15 `s.r*` has no weight `weight`"]),
        ("bn: {weight: 0}", ["3:8 no `bn` is in this file, nor in one that it imports"]),
        ("linear: {weight: 0}", []),
        ("prelu: {weight: 0}", []),
    ],
)
def test_rules_that_select_nothing(rules: str, told: list[str], tmp_path: Path) -> None:
    """What stands in the file, or in one that it imports, may be for another choice of values."""
    (tmp_path / "lib.yaml").write_text("blocks: {B: {body: [prelu]}}\n")
    path = tmp_path / "net.yaml"
    path.write_text(
        "input: [4, 8, 8]\n"
        "body: [{conv: 4, name: c}, {seq: [{relu: , name: r}], name: s}, {linear: 1, when: false}, "
        f"{{lib.B: {{}}, when: false}}]\ninit: {{{rules}}}\nimport: {{lib: lib.yaml}}\n"
    )
    if told and told[0].endswith("error"):
        with pytest.raises(cnndsl.SpecError, match=r"`s\.\*` has no weight `gamma`"):
            cnndsl.check(path)
        return
    found = [f"{d.span.line}:{d.span.column} {d.message}" for d in cnndsl.check(path).diagnostics]
    assert found == told


def test_a_variant_may_need_what_another_lacks(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "input: [4, 8, 8]\nparams: {bias: false}\nvariants: {a: {}, b: {bias: true}}\n"
        "body: [{conv: {out: 3, bias: $bias}}]\ninit: {conv: {bias: 0}}\n"
    )
    assert [cnndsl.check(path, name).diagnostics for name in ("a", "b")] == [(), ()]
