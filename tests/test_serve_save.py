"""Saving: the file stays the file that it was, and what others write to it is never lost."""

from __future__ import annotations

import codecs
import os
import random
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra `serve` is not installed")
pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")

from hypothesis import example, given, settings
from hypothesis import strategies as st
from serving import TINY, client_of, save

from cnndsl.serve import replacing
from cnndsl.serve.checks import Checks
from cnndsl.serve.document import GONE, UNREADABLE, Document, StaleError, UnreadableError
from cnndsl.serve.lines import ends_of, plain_ends
from cnndsl.serve.replacing import BusyError

fcntl = pytest.importorskip("fcntl", reason="leases and owners are of POSIX systems")
LEASES = hasattr(fcntl, "F_SETLEASE")


@pytest.fixture(params=["leases", "none"])
def leases(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """With leases, where the system lends them, and without."""
    if request.param == "none":
        monkeypatch.delattr(fcntl, "F_SETLEASE", raising=False)
    elif not LEASES:
        pytest.skip("this system lends no leases")
    return request.param == "leases"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


# --- what stays ---

ENDS = st.sampled_from(["\n", "\r\n", "\r"])
LINE = st.text("ab: äß字😀\u2028\x85\x0c", max_size=3)
FILES = st.lists(st.tuples(LINE, ENDS), max_size=8)


@st.composite
def edits(draw: st.DrawFn) -> tuple[bytes, str, bytes]:
    """A file, the text that an editor makes of it, and the file that then is right.

    One stretch of lines is replaced. Lines are numbered, so that it is plain which ones stay.
    """
    lines = [(f"{n}{text}", end) for n, (text, end) in enumerate(draw(FILES))]
    if lines and draw(st.booleans()):
        lines[-1] = (lines[-1][0], "")  # no end of the last line
    first = draw(st.integers(0, len(lines)))
    until = draw(st.integers(first, len(lines)))
    fresh = [f"new{n}{text}" for n, text in enumerate(draw(st.lists(LINE, max_size=3)))]
    before, after = lines[:first], lines[until:]
    above = before[-1][1] if before else (lines[0][1] if lines else "")
    put = [(text, above or "\n") for text in fresh]
    if before and not before[-1][1]:
        put = []  # nothing goes below a line without an end
    if put and not after and not (lines and lines[-1][1]):
        put[-1] = (put[-1][0], "")
    mark = draw(st.sampled_from([b"", codecs.BOM_UTF8]))
    text = "".join(text + ("\n" if end else "") for text, end in [*before, *put, *after])
    old, new = ("".join(map("".join, part)) for part in (lines, [*before, *put, *after]))
    return mark + old.encode(), text, mark + new.encode()


@pytest.mark.parametrize("link", ["none", "symlink", "chain", "hard"])
@settings(max_examples=40, deadline=None)
@given(edit=edits(), mode=st.integers(0o400, 0o777).map(lambda mode: mode | 0o600))
@example((b"", "a", b"a"), 0o600)
@example((b"a\r\nb\nc\r\n", "new\nb\nc\n", b"new\r\nb\nc\r\n"), 0o751)
def test_a_save_keeps_all_but_the_text(
    link: str, edit: tuple[bytes, str, bytes], mode: int
) -> None:
    old, text, new = edit
    with TemporaryDirectory() as folder:
        file, name = Path(folder, "inner", "net.yaml"), Path(folder, "net.yaml")
        file.parent.mkdir()
        file.write_bytes(old)
        file.chmod(mode)
        if link == "hard":
            name.hardlink_to(file)
        elif link == "symlink":
            name.symlink_to(file)
        elif link == "chain":
            name.with_name("between").symlink_to("inner/net.yaml")
            name.symlink_to("between")
        document = Document(file if link == "none" else name)
        seen = document.read()
        version = document.save(text, seen.version)
        assert file.read_bytes() == new
        assert stat.S_IMODE(file.stat().st_mode) == mode
        assert document.read() == type(seen)(plain_ends(text), version)
        assert name.is_symlink() == (link in ("symlink", "chain"))
        assert file.stat().st_nlink == (2 if link == "hard" else 1)
        left = {"inner", *(() if link == "none" else {"net.yaml"})}
        left |= {"between"} if link == "chain" else set()
        assert {path.name for path in Path(folder).iterdir()} == left
        assert [path.name for path in file.parent.iterdir()] == ["net.yaml"]


@given(st.lists(st.tuples(LINE, ENDS), max_size=8).map(lambda lines: "".join(map("".join, lines))))
def test_a_text_that_is_saved_as_it_was_read_changes_no_byte(before: str) -> None:
    assert ends_of(before, plain_ends(before)) == before
    assert plain_ends(ends_of(before, "x\ny\r\nz\r")) == "x\ny\nz\n"


def test_lines_between_two_edits_keep_their_ends() -> None:
    before = "a\r\nb\nc\r\nd\ne\r\n"
    assert ends_of(before, "new\na\nb\nc\nd\nx\n") == "new\r\na\r\nb\nc\r\nd\nx\n"
    many = "".join(f"{n}\r\n" if n % 3 else f"{n}\n" for n in range(9_000))
    text = f"x\n{plain_ends(many)}y\n"
    assert ends_of(f"{many}z\r", text) == f"x\n{many}y\r\n"


def test_pairing_lines_is_bounded() -> None:
    """Lines that stand there hundreds of times each, so that each may go with many."""
    chance = random.Random(1)
    old, new = ([str(chance.randrange(150)) for _ in range(70_000)] for _ in range(2))
    begun = time.process_time()
    saved = ends_of("\r\n".join(old) + "\n", "\n".join(new))
    assert time.process_time() - begun < 2
    assert plain_ends(saved) == "\n".join(new)


def test_a_save_keeps_the_owner(file: Path) -> None:
    try:
        os.chown(file, 12345, 54321)
    except PermissionError:
        pytest.skip("only root gives files away")
    document = Document(file)
    document.save("body: relu\n", document.version)
    assert (file.stat().st_uid, file.stat().st_gid) == (12345, 54321)


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="no extended attributes")
def test_a_save_keeps_attributes(file: Path) -> None:
    try:
        os.setxattr(file, "user.author", b"somebody")
    except OSError:
        pytest.skip("this file system has no attributes")
    document = Document(file)
    document.save("body: relu\n", document.version)
    assert os.getxattr(file, "user.author") == b"somebody"


