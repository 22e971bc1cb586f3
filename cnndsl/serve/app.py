"""The server's answers: the page, the spec, its check, and word of changes on disk."""

from __future__ import annotations

import errno
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from cnndsl import shipped
from cnndsl.serve import asked
from cnndsl.serve.checks import Checks
from cnndsl.serve.document import Document, StaleError, UnreadableError
from cnndsl.serve.guard import Gate, Guard, RefusedError, policy, refusal
from cnndsl.serve.replacing import BusyError
from cnndsl.serve.watch import Watch
from cnndsl.serve.worker import Answer, Check, Question, Schema
from cnndsl.source import MAX_BYTES

STATIC = Path(__file__).parent / "static"


def make_app(
    document: Document, gate: Gate, checks: Checks, stopping: Callable[[], bool] = lambda: False
) -> ASGIApp:
    """The server of one spec; it lets its event streams end once it is `stopping`."""
    desk = Desk(document, Watch(document, stopping), checks)
    routes = [
        Route("/", desk.page),
        Route("/api/spec", desk.spec, methods=["GET"]),
        Route("/api/spec", desk.save, methods=["PUT"]),
        Route("/api/check", desk.check, methods=["POST"]),
        Route("/api/schema", desk.schema, methods=["POST"]),
        Route("/api/changes", desk.changes),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    app = Starlette(routes=routes, exception_handlers=_HANDLERS)
    return Guard(app, gate)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return refusal(error)


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    status = _STATUS.get(error.errno or 0, 500)
    return JSONResponse({"error": error.strerror or str(error)}, status)


async def _left(request: Request, error: Exception) -> Response:
    """What nobody reads: whoever asked has gone before all of the body was sent."""
    return JSONResponse({"error": "the body is not complete"}, 400)


_HANDLERS = {RefusedError: _refused, OSError: _failed, ClientDisconnect: _left}

_STATUS = {
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), 403),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), 507),
}
"""The statuses of what can be wrong with the place where a file is saved."""


@dataclass(frozen=True)
class Desk:
    """The endpoints; each takes a request and gives its answer."""

    document: Document
    watch: Watch
    checks: Checks

    async def page(self, request: Request) -> Response:
        """The page, which holds nothing of the user's: it asks for that with the secret."""
        nonce = token_urlsafe()
        text = (STATIC / "index.html").read_text(encoding="utf-8").replace("[[nonce]]", nonce)
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
        text = asked.text_of(await asked.read(request, ("text",)), "text")
        if len(text.encode()) > MAX_BYTES:
            raise RefusedError(413, f"more than {MAX_BYTES} bytes; a spec is a page of text")
        try:
            version = await run_in_threadpool(self.document.save, text, seen)
        except StaleError as e:
            return JSONResponse({"error": "the file has changed", "version": str(e)}, 409)
        except UnreadableError as e:
            raise RefusedError(403, str(e)) from None
        except BusyError:
            name = self.document.path.name
            raise RefusedError(423, f"another program has {name} open; save again later") from None
        return JSONResponse({"version": version})

    async def check(self, request: Request) -> Response:
        """The text's diagnostics, its diagram, its layers and their totals."""
        wanted = await asked.read(request, ("text", "variant", "depth", "theme", "page"))
        text, variant = asked.text_of(wanted, "text"), asked.text_of(wanted, "variant", "")
        question = Check(text, self.document.path, variant, asked.look_of(wanted))
        found = await self._answer(question, wanted, request)
        self.watch.also(found.files)
        return Response(found.data, media_type="application/json")

    async def schema(self, request: Request) -> Response:
        """The schema of the text, for completion."""
        wanted = await asked.read(request, ("text", "page"))
        question = Schema(asked.text_of(wanted, "text"), self.document.path)
        found = await self._answer(question, wanted, request)
        return Response(found.data, media_type="application/json")

    async def _answer(self, question: Question, wanted: asked.Asked, request: Request) -> Answer:
        async def left() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass

        found = await self.checks.answer(question, asked.text_of(wanted, "page", ""), left)
        if found.data is None:
            raise RefusedError(500, "a defect of cnndsl; the terminal of the server tells more")
        return found

    async def changes(self, request: Request) -> Response:
        """The version of the spec and of what it imports, now and whenever one changes."""

        async def events() -> AsyncIterator[str]:
            async for change in self.watch.changes():
                yield f"data: {json.dumps(change)}\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")
