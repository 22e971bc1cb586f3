"""What an import tells of other sizes of the input, and of other numbers of samples."""

from __future__ import annotations

from typing import Any

import pytest
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from cnndsl.importer import Imported, ModelError, import_spec


def imported(name: str, shape: tuple[int, ...] = (3, 16, 16)) -> Imported:
    return import_spec(f"{__name__}:{name}", shape)


class Net(nn.Module):
    """Two convolutions and a head; what follows differs from it in its features."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 3, 3, padding=1)
        self.b = nn.Conv2d(3, 3, 3, padding=1)
        self.head = nn.Linear(3, 2)

    def features(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)))

    def forward(self, x: Tensor) -> Any:
        return self.head(self.features(x).mean((2, 3)))


BY_SIZE = {
    "as 'same' padding": (
        "F.max_pool2d(F.pad(x, (0, (2 - w % 2) % 2 + 1, 0, (2 - h % 2) % 2 + 1)), 3, 2)",
        "pad.padding comes from the size",
    ),
    "to a multiple": ("F.max_pool2d(F.pad(x, (0, -w % 8, 0, -h % 8)), 8)", "pad.padding comes"),
    "half on each side": (
        "F.pad(u, [(w - u.shape[3]) // 2, w - u.shape[3] - (w - u.shape[3]) // 2, 0, 0])",
        "another way for [3, 17, 19]",
    ),
    "where shapes differ": (
        "u if u.shape == x.shape else F.interpolate(u, size=x.shape[2:])",
        "another way for [3, 17, 19], [3, 22, 17];",
    ),
    "of odd heights": ("F.pad(x, (0, 1, 0, 1)) if x.size(2) % 2 else x", "way for [3, 17, 19];"),
    "of odd widths": ("F.relu(x) if x.size(-1) % 2 else x", "way for [3, 17, 19], [3, 22, 17];"),
    "of wide images": ("F.relu(x) if w > h else x", "another way for [3, 17, 19];"),
    "of high images": ("F.relu(x) if w < h else x", "another way for [3, 22, 17];"),
    "of squares": ("F.relu(x) if w == h else x", "another way for [3, 17, 19], [3, 22, 17];"),
    "of large images": ("F.relu(x) if w > 60 else x", "another way for [3, 64, 64];"),
    "of small images": ("F.relu(x) if h < 10 else x", "another way for [3, 8, 8];"),
    "in inference alone": ("F.relu(x) if w % 2 > self.training else x", "way for [3, 17, 19],"),
    "by its length": ("F.dropout(x, 1 / len(x[0, 0]), self.training)", "dropout.p comes from"),
    "by its stride": ("F.dropout(x, 1 / x.stride(2), self.training)", "dropout.p comes from"),
    "by its number": ("x * (1 / x[0].numel())", "scale.by comes from the size"),
    "of a value within": ("x * (1 / u.shape[-1])", "scale.by comes from the size"),
    "of a list of sizes": ("x * (1 / [*x.size()][3])", "scale.by comes from the size"),
    "rounded": ("x * round(w / 7)", "scale.by comes from the size"),
    "in training alone": (
        "F.dropout(x, 0.5 if w % 2 else 0.2, self.training)",
        "dropout.p comes from the size of its input: it is 0.2 for [3, 16, 16]",
    ),
}
"""Expressions of a value x of height h and width w, of u, which is x pooled and upsampled."""


class BySize(Net):
    code: Any = None

    def features(self, x: Tensor) -> Any:
        x = super().features(x)
        h, w = x.shape[2:]
        u = F.interpolate(F.max_pool2d(x, 2, ceil_mode=True), scale_factor=2)
        return eval(BySize.code, {"F": F, "x": x, "u": u, "h": h, "w": w, "self": self})


def noted_by_size(kind: str, side: int) -> tuple[str, ...]:
    BySize.code = compile(BY_SIZE[kind][0], "<expression>", "eval")
    return imported("BySize", (3, side, side)).notes


@pytest.mark.parametrize("kind", BY_SIZE)
def test_what_comes_from_the_size_of_the_input_is_noted(kind: str) -> None:
    assert BY_SIZE[kind][1] in noted_by_size(kind, 16)[0]


@pytest.mark.parametrize(
    "kind", sorted(BY_SIZE.keys() - {"half on each side", "in inference alone"})
)
def test_and_also_where_the_given_size_is_odd(kind: str) -> None:
    """All but what is refused there: a crop at the start alone, and two ways for one size."""
    assert any("for [3, 17, 17]" in note for note in noted_by_size(kind, 17))


class ByBatch(Net):
    code: Any = None

    def features(self, x: Tensor) -> Any:
        return eval(ByBatch.code, {"F": F, "x": super().features(x), "n": len(x)})


@pytest.mark.parametrize(
    ("expression", "fact"),
    [
        ("x * n", "scale.by comes from the number of samples: it is 3.0 for 3"),
        ("x * (0.5 if x.shape[0] > 7 else 1.0)", "scale.by comes from the number of samples"),
        ("F.relu(x) if n % 2 else x", "another way for 8 samples than for 3"),
        ("F.relu(x) if n > 7 else x", "another way for 8 samples than for 3"),
        ("F.dropout(x, 1 / x.size(0), True)", "dropout"),
    ],
)
def test_what_comes_from_the_number_of_samples_is_refused(expression: str, fact: str) -> None:
    ByBatch.code = compile(expression, "<expression>", "eval")
    with pytest.raises(ModelError, match=fact) as caught:
        imported("ByBatch")
    assert "defect" not in caught.value.help


@pytest.mark.parametrize("expression", ["x if n > 1 else F.relu(x)", "x * (1 if n > 1 else 2)"])
def test_a_way_for_one_sample_alone_is_noted(expression: str) -> None:
    ByBatch.code = compile(expression, "<expression>", "eval")
    assert any("a batch of one sample" in note for note in imported("ByBatch").notes)
