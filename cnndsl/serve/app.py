"""The server's answers: the page, the spec, its check, and word of changes on disk."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from cnndsl import shipped
from cnndsl.diagram import THEMES
from cnndsl.serve.answer import Look, answer, schema_of
from cnndsl.serve.document import Document, StaleError, UnreadableError
from cnndsl.serve.guard import Gate, Guard, RefusedError, body, policy, refusal
from cnndsl.serve.watch import Watch

STATIC = Path(__file__).parent / "static"
MAX_DEPTH = 100


def make_app(
    document: Document, gate: Gate, stopping: Callable[[], bool] = lambda: False
) -> ASGIApp:
    """The server of one spec; it lets its event streams end once it is `stopping`."""
    desk = Desk(document, gate, Watch(document, stopping))
    routes = [
        Route("/", desk.page),
        Route("/api/spec", desk.spec, methods=["GET"]),
        Route("/api/spec", desk.save, methods=["PUT"]),
        Route("/api/check", desk.check, methods=["POST"]),
        Route("/api/schema", desk.schema, methods=["POST"]),
        Route("/api/changes", desk.changes),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    app = Starlette(routes=routes, exception_handlers={RefusedError: _refused, OSError: _failed})
    return Guard(app, gate)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return refusal(error)


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    return JSONResponse({"error": error.strerror or str(error)}, 500)


@dataclass(frozen=True)
class Desk:
    """The endpoints; each takes a request and gives its answer."""

    document: Document
    gate: Gate
    watch: Watch

    async def page(self, request: Request) -> Response:
        nonce = token_urlsafe()
        text = (STATIC / "index.html").read_text(encoding="utf-8")
        parts = {"token": self.gate.token, "nonce": nonce, "name": self.document.path.name}
        for name, value in parts.items():
            text = text.replace(f"[[{name}]]", escape(value))
        return HTMLResponse(text, headers={"content-security-policy": policy(nonce)})

    async def spec(self, request: Request) -> Response:
        """The text on disk, its version, and the shipped names."""
        try:
            found = await run_in_threadpool(self.document.read)
        except UnreadableError as e:
            return JSONResponse({"error": str(e)}, 404)
        known = await run_in_threadpool(shipped.names)
        return JSONResponse(
            {
                "name": self.document.path.name,
                "text": found.text,
                "version": found.version,
                "variant": self.document.variant,
                "writable": self.document.writable,
                "shipped": known,
            }
        )

    async def save(self, request: Request) -> Response:
        """Write the text; `If-Match` is the version that the writer has seen."""
        if not self.document.writable:
            raise RefusedError(403, f"{self.document.path.name} is shipped, and only read")
        seen = request.headers.get("if-match", "").strip('"')
        if not seen:
            raise RefusedError(428, "no If-Match with the version that was seen")
        text = _text(await _asked(request))
        try:
            version = await run_in_threadpool(self.document.save, text, seen)
        except StaleError as e:
            return JSONResponse({"error": "the file has changed", "version": str(e)}, 409)
        return JSONResponse({"version": version})

    async def check(self, request: Request) -> Response:
        """The text's diagnostics, its diagram, its layers and their totals."""
        asked = await _asked(request)
        text, variant, look = _text(asked), asked.get("variant", ""), _look(asked)
        if not isinstance(variant, str):
            raise RefusedError(400, "`variant` is no text")
        found = await run_in_threadpool(answer, text, self.document.path, variant, look)
        self.watch.also([Path(file) for file in found.pop("files")])
        return JSONResponse(found)

    async def schema(self, request: Request) -> Response:
        """The schema of the text, for completion."""
        text = _text(await _asked(request))
        return JSONResponse(await run_in_threadpool(schema_of, text, self.document.path))

    async def changes(self, request: Request) -> Response:
        """The version of the spec and of what it imports, now and whenever one changes."""

        async def events() -> AsyncIterator[str]:
            async for change in self.watch.changes():
                yield f"data: {json.dumps(change)}\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")


async def _asked(request: Request) -> dict[str, Any]:
    try:
        found = json.loads(await body(request))
    except (ValueError, RecursionError):
        raise RefusedError(400, "the body is no JSON") from None
    if not isinstance(found, dict):
        raise RefusedError(400, "the body is no JSON object")
    return found


def _text(asked: dict[str, Any]) -> str:
    text = asked.get("text")
    try:
        if isinstance(text, str) and text.encode() is not None:
            return text
    except UnicodeEncodeError:
        pass
    raise RefusedError(400, "`text` is no text")


def _look(asked: dict[str, Any]) -> Look:
    depth, theme = asked.get("depth"), asked.get("theme", "light")
    if depth is not None and (type(depth) is not int or not 0 <= depth <= MAX_DEPTH):
        raise RefusedError(400, "`depth` is no number of levels")
    if theme not in THEMES:
        raise RefusedError(400, "`theme` is none")
    return Look(depth, theme)
