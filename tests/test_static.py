"""What holds of the code itself: imports go one way, and the static side never imports torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from torch import nn

from cnndsl.words import RESERVED

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "cnndsl"

# What each part may import, beside itself; a part is a module or package of cnndsl.
LAYERS: dict[str, set[str]] = {
    "diagnostics": {"words"},
    "files": set(),
    "expr": {"words"},
    "words": set(),
    "modules": set(),
    "shipped": set(),
    "strays": {"diagnostics"},
    "faults": {"diagnostics", "expr", "strays"},
    "source": {"words", "diagnostics", "faults", "files", "expr", "strays"},
    "ops": {"expr", "diagnostics"},
    "graph": {"ops", "diagnostics"},
    "plan": {"graph", "ops", "words"},
    "costs": {"graph", "ops", "plan"},
    "amounts": set(),
    "syntax": {"expr", "diagnostics"},
}
BACK_ENDS = {
    *("emitter", "builder", "exporter", "interpreter", "equivalence", "verify"),
    *("diagram", "plan", "costs", "summary"),
}
MAY_IMPORT_TORCH = {
    *("builder", "exporter", "importer", "interpreter", "equivalence", "modules", "training"),
    *("verify", "weights"),
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path: Path, top_level: bool = False) -> set[str]:
    """Names of the modules that a file imports; `top_level` leaves out those within functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def parts_of(names: set[str]) -> set[str]:
    known = {part(path) for path in modules()}
    return {n.split(".")[1] for n in names if n.startswith("cnndsl.")} & known


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    own, used = part(path), parts_of(imported(path))
    if own in LAYERS:
        assert used <= LAYERS[own] | {own}
    if own in BACK_ENDS:
        stages = {"elaborate", "parse", "schema", "load", "checker", "source", "syntax", "cli"}
        assert not used & stages, "a back end reads the graph alone"
    assert "cli" not in used or own in ("cli", "__main__")


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_torch_side_imports_torch(path: Path) -> None:
    torch = {
        n for n in imported(path, top_level=True) if n.split(".")[0] in ("torch", "torchvision")
    }
    assert not torch or part(path) in MAY_IMPORT_TORCH


STATIC = [
    ["build", "resnet50", "--check-shapes"],
    ["build", "googlenet", "--json"],
    ["draw", "lenet"],
    ["compare", "resnet50", "lenet", "--sort", "macs"],
    ["compare", "vgg16", "--profile"],
    ["sweep", "resnet_cifar", "--set", "n=1,2", "--dry-run"],
    ["schema"],
    ["--help"],
]


@pytest.mark.parametrize("args", STATIC, ids=" ".join)
def test_static_commands_load_no_torch(args: list[str]) -> None:
    code = (
        "import sys\nfrom cnndsl.cli import main\n"
        "try: main()\nexcept SystemExit as e: code = e.code\n"
        "heavy = {'torch', 'torchvision', 'numpy', 'matplotlib'} & set(sys.modules)\n"
        "assert not code and not heavy, (code, heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr.decode()


def test_importing_the_package_loads_no_torch() -> None:
    code = "import sys, cnndsl; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_reserved_names_are_those_of_modules() -> None:
    module = nn.Sequential()
    names = {name for name in {*dir(module), *vars(module)} if not name.startswith("__")}
    assert names <= RESERVED
