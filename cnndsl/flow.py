"""Values as YAML writes them within braces and brackets."""

from __future__ import annotations

import re
from typing import Any

from cnndsl.source import resolve

_PLAIN = re.compile(r"[\w$./()+<>=-][\w$./()+*<>= -]*")


def flow(value: Any) -> str:
    """`{conv: {out: 8, kernel: 3}, name: stem}`."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{flow(key)}: {flow(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value == value.strip() and resolve(value) == value
        plain = plain and not re.match(r"[-] |[<>=*]", value)
        return value if plain else f"'{value.replace(chr(39), chr(39) * 2)}'"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
