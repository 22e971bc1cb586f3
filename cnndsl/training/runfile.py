"""`run.yaml`: a run as a spec of its own, which trains the same network in the same way again."""

from __future__ import annotations

import datetime
import hashlib
import platform
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from cnndsl import source
from cnndsl.diagnostics import Report
from cnndsl.files import read_regular
from cnndsl.graph import Graph
from cnndsl.load import find
from cnndsl.recipe import Recipe, without_unread
from cnndsl.training.checkpoint import RUN, write
from cnndsl.training.target import title

PACKAGES = ("cnndsl", "torch", "torchvision", "lightning-fabric", "numpy", "pillow")
DROPPED = ("variants", "expect", "published", "extends", "run", "cnndsl")


@dataclass(frozen=True)
class Resolved:
    """A spec without variants, as plain values, and the files that it imports by their paths."""

    values: dict[str, Any]
    files: dict[str, bytes]


def write_run(
    folder: Path, spec: str, graph: Graph, recipe: Recipe, more: Mapping[str, Any]
) -> None:
    """Write `run.yaml`, and the files that the spec imports beside it."""
    resolved = resolve(spec, graph, recipe)
    about = {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seed": recipe.seed,
        **more,
        "versions": dict(versions()),
        "git": git_state(find(spec, Report())),
    }
    for name, data in resolved.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write(folder / name, lambda file, data=data: file.write(data))  # type: ignore[misc]
    text = "# A run of `cnndsl train`; `cnndsl train run.yaml` repeats it.\n"
    text += dump({**resolved.values, "run": about})
    write(folder / RUN, lambda file: file.write(text.encode()))


def resolve(spec: str, graph: Graph, recipe: Recipe) -> Resolved:
    """The spec with the values that were chosen: parameters, input and recipe."""
    target = find(spec, Report())
    assert target is not None, "the spec was checked before"
    values, folder = _values(target.path)
    declared = values.get("params") or {}
    values |= {
        "name": title(graph),
        "params": {name: graph.params[name] for name in declared if name in graph.params},
        "input": list(graph.inputs[0].shape),
        "train": without_unread(recipe),
    }
    values = {name: value for name, value in values.items() if name not in DROPPED}
    return Resolved({"cnndsl": 1, **values}, dict(_imported(values, folder, folder)))


def _values(path: Path) -> tuple[dict[str, Any], Path]:
    """A file's values over those of the file that it extends, and the folder of the latter."""
    values = _read(path)
    base = values.get("extends")
    if base is None:
        return values, path.parent
    below = path.parent / str(base).partition(":")[0]
    target = find(str(below if below.suffix in (".yaml", ".yml") else base), Report())
    assert target is not None, "the spec was checked before"
    inherited, folder = _values(target.path)
    about = {name: values[name] for name in ("about",) if name in values}
    return inherited | about, folder


def _imported(values: Mapping[str, Any], folder: Path, root: Path) -> Iterator[tuple[str, bytes]]:
    """The files that these values import, and those that they import."""
    for name in (values.get("import") or {}).values():
        path = folder / str(name)
        if path.suffix in (".yaml", ".yml"):
            yield str(path.relative_to(root)), read_regular(path)
            yield from _imported(_read(path), path.parent, root)


def _read(path: Path) -> dict[str, Any]:
    located = source.read_file(path, str(path), Report())
    values = source.plain(located) if located else {}
    assert isinstance(values, dict), "the spec was checked before"
    return values


def dump(values: Mapping[str, Any]) -> str:
    """Values as YAML, in their order."""
    return str(
        yaml.safe_dump(
            dict(values), sort_keys=False, allow_unicode=True, width=96, default_flow_style=None
        )
    )


def structure(graph: Graph) -> str:
    """A short hash of what a network computes, whatever it is called."""
    nodes = [(node.path, repr(node.op), node.inputs, tuple(node.shape)) for node in graph.nodes]
    outputs = [(o.name, o.node, o.train_only, o.loss_weight) for o in graph.outputs]
    return hashlib.sha256(repr((nodes, outputs)).encode()).hexdigest()[:16]


def versions() -> Iterator[tuple[str, str]]:
    """Of Python and the packages that decide what a run gives."""
    yield "python", platform.python_version()
    for package in PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            continue


def git_state(target: Any) -> dict[str, Any] | None:
    """The commit of the spec's folder, and whether files differ from it; None outside git."""
    folder = target.path.resolve().parent if target else Path.cwd()
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit.strip(), "changed": bool(changed.strip())}


def _git(folder: Path, *command: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *command],
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    return done.stdout
