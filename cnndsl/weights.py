"""Published and saved weights → the tensors of a network."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from cnndsl.diagnostics import suggest
from cnndsl.files import put_in_place
from cnndsl.graph import Graph
from cnndsl.patience import patience

TORCHVISION = "torchvision:"
WRAPPERS = ("whole", "ema", "state_dict", "model", "model_state_dict")
"""Under which key of a checkpoint the state dict lies, where it is not the checkpoint itself.

The first two are of our own: the whole network beside a stage of it, and averaged weights.
"""
PREFIXES = ("module.", "_orig_mod.", "model.")
"""What DataParallel, torch.compile and a module around the network put before every name."""
OLD_DENSENET = re.compile(r"(.*\.denselayer\d+\.(?:norm|conv))\.([12]\..*)")
"""Names of the files that torchvision publishes, where the module is `norm1`, not `norm.1`."""
MAX_LISTED = 20
DEVIATING = {"GoogLeNet_Weights", "Inception_V3_Weights"}
"""Weights for which torchvision's network alters the images that it is given."""

Echo = Callable[[str], None]


class WeightsError(Exception):
    """Weights that cannot be had or do not fit: a lower-case fact in `message`, and a `help`."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(f"{message}\nhelp: {help}" if help else message)
        self.message, self.help = message, help


@dataclass(frozen=True)
class Difference:
    """A tensor that the weights or the network lack, or have in another shape."""

    path: str
    found: tuple[int, ...] | None
    """The shape in the weights, None where they lack the tensor."""
    wanted: tuple[int, ...] | None
    """The shape in the network, None where it has no such tensor."""

    def __str__(self) -> str:
        if self.found is None:
            return f"{self.path}: missing, {_shape(self.wanted)} in the network"
        if self.wanted is None:
            return f"{self.path}: unexpected, {_shape(self.found)} in the weights"
        shapes = f"{_shape(self.found)} in the weights, {_shape(self.wanted)} in the network"
        return f"{self.path}: {shapes}"


@dataclass(frozen=True)
class Loaded:
    """What was loaded: the names of the tensors, and what differed and was left."""

    source: str
    tensors: tuple[str, ...]
    left: tuple[Difference, ...] = ()
    note: str = ""

    def lines(self) -> Iterator[str]:
        """The report for a person."""
        told = f"weights: {_tensors(len(self.tensors))} of {self.source} loaded"
        yield f"{told}, {len(self.left)} left:" if self.left else told
        yield from listed(self.left)
        if self.note:
            yield f"note: {self.note}"

    def to_json(self) -> dict[str, Any]:
        left = [{"path": d.path, "weights": d.found, "network": d.wanted} for d in self.left]
        told = {"source": self.source, "loaded": len(self.tensors), "left": left}
        return {**told, "note": self.note} if self.note else told


def load_weights(
    module: nn.Module, graph: Graph, source: str, partial: bool = False, echo: Echo = lambda _: None
) -> Loaded:
    """Load `torchvision:NAME` or a file into the network of a graph.

    With `partial`, tensors that do not fit are left: those of the network keep their values. Raises
    WeightsError. `echo` is told of a download.
    """
    note = ""
    if source.startswith(TORCHVISION):
        weights = find_published(source.removeprefix(TORCHVISION), graph)
        path = fetch(weights.url, echo)
        note = _note(weights)
    else:
        path = Path(source)
    wanted = {name: tensor.shape for name, tensor in module.state_dict().items()}
    found = renamed(read(path), wanted)
    found = {name: t for name, t in found.items() if not _is_dropped(name, graph)}
    left = tuple(compare({name: t.shape for name, t in found.items()}, wanted))
    fitting = {name: found[name] for name in found.keys() - {d.path for d in left}}
    if left and not (partial and fitting):
        raise _unfit(source, graph, left, len(fitting))
    try:
        module.load_state_dict(fitting, strict=False)
    except RuntimeError as e:
        raise WeightsError(f"the tensors of {source} cannot be copied: {_sentence(e)}") from e
    return Loaded(source, tuple(name for name in wanted if name in fitting), left, note)


def write_weights(path: Path, module: nn.Module) -> None:
    """Write the state dict as `.safetensors`, or as PyTorch writes it; whole or not at all."""
    state = {name: tensor.contiguous() for name, tensor in module.state_dict().items()}
    try:
        with put_in_place(path) as fresh:
            if path.suffix == ".safetensors":
                fresh.write_bytes(safetensors.torch.save(state, metadata={"format": "pt"}))
            else:
                torch.save(state, fresh)
    except (OSError, RuntimeError) as e:  # torch.save tells of a full disk by RuntimeError
        raise WeightsError(f"cannot write {path}: {_sentence(e)}") from e


# --- what torchvision publishes ------------------------------------------------------------------


def find_published(name: str, graph: Graph) -> Any:
    """The entry of torchvision's weights: of the network of this name, or one named in full."""
    from torchvision import models

    classes = {kind.__name__: kind for kind in map(models.get_model_weights, models.list_models())}
    network = graph.variant or graph.name
    kind, dot, entry = name.rpartition(".")
    if dot and kind not in classes:
        raise WeightsError(f"torchvision has no weights `{kind}`", suggest(kind, list(classes)))
    if not dot and network not in models.list_models():
        raise WeightsError(
            f"torchvision has no network `{network}`",
            "choose a variant of the spec that it has, or name the weights in full, as in "
            "`torchvision:ResNet50_Weights.IMAGENET1K_V2`",
        )
    known = classes[kind] if dot else models.get_model_weights(network)
    if entry not in known.__members__:
        names = ", ".join(known.__members__) or "none"
        raise WeightsError(
            f"torchvision has no weights `{entry}` of {known.__name__}", f"known: {names}"
        )
    return known[entry]


