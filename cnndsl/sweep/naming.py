"""What candidates are called: their folders, and their columns in tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from cnndsl.sweep.space import TRAIN, VARIANT, Candidate

MAX_NAME = 80
"""Characters of a folder's name; longer ones end in a number that stands for the whole."""


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Each name by its last word, where that is no other's: `lr` for train.optimizer.lr."""
    last = [name.rpartition(".")[2] for name in names]
    return {
        name: word if last.count(word) == 1 else name.removeprefix(TRAIN)
        for name, word in zip(names, last, strict=True)
    }


def folder_name(candidate: Candidate, varying: Sequence[str]) -> str:
    """A name made of the values that vary, the same in every sweep that varies them."""
    names = short_names(varying)
    values = of(candidate)
    parts = [f"{names[name]}-{_word(values[name])}" for name in sorted(varying)]
    whole = "_".join(parts) or "trial"
    slug = re.sub(r"[^\w.+-]+", "-", whole).strip(".-")
    if len(slug) > MAX_NAME or slug != whole:
        slug = f"{slug[: MAX_NAME - 9].rstrip('.-_')}-{sha256(whole.encode()).hexdigest()[:8]}"
    return slug


def of(candidate: Candidate) -> Mapping[str, Any]:
    """The values of a candidate with its variant among them, where it has one."""
    own = {VARIANT: candidate.variant} if candidate.variant else {}
    return {**own, **candidate.values}


def text_of(value: Any) -> str:
    """A value as `--set` takes it, on one line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{','.join(map(text_of, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {text_of(item)}" for key, item in value.items()) + "}"
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return str(value)


def _word(value: Any) -> str:
    """A value as a folder's name holds it."""
    if isinstance(value, list | tuple):
        return "-".join(map(_word, value))
    return text_of(value)
