"""The examples in the documents are what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cnndsl

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", "docs/language.md"]


def examples() -> list[str]:
    """Every whole network that a page shows."""
    text = "\n".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    return [b for b in blocks if re.search(r"^input:", b, re.M) and re.search(r"^body:", b, re.M)]


@pytest.mark.parametrize("text", examples(), ids=lambda text: text.split("\n")[0])
def test_networks_check(text: str, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(text, encoding="utf-8")
    graph = cnndsl.check(path)
    assert cnndsl.cost(graph).params > 0
    assert not graph.diagnostics


def test_there_are_examples() -> None:
    assert len(examples()) == 2


@pytest.mark.parametrize(
    "page",
    [
        *PAGES,
        "docs/architecture.md",
        "docs/costs.md",
        "docs/diagrams.md",
        "docs/import.md",
        "docs/ops.md",
        "docs/recipe.md",
        "docs/results/README.md",
        "docs/serve.md",
        "docs/sweep.md",
        "docs/training.md",
        "docs/zoo.md",
    ],
)
def test_links_lead_to_files(page: str) -> None:
    path = ROOT / page
    links = re.findall(r"\]\(([^)#:]+)\)|(?:src|href)=\"([^\"#:]+)\"", path.read_text("utf-8"))
    assert all((path.parent / (a or b)).exists() for a, b in links)


def test_documented_names_follow_the_rules(tmp_path: Path) -> None:
    text = (ROOT / "docs/language.md").read_text(encoding="utf-8")
    example = next(b for b in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "right.0" in b)
    path = tmp_path / "net.yaml"
    head = "input: [3, 8, 8]\nblocks: {Head: {body: [{conv: 2}, relu]}}\n"
    path.write_text(head + example, encoding="utf-8")
    paths = [node.path for node in cnndsl.check(path).layers]
    assert paths == [
        *("stem", "1", "2", "3", "add", "left", "right.0", "right.1", "concat", "6.0", "6.1")
    ]


def test_documented_recipe(tmp_path: Path) -> None:
    text = (ROOT / "docs/language.md").read_text(encoding="utf-8")
    example = next(b for b in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "train:" in b)
    path = tmp_path / "net.yaml"
    head = "params: {width: 1}\nvariants: {small: {}}\ninput: [3, 8, 8]\nbody: [{conv: $width}]\n"
    path.write_text(head + example, encoding="utf-8")
    graph = cnndsl.check(path, "small")
    assert graph.train["optimizer"] == {"name": "adamw", "lr": 0.01, "weight_decay": 0.01}
    assert graph.recipes["imagenet"]["augment"]["flip"] == 0
