"""Two networks in one diagram: what was added, removed and changed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from test_figure import faults
from typer.testing import CliRunner, Result

import cnndsl
from cnndsl.cli import app, revision
from cnndsl.diagram import make_figure, render
from cnndsl.diagram.diff import compare, summary
from cnndsl.diagram.diff.union import Union, unite
from cnndsl.diagram.plan import Group, Link, Mark, Plan
from cnndsl.graph import Graph

BEFORE = """
name: net
input: [3, 32, 32]
blocks:
  Pair: {params: {out: int}, body: [{conv: {out: $out, kernel: 3, padding: 1}, name: conv}, relu]}
body:
  - {conv: {out: 8, kernel: 3, padding: 1}, name: stem}
  - relu
  - {Pair: {out: 8}, name: first}
  - max_pool: 2
  - {Pair: {out: 16}, name: second}
  - {Pair: {out: 16}, name: third}
  - global_avg_pool
  - {linear: 10, name: fc}
"""

PAIRS = (
    ("resnet18", "resnet34"),
    ("resnet50", "wide_resnet50_2"),
    ("googlenet", "googlenet_no_aux"),
    ("vgg11", "vgg16_bn"),
    ("mobilenet_v3_large", "mobilenet_v3_small"),
    ("lenet", "resnet18"),
    ("inception_v3", "googlenet"),
)


def check(text: str, folder: Path, name: str = "net.yaml") -> Graph:
    (folder / name).write_text(text, encoding="utf-8")
    return cnndsl.check(folder / name)


@pytest.fixture
def became(tmp_path: Path) -> Callable[..., Union]:
    """The union of the first network and of one with some texts replaced."""

    def made(*changes: tuple[str, str]) -> Union:
        text = BEFORE
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        return unite(check(BEFORE, tmp_path), check(text, tmp_path, "after.yaml"))

    return made


def marked(both: Union, mark: Mark) -> list[str]:
    return [node.path for node in both.nodes if both.changes.marks[node.id] is mark]


def links(plan: Plan, link: Link) -> list[tuple[str, str]]:
    return [(edge.source, edge.target) for edge in plan.edges if edge.link is link]


# --- what belongs together ---


def test_equal_networks_are_unchanged(became: Callable[..., Union]) -> None:
    both = became()
    assert set(both.changes.marks.values()) == {Mark.SAME}
    assert not both.changes.edges
    assert not both.changes.ends


def test_arguments_change(became: Callable[..., Union]) -> None:
    both = became(("{Pair: {out: 16}, name: third}", "{Pair: {out: 24}, name: third}"))
    # The linear layer has the same arguments and more weights.
    assert marked(both, Mark.CHANGED) == ["third.conv", "fc"]
    assert not marked(both, Mark.ADDED)


def test_an_inserted_layer_renumbers_nothing(became: Callable[..., Union]) -> None:
    both = became(("  - max_pool: 2\n", "  - {dropout: 0.1}\n  - max_pool: 2\n"))
    assert marked(both, Mark.ADDED) == ["3"]
    assert not marked(both, Mark.REMOVED)
    assert not marked(both, Mark.CHANGED)


def test_what_came_between_is_no_edge_lost(became: Callable[..., Union]) -> None:
    both = became(("  - max_pool: 2\n", "  - {dropout: 0.1}\n  - max_pool: 2\n"))
    assert Mark.REMOVED not in both.changes.edges.values()
    assert list(both.changes.edges.values()) == [Mark.ADDED, Mark.ADDED]


def test_removed_blocks_are_passed_by_a_new_edge(became: Callable[..., Union]) -> None:
    both = became(("  - {Pair: {out: 16}, name: second}\n", ""))
    assert marked(both, Mark.REMOVED) == ["second.conv", "second.1"]
    new = [ends for ends, mark in both.changes.edges.items() if mark is Mark.ADDED]
    assert [(both.nodes[a].path, both.nodes[b].path) for a, b in new] == [("3", "third.conv")]


def test_another_op_of_the_kind_is_a_change(became: Callable[..., Union]) -> None:
    both = became(("  - max_pool: 2\n", "  - avg_pool: 2\n"))
    assert marked(both, Mark.CHANGED) == ["3"]


def test_another_kind_is_removed_and_added(became: Callable[..., Union]) -> None:
    both = became(("  - max_pool: 2\n", "  - {conv: {out: 8, kernel: 2, stride: 2}}\n"))
    assert (marked(both, Mark.REMOVED), marked(both, Mark.ADDED)) == (["3~"], ["3"])


def test_names_count_before_places(became: Callable[..., Union]) -> None:
    swapped = (
        ("{Pair: {out: 16}, name: second}\n  - {Pair: {out: 16}, name: third}",
         "{Pair: {out: 16}, name: third}\n  - {Pair: {out: 16}, name: second}"),
    )  # fmt: skip
    both = became(*swapped)
    gone, new = marked(both, Mark.REMOVED), marked(both, Mark.ADDED)
    assert {path.split(".")[0].rstrip("~") for path in (*gone, *new)} in ({"second"}, {"third"})


def test_a_renamed_block_is_the_same_block(became: Callable[..., Union]) -> None:
    both = became(("name: second", "name: middle"))
    assert not marked(both, Mark.ADDED)
    assert "middle.conv" in [node.path for node in both.nodes]


def test_another_input_is_a_change(became: Callable[..., Union]) -> None:
    both = became(("input: [3, 32, 32]", "input: [1, 28, 28]"))
    assert marked(both, Mark.CHANGED) == ["input", "stem"]


def test_outputs_are_compared(tmp_path: Path) -> None:
    heads = "outputs: {logits: {}, early: {from: first, body: [global_avg_pool, {linear: 2}]}}\n"
    one = "outputs: {logits: {}}\n"
    before = check(BEFORE + heads, tmp_path)
    after = check(BEFORE + one, tmp_path, "after.yaml")
    marks = unite(before, after).changes.outputs
    assert marks == {"logits": Mark.SAME, "early": Mark.REMOVED}
    assert "- output early" in list(summary(before, after))
    assert "+ output early" in list(summary(after, before))


@pytest.mark.parametrize("pair", PAIRS)
def test_the_union_holds_both(pair: tuple[str, str]) -> None:
    before, after = (cnndsl.check(name) for name in pair)
    both = unite(before, after)
    marks = both.changes.marks
    assert sum(mark is not Mark.ADDED for mark in marks.values()) == len(before.nodes)
    assert sum(mark is not Mark.REMOVED for mark in marks.values()) == len(after.nodes)
    assert len({node.path for node in both.nodes}) == len(both.nodes)
    assert all(i < node.id for node in both.nodes for i in node.inputs)
    assert tuple(both.root.nodes()) == both.nodes


@pytest.mark.parametrize("pair", PAIRS)
def test_the_other_way_round_added_is_removed(pair: tuple[str, str]) -> None:
    before, after = (cnndsl.check(name) for name in pair)
    there, back = unite(before, after), unite(after, before)
    assert len(marked(there, Mark.ADDED)) == len(marked(back, Mark.REMOVED))
    assert len(marked(there, Mark.CHANGED)) == len(marked(back, Mark.CHANGED))


# --- what is drawn ---


def test_added_blocks_are_folded_and_closed() -> None:
    plan = compare(cnndsl.check("resnet18"), cnndsl.check("resnet34"))
    added = [(box.op, box.times) for box in plan.boxes if box.mark is Mark.ADDED]
    assert added == [("Basic", 1), ("Basic", 2), ("Basic", 4), ("Basic", 1)]
    assert {group.id for group in plan.groups} == {"layer1", "layer2", "layer3", "layer4"}
    assert plan.title == "from resnet18 to resnet34"
    assert plan.subtitle.startswith("21.8 M parameters (11.7 M before)")


def test_what_did_not_change_is_small() -> None:
    plan = compare(cnndsl.check("googlenet"), cnndsl.check("googlenet_no_aux"))
    texts = {box.name: box.text for box in plan.boxes}
    assert texts["7 unchanged"] == "maxpool1 … maxpool3"
    assert texts["5 unchanged"] == "maxpool4 … dropout"
    assert [box.name for box in plan.boxes if box.mark is Mark.REMOVED] == [
        "aux1",
        "aux1",
        "aux2",
        "aux2",
    ]


def test_a_changed_box_says_what_was(became: Callable[..., Union], tmp_path: Path) -> None:
    text = BEFORE.replace("{out: 16}, name: third", "{out: 24}, name: third")
    plan = compare(check(BEFORE, tmp_path), check(text, tmp_path, "after.yaml"))
    svg = render(make_figure(plan), "svg").decode()
    for words in ("– 3×3, 16", "+ Conv 3×3, 24 + ReLU", "– 170 parameters", "+ 250 parameters"):
        assert words in svg
    assert ">~ third<" in svg


def test_an_added_norm_is_a_box_of_its_own() -> None:
    plan = compare(cnndsl.check("lenet"), cnndsl.check("lenet_bn"))
    added = [box.op for box in plan.boxes if box.mark is Mark.ADDED]
    assert added == ["BN"] * 4
    assert links(plan, Link.REMOVED) == []


def test_depth_and_expand_open_all() -> None:
    before, after = cnndsl.check("resnet18"), cnndsl.check("resnet34")
    plan = compare(before, after, depth=99, fold=False)
    assert sum(isinstance(group, Group) and group.block == "Basic" for group in plan.groups) == 16


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("across", [False, True], ids=["down", "across"])
def test_nothing_covers_anything(pair: tuple[str, str], across: bool) -> None:
    before, after = (cnndsl.check(name) for name in pair)
    for plan in (compare(before, after), compare(after, before, depth=99)):
        assert not list(faults(make_figure(plan, across=across)))


def test_a_difference_is_drawn_as_before(golden: Callable[[str, str], None]) -> None:
    before, after = cnndsl.check("lenet"), cnndsl.check("lenet_bn")
    plan = compare(before, after)
    golden("tests/golden/diff.svg", render(make_figure(plan), "svg").decode())
    golden("tests/golden/diff.txt", "\n".join(summary(before, after)) + "\n")


# --- the summary ---


def test_the_summary_counts_and_lists() -> None:
    lines = list(summary(cnndsl.check("resnet18"), cnndsl.check("resnet34")))
    assert lines == [
        "from resnet18 to resnet34",
        "parameters: 11,689,512 → 21,797,672",
        "multiply-adds: 1,814,073,344 → 3,663,761,408",
        "nodes: 69 unchanged, 56 added, 0 removed, 0 changed",
        "+ layer1.2: Basic width 64 (2 layers)",
        "+ layer2.2…3: Basic width 128 (2 layers), 2 times",
        "+ layer3.2…5: Basic width 256 (2 layers), 4 times",
        "+ layer4.2: Basic width 512 (2 layers)",
    ]


def test_the_summary_tells_changes() -> None:
    lines = list(summary(cnndsl.check("lenet"), cnndsl.check("resnet18")))
    assert "~ input: 1×28×28 → 3×224×224" in lines
    assert "~ maxpool: AvgPool 2×2, /2 → MaxPool 3×3, /2" in lines
    assert "- 3: Conv 5×5, 16" in lines


# --- the command ---


def run(*args: str) -> Result:
    return CliRunner().invoke(app, ["draw", *args])


def test_the_command_prints_the_summary_and_draws(tmp_path: Path) -> None:
    path = tmp_path / "diff.svg"
    done = run("lenet", "--diff", "lenet_bn", "-o", str(path))
    assert done.exit_code == 0
    assert done.stdout.startswith("from lenet to lenet_bn\n")
    assert "+ BN" in path.read_text(encoding="utf-8")


def test_without_a_file_there_is_the_summary_alone() -> None:
    done = run("lenet", "--diff", "lenet_bn")
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "+ 13: BN")


def test_a_diagram_on_standard_output_is_that_alone() -> None:
    done = run("lenet", "--diff", "lenet_bn", "--format", "svg")
    assert done.stdout.startswith("<svg")
    assert done.stderr.startswith("from lenet to lenet_bn")


def test_the_second_spec_s_mistakes_are_told(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("name: bad\ninput: [1, 8, 8]\nbody: [{conv: x}]\n")
    done = run("lenet", "--diff", str(path))
    assert done.exit_code == 1
    assert "bad.yaml:3" in done.stderr


# --- revisions ---


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two revisions of a spec that imports another."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    folder = tmp_path / "repository" / "nets"
    (folder / "parts").mkdir(parents=True)
    monkeypatch.chdir(folder.parent)
    git("init", "--quiet")
    monkeypatch.chdir(folder)
    parts = "blocks: {Pair: {params: {out: int}, body: [{conv: $out}, relu]}}\n"
    (folder / "parts" / "pair.yaml").write_text(parts)
    spec = "name: net\ninput: [1, 8, 8]\nimport: {parts: parts/pair.yaml}\nbody:\n"
    (folder / "net.yaml").write_text(f"{spec}  - {{parts.Pair: {{out: 8}}, name: one}}\n")
    commit("one")
    more = "  - {parts.Pair: {out: 8}, name: one}\n  - {parts.Pair: {out: 4}, name: two}\n"
    (folder / "net.yaml").write_text(spec + more)
    return folder


def git(*args: str) -> None:
    named = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", *named, *args], check=True, capture_output=True)


def commit(message: str) -> None:
    git("add", "--all")
    git("commit", "--quiet", "--message", message)


@pytest.mark.usefixtures("repository")
def test_a_revision_is_compared_with_its_imports() -> None:
    done = run("HEAD:net.yaml", "--diff", "net.yaml")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "+ two: Pair out 4 (1 layer)"


@pytest.mark.usefixtures("repository")
def test_two_revisions_are_compared() -> None:
    commit("two")
    done = run("HEAD~1:net.yaml", "--diff", "HEAD:net.yaml")
    assert "+ two: Pair out 4 (1 layer)" in done.stdout
    assert run("HEAD~1:net.yaml").stdout.startswith("digraph")


def test_a_file_that_is_no_more_is_found(repository: Path) -> None:
    (repository / "net.yaml").unlink()
    assert run("HEAD:net.yaml").exit_code == 0


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("HEAD~7:net.yaml", "`HEAD~7` is no revision of the repository repository"),
        ("nothing:net.yaml", "`nothing` is no revision"),
        ("--output=x:net.yaml", "`--output=x` is no revision"),
        ("HEAD:other.yaml", "there is no nets/other.yaml in HEAD"),
        ("HEAD:/net.yaml", "in no git repository"),
    ],
)
def test_what_git_lacks_is_told(spec: str, message: str, repository: Path) -> None:
    done = run("--", spec)
    assert done.exit_code == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_mistakes_of_a_revision_are_at_its_file(repository: Path) -> None:
    (repository / "net.yaml").write_text("name: net\ninput: [1, 8, 8]\nbody: [{conv: x}]\n")
    commit("bad")
    done = run("HEAD:net.yaml")
    assert done.exit_code == 1
    assert "HEAD:nets/net.yaml:3:" in done.stderr


@pytest.mark.usefixtures("repository")
def test_a_missing_git_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*args: object, **options: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(revision.subprocess, "run", missing)
    done = run("HEAD:net.yaml")
    assert (done.exit_code, "git was not found" in done.stderr) == (1, True)
