"""What a user names, `torchvision:resnet50` or `package.module:factory`, as a network to import."""

from __future__ import annotations

import copy
import importlib
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import nn

from cnndsl.diagnostics import suggest
from cnndsl.importer.errors import ModelError
from cnndsl.importer.guarding import Raised, place, said

DEFAULT_INPUT = (3, 224, 224)


@dataclass(frozen=True)
class Subject:
    """A network to import: where it comes from, and how it is made."""

    name: str
    about: str
    make: Callable[[], nn.Module]
    input: tuple[int, ...]
    by_call: bool = True
    """Whether `make` gives a new instance each time."""

    def on_meta(self) -> nn.Module:
        """A new instance without data; one that cannot be made so is copied, and then emptied."""
        if self.by_call:
            try:
                with torch.device("meta"):
                    model = self.model()
                if all(tensor.is_meta for tensor in model.state_dict().values()):
                    return model
            except ModelError:
                pass
        made = self.made
        try:
            return copy.deepcopy(made).to("meta")
        except Raised as e:
            fact = f"{self.name} cannot be copied{place(e)}: {said(e)}"
            raise ModelError(fact, "name a function that makes the network") from e

    @cached_property
    def made(self) -> nn.Module:
        """The network with its numbers, which is never run."""
        return self.model()

    def model(self) -> nn.Module:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of time that a torchvision network's weights take
            try:
                model = self.make()
            except Raised as e:
                fact = f"{self.name} cannot be made: {said(e)}"
                raise ModelError(fact, f"raised{place(e)}" if place(e) else "") from e
        if not isinstance(model, nn.Module):
            fact = f"{self.name} gives {type(model).__name__}, no nn.Module"
            raise ModelError(fact, "name a class of networks, or a function that returns one")
        return model


def find(source: str) -> Subject:
    """The network that a source names; ModelError where there is none."""
    package, colon, attribute = source.partition(":")
    if not colon or not package or not attribute:
        fact = f"`{source}` is neither torchvision:NAME nor PACKAGE.MODULE:FACTORY"
        raise ModelError(fact, "as in `torchvision:resnet50` or `mypackage.models:make_net`")
    return _torchvision(attribute) if package == "torchvision" else _factory(package, attribute)


def _torchvision(name: str) -> Subject:
    from torchvision import models

    names = models.list_models(module=models)
    if name not in names:
        fact = f"torchvision has no classification network `{name}`"
        raise ModelError(fact, _close(name, names) or "see torchvision.models.list_models()")
    weights = models.get_model_weights(name)
    default = getattr(weights, "DEFAULT", None)
    options = getattr(getattr(default, "transforms", None), "keywords", {})
    side = options.get("crop_size", DEFAULT_INPUT[1])
    about = f"{name} of torchvision, imported"
    return Subject(name, about, lambda: models.get_model(name, weights=None), (3, side, side))


def _factory(module: str, attribute: str) -> Subject:
    """A class, function or instance, by its Python path; the working directory is looked in too."""
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module)
    except Raised as e:
        fact = f"cannot import {module}{place(e)}: {said(e)}"
        raise ModelError(fact, "give a module as Python imports it, from this folder") from e
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise ModelError(f"{module} has no `{attribute}`", _close(part, dir(found)))
        found = getattr(found, part)
    if not isinstance(found, nn.Module) and not callable(found):
        fact = f"{module}:{attribute} is {type(found).__name__}"
        raise ModelError(fact, "name a class of networks, or a function that returns one")
    by_call = not isinstance(found, nn.Module)
    make = found if by_call else lambda: found
    about = f"{attribute} of {module}, imported"
    return Subject(attribute.rpartition(".")[2], about, make, DEFAULT_INPUT, by_call)


def _close(word: str, known: list[str]) -> str:
    """A name that is nearly the word, as a question; nothing where there is none."""
    help = suggest(word, known)
    return help if help.startswith("did you mean") else ""
