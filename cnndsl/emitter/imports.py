"""What an emitted source imports, and the helper classes that it takes along."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

HELPERS = "cnndsl.modules"


def imports_of(body: str, targets: Iterable[str]) -> tuple[list[str], list[str]]:
    """(import lines, helper classes) for a body that calls these targets."""
    foreign: dict[str, set[str]] = {}
    helpers: list[str] = []
    for target in sorted(set(targets)):
        module, _, name = target.rpartition(":")
        if module == HELPERS:
            helpers += ["", "", *_helper(name)]
        elif module:
            foreign.setdefault(module, set()).add(name)
    text = "\n".join([body, *helpers])
    standard = [
        line
        for line, word in (
            ("import math", "math.prod("),
            ("from collections import OrderedDict", "OrderedDict("),
            ("from typing import NamedTuple", "(NamedTuple)"),
        )
        if word in text
    ]
    torch = ["import torch"] if "torch." in text.replace("import torch.", "") else []
    torch += ["import torch.nn.functional as F"] if "F." in text else []
    names = ["Tensor", "nn"] if "Tensor" in text else ["nn"]
    torch.append(f"from torch import {', '.join(names)}")
    own = [f"from {module} import {', '.join(sorted(n))}" for module, n in sorted(foreign.items())]
    lines = [*standard, *([""] if standard else []), *torch, *([""] if own else []), *own]
    return lines, helpers


@cache
def _source() -> str:
    return (Path(__file__).parent.parent / "modules.py").read_text(encoding="utf-8")


def _helper(name: str) -> list[str]:
    """The text of a helper class, with the module's own functions that it needs none of."""
    for node in ast.parse(_source()).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _source().split("\n")[node.lineno - 1 : node.end_lineno]
    raise KeyError(f"{HELPERS} has no {name}")
