"""The parameters of PyTorch's classes and functions, and what a call or a module gives them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.overrides import get_testing_overrides

IGNORED = frozenset({"inplace", "device", "dtype", "out", "_stacklevel", "memory_format"})
"""Parameters that choose where and how a value is stored, not which."""

Parameters = dict[str, Any]


def resolve(target: str) -> Any:
    """The class or function that a Call of an op names; None where its package is not there."""
    module, colon, name = target.rpartition(":")
    if colon:
        try:
            return getattr(import_module(module), name, None)
        except ImportError:
            return None
    root, _, name = target.partition(".")
    return getattr({"nn": nn, "F": F, "torch": torch}[root], name, None)


@cache
def signature_of(target: Callable[..., Any]) -> inspect.Signature | None:
    """The signature, also of functions that are written in C++."""
    told = get_testing_overrides().get(target)
    for candidate in (told, target, getattr(torch, getattr(target, "__name__", ""), None)):
        if candidate is None:
            continue
        try:
            return inspect.signature(candidate)
        except (TypeError, ValueError):
            continue
    return None


def bound(
    target: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Parameters | None:
    """What a call gives to each parameter, defaults included; None where it cannot be known."""
    signature = signature_of(target)
    if signature is None:
        return None
    try:
        given = signature.bind(*args, **kwargs)
    except TypeError:
        return None
    given.apply_defaults()
    return {n: stored(n, v) for n, v in given.arguments.items() if n not in IGNORED}


def held(module: nn.Module, names: Iterable[str]) -> Parameters:
    """The values of constructor parameters as an instance holds them, where it does.

    A weight stands for the truth value that asked for it; what has no weights asked for no bias.
    """
    values: Parameters = {}
    if False in (getattr(module, name, None) for name in ("affine", "elementwise_affine")):
        names = [name for name in names if name != "bias"]
    for name in names:
        if not hasattr(module, name):
            continue
        value = getattr(module, name)
        if isinstance(value, Tensor) or (value is None and name == "bias"):
            value = value is not None
        values[name] = stored(name, value)
    return values


def stored(name: str, value: Any) -> Any:
    """An argument to compare; of a shape, how many sizes it has counts too."""
    if name in ("normalized_shape", "unflattened_size"):
        return tuple(value) if isinstance(value, list | tuple) else (value,)
    return plain(value)


def plain(value: Any) -> Any:
    """Lists as tuples, and a tuple of equal numbers as that number: 3 and (3, 3) mean the same."""
    if isinstance(value, list | tuple):
        items = tuple(plain(item) for item in value)
        if items and all(type(i) is type(items[0]) and i == items[0] for i in items):
            return items[0]
        return items
    return value
