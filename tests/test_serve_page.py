"""The page of `cnndsl serve`: its bundle, its completion, and what it does in a browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra `serve` is not installed")
pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")

from serving import BROKEN, LET_SLOW, PAGE, ROOT, SLOW, TINY, started

from cnndsl.checker import schema_for
from cnndsl.serve.app import STATIC

# --- the bundle ---


def test_the_lock_names_no_hosts() -> None:
    lock = json.loads((PAGE / "package-lock.json").read_text(encoding="utf-8"))
    assert all("resolved" not in package for package in lock["packages"].values())


@pytest.mark.heavy
def test_the_bundle_is_that_of_its_sources(tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    sources = tmp_path / "page"
    shutil.copytree(PAGE, sources, ignore=shutil.ignore_patterns("node_modules"))
    environ = os.environ | {"STATIC": str(tmp_path / "static")}
    for command in (["ci"], ["run", "build"]):
        done = subprocess.run([npm, *command], cwd=sources, env=environ, capture_output=True)
        if command == ["ci"] and done.returncode:
            pytest.skip(f"npm cannot install: {done.stderr.decode()[-200:]}")
        assert done.returncode == 0, done.stderr.decode()
    built = {path.name: path.read_bytes() for path in (tmp_path / "static").iterdir()}
    assert built == {name: (STATIC / name).read_bytes() for name in ("page.js", "LICENSES.txt")}


# --- completion ---

HEAD = "params: {width: 8}\nbody:\n"
OFFERED = {
    "": ["body: ", "input: "],
    HEAD + "  - ": ["conv: ", "relu", "residual: ", "Bottleneck: ", "name: "],
    HEAD + "- co": ["conv: ", "concat: "],
    HEAD + "  - {": ["conv: ", "relu: ", "name: "],
    HEAD + "  - {conv: {out: 3, ": ["kernel: ", "padding_mode: "],
    HEAD + "  - {conv: {out: 4},\n     ": ["name: ", "shape: "],
    HEAD + "  - conv:\n      out: 4\n      ": ["kernel: "],
    HEAD + "  - conv: 3\n    ": ["name: ", "when: "],
    HEAD + "  - for: {a: 3}\n    ": ["do: "],
    HEAD + "  - {for: {a: 3}, do: {conv: $": ["$a", "$width"],
    HEAD + "  - residual:\n      body:\n        - conv: 3\n      ": ["shortcut: ", "skip: "],
    HEAD + "  - concat:\n      - [relu, {conv: {out: 3}}, ": ["conv", "bn"],
    HEAD + '  - {conv: {out: "$(max(1, 2))", ': ["kernel: "],
    HEAD + "  - {conv: {bias: ": ["true", "false", "$width"],
    HEAD + "  - {conv: {padding: ": ["same"],
    HEAD + "  - {Bottleneck: {": ["width: ", "stride: "],
    HEAD + "  - {conv: 3, name: stem}\n  - {from: ": ["stem"],
    HEAD + "  - relu\ntrain:\n  optimizer: ": ["sgd", "adamw"],
    HEAD + "  - relu\ntrain: {schedule: {name: ": ["cosine"],
    "variants:\n  big: {": ["depths: "],
    "extends: ": ["lenet"],
    "import: {std: ": ["lenet"],
}
NOT_OFFERED = {
    HEAD + "  - {conv: 3, ": ["relu: ", "conv: ", "do: "],
    HEAD + "  - {conv: {out: 3, ": ["out: "],
    "about: some wo": ["body: "],
    "about: >-\n  some ": ["body: "],
    "name: x # ": ["body: "],
}


@pytest.fixture(scope="module")
def completions() -> dict[str, list[str]]:
    """What the page offers at the end of each of these texts, by the sources of the page."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    texts = [*OFFERED, *NOT_OFFERED]
    names = {"values": ["width"], "blocks": {"Bottleneck": ["width", "stride"]}}
    given = {"schema": schema_for("resnet50"), "names": names, "texts": texts}
    done = subprocess.run(
        [node, ROOT / "tests" / "completions.mjs"], input=json.dumps(given), text=True,
        capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(zip(texts, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("text", OFFERED)
def test_completion_offers_what_may_stand_there(
    completions: dict[str, list[str]], text: str
) -> None:
    assert set(OFFERED[text]) <= set(completions[text])


@pytest.mark.parametrize("text", NOT_OFFERED)
def test_completion_offers_nothing_else(completions: dict[str, list[str]], text: str) -> None:
    assert not set(NOT_OFFERED[text]) & set(completions[text])


# --- the page in a browser ---


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    path = tmp_path_factory.mktemp("served") / "net.yaml"
    path.write_text(TINY, encoding="utf-8")
    process, url = started(path)
    yield path, url
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium is installed")
    with sync.sync_playwright() as playwright:
        args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        found = playwright.chromium.launch(executable_path=chromium, args=args)
        yield found
        found.close()


@pytest.fixture
def page(browser: Any, server: tuple[Path, str]) -> Iterator[Any]:
    """The page of TINY; nothing goes wrong in it, and nothing is asked of other hosts."""
    path, url = server
    path.write_text(TINY, encoding="utf-8")
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.set_default_timeout(8000)
    page.goto(url)
    page.wait_for_selector("#diagram svg")
    assert page.url == url.partition("#")[0], "the secret is taken from the address"
    yield page
    page.close()
    assert said == []
    assert all(re.match(r"(http://127\.0\.0\.1:\d+/|data:)", request) for request in asked)


def write(page: Any, text: str) -> None:
    page.click(".cm-content")
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def cells(page: Any, path: str) -> list[str]:
    found: list[str] = page.locator(f"tr[data-path='{path}'] td").all_text_contents()
    return found


def test_a_mistake_is_marked_and_the_diagram_stays(page: Any) -> None:
    write(page, BROKEN)
    page.wait_for_selector(".cm-lintRange-error")
    page.wait_for_selector("#right.stale #diagram svg")
    assert "shape" in page.inner_text("#problems")
    page.click("#problems .problem")
    assert page.locator(".cm-activeLine").inner_text().startswith("  - {conv")
    write(page, TINY.replace("$width, kernel: 3", "24, kernel: 5"))
    page.wait_for_selector("#right:not(.stale) #diagram svg >> text=24×28×28")
    assert page.locator(".cm-lintRange-error").count() == 0
    page.click("#tab-layers")
    assert cells(page, "stem")[2] == "24×28×28"


def test_the_layers_up_to_the_one_that_fails_are_shown(page: Any) -> None:
    page.click("#tab-layers")
    write(page, TINY.replace("  - relu\n", "  - {max_pool: 3}\n  - {max_pool: 11, name: p}\n"))
    page.wait_for_selector("tr.fails")
    assert cells(page, "1")[1:3] == ["max_pool 3×3, /3", "8×10×10"]
    assert cells(page, "p")[1:3] == ["max_pool 11×11, /11", "⌊(10 + 2·0 − 11)/11⌋ + 1 = 0"]
    assert page.inner_text("#note") == "up to the layer that fails"
    page.click("tr[data-path='p']")
    assert "name: p" in page.locator(".cm-activeLine").inner_text()
    page.click("#tab-diagram")
    assert page.inner_text("#note") == "of the last text without errors"
    page.click("#tab-layers")
    write(page, TINY.replace("kernel: 3", "kernal: 3"))
    page.wait_for_selector("tr[data-path='head']")
    assert page.locator("tr.fails").count() == 0
    assert page.inner_text("#note") == "of the last text without errors"
    write(page, TINY)
    page.wait_for_selector("#right:not(.stale)")
    assert page.is_hidden("#note")


def test_other_places_of_a_mistake_are_listed_and_lead_there(page: Any) -> None:
    write(page, TINY.replace("{width: 8}", "{width: wide}"))
    page.wait_for_selector(".cm-lintRange-error")
    assert page.inner_text(".cm-lintRange-error") == "wide"
    page.click("#problems .problem >> text=read at 7:18")
    assert page.locator(".cm-activeLine").inner_text().startswith("  - {conv")
    page.click("#problems .problem .where")
    assert page.locator(".cm-activeLine").inner_text().startswith("params")


def test_columns_count_characters_not_their_halves(page: Any) -> None:
    write(page, TINY.replace("{conv", "{note: 😀😀, conv").replace("kernel", "karnel"))
    page.wait_for_selector(".cm-lintRange-error")
    assert page.inner_text(".cm-lintRange-error") == "karnel"


def test_completion_offers_ops_arguments_and_names(page: Any) -> None:
    page.click(".cm-content")
    page.keyboard.press("Control+End")
    for typed, offered in [
        ("  - con", "conv"),
        ("v: {ker", "kernel"),
        ("nel: 3, out: $wi", "$width"),
    ]:
        page.keyboard.type(typed)
        listed = ".cm-tooltip-autocomplete li"
        page.wait_for_selector(f"{listed}:has-text('{offered}')")
        assert any(offered in text for text in page.locator(listed).all_inner_texts())
        page.keyboard.press("Escape")


def test_what_changes_on_disk_is_taken_over_or_asked_about(
    page: Any, server: tuple[Path, str]
) -> None:
    path, _ = server
    path.write_text(TINY.replace("head", "classifier"), encoding="utf-8")
    page.wait_for_selector("#diagram text:has-text('classifier')")
    page.click(".cm-content")
    page.keyboard.type("# mine\n")
    path.write_text(TINY.replace("head", "theirs"), encoding="utf-8")
    page.wait_for_selector("#bar button >> text=Keep mine")
    assert "classifier" in page.inner_text(".cm-content")
    page.click("#bar button >> text=Reload")
    page.wait_for_selector("#diagram text:has-text('theirs')")
    assert "mine" not in page.inner_text(".cm-content")


def test_saving_writes_the_file(page: Any, server: tuple[Path, str]) -> None:
    path, _ = server
    text = TINY.replace("tiny", "saved")
    write(page, text)
    assert page.is_visible("#unsaved")
    page.keyboard.press("Control+s")
    page.wait_for_selector("#unsaved", state="hidden")
    assert path.read_text(encoding="utf-8") == text


def test_rows_boxes_and_variants(page: Any) -> None:
    page.click("#diagram g.box:has(> title:text-matches('^head:'))")
    assert "head" in page.locator(".cm-activeLine").inner_text()
    page.select_option("#variant", "wide")
    page.wait_for_selector("#diagram svg >> text=16×30×30")
    page.click("#tab-layers")
    page.click("tr[data-path='stem']")
    assert "stem" in page.locator(".cm-activeLine").inner_text()
    page.click("th >> text=macs")
    assert page.locator("tbody tr").first.get_attribute("data-path") == "stem"
    page.emulate_media(color_scheme="dark")
    page.click("#tab-diagram")
    page.wait_for_selector("#diagram svg >> text=16×30×30")


def test_the_secret_stays_in_the_tab(page: Any, server: tuple[Path, str]) -> None:
    _, url = server
    secret = url.partition("#token=")[2]
    assert page.inner_text("#name") == "net.yaml"
    assert page.title() == "net.yaml · cnndsl"
    assert secret not in page.content()
    assert page.evaluate("history.length") <= 2
    with page.expect_request("**/api/spec") as asked:
        page.reload()
    assert asked.value.headers.get("referer", "") == ""
    assert asked.value.headers["x-token"] == secret
    page.wait_for_selector("#diagram svg")
    assert secret not in page.url
    assert page.evaluate("document.cookie") == ""


def test_without_the_secret_nothing_is_shown(browser: Any, server: tuple[Path, str]) -> None:
    _, url = server
    page = browser.new_page()
    page.set_default_timeout(8000)
    page.goto(url.partition("#")[0])
    page.wait_for_selector("#bar >> text=open the address that")
    assert "tiny" not in page.content()
    assert "net.yaml" not in page.content()
    page.goto(url)  # the address pasted into the same tab
    page.wait_for_selector("#diagram svg")
    assert page.locator("#bar").is_hidden()
    page.close()


def test_the_text_outlives_the_server(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(TINY, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    process, url = started(path, port=port)
    page = browser.new_page()
    page.set_default_timeout(8000)
    page.goto(url)
    page.wait_for_selector("#diagram svg")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    page.wait_for_selector("#bar >> text=the server has ended")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    write(page, TINY.replace("tiny", "mine"))
    page.wait_for_selector("#status >> text=not checked")
    assert asked == [], "what listens there now may be another's"
    process, again = started(path, port=port)
    page.goto(again)
    page.wait_for_selector("#status >> text=no errors")
    assert page.locator("#bar").is_hidden()
    page.keyboard.press("Control+s")
    page.wait_for_selector("#unsaved", state="hidden")
    assert path.read_text(encoding="utf-8") == TINY.replace("tiny", "mine")
    page.close()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)


def test_a_check_without_end_is_given_up_for_a_newer_text(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(SLOW + TINY, encoding="utf-8")
    process, url = started(path, LET_SLOW)
    page = browser.new_page()
    page.set_default_timeout(8000)
    page.goto(url)
    page.wait_for_selector(".cm-content >> text=slow")
    page.wait_for_selector("#status >> text=checking")
    write(page, TINY)
    page.wait_for_selector("#diagram svg")
    page.wait_for_selector("#status >> text=no errors")
    page.close()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="FIFOs are of POSIX systems")
def test_what_cannot_be_read_any_more_is_told(page: Any, server: tuple[Path, str]) -> None:
    path, _ = server
    path.unlink()
    os.mkfifo(path)
    page.wait_for_selector("#bar >> text=cannot be read any more")
    assert "tiny" in page.inner_text(".cm-content")
    path.unlink()
    path.write_text(TINY.replace("tiny", "back"), encoding="utf-8")
    page.wait_for_selector(".cm-content >> text=back")
