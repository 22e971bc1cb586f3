"""Graph → nn.Module, by running the emitted source: what `-o model.py` writes is what runs."""

from __future__ import annotations

import hashlib
import linecache
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from cnndsl.emitter import emit_source, network_class
from cnndsl.graph import Graph


def build_module(graph: Graph) -> nn.Module:
    """The network with PyTorch's initial weights, in training mode.

    It pickles, copies and saves with its source, so that it loads where no spec is at hand.
    """
    module: nn.Module = load_class(emit_source(graph), network_class(graph))()
    return module


def load_class(source: str, name: str) -> type[nn.Module]:
    """A class of an emitted source; one source is run once."""
    loaded: type[nn.Module] = getattr(_load(source), name)
    return loaded


def run_probed(graph: Graph, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
    """The shape of each node's value, without the batch, in a forward pass in training mode."""
    shapes: dict[str, tuple[int, ...]] = {}

    def probe(path: str, value: Tensor) -> Tensor:
        shapes[path] = tuple(value.shape[1:])
        return value

    namespace: dict[str, Any] = {"probe": probe, "__name__": "cnndsl_probe"}
    exec(compile(emit_source(graph, probe=True), "<cnndsl probe>", "exec"), namespace)
    with inputs[0].device:
        module: nn.Module = namespace[network_class(graph)]()
    by_path = dict(module.named_modules())
    for node in graph.layers:
        if node.path in by_path:
            by_path[node.path].register_forward_hook(
                lambda _module, _inputs, value, path=node.path: probe(path, value)
            )
    module(*inputs)
    return shapes


def _load(source: str) -> ModuleType:
    """The source as a module; registered, so that tracebacks and compilers find its lines."""
    name = f"cnndsl_emitted_{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    filename = f"<{name}>"
    module.__file__ = filename
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    sys.modules[name] = module
    exec(compile(source, filename, "exec"), module.__dict__)
    for value in list(vars(module).values()):
        if isinstance(value, type) and value.__module__ == name and issubclass(value, nn.Module):
            value.__reduce__ = _reduce(source)  # type: ignore[method-assign]
        elif isinstance(value, type) and value.__module__ == name:
            value.__reduce__ = _reduce_tuple(source)  # type: ignore[method-assign]
    return module


def _reduce(source: str) -> Any:
    def reduce(self: nn.Module) -> tuple[Any, ...]:
        return _restore, (source, type(self).__name__), self.__dict__

    return reduce


def _reduce_tuple(source: str) -> Any:
    def reduce(self: tuple[Any, ...]) -> tuple[Any, ...]:
        return _restore_tuple, (source, type(self).__name__, tuple(self))

    return reduce


def _restore(source: str, name: str) -> nn.Module:
    """An empty instance of an emitted class; unpickling then sets its state."""
    loaded = load_class(source, name)
    return loaded.__new__(loaded)


def _restore_tuple(source: str, name: str, values: tuple[Any, ...]) -> Any:
    return getattr(_load(source), name)(*values)
