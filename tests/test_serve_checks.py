"""Checks of the live page end: with their client, with a newer text, in time, and with Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra `serve` is not installed")
pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")

import psutil
from serving import LET_SLOW, SLOW, SLUGGISH, TINY, checking, client_of, started

from cnndsl.serve import checks as module
from cnndsl.serve.answer import Look
from cnndsl.serve.checks import Worker
from cnndsl.serve.document import Document
from cnndsl.serve.worker import Check


@dataclass
class Served:
    """A running server where texts that begin with `SLOW` are checked for ever."""

    process: subprocess.Popen[str]
    host: str
    token: str

    def ask(self, text: str, page: str = "") -> HTTPConnection:
        """A check that is asked for; its answer is not yet awaited."""
        connection = HTTPConnection(self.host, timeout=20)
        body = json.dumps({"text": text, "page": page})
        headers = {"content-type": "application/json", "x-token": self.token}
        connection.request("POST", "/api/check", body, headers)
        return connection

    def check(self, text: str, page: str = "") -> tuple[int, Any]:
        answer = self.ask(text, page).getresponse()
        return answer.status, json.loads(answer.read())

    def workers(self) -> set[int]:
        return {child.pid for child in psutil.Process(self.process.pid).children()}

    def busy(self) -> set[int]:
        """The processes that have computed within the last moment."""
        before = self.times()
        time.sleep(0.15)
        return {pid for pid, time in self.times().items() if time > before.get(pid, time) + 0.02}

    def times(self) -> dict[int, float]:
        """The seconds that each process has computed."""
        found = {}
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):
                found[child.pid] = child.cpu_times().user
        return found


def serve(path: Path) -> Served:
    path.write_text(TINY, encoding="utf-8")
    process, address = started(path, LET_SLOW)
    host, _, token = address.removeprefix("http://").partition("/#token=")
    return Served(process, host, token)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = serve(tmp_path_factory.mktemp("checks") / "net.yaml")
    yield served
    served.process.send_signal(signal.SIGINT)
    served.process.communicate(timeout=10)


def awaited(true: Callable[[], Any], seconds: float = 10) -> Any:
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)
    return found


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


# --- what ends a check ---


def test_a_check_ends_when_its_client_is_gone(served: Served) -> None:
    connection = served.ask(SLOW)
    (pid,) = awaited(served.busy)
    connection.close()
    awaited(lambda: not alive(pid))
    assert served.check(TINY)[0] == 200


def test_a_newer_text_of_the_page_ends_a_check_and_no_other(served: Served) -> None:
    other = served.ask(SLOW, "other")
    awaited(served.busy)
    with ThreadPoolExecutor() as pool:
        older: Future[tuple[int, Any]] = pool.submit(served.check, SLOW + "# older", "mine")
        awaited(lambda: len(served.busy()) == 2)
        newer = served.check(TINY, "mine")
        assert newer[0] == 200
        assert newer[1]["network"]["rows"]
        assert older.result(10) == (409, {"error": "a newer text came"})
    awaited(lambda: len(served.busy()) == 1)
    other.close()
    awaited(lambda: not served.busy())


def test_a_check_has_a_time_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WORK", SLUGGISH)
    with checking(limit=0.5) as checks:
        client = client_of(Document(tmp_path / "net.yaml"), checks)
        begun = time.monotonic()
        for path, what in (("/api/check", "check"), ("/api/schema", "check")):
            answer = client.post(path, content=json.dumps({"text": SLOW}))
            assert answer.status_code == 504
            assert answer.json() == {"error": f"the {what} took more than 0.5 s and was ended"}
        assert time.monotonic() - begun < 8
    with checking() as checks:
        client = client_of(Document(tmp_path / "net.yaml"), checks)
        assert client.post("/api/check", content=json.dumps({"text": TINY})).status_code == 200


def test_there_is_a_bound_of_checks_at_once(tmp_path: Path) -> None:
    with checking() as checks:
        client = client_of(Document(tmp_path / "net.yaml"), checks)
        checks._asked |= dict.fromkeys(map(str, range(module.MAX_ASKED)))  # type: ignore[arg-type]
        answer = client.post("/api/check", content=json.dumps({"text": TINY}))
        assert (answer.status_code, "more than" in answer.json()["error"]) == (503, True)
        checks._asked.clear()


def test_a_process_that_nobody_ends_ends_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the server was killed: its pipes are closed, or its check takes too long."""
    monkeypatch.setattr(module, "_WORK", SLUGGISH)
    idle, busy = Worker(), Worker()
    assert busy.ask(Check(SLOW, Path("net.yaml"), "", Look()), 0.1) is None, "after 2 s"
    assert not busy.lives
    assert idle._process.stdin
    idle._process.stdin.close()
    assert idle._process.wait(10) == 0


