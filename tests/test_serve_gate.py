"""Who may ask the server of a spec what: nobody without its secret, and nothing odd."""

from __future__ import annotations

import itertools
import json
import re
import stat
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pytest

pytest.importorskip("starlette", reason="the extra `serve` is not installed")
pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")

import anyio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from serving import HOST, TINY, checking, client_of
from starlette.routing import Route
from starlette.testclient import TestClient

from cnndsl.diagram import THEMES
from cnndsl.serve.checks import Checks
from cnndsl.serve.document import Document
from cnndsl.serve.guard import MAX_BODY, Gate
from cnndsl.serve.run import _opened
from cnndsl.source import MAX_BYTES

SECRET = "0123456789-abcdefghijklmnopqrstuvwxyz_ABCDE"


@pytest.fixture(scope="module")
def checks() -> Iterator[Checks]:
    with checking() as checks:
        yield checks


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gate") / "whose.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def client(file: Path, checks: Checks) -> TestClient:
    return client_of(Document(file), checks, Gate(8421, SECRET))


# --- who ---

OPEN = {"/", "/static/page.js", "/static/page.css", "/static/index.html"}
TOKENS = {"none": None, "empty": "", "wrong": "x" * len(SECRET), "part": SECRET[:-1],
          "letters": "ä", "right": SECRET}  # fmt: skip
HOSTS = {HOST: True, "localhost:8421": True, "evil.example": False, "evil.example:8421": False,
         "127.0.0.1:1": False, "127.0.0.1": False, "": False}  # fmt: skip
ORIGINS = {None: True, f"http://{HOST}": True, "http://localhost:8421": True,
           "http://evil.example": False, "http://127.0.0.1:9": False, "null": False,
           f"https://{HOST}": False}  # fmt: skip


def routes(client: TestClient) -> list[tuple[str, str]]:
    """Every method of every route, files that are open, and paths that are none."""
    found = [r for r in client.app.app.routes if isinstance(r, Route)]  # type: ignore[attr-defined]
    own = [(method, route.path) for route in found for method in sorted(route.methods or ())]
    assert {path for _, path in own} >= {"/", "/api/spec", "/api/check", "/api/changes"}
    odd = ["/x", "//api/spec", "/static", "/api/", "/API/spec", "/static/../api/spec"]
    return [*own, *(("GET", path) for path in sorted(OPEN - {"/"})), *(("GET", p) for p in odd)]


def senders() -> Iterator[tuple[str, str, str | None]]:
    """A token, a host and an origin each: all tokens, and all places with and without the token."""
    yield from ((token, HOST, None) for token in TOKENS)
    for token in ("none", "right"):
        yield from ((token, host, f"http://{HOST}") for host in HOSTS)
        yield from ((token, HOST, origin) for origin in ORIGINS)


def test_every_route_asks_for_the_secret_and_its_own_address(client: TestClient) -> None:
    bare = TestClient(client.app, base_url=f"http://{HOST}")
    admitted = 0
    for (method, path), (token, host, origin) in itertools.product(routes(client), senders()):
        sent = {"host": host, "origin": origin, "x-token": TOKENS[token]}
        headers = {name: value.encode() for name, value in sent.items() if value is not None}
        answer = bare.request(method, path, headers=headers)
        meant = HOSTS[host] and ORIGINS[origin] and (path in OPEN or token == "right")
        assert (answer.status_code != 403) == meant, (method, path, token, host, origin)
        admitted += meant
        if token != "right" or not meant:
            told = answer.text.lower() + str(answer.headers).lower()
            assert not [word for word in (SECRET.lower(), "whose", "tiny") if word in told]
        if method == "GET" and path in OPEN and meant:
            assert answer.status_code == 200
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "set-cookie" not in answer.headers
    assert admitted > 100


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", "same-origin"])
@pytest.mark.parametrize("mode", ["navigate", "cors", "no-cors", "websocket"])
def test_pages_of_other_sites_may_only_lead_to_the_page(
    client: TestClient, site: str, mode: str
) -> None:
    headers = {"sec-fetch-site": site, "sec-fetch-mode": mode}
    own = site in ("same-origin", "none")
    for path in ("/", "/static/page.js", "/api/spec", "/api/changes"):
        let_in = own or (path == "/" and mode == "navigate")
        assert (client.get(path, headers=headers).status_code == 200) == let_in
    for method, path in (("POST", "/"), ("PUT", "/api/spec"), ("POST", "/api/check")):
        assert own or client.request(method, path, headers=headers, content="{}").is_client_error


def test_the_secret_is_of_the_part_of_the_address_that_browsers_keep(client: TestClient) -> None:
    parts = urlsplit(Gate(8421, SECRET).address)
    assert (parts.netloc, parts.path, parts.query) == (HOST, "/", "")
    assert parts.fragment == f"token={SECRET}"
    assert Gate(80).hosts == ("127.0.0.1", "localhost"), "browsers leave out the port 80"
    assert len({Gate(1).token for _ in range(100)}) == 100
    assert all(len(Gate(1).token) == 43 for _ in range(9)), "256 bits"


def test_the_browser_is_told_the_secret_in_a_file_of_ones_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown, told = Event(), []

    def show(address: str) -> None:
        told.append(address)
        shown.set()

    monkeypatch.setattr(webbrowser, "open", show)
    gate = Gate(8421, SECRET)
    with _opened(gate.address):
        assert shown.wait(5)
        (address,) = told
        assert SECRET not in address, "all can read the arguments of a command"
        file = Path(urlsplit(address).path)
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert f'url={gate.address}"' in file.read_text(encoding="utf-8")
    assert not file.exists()


# --- what ---


