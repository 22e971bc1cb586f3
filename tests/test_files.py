"""What is read as a file: files alone, so that no FIFO, socket, device or folder makes one wait."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cnndsl.files import read_regular


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(os.path.relpath(path))


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "fifo": (os.mkfifo, "it is a FIFO, not a file"),
    "socket": (_socket, "it is a socket, not a file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "it is a device, not a file"),
    "terminal": (lambda path: path.symlink_to("/dev/tty"), "it is a device, not a file"),
    "folder": (Path.mkdir, "Is a directory"),
    "fifo_behind_a_link": (
        lambda path: (os.mkfifo(path.with_name("pipe")), path.symlink_to("pipe")),
        "it is a FIFO, not a file",
    ),
}


@pytest.fixture(params=ODD)
def odd(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Puts something that is no file in the place of `odd.yaml`; what is said of it."""
    monkeypatch.chdir(tmp_path)
    make, said = ODD[request.param]
    make(tmp_path / "odd.yaml")
    return said


def test_what_is_no_file_is_told(odd: str) -> None:
    with pytest.raises(OSError, match=odd):
        read_regular(Path("odd.yaml"))


def test_what_is_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_bytes(b"body: relu\n")
    path.with_name("link").symlink_to(path)
    assert read_regular(path) == read_regular(path.with_name("link")) == b"body: relu\n"
    assert read_regular(path, 4) == b"body"
    with pytest.raises(FileNotFoundError):
        read_regular(path.with_name("missing"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="FIFOs are of POSIX systems")
def test_no_command_waits_for_one(tmp_path: Path) -> None:
    """Every command that takes a spec, at once; each ends, and says what stands there."""
    os.mkfifo(tmp_path / "odd.yaml")
    (tmp_path / "run").mkdir()
    os.mkfifo(tmp_path / "run" / "run.yaml")
    for name, key in (("user", "import: {std: odd.yaml}"), ("heir", "extends: odd.yaml")):
        (tmp_path / f"{name}.yaml").write_text(f"{key}\ninput: [1, 2, 2]\nbody: relu\n")
    commands = {
        ("build", "odd.yaml"): "FIFO",
        ("draw", "odd.yaml"): "FIFO",
        ("compare", "odd.yaml", "lenet"): "FIFO",
        ("compare", "run"): "FIFO",
        ("schema", "odd.yaml"): "FIFO",
        ("serve", "odd.yaml", "--no-open"): "FIFO",
        ("build", "user.yaml"): "no file odd.yaml",
        ("build", "heir.yaml"): "no file odd.yaml",
    }
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom cnndsl.cli import app\n"
        "for line in sys.stdin:\n"
        "    done = CliRunner().invoke(app, line.split())\n"
        "    print(done.exit_code, ' '.join(done.output.split()), flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input="\n".join(map(" ".join, commands)), text=True,
        capture_output=True, cwd=tmp_path, timeout=60, env=os.environ | {"PYTHONPATH": _root()},
    )  # fmt: skip
    said = done.stdout.splitlines()
    assert len(said) == len(commands), done.stderr
    for (command, words), line in zip(commands.items(), said, strict=True):
        assert line.startswith("1 "), (command, line)
        assert words in line, (command, line)


def _root() -> str:
    return str(Path(__file__).parent.parent)
