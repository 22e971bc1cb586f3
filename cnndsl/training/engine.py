"""Lightning Fabric around the network: device, precision, and the processes of a run together."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

from cnndsl.recipe import Recipe
from cnndsl.training.device import PRECISIONS, Placement

T = TypeVar("T")

WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)
"""A state dict as one process has it, whatever the strategy spreads over several."""


class Engine:
    """What differs between one device and many, behind a few verbs."""

    def __init__(self, place: Placement) -> None:
        self.place, self.device, self.world = place, place.device, place.world
        if place.world.launched:
            _join(place)
        self.fabric = _fabric(place)
        with _quiet():
            self.fabric.launch()
        self.talk = _talk() if self.world.size > 1 else None

    @property
    def main(self) -> bool:
        """Whether this process is the one that writes files and speaks."""
        return self.world.rank == 0

    # --- the network and its optimizer ---

    @property
    def fused(self) -> bool | None:
        """Whether optimizers step in one pass over the weights; None is PyTorch's own choice.

        On processors PyTorch does so only when asked to, ten times as fast where weights are many.
        Fabric scales no gradients for it, and it takes none that are spread over processes.
        """
        place = self.place
        serves = place.strategy != "fsdp" and place.precision != "fp16"
        return True if serves and place.device.type == "cpu" else None

    def setup(self, model: nn.Module, recipe: Recipe) -> nn.Module:
        """The network as it is called: on its device, in its precision, by its strategy."""
        if recipe.sync_bn and self.world.size > 1:
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        if recipe.channels_last and self.place.strategy != "fsdp":  # which needs them contiguous
            model = model.to(memory_format=torch.channels_last)
        wrapped: Any = torch.compile(model) if recipe.compile else model
        with _quiet():
            network: nn.Module = self.fabric.setup_module(wrapped)
        return network

    def setup_optimizer(self, optimizer: torch.optim.Optimizer) -> Any:
        return self.fabric.setup_optimizers(optimizer)

    def backward(self, loss: Tensor) -> None:
        self.fabric.backward(loss)

    def clip(self, network: nn.Module, optimizer: Any, recipe: Recipe) -> None:
        """Limit the gradients as the recipe says."""
        if recipe.clip_norm is not None:
            self.fabric.clip_gradients(
                network, optimizer, max_norm=recipe.clip_norm, error_if_nonfinite=False
            )
        if recipe.clip_value is not None:
            self.fabric.clip_gradients(network, optimizer, clip_val=recipe.clip_value)

    def unsynced(self, network: nn.Module, enabled: bool) -> AbstractContextManager[Any]:
        """Keep the gradients of a part of a step to this process, until its last part."""
        if not enabled or self.world.size == 1:
            return contextlib.nullcontext()
        held: AbstractContextManager[Any] = self.fabric.no_backward_sync(network)
        return held

    # --- the processes together ---

    def total(self, values: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.world.size > 1:
            dist.all_reduce(values)
        return values

    def agree(self, signal: int) -> int:
        """The largest number that any process holds: a signal that one received stops all."""
        if self.talk is None:
            return signal
        value = torch.tensor(signal)
        dist.all_reduce(value, op=dist.ReduceOp.MAX, group=self.talk)
        return int(value)

    def share(self, value: T) -> T:
        """What the main process has, in every process."""
        if self.world.size == 1:
            return value
        box: list[Any] = [value]
        dist.broadcast_object_list(box, src=0, group=self.talk)
        return box[0]  # type: ignore[no-any-return]

    def close(self) -> None:
        if self.world.size > 1 and dist.is_initialized():
            dist.destroy_process_group()

    # --- state ---

    def weights(self, model: nn.Module) -> dict[str, Tensor]:
        """The state dict as one process has it; every process must call it.

        A copy: on the processor too, where it would else be the weights themselves.
        """
        whole: dict[str, Any] = get_model_state_dict(model, options=WHOLE)
        return {name: value.clone() for name, value in whole.items()}

    def load_weights(self, model: nn.Module, weights: dict[str, Any]) -> None:
        set_model_state_dict(model, weights, options=WHOLE)

    def state(self, model: nn.Module, optimizer: Any) -> dict[str, Any]:
        """Weights and optimizer as one process has them; every process must call it."""
        inner = getattr(optimizer, "optimizer", optimizer)
        state = {
            "model": self.weights(model),
            "optimizer": get_optimizer_state_dict(model, inner, options=WHOLE),
        }
        scaler = getattr(self.fabric._precision, "scaler", None)
        return state | ({"scaler": scaler.state_dict()} if scaler else {})

    def restore(self, model: nn.Module, optimizer: Any, state: dict[str, Any]) -> None:
        """Take up a state that `state` gave, on any number of processes."""
        inner = getattr(optimizer, "optimizer", optimizer)
        set_model_state_dict(model, state["model"], options=WHOLE)
        if state["optimizer"]["state"]:  # that of SGD without momentum is empty
            set_optimizer_state_dict(model, inner, state["optimizer"], options=WHOLE)
            for group in inner.param_groups:  # the state may be of another device
                if "fused" in group:
                    group["fused"] = self.fused
        scaler = getattr(self.fabric._precision, "scaler", None)
        if scaler and "scaler" in state:
            scaler.load_state_dict(state["scaler"])


def _fabric(place: Placement) -> Any:
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments import LightningEnvironment, TorchElasticEnvironment

    world = place.world
    with _quiet():
        return Fabric(
            accelerator=place.device.type,
            devices=world.local_size if world.launched else _devices(place),
            num_nodes=max(1, world.size // world.local_size),
            strategy=_strategy(place),
            precision=PRECISIONS[place.precision],  # type: ignore[arg-type]
            plugins=[TorchElasticEnvironment() if world.launched else LightningEnvironment()],
        )


def _devices(place: Placement) -> Any:
    return [place.device.index] if place.device.type == "cuda" else 1


def _strategy(place: Placement) -> Any:
    from lightning_fabric.strategies import DDPStrategy, ModelParallelStrategy

    if place.strategy == "fsdp":
        return ModelParallelStrategy(
            _shard, data_parallel_size=place.world.size, tensor_parallel_size=1
        )
    if place.strategy == "ddp":
        return DDPStrategy(process_group_backend=None, find_unused_parameters=False)
    return "auto"


def _shard(model: nn.Module, mesh: Any) -> nn.Module:
    """Spread the parameters over the processes, scope by scope of the first two levels."""
    from torch.distributed.fsdp import fully_shard

    for child in model.children():
        for inner in child.children():
            if any(True for _ in inner.parameters()):
                fully_shard(inner, mesh=mesh["data_parallel"])
        if any(True for _ in child.parameters()):
            fully_shard(child, mesh=mesh["data_parallel"])
    fully_shard(model, mesh=mesh["data_parallel"])
    return model


def _join(place: Placement) -> None:
    """Join the processes of the run.

    The store that torchrun lends keeps the addresses of processes that have died; each attempt
    therefore writes under a name of its own.
    """
    store, rank, size = next(dist.rendezvous("env://"))
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    backend = "nccl" if place.device.type == "cuda" else "gloo"
    if place.device.type == "cuda":
        torch.cuda.set_device(place.device)
    store = dist.PrefixStore(f"cnndsl/{attempt}", store)
    dist.init_process_group(backend, store=store, rank=rank, world_size=size)


def _talk() -> Any:
    """The group for small messages between processors, that no GPU waits for."""
    return dist.group.WORLD if dist.get_backend() == "gloo" else dist.new_group(backend="gloo")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what Fabric tells of itself."""
    import logging

    loggers = [logging.getLogger(n) for n in ("lightning_fabric", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
