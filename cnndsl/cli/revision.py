"""A spec as it was at a git revision: `REV:FILE`, `REV:FILE:VARIANT`."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cnndsl.diagnostics import Diagnostic, Frame, Span, SpecError

AT_REVISION = re.compile(r"(?P<revision>[^:]+):(?P<path>[^:]+\.ya?ml)(?P<variant>:[^:]+)?")
TIME_LIMIT = 60
"""Seconds that git may take."""
MAX_FILES = 2_000
"""How many specs are taken out of a revision."""


class RevisionError(Exception):
    """A spec that could not be had; `help` says what to do about it."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.help = help


@dataclass(frozen=True)
class Place:
    """Where a spec lies, and how messages call the folder that it lies in."""

    spec: str
    folder: str = ""
    shown: str = ""

    def told(self, diagnostics: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
        """The diagnostics with their files as users know them."""
        return tuple(
            replace(d, span=self._span(d.span), frames=tuple(map(self._frame, d.frames)))
            for d in diagnostics
        )

    def _frame(self, frame: Frame) -> Frame:
        return replace(frame, span=self._span(frame.span))

    def _span(self, span: Span) -> Span:
        if not self.folder or not span.source.path.startswith(self.folder):
            return span
        path = self.shown + span.source.path.removeprefix(self.folder)
        return replace(span, source=replace(span.source, path=path))


@contextmanager
def at_revision(spec: str) -> Iterator[Place]:
    """The spec's place: for `REV:FILE` a folder that holds it with all that it can import."""
    found = AT_REVISION.fullmatch(spec)
    if found is None or Path(spec).exists():
        yield Place(spec)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        path = _take_out(found["revision"], Path(found["path"]), folder)
        place = Place(f"{path}{found['variant'] or ''}", f"{folder}/", f"{found['revision']}:")
        try:
            yield place
        except SpecError as e:
            raise SpecError(place.told(e.diagnostics), e.reached) from None


def _take_out(revision: str, path: Path, folder: Path) -> Path:
    """Write the specs of a file's folder at a revision below `folder`."""
    near = next(parent for parent in path.resolve().parents if parent.is_dir())
    top = Path(_git(near, ["rev-parse", "--show-toplevel"], f"{near} is in no git repository"))
    try:
        inside = path.resolve().relative_to(top.resolve())
    except ValueError:
        raise RevisionError(f"{path} lies outside of the repository {top}") from None
    commit = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"]
    help = "as in `HEAD~1:net.yaml`, `main:net.yaml`, or a commit's number"
    tree = _git(top, commit, f"`{revision}` is no revision of the repository {top.name}", help)
    listed = ["ls-tree", "-r", "-z", "--name-only", tree, f"{inside.parent.as_posix()}/"]
    names = [n for n in _git(top, listed).split("\0") if n.endswith((".yaml", ".yml"))]
    if inside.as_posix() not in names:
        raise RevisionError(f"there is no {inside.as_posix()} in {revision}")
    names = [inside.as_posix(), *(n for n in names if n != inside.as_posix())][:MAX_FILES]
    _unpack(top, tree, names, folder)
    return folder / inside


def _unpack(top: Path, tree: str, names: Sequence[str], folder: Path) -> None:
    done = _run(top, ["archive", "--format=tar", tree, "--", *names])
    if done.returncode:
        raise RevisionError(f"git archive failed: {done.stderr.decode(errors='replace').strip()}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")


def _git(folder: Path, command: Sequence[str], failure: str = "", help: str = "") -> str:
    """What git prints; `failure` is told where it fails."""
    done = _run(folder, command)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise RevisionError(failure or f"git {command[0]} failed: {said}", help)
    return done.stdout.decode(errors="replace").rstrip("\n")


def _run(folder: Path, command: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *command],
            capture_output=True,
            timeout=TIME_LIMIT,
            check=False,
        )
    except FileNotFoundError:
        raise RevisionError("git was not found", "install it: `apt install git`") from None
    except (OSError, subprocess.TimeoutExpired) as e:
        raise RevisionError(f"git did not run: {e}") from e
