"""A forward pass → the calls that it makes: modules that stand for an op, and functions of tensors.

The network runs on the meta device, without data. Modules are watched by hooks and functions by a
`TorchFunctionMode`, so all of Python works: loops, conditions on shapes, lists of tensors. Symbolic
tracing (`torch.fx`) refuses conditions on shapes, and mistakes a value for the one overwritten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

from cnndsl.importer.errors import ModelError
from cnndsl.importer.guarding import Raised, place, said

BATCH = 3
"""Samples in the traced batch: a size that reshapings are compared with."""


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor of the forward pass; `shape` has the batch first."""

    id: int
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Weight:
    """A parameter or buffer of the network that a function reads itself."""

    path: str
    shape: tuple[int, ...]
    learned: bool
    """Whether it is a parameter."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A tensor that is neither the network's input nor computed from it."""

    shape: tuple[int, ...]
    why: str


@dataclass(frozen=True)
class Event:
    """One call, with its tensors as Value, Weight or Foreign.

    `home` is the path of the module itself for a module's call; for a function's, that of the
    module whose forward pass calls it.
    """

    home: str
    target: nn.Module | Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: tuple[Value, ...]
    training: bool | None = None
    """For a module, whether it runs as in training."""

    @property
    def inputs(self) -> tuple[Value, ...]:
        flat, _ = tree_flatten((self.args, dict(self.kwargs)))
        return tuple(leaf for leaf in flat if isinstance(leaf, Value))


@dataclass(frozen=True)
class Trace:
    """The calls of one forward pass in their order, and what it returns, by name."""

    input: Value
    events: tuple[Event, ...]
    outputs: Mapping[str, Value]
    called: Mapping[str, int]
    """How often each module was called, by its path."""


def trace(
    model: nn.Module,
    shape: Sequence[int],
    is_leaf: Callable[[nn.Module], bool],
    training: bool,
    batch: int = BATCH,
) -> Trace:
    """Run the network on the meta device with a batch of this sample shape."""
    model.train(training)
    _count(filter(is_leaf, model.modules()))
    recorder = _Recorder(model, is_leaf)
    x = torch.empty(batch, *shape, device="meta")
    input = recorder.fresh(x)
    with recorder.hooked(), torch.no_grad(), recorder:
        try:
            result = model(x)
        except Raised as e:
            raise _failed(e, recorder, tuple(x.shape)) from e
    outputs = {name: recorder.output(tensor, name) for name, tensor in _named(result)}
    if not outputs:
        when = "training" if training else "inference"
        raise ModelError(f"the forward pass returns no tensor in {when}", "does it `return` one?")
    return Trace(input, tuple(recorder.events), outputs, recorder.called)


def _count(modules: Iterable[nn.Module]) -> None:
    """Give the buffers of one number a number: a norm counts its batches for their mean."""
    for module in modules:
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.is_meta and not buffer.ndim:
                setattr(module, name, torch.zeros((), dtype=buffer.dtype))


OF_SHAPES = (RuntimeError, ValueError, IndexError, ZeroDivisionError)
"""What PyTorch and Python raise where sizes do not fit."""


def _failed(e: BaseException, recorder: _Recorder, shape: Sequence[int]) -> ModelError:
    """The error of a forward pass, in words: where it was, and what stood in the way."""
    path = recorder.path
    where = (f"`{path}`" if path else "the forward pass") + place(e)
    of_meta = isinstance(e, NotImplementedError | RuntimeError | TypeError)
    if of_meta and "meta" in str(e).lower():
        fact = f"the forward pass depends on the data, in {where}: {said(e)}"
        return ModelError(fact, "a spec's path through the network is the same for every input")
    batch, *sample = shape
    if isinstance(e, OF_SHAPES) and not isinstance(e, RecursionError | NotImplementedError):
        fact = f"the network does not take {sample}, in {where}: {said(e)}"
        return ModelError(fact, "give the shape of one sample by --input C,H,W")
    help = f"run it by itself on a batch of {batch} samples; --input gives another shape of one"
    return ModelError(f"a batch of {batch} samples {sample} fails in {where}: {said(e)}", help)


def _named(result: Any) -> Iterator[tuple[str, Tensor]]:
    """What a forward pass returned, by name: fields, keys or places; None is left out."""
    if result is None:
        return
    if isinstance(result, Tensor):
        yield "output", result
        return
    if isinstance(result, Mapping):
        pairs = [(str(name), item) for name, item in result.items()]
    elif isinstance(result, tuple) and hasattr(result, "_fields"):
        pairs = list(zip(result._fields, result, strict=True))
    elif isinstance(result, list | tuple):
        pairs = [(f"output{index}", item) for index, item in enumerate(result)]
    else:
        pairs = [("output", result)]
    for name, item in pairs:
        if isinstance(item, Tensor):
            yield name, item
        elif item is not None:
            fact = f"the output `{name}` is no tensor but {type(item).__name__}"
            raise ModelError(fact, "a spec's outputs are tensors")


def _version(tensor: Tensor) -> int:
    """How often a tensor's memory was written; what inference mode makes is not counted."""
    return 0 if tensor.is_inference() else tensor._version


def _versions(items: Iterable[Any]) -> list[tuple[Tensor, int]]:
    with torch._C.DisableTorchFunction():  # our own questions are no calls of the network
        return [(item, _version(item)) for item in items if isinstance(item, Tensor)]


