"""An op from another package: one class and an entry point."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent

PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "swoosh-op"
version = "1.0"
[project.entry-points."cnndsl.ops"]
swoosh = "swoosh_op.op:Swoosh"
[tool.hatch.build.targets.wheel]
packages = ["swoosh_op"]
"""

OP = '''
from cnndsl.ops.base import Call, Family, Op, Shape, arg, call


class Swoosh(Op, name="swoosh"):
    """Bend the values by a learned slope for each channel."""

    family = Family.ACTIVATION
    slope: float = arg("The slope to begin with.", default=1.0, min=0, primary=True)

    def weights(self, x: Shape) -> dict[str, tuple[int, ...]]:
        return {"slope": (x.channels,)}

    def module(self, x: Shape) -> Call:
        return call("swoosh_op.layers:Swoosh", x.channels, slope=self.slope)
'''

LAYERS = """
import torch
from torch import nn


class Swoosh(nn.Module):
    def __init__(self, channels, slope=1.0):
        super().__init__()
        self.slope = nn.Parameter(torch.full((channels,), slope))

    def forward(self, x):
        return x * torch.sigmoid(self.slope[:, None, None] * x)
"""

SPEC = """
input: [3, 8, 8]
body:
  - {conv: 4, name: stem}
  - {swoosh: 2.0, name: bend}
  - swoosh
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with the op's package installed in it."""
    folder = tmp_path_factory.mktemp("plugin")
    package = folder / "project" / "swoosh_op"
    package.mkdir(parents=True)
    (package.parent / "pyproject.toml").write_text(PYPROJECT)
    (package / "__init__.py").write_text("")
    (package / "op.py").write_text(OP)
    (package / "layers.py").write_text(LAYERS)
    (folder / "net.yaml").write_text(SPEC)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "-q"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(folder / "site")]
    subprocess.run([*command, str(package.parent)], check=True)
    return folder


def cnndsl(site: Path, *args: str) -> str:
    path = os.pathsep.join([str(site / "site"), str(ROOT)])
    code = "from cnndsl.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *args],
        capture_output=True,
        text=True,
        cwd=site,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_is_in_the_schema(site: Path) -> None:
    schema = json.loads(cnndsl(site, "schema"))
    op = schema["$defs"]["op.swoosh"]
    assert op["description"].startswith("Bend the values")
    assert op["properties"]["slope"]["default"] == 1.0
    assert "swoosh" in schema["$defs"]["node"]["properties"]


def test_is_checked_and_verified(site: Path) -> None:
    told = json.loads(cnndsl(site, "build", "net.yaml", "--verify", "--json"))
    assert [layer["path"] for layer in told["layers"]] == ["stem", "bend", "2"]
    assert [layer["params"] for layer in told["layers"]] == [16, 4, 4]


def test_is_drawn(site: Path) -> None:
    assert "swoosh" in cnndsl(site, "draw", "net.yaml").lower()


def test_is_emitted_and_trains(site: Path) -> None:
    cnndsl(site, "build", "net.yaml", "-o", "model.py")
    source = (site / "model.py").read_text()
    assert "from swoosh_op.layers import Swoosh" in source
    assert "Swoosh(4, slope=2.0)" in source