def fetch(url: str, echo: Echo) -> Path:
    """The file of a URL in the cache of torch.hub, downloaded where it is not there."""
    name = url.rpartition("/")[2]
    folder = Path(torch.hub.get_dir(), "checkpoints")
    path = folder / name
    if path.is_file():
        return path
    echo(f"{name} is not in {folder}: downloading it")
    digest = re.search(r"-([0-9a-f]{8,})\.", name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with patience(seconds=30):
            torch.hub.download_url_to_file(
                url, str(path), digest and digest.group(1), progress=False
            )
    except Exception as e:  # of the network, the server, the disk, or another content
        raise WeightsError(
            f"{name} could not be downloaded from {url}: {_sentence(e)}",
            f"put the file {name} into {folder}, or name a file of your own",
        ) from e
    return path


def _note(weights: Any) -> str:
    """What a user of these weights must know to get torchvision's results."""
    if type(weights).__name__ not in DEVIATING:
        return ""
    return (
        "these weights are for images normalised by mean 0.5 and deviation 0.5 in each channel; "
        "torchvision's network brings its images into that form (transform_input)"
    )


# --- files ---------------------------------------------------------------------------------------


_TAKEN = (
    "name a file (.pth, .pt, .safetensors), or `torchvision:NAME`, as in "
    "`torchvision:IMAGENET1K_V1`"
)
_OTHERS = {
    ".yaml": "a spec",
    ".yml": "a spec",
    ".py": "source",
    ".onnx": "an ONNX file",
    ".pt2": "an exported program",
}
"""Files of networks that are no state dicts, by their endings."""


def read(path: Path) -> dict[str, Tensor]:
    """The state dict of a file, read without running any code that it may hold."""
    if not path.is_file():
        what = "is no file" if path.exists() else "does not exist"
        raise WeightsError(f"{path} {what}", _TAKEN)
    try:
        path.open("rb").close()
    except OSError as e:
        raise WeightsError(f"{path} cannot be read: {e.strerror or e}") from e
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on what is then told in words
            if path.suffix == ".safetensors":
                checkpoint = safetensors.torch.load_file(path)
            else:
                checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as e:  # a damaged file fails anywhere within the readers
        raise _unreadable(path, e) from e
    return state_dict_of(checkpoint, path)


def state_dict_of(checkpoint: Any, path: Path) -> dict[str, Tensor]:
    """The tensors by name: of a state dict, or of a checkpoint that holds one."""
    inner = checkpoint
    if isinstance(checkpoint, Mapping):
        held = (checkpoint[key] for key in WRAPPERS if isinstance(checkpoint.get(key), Mapping))
        inner = next(held, checkpoint)
    if not isinstance(inner, Mapping) or not inner or not all(map(_is_named, inner.items())):
        raise WeightsError(
            f"{path} holds no state dict",
            f"a state dict has tensors by name; it may lie under {', '.join(WRAPPERS)}",
        )
    return dict(inner)


def renamed(found: Mapping[str, Tensor], wanted: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors under the network's names, where wrappers and old files have others."""
    result = dict(found)
    for prefix in PREFIXES:
        own = any(name.startswith(prefix) for name in wanted)
        if not own and all(name.startswith(prefix) for name in result):
            result = {name.removeprefix(prefix): tensor for name, tensor in result.items()}
    return {
        name if name in wanted else OLD_DENSENET.sub(r"\1\2", name): tensor
        for name, tensor in result.items()
    }


def _unreadable(path: Path, error: Exception) -> WeightsError:
    """What a failure of the readers says about the file."""
    if path.suffix in _OTHERS:
        return WeightsError(f"{path} is {_OTHERS[path.suffix]}, no state dict", _TAKEN)
    told = str(error)
    held = re.search(r"GLOBAL ([\w.]+)", told)
    if held or "TorchScript" in told:
        what = f"Python objects ({held.group(1)})" if held else "a TorchScript program"
        return WeightsError(
            f"{path} holds {what}, not tensors alone; none of its code was run",
            "save the tensors: `torch.save(model.state_dict(), FILE)`",
        )
    reason = f": {_sentence(error)}" if isinstance(error, SafetensorError) else ""
    return WeightsError(
        f"{path} is damaged, incomplete, or no checkpoint{reason}",
        "weights are a .pth, .pt or .safetensors file: name that one; one that is damaged is to be "
        "downloaded or saved anew",
    )


# --- comparison ----------------------------------------------------------------------------------


def compare(
    found: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]]
) -> Iterator[Difference]:
    """The differences between the shapes in the weights and in the network, in its order.

    Old files lack the counters of batch normalisation, which PyTorch then takes to be zero.
    """
    for name, shape in wanted.items():
        have = found.get(name)
        if have is None and name.rpartition(".")[2] == "num_batches_tracked":
            continue
        if have is None or tuple(have) != tuple(shape):
            yield Difference(name, None if have is None else tuple(have), tuple(shape))
    yield from (
        Difference(name, tuple(shape), None) for name, shape in found.items() if name not in wanted
    )


