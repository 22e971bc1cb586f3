"""The proof of an import: it holds a right spec for right, and finds each kind of wrong one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import cnndsl
from cnndsl.graph import Graph
from cnndsl.importer import ModelError, import_spec
from cnndsl.importer.proving import prove

RIGHT = """
name: net
input: [3, 8, 8]
body:
  - {conv: {out: 4, kernel: 3, padding: 1}, name: stem}
  - {bn: {}, name: norm}
  - {leaky_relu: 0.1, name: act}
  - {max_pool: {kernel: 3, stride: 2}, name: pool}
  - {conv: 4, name: fork}
  - concat:
      - {conv: {out: 4, kernel: 1}, name: left}
      - {conv: {out: 4, kernel: 1}, name: right}
  - {dropout: 0.3, name: drop}
  - {scale: 0.5, name: halved}
  - residual: [{relu: {}, name: side}]
  - {global_avg_pool: {}, name: mean}
  - {linear: 5, name: head}
outputs:
  logits: {}
  aux: {from: fork, train_only: true}
"""


class Net(nn.Module):
    """What RIGHT says, by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.act = nn.LeakyReLU(0.1)
        self.pool = nn.MaxPool2d(3, 2)
        self.fork = nn.Conv2d(4, 4, 1)
        self.left = nn.Conv2d(4, 4, 1)
        self.right = nn.Conv2d(4, 4, 1)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(8, 5)

    def joined(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fork = self.fork(self.pool(self.act(self.norm(self.stem(x)))))
        return fork, torch.cat([self.left(fork), self.right(fork)], 1)

    def forward(self, x: Tensor) -> Any:
        fork, x = self.joined(x)
        x = self.drop(x) * 0.5
        logits = self.head((torch.relu(x) + x).mean((2, 3)))
        return (logits, fork) if self.training else logits


WRONG = {
    "another weight shape": ("conv: 4, name: fork", "conv: {out: 4, kernel: 3}, name: fork"),
    "a weight too few": ("conv: 4, name: fork", "conv: {out: 4, bias: false}, name: fork"),
    "a weight too many": ("{scale: 0.5, name: halved}", "{bn: {}, name: halved}"),
    "another name": ("name: head}", "name: fc}"),
    "another order of ops": (
        "  - {bn: {}, name: norm}\n  - {leaky_relu: 0.1, name: act}\n",
        "  - {leaky_relu: 0.1, name: act}\n  - {bn: {}, name: norm}\n",
    ),
    "a changed argument": ("leaky_relu: 0.1", "leaky_relu: 0.11"),
    "an argument of little weight": ("bn: {}", "bn: {eps: 2e-5}"),
    "another op": ("max_pool: {", "avg_pool: {"),
    "another function": ("relu: {}, name: side", "relu6: {}, name: side"),
    "another rounding": ("scale: 0.5", "scale: 0.50001"),
    "a step too few": ("  - {leaky_relu: 0.1, name: act}\n", ""),
    "swapped inputs": (
        "      - {conv: {out: 4, kernel: 1}, name: left}\n"
        "      - {conv: {out: 4, kernel: 1}, name: right}\n",
        "      - {conv: {out: 4, kernel: 1}, name: right}\n"
        "      - {conv: {out: 4, kernel: 1}, name: left}\n",
    ),
    "no shortcut": ("residual: [{relu: {}, name: side}]", "relu"),
    "statistics of training": ("bn: {}", "bn: {momentum: 0.2}"),
    "a probability of training": ("dropout: 0.3", "dropout: 0.4"),
    "noise of training left out": ("  - {dropout: 0.3, name: drop}\n", ""),
    "a head in inference": (", train_only: true", ""),
    "no head in training": ("  aux: {from: fork, train_only: true}\n", ""),
    "the head of another value": ("from: fork", "from: act"),
    "another order of heads": (
        "  logits: {}\n  aux: {from: fork, train_only: true}\n",
        "  aux: {from: fork, train_only: true}\n  logits: {}\n",
    ),
}


def graph_of(text: str, folder: Path) -> Graph:
    path = folder / "net.yaml"
    path.write_text(text, encoding="utf-8")
    return cnndsl.check(path)


def test_the_right_spec_is_proven(tmp_path: Path) -> None:
    proof = prove(graph_of(RIGHT, tmp_path), Net(), [(3, 8, 8), (3, 12, 10)])
    assert not proof.problems
    assert not proof.notes


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_spec_is_found(kind: str, tmp_path: Path) -> None:
    before, after = WRONG[kind]
    assert RIGHT.count(before) == 1
    assert prove(graph_of(RIGHT.replace(before, after), tmp_path), Net(), [(3, 8, 8)]).problems


class Detached(Net):
    """The same outputs, but no gradient for one of two ways."""

    def joined(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fork, _ = super().joined(x)
        return fork, torch.cat([self.left(fork.detach()), self.right(fork)], 1)


class HalfGradient(Net):
    """The same outputs; a gradient that is a hundredth less."""

    def joined(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fork, x = super().joined(x)
        x.register_hook(lambda gradient: 0.99 * gradient) if x.requires_grad else None
        return fork, x


class FixedSize(Net):
    """Right for one size alone."""

    def joined(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return super().joined(x * (1 if x.shape[-1] == 8 else 2))


class Counted(Net):
    """A buffer that training changes otherwise."""

    def joined(self, x: Tensor) -> tuple[Tensor, Tensor]:
        result = super().joined(x)
        if self.training:
            self.norm.num_batches_tracked.add_(1)
        return result


class Buffered(Net):
    """A tensor of the right name and shape that does not learn."""

    def __init__(self) -> None:
        super().__init__()
        bias = self.fork.bias
        del self.fork.bias
        self.fork.register_buffer("bias", bias.data)


@pytest.mark.parametrize(
    ("net", "fact"),
    [
        (Detached, "has another gradient"),
        (HalfGradient, "has another gradient"),
        (FixedSize, "differs in inference, of samples [3, 12, 12]"),
        (Counted, "norm.num_batches_tracked: is another after training"),
        (Buffered, "fork.bias: is a parameter in the spec alone"),
    ],
)
def test_what_differs_is_named(net: type[nn.Module], fact: str, tmp_path: Path) -> None:
    proof = prove(graph_of(RIGHT, tmp_path), net(), [(3, 8, 8), (3, 12, 12)])
    assert fact in "\n".join(map(str, proof.problems))


def test_a_network_that_cannot_run_is_found(tmp_path: Path) -> None:
    """The same weights for one size; for another the spec's network has no way."""
    text = RIGHT.replace(
        "{global_avg_pool: {}, name: mean}", "{avg_pool: 3, name: mean}\n  - flatten"
    )
    proof = prove(graph_of(text, tmp_path), Pooled(), [(3, 8, 8), (3, 14, 14)])
    (problem,) = proof.problems
    assert problem.fact.startswith("the spec's network cannot be run: RuntimeError")


class Pooled(Net):
    def forward(self, x: Tensor) -> Any:
        fork, x = self.joined(x)
        x = self.drop(x) * 0.5
        x = torch.relu(x) + x
        logits = self.head(nn.functional.avg_pool2d(x, x.shape[2:]).flatten(1))
        return (logits, fork) if self.training else logits


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("relu", "gelu"),
        ("max_pool: {kernel: 2, stride: 2}", "avg_pool: 2"),
        ("padding: 1", "padding: 1, padding_mode: reflect"),
    ],
)
def test_an_import_is_held_to_its_proof(
    before: str, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written wrong is not given out, and is told as what it is."""
    from cnndsl.importer.printing import written

    def corrupted(*args: Any) -> str:
        text = written(*args)
        assert before in text
        return text.replace(before, after)

    monkeypatch.setattr("cnndsl.importer.written", corrupted)
    with pytest.raises(ModelError, match="differs from the original") as caught:
        import_spec(f"{__name__}:Small", (3, 8, 8))
    assert "defect of the importer" in caught.value.help


def Small() -> nn.Module:  # noqa: N802
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