def test_a_wrong_argument_is_a_diagnostic(site: Path) -> None:
    (site / "wrong.yaml").write_text(SPEC.replace("2.0", "-2"))
    code = "from cnndsl.cli import main; main()"
    path = os.pathsep.join([str(site / "site"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", code, "build", "wrong.yaml"],
        capture_output=True,
        text=True,
        cwd=site,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 1
    assert "wrong.yaml:5:14: error[schema]: swoosh takes a number of at least 0" in done.stderr


def refused(site: Path, text: str, *places: Path) -> str:
    """What `build` says of a spec that it refuses, with the packages of these folders."""
    (site / "refused.yaml").write_text(text)
    path = os.pathsep.join([*map(str, places), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", "from cnndsl.cli import main; main()", "build", "refused.yaml"],
        capture_output=True,
        text=True,
        cwd=site,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("node", ["swoosh", "{swoosh: 2.0}", "{swoosh: {slope: 1}, name: a}"])
def test_an_op_of_a_package_that_is_not_installed(site: Path, node: str) -> None:
    text = f"requires: [swoosh_op]\ninput: [3, 8, 8]\nbody: [{{conv: 4}}, {node}]\n"
    told = refused(site, text)
    assert told.count("error[") == 1
    assert "`swoosh_op` is not installed: `pip install swoosh_op`" in told
    assert "pip" not in refused(site, text.replace("[swoosh_op]", "[]"))


TELL = """
import json, sys
import cnndsl
told = []
for text in json.load(sys.stdin):
    open("told.yaml", "w").write(text)
    try:
        found = cnndsl.check("told.yaml").diagnostics
    except cnndsl.SpecError as e:
        found = e.diagnostics
    told.append([d.to_json() for d in found])
print(json.dumps(told))
"""


def messages(site: Path, texts: list[str], *places: Path) -> list[list[dict[str, Any]]]:
    """What is told of each spec, with the packages of these folders."""
    path = os.pathsep.join([*map(str, places), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", TELL],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        cwd=site,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    told: list[list[dict[str, Any]]] = json.loads(done.stdout)
    return told


UNKNOWN = [
    ("body: [swoosh]", ""),
    ("body: [{swoosh: 2.0}]", ""),
    ("body: [crelu]", "did you mean `prelu`?"),
    ("body: [{crelu: }, relu]", "did you mean `prelu`?"),
    ("body: [{use: swoosh}]", ""),
    ("body: [{use: crelu}]", "did you mean `prelu`?"),
    ("params: {act: swoosh}\nbody: [{use: $act}]", ""),
    ("defaults: {swoosh: {slope: 2.0}}\nbody: [relu]", ""),
    ("defaults: {crelu: {init: 2.0}}\nbody: [prelu]", "did you mean `prelu`?"),
    ("init: {swoosh: {slope: 0}}\nbody: [relu]", ""),
    ("init: {crelu: {slope: 0}}\nbody: [relu]", "did you mean `prelu`?"),
]


def test_wherever_an_op_stands_its_package_is_named(site: Path) -> None:
    """Once, beside the op that may be meant; and not that of a package that is there."""
    texts = [f"requires: [swoosh_op]\ninput: [3, 8, 8]\n{part}\n" for part, _ in UNKNOWN]
    for (part, near), told in zip(UNKNOWN, messages(site, texts), strict=True):
        (error,) = told
        assert error["severity"] == "error"
        assert error["help"].count("`swoosh_op` is not installed: `pip install swoosh_op`") == 1
        assert error["help"].startswith(near), part
    there = messages(site, texts, site / "site")
    assert not any(
        "installed" in one["help"]
        for (_, near), told in zip(UNKNOWN, there, strict=True)
        for one in told
        if near
    )


@pytest.mark.parametrize(
    ("requires", "places", "message", "help"),
    [
        ("swoosh_op", [], "`swoosh_op` is not installed", "`pip install swoosh_op`"),
        ("pytest", ["site"], "`pytest` is installed, and offers no op", ""),
        ("swoosh_op", ["broken", "site"], "`swoosh` of `swoosh_op` fails to load", ""),
        ("swoosh_op", ["site"], "", ""),
    ],
)
def test_a_required_package_is_told_though_no_op_of_it_is_used(
    site: Path, requires: str, places: list[str], message: str, help: str
) -> None:
    broken = site / "broken" / "swoosh_op"
    broken.mkdir(parents=True, exist_ok=True)
    (broken / "__init__.py").write_text("")
    (broken / "op.py").write_text("1 / 0")
    text = f"input: [3, 8, 8]\nrequires:\n  - {requires}\nbody: [relu]\n"
    (told,) = messages(site, [text], *(site / place for place in places))
    assert len(told) == bool(message)
    for one in told:
        assert (one["severity"], one["line"], one["column"]) == ("warning", 3, 5)
        assert one["message"].startswith(message)
        assert one["help"] == help


@pytest.mark.parametrize("node", ["wobble", "{wobble: 2.0}"])
def test_an_op_that_the_package_does_not_offer(site: Path, node: str) -> None:
    text = f"requires: [swoosh_op]\ninput: [3, 8, 8]\nbody: [{{conv: 4}}, {node}]\n"
    told = refused(site, text, site / "site")
    assert told.count("error[") == 1
    assert "`swoosh_op` is installed, and offers `swoosh`" in told


@pytest.mark.parametrize(
    ("requires", "code"),
    [
        ("", "import absent_library"),
        ("", "1 / 0"),
        ("requires: [swoosh-op]\n", "Swoosh = wrong"),
        ("requires: [swoosh_op]\n", ""),
    ],
)
def test_an_op_whose_package_fails_to_load(
    site: Path, tmp_path: Path, requires: str, code: str
) -> None:
    (tmp_path / "swoosh_op").mkdir()
    (tmp_path / "swoosh_op" / "__init__.py").write_text("")
    (tmp_path / "swoosh_op" / "op.py").write_text(code)
    text = f"{requires}input: [3, 8, 8]\nbody: [{{conv: 4}}, swoosh]\n"
    told = refused(site, text, tmp_path, site / "site")
    assert told.count("error[") == 1
    assert "`swoosh` of `swoosh-op` fails to load: " in told
    assert "Error: " in told


def test_a_package_of_which_no_op_is_used(site: Path) -> None:
    (site / "quiet.yaml").write_text("requires: [swoosh_op]\ninput: [3, 8, 8]\nbody: [relu]\n")
    told = json.loads(cnndsl(site, "build", "quiet.yaml", "--json"))
    assert [layer["op"] for layer in told["layers"]] == ["relu"]
    assert told["diagnostics"] == []
