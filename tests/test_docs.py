"""The examples in the documents are what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cnndsl
from cnndsl import checker, diagnostics, init, load, schema, source, words
from cnndsl.diagram import figure, geometry, planner, rows
from cnndsl.elaborate import naming, walking
from cnndsl.expr import tree
from cnndsl.ops import kinds
from cnndsl.recipe.section import MAX_ITEMS

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


# --- bounds ---

BOUNDS = {
    "a file": (source.MAX_BYTES, source.MAX_VALUES, source.MAX_DEPTH),
    "files that use each other in turn": (load.MAX_CHAIN, load.MAX_FILES),
    "steps of a network": (walking.BINDINGS, walking.MAX_STEPS),
    "the same of all variants": (checker.VARIANT, checker.MAX_TOGETHER),
    "the count of a loop": (walking.MAX_ROWS,),
    "blocks and structures within each other": (naming.MAX_DEPTH,),
    "operations in all expressions": (tree.MAX_WORK,),
    "an expression": (tree.MAX_SOURCE, tree.MAX_NESTING),
    "a number, a list with all in it, a text": (tree.MAX_NUMBER, tree.MAX_LIST, tree.MAX_TEXT),
    "a name": (words.MAX_WORD,),
    "a tensor": (kinds.MAX_ELEMENTS,),
    "outputs": (schema.MAX_OUTPUTS,),
    "a list in a recipe": (MAX_ITEMS,),
    "comparisons of the patterns": (tree.MAX_WORK, init.MATCHES),
    "errors": (diagnostics.MAX_ERRORS, diagnostics.MAX_MESSAGE),
    "a diagram": (figure.MAX_BOXES, rows.MAX_PASSED, geometry.MAX_MOVED),
    "a page": (planner.MAX_SHOWN,),
}
"""For what a row of the table begins with, the constants of its numbers, in their order."""


def test_the_bounds_are_those_that_hold() -> None:
    text = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    table = (
        text.partition("## Bounds")[2].partition("\n\n| what | at most |\n")[2].partition("\n\n")[0]
    )
    found = [line.strip("|").strip() for line in table.split("\n")[1:]]
    assert len(found) == len(BOUNDS)
    for line, (begin, values) in zip(found, BOUNDS.items(), strict=True):
        assert line.startswith(begin)
        assert tuple(_number(told) for told in re.findall(r"\d[\d,^]*", line)) == values
    assert "a twenty-fifth" in text
    assert walking.AGAIN == 1 / 25


def _number(told: str) -> int:
    base, _, power = told.strip(",").replace(",", "").partition("^")
    return int(base) ** int(power or 1)
