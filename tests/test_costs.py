"""Memory, receptive fields and depth against PyTorch's measurements of the compiled network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from measured import assert_memory
from probing import make_positive, probed
from torch import Tensor

import cnndsl
from cnndsl import shipped
from cnndsl.costs.field import Moving, sights
from cnndsl.graph import Graph

# Of each family and kind of block; the others are measured with `-m heavy`.
LIGHT = {
    *("alexnet", "vgg11_bn", "googlenet", "resnet18", "resnet50", "densenet121", "inception_v3"),
    *("squeezenet1_1", "shufflenet_v2_x0_5", "regnet_y_400mf", "convnext_tiny", "mnasnet0_5"),
    *("mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "lenet", "nin", "alexnet_original"),
    *("googlenet_original", "inception", "resnet20_project", "resnet110_exclusive_gating"),
}


def networks() -> Iterator[Any]:
    """Every shipped network."""
    for family, path in shipped.files().items():
        for variant in shipped.variants(path) or (None,):
            name = variant or family
            marks = () if name in LIGHT else (pytest.mark.heavy,)
            yield pytest.param(path, variant, id=name, marks=marks)


# --- memory --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "variant"), [*networks()])
def test_memory_of_shipped_networks(path: Path, variant: str | None) -> None:
    graph = cnndsl.check(path, variant)
    assert_memory(graph)
    found = cnndsl.cost(graph).memory
    assert found.batch <= 0.02 * found.training or found.training < 10**6


IMAGE = "input: [4, 6, 6]\nbody:\n"
SMALL = {
    "in place": "- {conv: 8}\n- bn\n- relu\n- {conv: 8}\n- silu\n- {conv: 8}\n- hardtanh",
    "not in place": "- {conv: 8, name: a}\n- sigmoid\n- relu\n- {add: [{from: a}, []]}\n- relu",
    "views": "- {conv: 8}\n- {permute: [1, 2, 0]}\n- {layer_norm: {dims: 1}}\n"
    "- {linear: {out: 5, last_dim: true}}\n- gelu\n- {permute: [2, 0, 1]}\n- {crop: 3}\n- lrn: 3",
    "three branches": "- {conv: 4}\n- add: [[], {conv: 4}, {conv: 4}, {max_pool: "
    "{kernel: 3, stride: 1, padding: 1}}]\n- mul: [[], {conv: 1}, {conv: 4}]\n- relu",
    "split": "- {conv: 8}\n- split: [[], {conv: 4}]\n- {channel_shuffle: 2}\n- {conv: 3}",
    "gate": "- mul: [[], [{global_avg_pool: {keepdim: true}}, {conv: 4}, sigmoid]]\n- {conv: 8}",
    "no weights yet": "- {max_pool: 2}\n- relu\n- dropout\n- {conv: 3}\n- {bn: {affine: false}}",
    "dropout": "- {conv: 8}\n- dropout\n- {dropout: 0}\n- {dropout2d: 0.3}\n- alpha_dropout\n"
    "- {stochastic_depth: 0.1}\n- {stochastic_depth: {p: 0.1, mode: batch}}\n- {dropout: 1}",
    "norms": "- {conv: 8}\n- {group_norm: 2}\n- {instance_norm: {affine: true}}\n- layer_norm\n"
    "- {scale: {by: 2, shift: 1}}\n- {layer_scale: {}}\n- {lp_pool: 2}\n- prelu\n- rrelu",
    "padding": "- {conv: {out: 4, kernel: 3, padding: [1, 0, 2, 1]}}\n- {pad: 1}\n"
    "- {conv: {out: 4, kernel: 2, padding: same}}\n- {upsample: {scale: 2, mode: area}}\n"
    "- {conv: {out: 4, kernel: 3, padding: 1, padding_mode: circular}}\n- {pixel_shuffle: 2}",
    "padding of the image": "- {conv: {out: 4, kernel: 3, padding: 1, padding_mode: reflect}}\n"
    "- {conv: {out: 4, kernel: 3, padding: 1, padding_mode: replicate}}",
    "scopes": "- {name: a, seq: [{conv: {out: 32, kernel: 3, padding: 1}}, {conv: 4}, relu]}\n"
    "- {name: b, seq: [{conv: 4}, {residual: [{conv: 4}, relu, {conv: 4}]}, relu]}\n"
    "- {max_pool: 2}\n- flatten\n- {linear: 10}\n- {softmin: 0}\n- {log_softmax: 0}",
}


@pytest.mark.parametrize("body", SMALL.values(), ids=SMALL.keys())
def test_memory_of_small_networks(body: str, tmp_path: Path) -> None:
    assert_memory(written(tmp_path, IMAGE + body + "\n"))


def written(folder: Path, text: str) -> Graph:
    path = folder / "net.yaml"
    path.write_text(text, encoding="utf-8")
    return cnndsl.check(path)


def test_memory_of_several_inputs_and_outputs(tmp_path: Path) -> None:
    graph = written(
        tmp_path,
        "inputs: {left: [3, 8, 8], right: [3, 8, 8]}\n"
        "body: [{conv: 4, name: a}, {from: right}, {conv: 4}, {add: [[], {from: a}]}, relu]\n"
        "outputs:\n  main: {}\n  side: {from: a, body: [{conv: 64}, relu], train_only: true}\n"
        "  other: {from: a, body: [{conv: 5}, bn]}\n",
    )
    assert_memory(graph)


def test_where_memory_lies() -> None:
    """VGG's memory lies in its first layers, its parameters in the last ones."""
    costs = cnndsl.cost(cnndsl.check("vgg16"))
    assert costs.memory.peak.path == "features.2"
    early = sum(costs.memory.kept.get(layer.node.id, 0) for layer in costs.layers[:10])
    assert early > costs.memory.training / 2
    assert sum(layer.params for layer in costs.layers[-7:]) > 0.85 * costs.params


