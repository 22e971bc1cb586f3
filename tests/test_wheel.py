"""The wheel, installed outside of the source tree."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PIP = [sys.executable, "-m", "pip"]
OFFLINE = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel, and with what it installs under `site`."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([*PIP, "wheel", str(ROOT), *OFFLINE, "-w", str(folder)], check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run(
        [*PIP, "install", *OFFLINE, "--target", str(folder / "site"), str(wheel)], check=True
    )
    return folder


def cnndsl(folder: Path, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "cnndsl", *args],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "site"), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_holds_what_it_needs(folder: Path) -> None:
    (wheel,) = folder.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"cnndsl/py.typed", "cnndsl/schema.json", "cnndsl/training/digits.csv.gz"} <= names
    page = {f"cnndsl/serve/static/{name}" for name in ("index.html", "page.css", "page.js")}
    assert page <= names
    assert not any("node_modules" in name for name in names)
    specs = {f"cnndsl/specs/{path.name}" for path in (ROOT / "specs").glob("*.yaml")}
    assert specs <= names
    assert not any(name.startswith("tests/") for name in names)


def test_shipped_names_work(folder: Path) -> None:
    code = "import cnndsl; print(cnndsl.__file__)"
    where = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "site")},
    )
    assert str(folder) in where.stdout
    assert "ok  resnet:resnet50" in cnndsl(folder, "build", "resnet50", "--check-shapes")


def test_trains(folder: Path) -> None:
    cnndsl(folder, "train", "lenet", "--epochs", "1", "--device", "cpu")
    (run,) = (folder / "runs").iterdir()
    assert (run / "best.pt").is_file()
