"""What is read as a file: files alone, so that no FIFO, socket, device or folder makes one wait.
And what a command writes over a file: it stays the file that it was."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnndsl.cli import app
from cnndsl.files import put_in_place, read_regular


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


# --- what is written over ---

WRITERS = {
    "net.py": ["build", "lenet", "-o"],
    "net.svg": ["draw", "lenet", "-o"],
    "net.safetensors": ["export", "lenet", "-o"],
    "net.csv": ["compare", "lenet", "-o"],
    "net.json": ["schema", "-o"],
    "copy.pt": ["build", "lenet", "--weights", "net.safetensors", "-o"],
}


@pytest.mark.parametrize("link", ["none", "symlink", "hard"])
def test_a_file_that_is_written_over_stays_the_file(
    link: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, command in WRITERS.items():
        path, other = Path(name), Path(f"other-{name}")
        path.write_bytes(b"old")
        path.chmod(0o640)
        if link == "symlink":
            other.symlink_to(name)
        elif link == "hard":
            other.hardlink_to(path)
        given = path if link == "none" else other
        done = CliRunner().invoke(app, [*command, str(given)])
        assert done.exit_code == 0, done.output
        assert path.read_bytes() != b"old", name
        assert stat.S_IMODE(path.stat().st_mode) == 0o640, name
        assert given.is_symlink() == (link == "symlink")
        assert path.stat().st_nlink == (2 if link == "hard" else 1)
        assert given.read_bytes() == path.read_bytes()
    assert not [left for left in tmp_path.iterdir() if left.name.startswith(".")]


def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    """A device and a pipe stay what they are; a folder is told."""
    with put_in_place(Path("/dev/null")) as fresh:
        fresh.write_bytes(b"new")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    reader, writer = os.pipe()
    with put_in_place(Path(f"/proc/self/fd/{writer}")) as fresh:
        fresh.write_bytes(b"new")
    assert os.read(reader, 9) == b"new"
    os.close(reader)
    os.close(writer)
    with pytest.raises(IsADirectoryError), put_in_place(tmp_path) as fresh:
        fresh.write_bytes(b"new")


@pytest.mark.parametrize("refused", ["fchmod", "access"])
def test_what_cannot_be_replaced_is_written_over(
    refused: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the file of another account, and one in a folder that may only be read."""
    path = tmp_path / "net.yaml"
    path.write_bytes(b"old")
    path.chmod(0o751)
    number = path.stat().st_ino

    def fail(*_: object, **__: object) -> None:
        raise PermissionError(1, "not permitted")

    access = os.access
    fake = {"fchmod": fail, "access": lambda at, mode: at != tmp_path and access(at, mode)}
    monkeypatch.setattr(os, refused, fake[refused])
    with put_in_place(path) as fresh:
        fresh.write_bytes(b"new")
    assert (path.read_bytes(), path.stat().st_ino) == (b"new", number)
    assert stat.S_IMODE(path.stat().st_mode) == 0o751


def test_what_fails_leaves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.yaml"
    path.write_bytes(b"old")

    def write() -> None:
        with put_in_place(path) as fresh:
            fresh.write_bytes(b"half")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write()
    assert path.read_bytes() == b"old"
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError, match="it may only be read"), put_in_place(path):
        pass
    assert [left.name for left in tmp_path.iterdir()] == ["net.yaml"]


def _root() -> str:
    return str(Path(__file__).parent.parent)
