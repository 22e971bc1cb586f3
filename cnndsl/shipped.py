"""The specs that come with the package."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml


@cache
def folder() -> Path:
    """Where the shipped specs lie: in the installed package, or beside it in a source tree."""
    package = Path(__file__).resolve().parent
    installed = package / "specs"
    return installed if installed.is_dir() else package.parent / "specs"


@cache
def files() -> dict[str, Path]:
    """The shipped specs by name."""
    return {path.stem: path for path in sorted(folder().glob("*.yaml"))}


def find(name: str) -> tuple[Path, str] | None:
    """The file and the variant that a shipped name means: `resnet`, or a variant as `resnet50`."""
    known = files()
    if name in known and name not in variants(known[name]):
        return known[name], ""
    # The family whose name begins the variant's is tried first: most often it is the one.
    ordered = sorted(known, key=lambda stem: (not name.startswith(stem), -len(stem)))
    for stem in ordered:
        if name in variants(known[stem]):
            return known[stem], name
    return None


def names() -> list[str]:
    """Every name that `find` knows."""
    return sorted({*files(), *(v for path in files().values() for v in variants(path))})


@cache
def variants(path: Path) -> tuple[str, ...]:
    """The variants of a file, read without looking at the rest."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith("variants:")), None)
    if start is None:
        return ()
    rest = range(start + 1, len(lines))
    end = next((i for i in rest if lines[i] and lines[i][0] not in " #"), len(lines))
    table = yaml.load("\n".join(lines[start:end]), Loader=loader)["variants"]
    return tuple(str(name) for name in table or ())