def test_a_process_that_was_lost_is_told_and_replaced(tmp_path: Path) -> None:
    with checking() as checks:
        client = client_of(Document(tmp_path / "net.yaml"), checks)
        checks.warm()
        os.kill(checks._idle[0]._process.pid, signal.SIGKILL)
        checks._idle[0]._process.wait()
        content = json.dumps({"text": TINY})
        assert client.post("/api/check", content=content).status_code == 200
        (worker,) = checks._idle
        assert client.post("/api/check", content=content).status_code == 200
        assert checks._idle == [worker], "the warm one is used again"


DEFECT = """\
import cnndsl.serve.worker as worker
def answered(question):
    print("what an op prints")
    raise LookupError("a defect")
worker.answered = answered
worker.main()
"""


def test_a_defect_is_said_to_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "_WORK", DEFECT)
    with checking() as checks:
        client = client_of(Document(tmp_path / "net.yaml"), checks)
        for _ in range(2):
            answer = client.post("/api/check", content=json.dumps({"text": TINY}))
            assert (answer.status_code, "a defect" in answer.json()["error"]) == (500, True)
    assert "LookupError: a defect" in capfd.readouterr().err


def test_no_file_of_the_folder_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check runs none of the Python beside a spec, whatever its name."""
    for name in ("yaml", "cnndsl", "json", "sitecustomize", "net"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w').close()\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with checking() as checks:
        client = client_of(Document(tmp_path / "net.yaml"), checks)
        assert client.post("/api/check", content=json.dumps({"text": TINY})).status_code == 200
    assert not (tmp_path / "ran").exists()


# --- what ends the server ---


def test_ctrl_c_is_quiet_while_a_process_starts(tmp_path: Path) -> None:
    served = serve(tmp_path / "net.yaml")
    awaited(served.workers)
    os.killpg(served.process.pid, signal.SIGINT)
    _, said = served.process.communicate(timeout=10)
    assert (served.process.returncode, said) == (130, "")


def test_ctrl_c_ends_the_server_at_once(tmp_path: Path) -> None:
    """While a check runs, events are streamed, and a request is half sent."""
    served = serve(tmp_path / "net.yaml")
    running = served.ask(SLOW)
    events = HTTPConnection(served.host, timeout=20)
    events.request("GET", "/api/changes", headers={"x-token": served.token})
    stream = events.getresponse()
    assert b"version" in stream.readline()
    host, _, port = served.host.partition(":")
    idle = [socket.create_connection((host, int(port))) for _ in range(3)]
    idle[0].sendall(b"GET / HTTP/1.1\r\n")
    idle[1].sendall(f"GET / HTTP/1.1\r\nHost: {served.host}\r\n\r\n".encode())
    awaited(served.busy)
    workers = served.workers()
    begun = time.monotonic()
    os.killpg(served.process.pid, signal.SIGINT)
    _, said = served.process.communicate(timeout=10)
    assert time.monotonic() - begun < 2
    assert served.process.returncode == 130
    assert workers
    assert not [pid for pid in workers if alive(pid)]
    assert "Traceback" not in said
    assert running.getresponse().status == 503
    for connection in idle:
        connection.close()