@dataclass
class _Recorder(TorchFunctionMode):
    model: nn.Module
    is_leaf: Callable[[nn.Module], bool]
    events: list[Event] = field(default_factory=list)
    called: dict[str, int] = field(default_factory=dict)
    values: dict[int, Value | Foreign] = field(default_factory=dict)
    """By identity of the tensor: the value that it holds now."""
    alive: list[Tensor] = field(default_factory=list)
    stack: list[str] = field(default_factory=list)
    within: int = 0
    """How many modules that stand for an op are being run: what they call is theirs."""

    def __post_init__(self) -> None:
        super().__init__()
        learned = {id(t): (name, True) for name, t in self.model.named_parameters()}
        self.weights = {id(t): (name, False) for name, t in self.model.named_buffers()} | learned
        self.arguments: list[tuple[Any, Any]] = []

    @property
    def path(self) -> str:
        return self.stack[-1] if self.stack else ""

    # --- tensors ---

    def fresh(self, tensor: Tensor) -> Value:
        """A new value, which the tensor holds from now on."""
        value = Value(len(self.alive), tuple(tensor.shape))
        self.alive.append(tensor)
        self.values[id(tensor)] = value
        return value

    def read(self, item: Any) -> Any:
        if not isinstance(item, Tensor):
            return item
        if id(item) in self.weights:
            path, learned = self.weights[id(item)]
            return Weight(path, tuple(item.shape), learned)
        return self.values.get(id(item)) or Foreign(tuple(item.shape), "a tensor made in it")

    def output(self, tensor: Tensor, name: str) -> Value:
        value = self.read(tensor)
        if isinstance(value, Value):
            return value
        raise ModelError(f"the output `{name}` does not come from the input")

    def overwritten(self, before: Sequence[tuple[Tensor, int]], results: Sequence[Tensor]) -> None:
        """Forget what other tensors hold whose memory was written."""
        for tensor, version in before:
            if _version(tensor) == version:
                continue
            memory = tensor.untyped_storage()._cdata
            for other in self.alive:
                shares = other.untyped_storage()._cdata == memory
                if shares and not any(other is result for result in results):
                    why = "a value that was overwritten in place"
                    self.values[id(other)] = Foreign(tuple(other.shape), why)

    # --- functions ---

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if self.within:
            return func(*args, **kwargs)
        if getattr(func, "__name__", "") == "__get__":  # an attribute, mostly of no tensors
            found = func(*args)
            if not isinstance(found, Tensor):
                return found
        flat, _ = tree_flatten((args, dict(kwargs)))
        before = _versions(flat)
        told_args, told_kwargs = tree_map(self.read, (tuple(args), dict(kwargs)))
        result = self.apart(func(*args, **kwargs), before)
        self.record(self.path, func, told_args, told_kwargs, result, before)
        return result

    def apart(self, result: Any, before: Sequence[tuple[Tensor, int]]) -> Any:
        """The result with another tensor where a call gives the very one that it takes.

        A dropout does so in inference: its value is one of its own, whatever reads the other.
        """
        same = {id(t) for t, version in before if _version(t) == version} - self.weights.keys()

        def other(item: Any) -> Any:
            return item.view_as(item) if isinstance(item, Tensor) and id(item) in same else item

        self.within += 1
        result = tree_map(other, result)
        self.within -= 1
        return result

    def record(
        self,
        home: str,
        target: nn.Module | Callable[..., Any],
        args: Any,
        kwargs: Any,
        result: Any,
        before: Sequence[tuple[Tensor, int]],
    ) -> None:
        flat, _ = tree_flatten(result)
        tensors = [leaf for leaf in flat if isinstance(leaf, Tensor)]
        with torch._C.DisableTorchFunction():
            self.overwritten(before, tensors)
        if not tensors or any(id(tensor) in self.weights for tensor in tensors):
            return
        outputs = tuple(self.fresh(tensor) for tensor in tensors)
        training = target.training if isinstance(target, nn.Module) else None
        self.events.append(Event(home, target, args, kwargs, outputs, training))

    # --- modules ---

    @contextmanager
    def hooked(self) -> Iterator[None]:
        handles = []
        for path, module in self.model.named_modules():
            before, after = self.entering(path), self.leaving(path)
            handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
            handles.append(module.register_forward_hook(after, with_kwargs=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def entering(self, path: str) -> Callable[..., None]:
        def enter(module: nn.Module, args: Any, kwargs: Any) -> None:
            if not self.within:
                self.stack.append(path)
                self.called[path] = self.called.get(path, 0) + 1
            if self.within or self.is_leaf(module):
                if not self.within:
                    self.arguments.append(tree_map(self.read, (tuple(args), dict(kwargs))))
                    flat, _ = tree_flatten((args, kwargs))
                    self.before = _versions(flat)
                self.within += 1

        return enter

    def leaving(self, path: str) -> Callable[..., Any]:
        def leave(module: nn.Module, args: Any, kwargs: Any, result: Any) -> Any:
            if self.within:
                self.within -= 1
                if self.within:
                    return result
                result = self.apart(result, self.before)
                told_args, told_kwargs = self.arguments.pop()
                self.record(path, module, told_args, told_kwargs, result, self.before)
            self.stack.pop()
            return result

        return leave