# --- receptive fields ----------------------------------------------------------------------------

# Araujo, Norris and Sim, Computing Receptive Fields of Convolutional Neural Networks (2019),
# Table 1; their ResNets have the stride elsewhere.
PUBLISHED = {
    "alexnet": (195, 32),
    "vgg16": (212, 32),
    "inception_v3": (1311, 32),
    "inception_v4": (2071, 32),
    "inception_resnet_v2": (3039, 32),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_receptive_fields(name: str) -> None:
    field = cnndsl.cost(cnndsl.check(name)).field
    size, stride = PUBLISHED[name]
    assert field is not None
    assert field.size == field.window == (size, size)
    assert field.stride == (stride, stride)


FIELDS: dict[str, dict[str, Any]] = {
    **{name: {} for name in ("resnet18", "mobilenet_v2", "mobilenet_v3_small", "lenet", "nin")},
    **{name: {} for name in ("shufflenet_v2_x0_5", "squeezenet1_1", "resnet20", "inception")},
    "convnext_tiny": {"depths": [1, 1, 1, 1]},
    "densenet121": {"depths": [2, 2, 1, 1]},
}
AT_ONCE = 12
"""Images in a batch, so that the largest network fits into memory."""
WIDE = ("lenet", "mobilenet_v2", "convnext_tiny")
"""Whose columns are compared, too, on every run."""
SLOW = ("resnet50", "alexnet", "vgg11", "googlenet_no_aux", "inception_v3_no_aux")
SIDES = ("rows", "columns")
EVERY = [
    pytest.param(name, params, side, id=f"{name}-{SIDES[side]}", marks=marks)
    for name, params in {**FIELDS, **{name: {} for name in SLOW}}.items()
    for side in (0, 1)
    for marks in [(pytest.mark.heavy,) if name in SLOW or (side and name not in WIDE) else ()]
]


@pytest.mark.parametrize(("name", "params", "side"), EVERY)
def test_receptive_fields_of_every_layer(name: str, params: dict[str, Any], side: int) -> None:
    """Light one row of a dark image: in every layer those rows change that see it, and no others.

    The rows that are lit lie at the edges of the windows of each layer, and just outside.
    """
    graph = long_image(name, params, side)
    places = {
        node.path: own[side].moving
        for node in graph.layers
        if (own := sights(graph).get(node.id)) and node.id not in graph.train_only
    }
    windows = {path: m for path, m in places.items() if m is not None and m.dim is not None}
    maps = [node for node in graph.layers if len(node.shape) == 3 and max(node.shape[1:]) > 1]
    assert len(windows) >= 0.9 * len(maps)
    rows = sorted(edges(windows, graph.inputs[0].shape[1 + side]))
    for path, changed in lit_rows(graph, side, rows, windows).items():
        moving = windows[path]
        spans = [moving.at(place) for place in range(moving.count)]
        for row, lit in zip(rows, changed.tolist(), strict=True):
            assert lit == [s is not None and s[0] <= row <= s[1] for s in spans], (path, row)


def long_image(name: str, params: dict[str, Any], side: int) -> Graph:
    """The network for an image so long that windows end within it, and no wider than need be."""
    graph = cnndsl.check(name, params=params)
    costs = cnndsl.cost(graph)
    field, least = costs.field, costs.min_input
    assert field is not None
    assert field.window is not None
    assert field.stride is not None
    if least == graph.inputs[0].shape.height or name == "inception":
        return graph  # its linear layer is for this size alone
    assert least is not None
    length = field.window[side] + 3 * int(field.stride[side]) + least
    shape = [length, least] if side == 0 else [least, length]
    return cnndsl.check(name, params=params, input=[graph.inputs[0].shape[0], *shape])


def edges(windows: dict[str, Moving], length: int) -> set[int]:
    """The first and the last row that the middle place of each layer sees, and those beside."""
    spans = [moving.at(moving.count // 2) for moving in windows.values()]
    rows = {row for s in spans if s for row in (s[0] - 1, s[0], s[1], s[1] + 1)}
    return {row for row in rows if 0 <= row < length}


def lit_rows(
    graph: Graph, side: int, rows: list[int], windows: dict[str, Moving]
) -> dict[str, Tensor]:
    """By layer, which places change when a row of a dark image is lit, [rows, places]."""
    changed: dict[str, list[Tensor]] = {path: [] for path in windows}

    def see(path: str, value: Tensor) -> None:
        if path in windows:
            differs = value[1:] != value[:1]
            dim = 1 + (windows[path].dim or 0)
            others = [d for d in range(1, differs.ndim) if d != dim]
            changed[path].append(differs.sum(others) > 0)

    module = make_positive(probed(graph, see))
    dark = torch.zeros(1, *graph.inputs[0].shape, dtype=torch.float64)
    light = torch.rand(dark[0].select(1 + side, 0).shape, dtype=torch.float64) + 0.5
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        images = dark.repeat(1 + len(some), 1, 1, 1)
        for index, row in enumerate(some):
            images[1 + index].select(1 + side, row).copy_(light)
        with torch.no_grad():
            module(images)
    return {path: torch.cat(parts) for path, parts in changed.items()}


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "shufflenet_v2_x0_5"])
def test_receptive_field_by_the_gradient(name: str) -> None:
    """The gradient of one place of the last feature map reaches its window, and no further.

    Means stand for maxima, which pass the gradient to one pixel of each window only.
    """
    graph = long_image(name, {}, 0)
    field = cnndsl.cost(graph).field
    assert field is not None
    assert field.window is not None
    assert field.stride is not None
    middle = int(graph.inputs[0].shape.height / field.stride[0]) // 2
    seen = [gradient_rows(graph, place) for place in (middle, middle + 1)]
    assert [last - first + 1 for first, last in seen] == [field.window[0]] * 2
    assert seen[1][0] - seen[0][0] == field.stride[0]


@pytest.mark.parametrize("side", [16, 17, 31, 32])
@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("corners", [False, True])
def test_receptive_field_of_joined_grids(
    side: int, mode: str, corners: bool, tmp_path: Path
) -> None:
    """Values beside those of a smaller image made as large: their windows drift apart."""
    aligned = ", align_corners: true" if corners and mode != "nearest" else ""
    again = f"{{upsample: {{size: [{side}, {side}], mode: {mode}{aligned}}}}}"
    path = tmp_path / "net.yaml"
    path.write_text(
        f"input: [1, {side}, {side}]\nbody: {{concat: [[], [{{avg_pool: 2}}, {again}]]}}\n"
    )
    graph = cnndsl.check(path)
    field = cnndsl.cost(graph).field
    rows = [gradient_rows(graph, place) for place in range(side)]
    widest = max(last - first + 1 for first, last in rows)
    assert field is not None
    assert (field.size, field.window) == ((widest, widest), (widest, widest))


def gradient_rows(graph: Graph, place: int) -> tuple[int, int]:
    """The first and the last row of the image that a row of the last feature map depends on."""
    last: list[Tensor] = []

    def see(path: str, value: Tensor) -> None:
        if value.ndim == 4 and value.shape[2] > 1:
            last[:] = [value]

    module = make_positive(probed(graph, see))
    image = 1e-6 * torch.rand(1, *graph.inputs[0].shape, dtype=torch.float64) + 1e-6
    with patch.object(F, "max_pool2d", mean_pool):
        module(image.requires_grad_())
    last[0][0, :, place].sum().backward()
    assert image.grad is not None
    rows = image.grad[0].abs().sum((0, 2)).nonzero().flatten()
    return int(rows[0]), int(rows[-1])


def mean_pool(x: Tensor, kernel: int, stride: int, padding: int, *_: Any, **__: Any) -> Tensor:
    return F.avg_pool2d(x, kernel, stride, padding)


def test_a_gate_sees_the_whole_image() -> None:
    graph = cnndsl.check("mobilenet_v3_small", input=[3, 96, 64])
    field = cnndsl.cost(graph).field
    assert field is not None
    assert field.size == (96, 64)
    seen: dict[str, Tensor] = {}
    module = make_positive(probed(graph, seen.__setitem__))
    image = torch.rand(1, 3, 96, 64, dtype=torch.float64, requires_grad=True)
    module(image)
    seen["features.1.block.2.0"][0, :, 0, 0].sum().backward()  # behind the first gate
    assert image.grad is not None
    assert (image.grad.abs().sum(1) > 0).all()
    found = cnndsl.cost(graph).fields[next(n.id for n in graph.nodes if n.op.name == "mul")]
    assert (found.size, found.window) == ((96, 64), (7, 7))


@pytest.mark.parametrize(
    ("body", "sizes"),
    [
        ("- {conv: {out: 2, kernel: [1, 3]}}", [((1, 3), (1, 3), (1, 1))]),
        ("- {avg_pool: 2}\n- {upsample: 2}", [((2, 2),) * 3, ((2, 2), (2, 2), (1, 1))]),
        ("- {conv_transpose: {out: 2, kernel: 2, stride: 2}}", [((1, 1), (1, 1), (0.5, 0.5))]),
        ("- {permute: [1, 2, 0]}\n- {softmax: 0}", [((1, 1),) * 3, ((12, 1), (1, 1), (1, 1))]),
        ("- flatten\n- linear: 2", [((1, 1), None, None), ((12, 10), None, None)]),
        ("- {global_avg_pool: {keepdim: true}}", [((12, 10), None, None)]),
        ("- group_norm: 1", [((12, 10), (1, 1), (1, 1))]),
        ("- {adaptive_avg_pool: [5, 10]}", [((4, 1), (4, 1), (2.4, 1))]),
    ],
)
def test_fields_of_single_layers(body: str, sizes: list[Any], tmp_path: Path) -> None:
    graph = written(tmp_path, f"input: [2, 12, 10]\nbody:\n{body}\n")
    fields = cnndsl.cost(graph).fields
    found = [fields[node.id] for node in graph.layers]
    strides = [f.stride and tuple(map(float, f.stride)) for f in found]
    told = [(f.size, f.window, s) for f, s in zip(found, strides, strict=True)]
    assert told == sizes


ENLARGED = {
    "upsample": "- {conv: {out: 4, kernel: 3, stride: 2, padding: 1}}\n- {upsample: 2}\n"
    "- {conv: {out: 4, kernel: 3, padding: 1}}\n- {max_pool: 2}\n- {conv: {out: 4, kernel: 2}}",
    "bilinear": "- {avg_pool: 2}\n- {upsample: {scale: 2, mode: bilinear}}\n"
    "- {conv: {out: 4, kernel: 5, padding: 2}}\n- {upsample: {scale: 3, mode: nearest}}",
    "transposed": "- {conv: {out: 4, kernel: 3, stride: 3, padding: 1}}\n"
    "- {conv_transpose: {out: 4, kernel: 4, stride: 2, padding: 1}}\n- relu\n"
    "- {conv_transpose: {out: 2, kernel: 2, stride: 3, dilation: 2}}\n"
    "- {conv: {out: 2, kernel: 3}}",
    "pixels": "- {pixel_unshuffle: 2}\n- {conv: {out: 8, kernel: 3, padding: 1}}\n"
    "- {pixel_shuffle: 2}\n- {conv: {out: 4, kernel: 3, padding: 1, dilation: 1}}",
    "branches": "- concat:\n"
    "  - [{max_pool: 2}, {conv: {out: 2, kernel: 3, padding: 1}}, {upsample: 2}]\n"
    "  - {conv: {out: 2, kernel: 5, padding: 2}}\n- {conv: {out: 4, kernel: 3, stride: 2}}",
    "adaptive": "- {conv: {out: 4, kernel: 3, padding: 1}}\n- {adaptive_avg_pool: [9, 6]}\n"
    "- {conv: {out: 4, kernel: 2}}",
}


@pytest.mark.parametrize("body", ENLARGED.values(), ids=ENLARGED.keys())
def test_fields_of_enlarged_images(body: str, tmp_path: Path) -> None:
    """Where neighbours read differently, each place sees what lights it up."""
    graph = written(tmp_path, f"input: [4, 24, 6]\nbody:\n{body}\n")
    windows = {
        node.path: moving
        for node in graph.layers
        if (moving := sights(graph)[node.id][0].moving) and moving.dim is not None
    }
    assert len(windows) == len(graph.layers)
    rows = list(range(24))
    for path, changed in lit_rows(graph, 0, rows, windows).items():
        moving = windows[path]
        for place in range(moving.count):
            span = moving.at(place)
            seen = [row for row in rows if changed[row, place]]
            assert bool(seen) == (span is not None)
            if span is not None and 0 <= span[0] <= span[1] < 24:
                assert (seen[0], seen[-1]) == span


STATISTICS = {
    **dict.fromkeys(("group_norm: 1", "group_norm: 2", "layer_norm: 3"), (0, 1)),
    **dict.fromkeys(("instance_norm: {affine: true}", "bn: {track_running_stats: false}"), (0, 1)),
    **{"softmax: 1": (0,), "log_softmax: 2": (1,)},
}
"""Layers with a statistic over the rows, the columns or both."""
LOCAL = ("silu", "bn", "layer_norm", "softmax2d", "avg_pool: 2", "conv: {out: 4, kernel: 3}")
STRIDED = "conv: {out: 4, kernel: 3, stride: 2, padding: 1}"


@given(
    st.lists(st.sampled_from((*STATISTICS, *LOCAL)), max_size=3),
    st.sampled_from([*STATISTICS]),
    st.lists(st.sampled_from((STRIDED, *LOCAL)), max_size=2),
)
@settings(max_examples=40, deadline=None, derandomize=True, database=None)
def test_a_statistic_sees_all_and_the_place_its_window(
    before: list[str], norm: str, after: list[str]
) -> None:
    """The gradient of a place reaches all; with all statistics held fast, its window alone."""
    body = [STRIDED, *before, norm, *after]
    with TemporaryDirectory() as folder:
        lines = "\n".join(f"- {{{layer}}}" if ":" in layer else f"- {layer}" for layer in body)
        graph = written(Path(folder), f"input: [4, 40, 36]\nbody:\n{lines}\n")
    own = sights(graph)[graph.output.node]
    field = cnndsl.cost(graph).field
    assert field is not None
    middle = [side // 2 for side in graph.nodes[graph.output.node].shape[1:]]
    every = reached(graph, middle)
    with statistics_held():
        windows = reached(graph, middle)
    for side, length in enumerate((40, 36)):
        moving = own[side].moving
        assert moving is not None
        span = moving.at(middle[side])
        assert span is not None
        assert windows[side] == (max(span[0], 0), min(span[1], length - 1))
        over = any(side in STATISTICS.get(layer, ()) for layer in body)
        assert every[side] == ((0, length - 1) if over else windows[side])
        if over:
            assert field.size[side] == length


def reached(graph: Graph, place: list[int]) -> list[tuple[int, int]]:
    """The rows and the columns of the image, first and last, that a place's gradient reaches."""
    torch.manual_seed(0)
    module = cnndsl.build(graph).double().eval()
    image = torch.rand(1, *graph.inputs[0].shape, dtype=torch.float64, requires_grad=True)
    value = module(image)[0, :, place[0], place[1]]
    (value * torch.linspace(1, 2, len(value), dtype=torch.float64)).sum().backward()
    assert image.grad is not None
    seen = [image.grad[0].abs().amax((0, 2 - side)).nonzero().flatten() for side in (0, 1)]
    return [(int(found[0]), int(found[-1])) for found in seen]


@contextmanager
def statistics_held() -> Iterator[None]:
    """PyTorch's functions, through whose means, variances and sums no gradient goes."""

    def scaled(x: Tensor, dims: tuple[int, ...]) -> Tensor:
        fixed = x.detach()
        return (x - fixed.mean(dims, keepdim=True)) / (fixed.var(dims, keepdim=True) + 1e-5).sqrt()

    def group_norm(x: Tensor, groups: int, *_: Any) -> Tensor:
        return scaled(x.unflatten(1, (groups, -1)), (2, 3, 4)).flatten(1, 2)

    def layer_norm(x: Tensor, shape: Sequence[int], *_: Any) -> Tensor:
        return scaled(x, tuple(range(-len(shape), 0)))

    def batch_norm(x: Tensor, mean: Tensor | None, *_: Any) -> Tensor:
        return x if mean is not None else scaled(x, (0, 2, 3))

    def softmax(x: Tensor, dim: int, *_: Any, **__: Any) -> Tensor:
        return x.exp() / x.detach().exp().sum(dim, keepdim=True)

    held = {
        "group_norm": group_norm,
        "instance_norm": lambda x, *_, **__: scaled(x, (2, 3)),
        "layer_norm": layer_norm,
        "batch_norm": batch_norm,
        "softmax": softmax,
        "log_softmax": lambda x, dim, *_, **__: x - x.detach().logsumexp(dim, keepdim=True),
    }
    with patch.multiple(F, **held):
        yield


def test_features_have_no_field(tmp_path: Path) -> None:
    graph = written(tmp_path, "input: [12]\nbody: [{linear: 4}]\n")
    assert cnndsl.cost(graph).field is None
    assert cnndsl.cost(graph).fields == {}


# --- depth ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        *(("resnet18", 18), ("resnet50", 50), ("resnet152", 152), ("vgg16", 16), ("vgg19_bn", 19)),
        *(("densenet121", 121), ("densenet201", 201), ("googlenet", 22), ("alexnet", 8)),
        *(("inception_v3", 48), ("mobilenet_v2", 53), ("lenet", 5), ("resnet110", 110)),
    ],
)
def test_depth_is_what_papers_count(name: str, layers: int) -> None:
    assert cnndsl.cost(cnndsl.check(name)).depth == layers