@pytest.mark.parametrize("refused", ["fchown", "fchmod", "mkstemp", "link"])
def test_what_no_new_file_can_be_made_like_is_written_over(
    refused: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for the file of another account, in a folder that may only be read, without links."""

    def fail(*_: object, **__: object) -> None:
        raise PermissionError(1, "not permitted")

    fstat = os.fstat
    monkeypatch.setattr(replacing if refused == "mkstemp" else os, refused, fail)
    if refused == "fchown":
        number = file.stat().st_ino

        def other(handle: int) -> os.stat_result:
            found = fstat(handle)
            return (
                found if found.st_ino == number else os.stat_result((*found[:4], 12345, *found[5:]))
            )

        monkeypatch.setattr(os, "fstat", other)
    document, number = Document(file), file.stat().st_ino
    document.save("body: relu\n", document.version)
    assert (file.read_text(), file.stat().st_ino) == ("body: relu\n", number)
    assert [path.name for path in file.parent.iterdir()] == ["net.yaml"]


def test_a_failed_write_leaves_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk, whether the file is replaced or written over."""
    write, fsync = os.write, os.fsync

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    document = Document(file)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        document.save("body: relu\n", document.version)
    assert [path.name for path in file.parent.iterdir()] == ["net.yaml"]
    monkeypatch.setattr(os, "fsync", fsync)
    file.with_name("second.yaml").hardlink_to(file)
    begun: list[int] = []

    def half(handle: int, data: bytes) -> int:
        begun.append(handle)
        return write(handle, data[:4]) if len(begun) == 1 else full() if len(begun) == 2 else (
            write(handle, data)
        )  # fmt: skip

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="No space"):
        document.save("input: [1, 2, 2]\nbody: relu\n", document.version)
    assert len(begun) == 3
    assert file.read_text(encoding="utf-8") == TINY


# --- others who write ---


def append(file: Path, text: str) -> None:
    with file.open("a", encoding="utf-8") as end:
        end.write(text)


def rename(file: Path, text: str) -> None:
    other = file.with_name("other")
    other.write_text(text, encoding="utf-8")
    other.replace(file)


