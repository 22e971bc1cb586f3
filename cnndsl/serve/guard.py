"""Who may ask: a page of this server in a browser that was given the secret.

The page itself and what it is built of are open: they hold nothing of the user's. All else needs
the secret, which stands behind the `#` of the printed address. Browsers send that part to no
server and name it in no `Referer`; the page takes it from there into a header.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_urlsafe

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 2_000_000
"""Bytes of a request: a spec in JSON, with every character of it escaped."""

HEADERS = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class RefusedError(Exception):
    """A request that is not answered: the status, and why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Gate:
    """What a request must show: the address that it was sent to, and the secret of the page."""

    port: int
    token: str = field(default_factory=token_urlsafe)

    @property
    def hosts(self) -> tuple[str, ...]:
        """What `Host` may be; browsers leave out the port 80."""
        port = "" if self.port == 80 else f":{self.port}"
        return f"127.0.0.1{port}", f"localhost{port}"

    @property
    def address(self) -> str:
        """Where the page is, with the secret."""
        return f"http://{self.hosts[0]}/#token={self.token}"

    def examine(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        """Raise RefusedError for a request that does not come from our page.

        A foreign name in `Host` is a foreign page whose name was bound to this machine.
        """
        host, origin = headers.get("host", ""), headers.get("origin")
        if host not in self.hosts:
            raise RefusedError(403, "this server answers at 127.0.0.1 and localhost alone")
        if origin is not None and origin not in [f"http://{known}" for known in self.hosts]:
            raise RefusedError(403, "a page of another origin")
        opened = path == "/" and headers.get("sec-fetch-mode") == "navigate"
        if not opened and headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            raise RefusedError(403, "a page of another site")
        if not _is_open(path) and not self.admits(headers.get("x-token", "")):
            raise RefusedError(
                403, "not the secret of this server; open the address that `cnndsl serve` printed"
            )
        if method not in ("POST", "PUT"):  # of others no endpoint reads a body, or knows them
            return
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise RefusedError(415, "the body is not application/json")

    def admits(self, token: str) -> bool:
        """Whether it is the secret; how long this takes tells nothing of it."""
        return hmac.compare_digest(token.encode(), self.token.encode())


def _is_open(path: str) -> bool:
    return path == "/" or path.startswith("/static/")


def policy(nonce: str) -> str:
    """Nothing is loaded from elsewhere, and no script or style sheet is inline but the editor's
    styles, which carry the nonce. Style attributes are let be: browsers set them in edited text.
    """
    return (
        "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        f"style-src 'self' 'nonce-{nonce}'; style-src-attr 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


class Guard:
    """Lets only what the gate lets pass reach the app, and says on each answer what it may do."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app, self.gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("content-security-policy", policy(""))
            await send(message)

        try:
            self.gate.examine(scope["method"], scope["path"], Headers(scope=scope))
        except RefusedError as e:
            await refusal(e)(scope, receive, marked)
        else:
            await self.app(scope, receive, marked)


def refusal(refused: RefusedError) -> JSONResponse:
    return JSONResponse({"error": refused.reason}, refused.status)


async def body(request: Request) -> bytes:
    """The whole body; raises RefusedError where it is longer than any spec."""
    told = request.headers.get("content-length", "0")
    if told.isdecimal() and int(told[:20]) > MAX_BODY:  # nobody waits for so much
        raise RefusedError(413, f"more than {MAX_BODY} bytes")
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > MAX_BODY:
            raise RefusedError(413, f"more than {MAX_BODY} bytes")
    return bytes(found)