def test_bodies_are_json(client: TestClient) -> None:
    for method, path in (("POST", "/api/check"), ("POST", "/api/schema"), ("PUT", "/api/spec")):
        for kind in ("text/plain", "", "application/x-www-form-urlencoded", "multipart/form-data"):
            headers = {"content-type": kind, "if-match": "x"}
            answer = client.request(method, path, content='{"text": "x"}', headers=headers)
            assert answer.status_code == 415


BODIES = [
    *(b"", b"[]", b"{", b"null", b"3", b'"text"', b"\xff", b"\x00", b"NaN", b"{}{}"),
    *(b"[" * 100_000, b'{"text": ' + b"[" * 100_000, b'{"text": ' + b"9" * 5000 + b"}"),
    *(b'{"text": NaN}', b'{"text": "", "depth": Infinity}', b'{"text": "", "depth": 1e999}'),
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:30]))
@pytest.mark.parametrize("path", ["/api/check", "/api/schema", "/api/spec"])
def test_what_is_no_json_object_is_refused(client: TestClient, path: str, body: bytes) -> None:
    method = "PUT" if path == "/api/spec" else "POST"
    answer = client.request(method, path, content=body, headers={"if-match": "x"})
    assert answer.status_code == 400
    assert answer.json()["error"]


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
    | st.sampled_from(["\ud800", "light", "dark", "wide", "32", "3,32,32"])
)  # fmt: skip
VALUES = st.recursive(
    LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=3), v, max_size=3)
)
SETTINGS = st.fixed_dictionaries(
    {"text": st.just("body: relu") | VALUES},
    optional=dict.fromkeys(("variant", "depth", "theme", "page", "input", "sizes", "�"), VALUES),
)


def fits(asked: dict[str, Any], keys: set[str]) -> bool:
    """What the documentation of the endpoints says, in other words."""

    def is_text(value: Any) -> bool:
        return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)

    depth = asked.get("depth")
    return (
        asked.keys() <= keys
        and all(is_text(asked[key]) for key in asked.keys() - {"depth"})
        and (depth is None or (isinstance(depth, int) and depth in range(101)))
        and not isinstance(depth, bool)
        and asked.get("theme", "light") in THEMES
    )


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(asked=SETTINGS)
@example({"text": "body: relu", "variant": 1})
@example({"text": "body: relu", "theme": []})
@example({"text": "body: relu", "depth": True})
@example({"text": "body: relu", "input": ["3", "32", "32"]})
def test_odd_settings_are_refused_and_never_a_fault_of_the_server(
    client: TestClient, asked: dict[str, Any]
) -> None:
    content = json.dumps(asked)
    for path, keys in (
        ("/api/check", {"text", "variant", "depth", "theme", "page"}),
        ("/api/schema", {"text", "page"}),
    ):
        answer = client.post(path, content=content)
        assert answer.status_code == (200 if fits(asked, keys) else 400), answer.text
        assert json.loads(answer.text)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=st.binary(max_size=60), headers=st.dictionaries(
    st.sampled_from(["if-match", "accept", "range", "cookie", "transfer-encoding"]),
    st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=9),
))  # fmt: skip
def test_odd_requests_are_no_fault_of_the_server(
    client: TestClient, file: Path, body: bytes, headers: dict[str, str]
) -> None:
    sent = {name: value.encode("latin-1") for name, value in headers.items()}
    for method, path in (("PUT", "/api/spec"), ("POST", "/api/check"), ("GET", "/api/spec"),
                         ("GET", "/static/page.css")):  # fmt: skip
        assert client.request(method, path, content=body, headers=sent).status_code < 500
    assert file.read_text(encoding="utf-8") == TINY


def test_long_bodies_are_refused(client: TestClient, file: Path) -> None:
    long = json.dumps({"text": " " * MAX_BODY})
    assert client.post("/api/check", content=long).status_code == 413
    text = json.dumps({"text": "#" * (MAX_BYTES + 1)})
    version = {"if-match": Document(file).version}
    assert client.put("/api/spec", content=text, headers=version).status_code == 413
    answer = client.post("/api/check", content=text)
    assert answer.json()["diagnostics"][0]["code"] == "bound"
    assert file.read_text(encoding="utf-8") == TINY


@pytest.mark.parametrize("path", ["/", "/api/spec", "/api/check", "/api/schema", "/api/changes"])
@pytest.mark.parametrize("method", ["DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "PUT", "POST"])
def test_methods_that_no_endpoint_knows(client: TestClient, path: str, method: str) -> None:
    known = {"PUT": ["/api/spec"], "POST": ["/api/check", "/api/schema"]}
    if path not in known.get(method, []):
        assert client.request(method, path).status_code == 405


@pytest.mark.parametrize("length", ["100000000", "9" * 30, str(MAX_BODY + 1), "400"])
@pytest.mark.parametrize(("method", "path"), [("PUT", "/api/spec"), ("POST", "/api/check")])
def test_a_body_that_is_not_sent(
    client: TestClient, file: Path, method: str, path: str, length: str
) -> None:
    """One that would be too long is refused before it comes; whoever leaves disturbs nobody."""
    sent: list[Any] = []
    events = iter(
        [
            {"type": "http.request", "body": b'{"text": "', "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> Any:
        assert int(length) <= MAX_BODY, "it waits for a body that it will refuse"
        return next(events)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = {**client.headers, "host": HOST, "content-length": length, "if-match": "x"}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": raw, "query_string": b""}
    anyio.run(client.app, scope, receive, send)
    assert sent[0]["status"] == (413 if int(length) > MAX_BODY else 400)
    assert file.read_text(encoding="utf-8") == TINY
