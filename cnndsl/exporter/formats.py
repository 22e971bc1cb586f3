"""The formats: each is written to a file, and read back as something that runs."""

from __future__ import annotations

import copy
import functools
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from cnndsl.emitter import emit_source, network_class
from cnndsl.exporter.network import ExportError, Network, several

FOR_ONNX = ("onnx", "onnxruntime", "onnxscript")

Run = Callable[[Sequence[Tensor]], Sequence[Tensor]]
"""Runs what a file holds, as it does in inference."""

Write = Callable[[Network, Path], None]
Read = Callable[[Network, Path], Run]


def _write_onnx(network: Network, path: Path) -> None:
    missing = [name for name in FOR_ONNX if importlib.util.find_spec(name) is None]
    if missing:
        raise ExportError(f"ONNX needs {', '.join(missing)}", f"pip install {' '.join(FOR_ONNX)}")
    import onnx

    program = torch.onnx.export(
        network.module,
        network.batch(2),
        dynamo=True,
        input_names=network.inputs,
        output_names=network.outputs,
        dynamic_shapes=_dynamic(network),
        opset_version=network.opset,
        verbose=False,
    )
    assert program is not None
    _tell_apart(program.model.graph, network.outputs)
    program.model.metadata_props.update(network.notes)
    program.save(path, external_data=False)
    onnx.checker.check_model(str(path))
    found = max(o.version for o in onnx.load(path).opset_import if not o.domain)
    if network.opset not in (None, found):
        raise ExportError(f"opset {network.opset} cannot be had, opset {found} can")


def _tell_apart(graph: Any, outputs: Sequence[str]) -> None:
    """Rename inner values that are called as an output is: PyTorch calls them after their ops."""
    made = [value for node in graph for value in node.outputs]
    inner = [v for v in (*made, *graph.initializers.values()) if v not in graph.outputs]
    names = {value.name for value in inner} | {*outputs}
    for value in inner:
        if value.name in outputs:
            value.name = next(n for i in count(2) if (n := f"{value.name}_{i}") not in names)
            names.add(value.name)


def _read_onnx(network: Network, path: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        fed = {name: value.numpy() for name, value in zip(network.inputs, inputs, strict=True)}
        return [torch.from_numpy(value) for value in session.run(network.outputs, fed)]

    return run


def _write_pt2(network: Network, path: Path) -> None:
    module = network.module if len(network.outputs) == 1 else _tupled(network.module)
    program = torch.export.export(module, network.batch(2), dynamic_shapes=_dynamic(network))
    torch.export.save(program, path, extra_files=dict(network.notes))


def _read_pt2(network: Network, path: Path) -> Run:
    module = torch.export.load(path).module()
    return lambda inputs: several(module(*inputs))


def _tupled(module: nn.Module) -> nn.Module:
    """The same module, with several outputs in a tuple that has no class of its own to be known."""
    own = type(module)

    @functools.wraps(own.forward)
    def forward(self: nn.Module, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(own.forward(self, *inputs))

    other = copy.copy(module)
    other.__class__ = type(own.__name__, (own,), {"forward": forward})
    return other


def _write_safetensors(network: Network, path: Path) -> None:
    state = {name: tensor.contiguous() for name, tensor in network.module.state_dict().items()}
    path.write_bytes(safetensors.torch.save(state, metadata={"format": "pt", **network.notes}))


def _read_safetensors(network: Network, path: Path) -> Run:
    state = safetensors.torch.load_file(path)
    with safetensors.safe_open(path, framework="pt") as file:
        noted = file.metadata()
    own = network.module.state_dict()
    same = own.keys() == state.keys() and all(_same(own[name], state[name]) for name in own)
    if not same or any(noted.get(name) != text for name, text in network.notes.items()):
        raise ExportError(f"{path.name} does not hold what was written")
    return _with_weights(network, emit_source(network.graph), state)


def _write_source(network: Network, path: Path) -> None:
    path.write_text(emit_source(network.graph) + _loading(network, path), encoding="utf-8")


def _read_source(network: Network, path: Path) -> Run:
    return _with_weights(network, path.read_text(encoding="utf-8"), network.module.state_dict())


def _loading(network: Network, path: Path) -> str:
    """How the source comes to weights, as a remark at its end."""
    name, file = network_class(network.graph), path.with_suffix(".safetensors").name
    return (
        f"\n\n# With weights that `cnndsl export … -o {file}` writes:\n"
        "# from safetensors.torch import load_file\n"
        f"# model = {name}()\n"
        f'# model.load_state_dict(load_file("{file}"))\n'
        "# model.eval()\n"
    )


def _with_weights(network: Network, source: str, state: Mapping[str, Tensor]) -> Run:
    """The network of a source, run in a namespace of its own, with these weights."""
    namespace: dict[str, Any] = {"__name__": "exported"}
    exec(compile(source, "<exported>", "exec"), namespace)
    module: nn.Module = namespace[network_class(network.graph)]()
    module.load_state_dict(state)
    module.eval()
    return torch.no_grad()(lambda inputs: several(module(*inputs)))


def _dynamic(network: Network) -> tuple[dict[int, Any], ...]:
    """The batch of every input may be of any size."""
    batch = torch.export.Dim("batch")
    return tuple({0: batch} for _ in network.graph.inputs)


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether every bit is equal, those of numbers that are none too."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    bits = (tensor.contiguous().reshape(-1).view(torch.uint8) for tensor in (one, other))
    return torch.equal(*bits)


FORMATS: dict[str, tuple[Write, Read]] = {
    ".onnx": (_write_onnx, _read_onnx),
    ".pt2": (_write_pt2, _read_pt2),
    ".safetensors": (_write_safetensors, _read_safetensors),
    ".py": (_write_source, _read_source),
}
