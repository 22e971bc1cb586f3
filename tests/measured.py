"""What PyTorch holds in memory while something runs, to compare our figures with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import cnndsl
from cnndsl.graph import Graph


def storage_of(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def saved_bytes(run: Any, inputs: Iterable[Tensor], own: Iterable[Tensor]) -> int:
    """Bytes of the storages that autograd keeps of a forward pass, without those of `own`."""
    weights = {storage_of(tensor) for tensor in own}
    kept: dict[int, torch.UntypedStorage] = {}  # held, so that no address is used twice

    def pack(tensor: Tensor) -> Tensor:
        if storage_of(tensor) not in weights:
            kept[storage_of(tensor)] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        outputs = run(*inputs)
    del outputs
    return sum(storage.nbytes() for storage in kept.values())


def peak_bytes(run: Any, inputs: Iterable[Tensor], own: Iterable[Tensor]) -> int:
    """The most bytes of storages that are alive at once in inference, without those of `own`."""
    with torch.no_grad(), _Watch(own) as watch:
        watch.see(inputs)
        run(*inputs)
    return watch.most


class _Watch(TorchDispatchMode):
    """Sees every tensor that an operation of PyTorch reads or makes."""

    def __init__(self, own: Iterable[Tensor]) -> None:
        super().__init__()
        self.own = {storage_of(tensor) for tensor in own}
        self.alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self.most = 0

    def see(self, values: Any) -> None:
        self.alive = {key: found for key, found in self.alive.items() if not found[0].expired()}
        for tensor in tree_leaves(values):
            if isinstance(tensor, Tensor) and storage_of(tensor) not in self.own:
                storage = tensor.untyped_storage()
                self.alive[storage_of(tensor)] = (StorageWeakRef(storage), storage.nbytes())
        self.most = max(self.most, sum(size for _, size in self.alive.values()))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        self.see(made)
        return made


MANY = 1000
"""Samples of a large batch; on the meta device it costs no more than a small one."""


def tensors_of(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


def assert_memory(graph: Graph) -> None:
    """What one sample more takes, to the byte.

    Beside it, batch norm's statistics are there once, on the meta device in inference too. In a
    small batch they may decide where the most is held, so inference is measured in a large one.
    """
    found = cnndsl.cost(graph).memory
    with torch.device("meta"):
        module = cnndsl.build(graph)
        own = tensors_of(module)
        saved = [saved_bytes(module.train(), batch(graph, n), own) for n in (2, 3)]
        peaks = [peak_bytes(module.eval(), batch(graph, n), own) for n in (MANY, MANY + 1)]
    assert found.training == saved[1] - saved[0]
    assert found.batch == saved[0] - 2 * found.training
    assert found.inference == peaks[1] - peaks[0]
    norms = [node.shape for node in graph.nodes if node.op.name == "bn"]
    statistics = 2 * 4 * max((shape.channels for shape in norms), default=0)
    assert 0 <= peaks[0] - MANY * found.inference <= statistics
    assert sum(found.kept.values()) == found.training


def batch(graph: Graph, count: int) -> list[Tensor]:
    return [torch.empty(count, *node.shape) for node in graph.inputs]
