"""`cnndsl serve`: the command, and what its server answers and refuses."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra `serve` is not installed")
pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")

from drawn import TANGLED
from serving import BROKEN, ROOT, TINY, checking, client_of, save
from starlette.testclient import TestClient
from typer.testing import CliRunner

from cnndsl.cli import app
from cnndsl.cli.serve import opened
from cnndsl.serve.checks import Checks
from cnndsl.serve.document import GONE, Document
from cnndsl.serve.run import listen
from cnndsl.serve.watch import Watch


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def checks() -> Iterator[Checks]:
    with checking() as checks:
        yield checks


@pytest.fixture
def client(file: Path, checks: Checks) -> TestClient:
    return client_of(Document(file), checks)


def check(client: TestClient, text: str, **more: Any) -> dict[str, Any]:
    response = client.post("/api/check", content=json.dumps({"text": text, **more}))
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


# --- what is answered ---


def test_the_spec_is_told_with_its_version(client: TestClient, file: Path) -> None:
    found = client.get("/api/spec").json()
    assert found["text"] == TINY
    assert found["version"] == Document(file).version
    assert found["writable"]
    assert "resnet50" in found["shipped"]


def test_a_check_gives_the_network(client: TestClient) -> None:
    found = check(client, TINY)
    assert found["diagnostics"] == []
    assert found["variants"] == ["wide"]
    network = found["network"]
    assert network["svg"].startswith("<svg")
    assert [row["path"] for row in network["rows"]] == ["input", "stem", "1", "2", "head"]
    stem = network["rows"][1]
    assert (stem["op"], stem["output"], stem["params"]) == ("conv", [8, 30, 30], 224)
    assert network["places"]["stem"][:2] == [7, 6]
    totals = {name: exact for name, _, exact in network["totals"]}
    assert totals["parameters"] == "314"


def test_a_check_takes_variant_theme_and_depth(client: TestClient) -> None:
    light = check(client, TINY, variant="wide", depth=0)
    dark = check(client, TINY, variant="wide", theme="dark")
    assert light["network"]["rows"][1]["output"] == [16, 30, 30]
    assert light["network"]["svg"] != dark["network"]["svg"]
    assert check(client, TINY, variant="missing")["diagnostics"][0]["code"] == "name"


def test_a_mistake_has_its_place_and_remedy(client: TestClient) -> None:
    found = check(client, BROKEN)
    assert found["network"] is None
    (problem,) = found["diagnostics"]
    assert problem["code"] == "shape"
    assert problem["here"]
    line, column, end_line, end_column = problem["place"]
    assert line == end_line == 7
    assert BROKEN.splitlines()[6][column - 1 : end_column - 1]


def test_the_layers_up_to_the_one_that_fails_have_their_places(client: TestClient) -> None:
    assert check(client, TINY)["reached"] is None
    assert check(client, TINY.replace("kernel: 3", "kernal: 3"))["reached"] is None
    found = check(client, TINY.replace("  - global_avg_pool\n", "  - {max_pool: 31}\n"))
    assert found["network"] is None
    input, stem, relu, pool = found["reached"]["rows"]
    assert input["output"] == [3, 32, 32]
    good = check(client, TINY)["network"]
    assert [input, stem, relu] == good["rows"][:3]
    assert (pool["path"], pool["op"], pool["brief"]) == ("2", "max_pool", "31×31, /31")
    assert (pool["output"], pool["fails"]) == (None, "⌊(30 + 2·0 − 31)/31⌋ + 1 = 0")
    places = found["reached"]["places"]
    assert {path: place[0] for path, place in places.items()} == {
        "input": 5,
        "stem": 7,
        "1": 8,
        "2": 9,
    }
    assert {path: good["places"][path] for path in ("stem", "1")}.items() <= places.items()


def test_a_mistake_has_its_other_places(client: TestClient, file: Path) -> None:
    (problem,) = check(client, TINY.replace("{width: 8}", "{width: wide}"))["diagnostics"]
    (reader,) = problem["related"]
    assert reader["message"] == "read here"
    assert reader["place"] == [7, 18, 7, 24]
    assert problem["place"][:2] == [2, 17]
    (file.parent / "blocks.yaml").write_text("let: {k: -1}\nblocks: {B: {body: {conv: $k}}}\n")
    (problem,) = check(client, f"import: {{a: blocks.yaml}}\n{TINY}  - a.B\n")["diagnostics"]
    (reader,) = problem["related"]
    assert reader["file"].endswith("blocks.yaml")
    assert reader["place"] is None


def test_a_diagram_too_large_to_lay_out_is_told(client: TestClient) -> None:
    """The layers and figures are shown all the same, and the picture says what is wrong with it."""
    found = check(client, TANGLED)
    problem = found["diagnostics"][-1]
    assert (problem["code"], problem["severity"]) == ("bound", "warning")
    assert "--depth 0" in problem["help"]
    assert problem["message"] in found["network"]["svg"]
    assert len(found["network"]["rows"]) > 400


@pytest.mark.parametrize("text", ["", "[", "a: b: c", "body: 3", "\x00", "body: [{x: 1}]" * 9])
def test_what_is_no_spec_is_a_diagnostic(client: TestClient, text: str) -> None:
    found = check(client, text)
    assert found["network"] is None
    assert found["diagnostics"]


def test_a_mistake_in_an_import_leads_to_its_use(client: TestClient, file: Path) -> None:
    blocks = (
        "blocks:\n  Cut:\n    body: [{conv: {out: 4, kernel: 77}}]\nbody: relu\ninput: [1, 9, 9]\n"
    )
    (file.parent / "blocks.yaml").write_text(blocks, encoding="utf-8")
    own = "blocks:\n  Own:\n    body:\n      - std.Cut: {}\n"
    text = f"import: {{std: blocks.yaml}}\ninput: [1, 9, 9]\n{own}body: {{Own: {{}}}}\n"
    (problem,) = check(client, text)["diagnostics"]
    assert not problem["here"]
    assert problem["file"].endswith("blocks.yaml")
    assert problem["place"][0] == 6
    assert [frame["place"][0] for frame in problem["frames"]] == [6, 7]


@pytest.mark.parametrize("name", ["../secret.yaml", "link.yaml", "/etc/passwd.yaml"])
def test_imports_stay_in_the_folder(client: TestClient, file: Path, name: str) -> None:
    outside = file.parent.parent / "secret.yaml"
    outside.write_text("blocks: {}\nbody: relu\ninput: [1, 2, 2]\n", encoding="utf-8")
    (file.parent / "link.yaml").symlink_to(outside)
    found = check(client, f"import: {{std: {name}}}\n{TINY}")
    assert [d["code"] for d in found["diagnostics"]] == ["import"]
    assert "secret" not in json.dumps(found["network"])


def test_the_schema_has_the_names_of_the_text(client: TestClient) -> None:
    text = TINY + "blocks: {Stage: {params: {depth: 2}, body: relu}}\n"
    schema = client.post("/api/schema", content=json.dumps({"text": text})).json()
    assert "depth" in schema["$defs"]["node"]["properties"]["Stage"]["properties"]
    assert client.post("/api/schema", content=json.dumps({"text": "["})).json()["$defs"]


# --- saving ---


def test_saving_needs_the_version_on_disk(client: TestClient, file: Path) -> None:
    version = client.get("/api/spec").json()["version"]
    saved = save(client, BROKEN, version)
    assert saved.status_code == 200
    assert file.read_text(encoding="utf-8") == BROKEN
    file.write_text("another's", encoding="utf-8")
    refused = save(client, TINY, saved.json()["version"])
    assert refused.status_code == 409
    assert refused.json()["version"] == Document(file).version
    assert file.read_text(encoding="utf-8") == "another's"
    assert client.put("/api/spec", content=json.dumps({"text": TINY})).status_code == 428
    assert [path.name for path in file.parent.iterdir()] == ["net.yaml"]


def test_saving_keeps_line_ends_and_writes_a_lost_file_anew(client: TestClient, file: Path) -> None:
    file.write_bytes(TINY.replace("\n", "\r\n").encode())
    found = client.get("/api/spec").json()
    assert found["text"] == TINY
    assert save(client, BROKEN, found["version"]).status_code == 200
    assert file.read_bytes() == BROKEN.replace("\n", "\r\n").encode()
    file.unlink()
    assert client.get("/api/spec").status_code == 404
    assert save(client, TINY, GONE).status_code == 200
    assert file.read_text(encoding="utf-8") == TINY


def test_a_shipped_spec_is_only_read(checks: Checks, file: Path) -> None:
    client = client_of(Document(file, writable=False), checks)
    version = client.get("/api/spec").json()["version"]
    assert save(client, BROKEN, version).status_code == 403
    assert file.read_text(encoding="utf-8") == TINY


def test_changes_on_disk_are_told(file: Path) -> None:
    other = file.parent / "blocks.yaml"
    other.write_text("blocks: {}", encoding="utf-8")
    document = Document(file)
    watch = Watch(document, lambda: False)
    watch.also([other])

    async def told() -> list[dict[str, Any]]:
        changes = watch.changes()
        found = [await anext(changes)]
        for path, text in ((file, BROKEN), (other, "blocks: {} #")):
            path.write_text(text, encoding="utf-8")
            found.append(await anext(changes))
        file.unlink()
        return [*found, await anext(changes)]

    first, changed, imported, gone = asyncio.run(asyncio.wait_for(told(), 10))
    assert first["version"] != changed["version"] == imported["version"]
    assert [first["imports"], changed["imports"], imported["imports"]] == [False, False, True]
    assert gone == {"version": GONE, "imports": False}


# --- what is refused ---


@pytest.mark.parametrize(
    "path", ["/net.yaml", "/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/x"]
)
def test_no_other_file_is_read(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_page_may_load_nothing_from_elsewhere(client: TestClient) -> None:
    answer = client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "script-src 'self';" in policy
    assert not re.search(r"(src|href)=\"(https?:)?//", answer.text)
    assert client.get("/static/page.js").headers["cross-origin-resource-policy"] == "same-origin"


# --- the command ---


@pytest.mark.parametrize("spec", ["missing.yaml", "resnet5000"])
def test_what_is_not_there_is_told(spec: str) -> None:
    command = [sys.executable, "-m", "cnndsl", "serve", spec, "--no-open"]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=20)
    assert done.returncode == 1
    assert "error" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["cnndsl.cli.serve"], "NEEDED", ("no_such_package",))
    done = CliRunner().invoke(app, ["serve", "lenet"])
    assert done.exit_code == 1
    assert "no_such_package" in done.stderr
    assert "pip install 'cnndsl[serve]'" in done.stderr


def test_files_are_written_and_shipped_names_only_read(file: Path) -> None:
    assert opened(str(file)).writable
    assert opened(f"{file}:wide").variant == "wide"
    assert opened(str(ROOT / "specs" / "lenet.yaml")).writable
    shipped = opened("resnet50")
    assert (shipped.writable, shipped.variant) == (False, "resnet50")


def test_the_server_listens_on_this_machine_alone() -> None:
    with listen(None) as first, listen(None) as second:
        assert {first.getsockname()[0], second.getsockname()[0]} == {"127.0.0.1"}
        port = second.getsockname()[1]
        assert port != first.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            listen(port)


def test_the_server_loads_no_torch() -> None:
    code = (
        "import sys, pathlib, cnndsl.serve.run, cnndsl.serve.answer as a\n"
        f"a.answer({TINY!r}, pathlib.Path('net.yaml'), '', a.Look())\n"
        "assert not {'torch', 'numpy', 'matplotlib'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
