"""What a request asks for, read from its JSON body; what is odd in it is refused."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from starlette.requests import Request

from cnndsl.diagram import THEMES
from cnndsl.serve.answer import Look
from cnndsl.serve.guard import RefusedError, body

MAX_DEPTH = 100

Asked = dict[str, Any]


async def read(request: Request, keys: Collection[str]) -> Asked:
    """The object in the body, which may have these keys; raises RefusedError."""
    try:
        found = json.loads(await body(request))
    except (ValueError, RecursionError):
        raise RefusedError(400, "the body is no JSON") from None
    if not isinstance(found, dict):
        raise RefusedError(400, "the body is no JSON object")
    odd = sorted(found.keys() - keys)
    if odd:
        raise RefusedError(400, f"`{ascii(odd[0])[1:-1]}` is no setting")
    return found


def text_of(asked: Asked, key: str, default: str | None = None) -> str:
    """A value that is text which can be encoded; raises RefusedError."""
    text = asked.get(key, default)
    try:
        if isinstance(text, str) and text.encode() is not None:
            return text
    except UnicodeEncodeError:
        pass
    raise RefusedError(400, f"`{key}` is no text")


def look_of(asked: Asked) -> Look:
    depth, theme = asked.get("depth"), text_of(asked, "theme", "light")
    if depth is not None and (type(depth) is not int or not 0 <= depth <= MAX_DEPTH):
        raise RefusedError(400, "`depth` is no number of levels")
    if theme not in THEMES:
        raise RefusedError(400, f"`theme` is one of {', '.join(THEMES)}")
    return Look(depth, theme)
