"""Initial weights: the rules of `init:`, and torchvision's weights from the same seed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torchvision

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
