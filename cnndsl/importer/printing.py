"""The parts of a spec → its text, in the style of the shipped specs."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cnndsl.importer.blocks import Spec
from cnndsl.importer.definitions import REQUIRED, Block
from cnndsl.importer.variables import Code, Mix, Variable

WIDTH = 100
PLAIN = re.compile(r"[A-Za-z_$(./][^#:\"'\n{}\[\],]*")
"""What needs no quotes, also within braces."""
WORDS = {"true", "false", "null", "yes", "no", "on", "off", "~", ""}
NESTED = frozenset(
    {"seq", "do", "residual", "concat", "add", "mul", "split", "dense", "for", "repeat"}
)
"""Keys whose value holds nodes."""


def written(
    name: str, about: str, input: Sequence[int], spec: Spec, expect: Mapping[str, Any]
) -> str:
    """The text of a spec file."""
    parts = [["cnndsl: 1", f"name: {scalar(name)}", *_about(about)], []]
    parts[1].append(f"input: {flow(list(input))}")
    if spec.defaults:
        parts[1].append(f"defaults: {flow(spec.defaults)}")
    if spec.blocks:
        parts.append(["blocks:"])
        for index, block in enumerate(spec.blocks):
            parts[-1] += [""] if index else []
            parts[-1] += [f"  {line}" for line in _block(block)]
    parts.append(["body:", *(f"  {line}" for line in _nodes(spec.body, WIDTH - 2))])
    if spec.heads:
        parts.append(["outputs:", *_indented(_entries(spec.heads, WIDTH - 2), 2)])
    parts.append(_entry("expect", expect, WIDTH))
    return "\n".join("\n".join(part) + "\n" for part in parts)


def _about(about: str) -> list[str]:
    line = (
        f"about: {about}" if PLAIN.fullmatch(about.replace(",", "")) else f"about: {scalar(about)}"
    )
    if len(line) <= WIDTH:
        return [line]
    return ["about: >-", *textwrap.wrap(about, WIDTH, initial_indent="  ", subsequent_indent="  ")]


def _block(block: Block) -> Iterator[str]:
    yield f"{block.name}:"
    params: dict[str, Any] = {}
    ordered = sorted(block.parameters, key=lambda p: block.default(p) not in REQUIRED)
    for parameter in ordered:
        params[parameter.name] = block.default(parameter)
    if params:
        yield from _indented(_entry("params", params, WIDTH - 4), 2)
    if block.lets:
        yield from _indented(_entry("let", block.lets, WIDTH - 4), 2)
    yield "  body:"
    yield from _indented(_nodes(block.body, WIDTH - 6), 4)


# --- nodes ---


def _nodes(nodes: Sequence[Any], width: int) -> Iterator[str]:
    for node in nodes:
        lines = list(_item(node, width - 2))
        yield f"- {lines[0]}"
        yield from _indented(lines[1:], 2)


def _item(node: Any, width: int) -> Iterator[str]:
    """A node, or a branch, as an item of a list."""
    if isinstance(node, list):
        if not node:
            yield "[]"
        else:
            yield from _nodes(node, width)
        return
    if not isinstance(node, dict):
        yield scalar(node)
        return
    yield from _mapping(node, width)


def _mapping(node: Mapping[Any, Any], width: int) -> Iterator[str]:
    """A node on one line where it holds no other and fits, else a key a line."""
    line = flow(node)
    if not _holds_nodes(node):
        if len(node) == 1:
            ((key, value),) = node.items()
            one = f"{_key(key)}: {flow(value)}"
            if len(one) <= width:
                yield one
                return
        elif len(line) <= width:
            yield line
            return
    yield from _entries(node, width)


def _entries(node: Mapping[Any, Any], width: int) -> Iterator[str]:
    for key, value in node.items():
        yield from _entry(key, value, width)


def _entry(key: Any, value: Any, width: int) -> list[str]:
    head = f"{_key(key)}:"
    line = f"{head} {flow(value)}"
    short = len(line) <= width
    if isinstance(value, dict) and value:
        flat = not _deep(value) and key != "expect"
        if short and flat:
            return [line]
        if key in PLAIN_KEYS:
            lines = [line for k, v in value.items() for line in _plain(k, v, width - 2)]
            return [head, *_indented(lines, 2)]
        if flat and not _holds_nodes(value) and len(flow(value)) <= width - 2:
            return [head, f"  {flow(value)}"]
        return [head, *_indented(_entries(value, width - 2), 2)]
    if isinstance(value, list) and value:
        if short and (not _is_nodes(value) or (len(value) <= 2 and not any(map(_deep, value)))):
            return [line]
        if _is_nodes(value):
            return [head, *_indented(_nodes(value, width - 2), 2)]
        return _plain(key, value, width)
    return [line]


PLAIN_KEYS = frozenset({"for", "params", "let"})
"""Keys whose value holds no nodes."""


def _plain(key: Any, value: Any, width: int) -> list[str]:
    """A value that holds no nodes; a long list goes on on further lines."""
    line = f"{_key(key)}: {flow(value)}"
    if len(line) <= width:
        return [line]
    wrapped = textwrap.wrap(flow(value), width - 2, break_long_words=False, subsequent_indent=" ")
    return [f"{_key(key)}:", *_indented(wrapped, 2)]


def _is_nodes(value: Sequence[Any]) -> bool:
    return any(
        isinstance(item, dict) or (isinstance(item, str) and item[:1].islower()) for item in value
    ) or any(isinstance(item, list) and (not item or _is_nodes(item)) for item in value)


def _holds_nodes(node: Mapping[Any, Any]) -> bool:
    return any(key in NESTED for key in node)


def _deep(value: Any) -> bool:
    """Whether a value holds nodes that hold nodes."""
    if isinstance(value, list):
        return any(_deep(item) for item in value)
    if not isinstance(value, dict):
        return False
    return _holds_nodes(value) or any(_deep(item) for item in value.values())


def _indented(lines: Any, by: int) -> Iterator[str]:
    for line in lines:
        yield " " * by + line


# --- values ---


def flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return scalar(value)


def _key(key: Any) -> str:
    return key.name if isinstance(key, Variable) else scalar(key)


def scalar(value: Any) -> str:
    if isinstance(value, Code | Mix):
        return _text(value.written())
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return _float(value)
    return str(value)


def _float(value: float) -> str:
    text = repr(value)
    return text.replace("e-0", "e-").replace("e+0", "e+") if "e" in text else text


def _text(text: str) -> str:
    bare = text.strip()
    if PLAIN.fullmatch(text) and bare == text and text.lower() not in WORDS:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