def listed(differences: tuple[Difference, ...]) -> Iterator[str]:
    """A line for each difference, and the number of those beyond the first twenty."""
    yield from (f"  {difference}" for difference in differences[:MAX_LISTED])
    if len(differences) > MAX_LISTED:
        yield f"  … and {len(differences) - MAX_LISTED} more"


def _unfit(source: str, graph: Graph, left: tuple[Difference, ...], fitting: int) -> WeightsError:
    title = graph.variant or graph.name
    lines = [f"{source} does not fit {title}: {_tensors(len(left))} differ", *listed(left)]
    if not fitting:
        return WeightsError("\n".join(lines), "no tensor fits: are these of another network?")
    return WeightsError(
        "\n".join(lines),
        f"`--weights-partial`, in Python `partial=True`, loads the {fitting} that fit and leaves "
        "the others as they were initialised",
    )


def _is_dropped(name: str, graph: Graph) -> bool:
    return any(name.startswith(f"{path}.") for path in graph.dropped)


def _is_named(item: tuple[Any, Any]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], Tensor)


def _shape(shape: tuple[int, ...] | None) -> str:
    return str(list(shape or ()))


def _tensors(count: int) -> str:
    return f"{count:,} tensor{'' if count == 1 else 's'}"


def _sentence(error: Exception) -> str:
    """What an exception says, in one line of bounded length."""
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= 200 else said[:199] + "…"