@pytest.mark.parametrize("moment", ["link", "replace"])
def test_a_writer_at_the_last_moment_wins(
    leases: bool, moment: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One appends after the second look, before the step or within it; then it is put back."""
    real: Callable[..., Any] = getattr(os, moment)
    writers: list[Thread] = []

    def late(*args: Any, **more: Any) -> Any:
        if not writers:
            writers.append(Thread(target=append, args=(file, "# theirs\n")))
            writers[0].start()
            writers[0].join(0.3)
        return real(*args, **more)

    monkeypatch.setattr(os, moment, late)
    document = Document(file)
    with pytest.raises(StaleError):
        document.save("body: relu\n", document.version)
    writers[0].join(5)
    assert file.read_text(encoding="utf-8") == TINY + "# theirs\n"
    assert [path.name for path in file.parent.iterdir()] == ["net.yaml"]


def test_an_editor_that_replaces_the_file_wins(
    leases: bool, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, done = os.link, []

    def late(*args: Any, **more: Any) -> Any:
        done or rename(file, "theirs")
        done.append(True)
        return real(*args, **more)

    monkeypatch.setattr(os, "link", late)
    document = Document(file)
    with pytest.raises(StaleError):
        document.save("body: relu\n", document.version)
    assert file.read_text(encoding="utf-8") == "theirs"


def test_the_look_before_the_step_sees_what_came_since_the_first(
    leases: bool, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = replacing.mkstemp

    def slow(*args: Any, **more: Any) -> Any:
        append(file, "# theirs\n")
        return real(*args, **more)

    monkeypatch.setattr(replacing, "mkstemp", slow)
    monkeypatch.setattr(os, "replace", lambda *_: pytest.fail("it was too late to replace"))
    document = Document(file)
    with pytest.raises(StaleError):
        document.save("body: relu\n", document.version)
    assert file.read_text(encoding="utf-8") == TINY + "# theirs\n"


WRITER = """
import sys, time
path, held = sys.argv[1], sys.argv[2] == "held"
print("begins", flush=True)
end = open(path, "a") if held else None
for n in range(250):
    if held:
        print(f"# w{n}", file=end, flush=True)
    else:
        with open(path, "a") as end:
            print(f"# w{n}", file=end)
    time.sleep(0.0015)
"""


@pytest.mark.skipif(not LEASES, reason="this system lends no leases")
@pytest.mark.parametrize("names", [1, 2])
@pytest.mark.parametrize("way", ["opened", "held"])
def test_no_line_of_a_writer_in_a_loop_is_lost(
    way: str, names: int, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program appends lines while the page saves as fast as it can; all of both are there."""
    monkeypatch.setattr(replacing, "PATIENCE", 0.1)
    if names == 2:
        file.with_name("second.yaml").hardlink_to(file)
    document, saved, told = Document(file), 0, 0
    command = [sys.executable, "-c", WRITER, str(file), way]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        writer.stdout.readline()
        while writer.poll() is None:
            found = document.read()
            try:
                document.save(f"{found.text}# s{saved}\n", found.version)
                saved += 1
            except (StaleError, BusyError):
                told += 1
    lines = file.read_text(encoding="utf-8").splitlines()
    assert [n for n in range(250) if f"# w{n}" not in lines] == []
    assert [n for n in range(saved) if f"# s{n}" not in lines] == []
    assert saved + told > 1
    assert len(list(file.parent.iterdir())) == names


@pytest.mark.skipif(not LEASES, reason="this system lends no leases")
def test_a_file_that_is_held_open_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replacing, "PATIENCE", 0.05)
    client = client_of(Document(file), Checks())
    version = Document(file).version
    with file.open("a"):
        refused = save(client, "body: relu\n", version)
    assert (refused.status_code, "net.yaml open" in refused.json()["error"]) == (423, True)
    with file.open():  # a reader is in nobody's way
        assert save(client, "body: relu\n", version).status_code == 200


# --- what is there instead ---


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_told_and_never_written_over(
    make: Callable[[Path], None], file: Path
) -> None:
    document = Document(file)
    client, version = client_of(document, Checks()), document.version
    file.unlink()
    make(file)
    before = file.lstat()
    assert document.version == UNREADABLE
    found = client.get("/api/spec")
    assert (found.status_code, "cannot read net.yaml" in found.json()["error"]) == (404, True)
    for seen in (version, GONE, UNREADABLE):
        assert save(client, TINY, seen).status_code == 403
        with pytest.raises(UnreadableError):
            document.save(TINY, seen)
    assert file.lstat() == before


def test_a_lost_file_is_written_anew_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = Document(file)
    client, version = client_of(document, Checks()), document.version
    file.unlink()
    answer = save(client, TINY, version)
    assert (answer.status_code, answer.json()["version"]) == (409, GONE)
    assert save(client, TINY, GONE).status_code == 200
    answer = save(client, "body: relu\n", GONE)
    assert (answer.status_code, answer.json()["version"]) == (409, version)
    assert file.read_text(encoding="utf-8") == TINY


def test_a_file_that_may_only_be_read_stays(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    answer = save(client_of(Document(file), Checks()), "body: relu\n", Document(file).version)
    assert (answer.status_code, answer.json()["error"]) == (403, "it may only be read")
    assert file.read_text(encoding="utf-8") == TINY
