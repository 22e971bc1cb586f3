"""The back end: emitted source, and what PyTorch's tools do with the module."""

from __future__ import annotations

import ast
import copy
import io
import os
import pickle
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import cnndsl
from cnndsl.builder import build_module
from cnndsl.verify import verify

UNET = """
name: unet
inputs: {image: [3, 16, 16], mask: [1, 16, 16]}
params: {with_aux: true}
body:
  - concat: [{from: image}, {from: mask}]
  - {conv: {out: 8, kernel: 3, padding: 1}, name: down1}
  - {relu: {}, name: act}
  - seq:
      - max_pool: 2
      - {conv: {out: 16, kernel: 3, padding: 1}, name: inner}
      - relu
    name: bottom
  - {upsample: {scale: 2}, name: up}
  - concat: [[], {from: act}]
  - {conv: 4, name: head-1}
  - {scale: 0.5}
outputs:
  logits: {}
  coarse: {from: bottom, body: {conv: 2}, train_only: true, loss_weight: 0.5, when: $with_aux}
"""


def write(folder: Path, text: str, name: str = "net.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def image(graph: cnndsl.Graph, batch: int = 2) -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.randn(batch, *node.shape) for node in graph.inputs]


NETWORKS = ["lenet", "inception", "resnet18", "googlenet", "densenet121"]


@pytest.fixture(params=[*NETWORKS[:-1], pytest.param(NETWORKS[-1], marks=pytest.mark.heavy)])
def network(request: pytest.FixtureRequest) -> tuple[nn.Module, Tensor]:
    size = None if request.param in ("lenet", "inception") else [3, 32, 32]
    graph = cnndsl.check(request.param, input=size)
    torch.manual_seed(0)
    return cnndsl.build(graph).eval(), image(graph)[0]


def test_compiles_as_one_graph(network: tuple[nn.Module, Tensor]) -> None:
    module, x = network
    compiled = torch.compile(module, fullgraph=True, backend="eager")
    assert torch.equal(compiled(x), module(x))


def test_exports(network: tuple[nn.Module, Tensor]) -> None:
    module, x = network
    exported = torch.export.export(module, (x,))
    assert torch.equal(exported.module()(x), module(x))


def test_copies(network: tuple[nn.Module, Tensor]) -> None:
    module, x = network
    twin = copy.deepcopy(module)
    assert torch.equal(twin(x), module(x))
    with torch.no_grad():
        next(twin.parameters()).add_(1)
    assert not torch.equal(next(twin.parameters()), next(module.parameters()))


def test_pickles(network: tuple[nn.Module, Tensor]) -> None:
    module, x = network
    assert torch.equal(pickle.loads(pickle.dumps(module))(x), module(x))


def test_saves_and_loads(network: tuple[nn.Module, Tensor]) -> None:
    module, x = network
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    assert torch.equal(loaded(x), module(x))
    assert loaded.training is False


def test_traces_symbolically(network: tuple[nn.Module, Tensor]) -> None:
    module, x = network
    assert torch.equal(torch.fx.symbolic_trace(module)(x), module(x))


def test_loads_in_another_process(tmp_path: Path) -> None:
    module = cnndsl.build("lenet").eval()
    module[-1] = nn.Linear(84, 3)  # a replaced head is kept
    torch.save(module, tmp_path / "model.pt")
    x = torch.ones(1, 1, 28, 28)
    code = (
        "import sys, torch; m = torch.load(sys.argv[1], weights_only=False);"
        "print(m(torch.ones(1, 1, 28, 28)).tolist())"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model.pt")]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert torch.allclose(torch.tensor(eval(told)), module(x), atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_source_stands_alone(name: str, tmp_path: Path) -> None:
    graph = cnndsl.check(name)
    source = cnndsl.emit(graph)
    assert "cnndsl" not in source
    path = write(tmp_path, source, "model.py")
    for tool in (["check", "--isolated"], ["format", "--isolated", "--check"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *tool, path], capture_output=True)
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    namespace: dict[str, type[nn.Module]] = {}
    exec(compile(source, str(path), "exec"), namespace)
    module = build_module(graph)
    alone = namespace[type(module).__name__]()
    alone.load_state_dict(module.state_dict())
    x = torch.randn(1, *graph.inputs[0].shape)
    assert torch.equal(alone.eval()(x), module.eval()(x))


@pytest.mark.parametrize("name", [*NETWORKS, "vgg11_bn", "nin", "alexnet", "resnet50"])
def test_shapes_and_weights_agree_with_pytorch(name: str) -> None:
    assert verify(cnndsl.check(name)) == []


def test_verify_finds_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    from cnndsl.ops.conv import Conv2d

    graph = cnndsl.check("lenet")
    wrong = Conv2d.module
    monkeypatch.setattr(
        Conv2d,
        "module",
        lambda self, x: Conv2d(out=self.out, kernel=1) and wrong(Conv2d(out=self.out, kernel=3), x),
    )
    assert any("conv" in line or "0" in line for line in verify(graph))


def test_skips_inputs_and_heads(tmp_path: Path) -> None:
    graph = cnndsl.check(write(tmp_path, UNET))
    assert verify(graph) == []
    module = cnndsl.build(graph)
    inputs = image(graph)
    logits, coarse = module(*inputs)
    assert logits.shape == (2, 4, 16, 16)
    assert coarse.shape == (2, 2, 8, 8)
    module.eval()
    assert torch.equal(module(*inputs), module(*inputs))
    assert isinstance(module(*inputs), Tensor)
    assert set(dict(module.named_children())) == {
        "down1",
        "act",
        "bottom",
        "up",
        "coarse",
        "head-1",
    }


def test_hand_written_forward_pass(tmp_path: Path) -> None:
    graph = cnndsl.check(write(tmp_path, UNET))
    module = cnndsl.build(graph).eval()
    picture, mask = image(graph)

    down1, head = module.get_submodule("down1"), module.get_submodule("head-1")
    act = down1(torch.cat([picture, mask], 1)).relu()
    inner = module.get_submodule("bottom.inner")
    low = inner(nn.functional.max_pool2d(act, 2)).relu()
    up = nn.functional.interpolate(low, scale_factor=2)
    assert torch.equal(module(picture, mask), head(torch.cat([up, act], 1)) * 0.5)


def test_ignores_weights_of_dropped_heads(tmp_path: Path) -> None:
    path = write(tmp_path, UNET)
    full = cnndsl.build(path)
    bare = cnndsl.build(path, params={"with_aux": False})
    assert any(key.startswith("coarse.") for key in full.state_dict())
    bare.load_state_dict(full.state_dict(), strict=True)
    with pytest.raises(RuntimeError, match="Missing"):
        full.load_state_dict(bare.state_dict(), strict=True)


def test_users_tensors_are_not_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path, "input: [2, 4, 4]\nbody: [relu, {residual: [relu]}, relu]\n")
    x = torch.randn(1, 2, 4, 4)
    before = x.clone()
    cnndsl.build(path)(x)
    assert torch.equal(x, before)


def test_in_place_ops_keep_gradients(tmp_path: Path) -> None:
    text = """
    input: [4, 8, 8]
    body:
      - {conv: {out: 4, kernel: 3, padding: 1}, name: a}
      - {bn: {}, name: b}
      - relu
      - residual: [{conv: 4, name: c}, sigmoid, relu, {bn: {}, name: d}]
      - relu
      - mul: [[], [global_avg_pool, {unflatten: [4, 1, 1]}, sigmoid]]
      - add: [{conv: 4, name: e}, {conv: 4, name: f}, []]
      - relu
    """
    graph = cnndsl.check(write(tmp_path, text))
    module = cnndsl.build(graph).double().eval()
    x = torch.randn(2, 4, 8, 8, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(module, (x,), atol=1e-4)


def test_equal_classes_are_written_once() -> None:
    source = cnndsl.emit(cnndsl.check("resnet152"))
    assert source.count("class ") == 4
    assert len(source.splitlines()) < 120


def test_user_names_cannot_break_the_source(tmp_path: Path) -> None:
    text = r"""
    name: "it's 'quoted' \\\\ \"\"\" and long"
    about: 'ends with a quote"'
    input: [3, 8, 8]
    body:
      - {conv: 4, name: print}
      - {conv: 4, name: x-1}
      - seq: [{conv: 4, name: self}, {conv: 2, name: nn}]
        name: torch
      - residual: [{conv: 2, name: out}]
    """
    graph = cnndsl.check(write(tmp_path, text))
    assert verify(graph) == []
    assert cnndsl.build(graph)(torch.randn(1, 3, 8, 8)).shape == (1, 2, 8, 8)


AT_THE_EDGE = st.builds(
    lambda count, mark, times, rest: count * "a" + times * mark + rest,
    st.integers(74, 86),  # a line takes 85 letters, and breaks a longer word
    st.sampled_from(["\\", '"']),
    st.integers(10, 20),
    st.text("Nxu0a", max_size=3),
)
TEXTS = st.one_of(
    AT_THE_EDGE,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    st.text("\\N\"'xu{}0a \n\r\t\f\v\x00\x1b\x85\u2028\ufeff#$", max_size=300),
)


@given(TEXTS, TEXTS)
@settings(max_examples=100, deadline=None, derandomize=True, database=None)
def test_texts_of_a_spec_stay_texts(name: str, about: str) -> None:
    """Whatever they hold, the source compiles, does what it did, and says them."""
    with TemporaryDirectory() as folder:
        note = f"a{name}".replace("$", "$$")
        texts = yaml.safe_dump({"name": name, "about": about, "params": {"note": note}})
        path = Path(folder) / "net.yaml"
        path.write_text(
            texts + "input: [3, 8, 8]\nblocks: {B: {params: {note: str}, body: [{conv: 3}]}}\n"
            "body: [{B: {note: $note}}, {B: {note: 'b'}}]\n"
        )
        graph = cnndsl.check(path)
    source = cnndsl.emit(graph)
    tree = ast.parse(source)
    assert [*map(type, tree.body)].count(ast.Expr) == 1
    assert sum(isinstance(node, ast.ClassDef) for node in tree.body) == 2
    said = "".join(c for c in (about or name or "net") if c.isprintable() and c != " ")
    told = "".join((ast.get_docstring(tree, clean=False) or "").split())
    assert told.replace("'", '"').startswith(said.replace("'", '"'))


def test_a_file_whose_name_is_no_text_has_a_name(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"n\xff.yaml")
    try:
        path.write_text("input: [3, 8, 8]\nbody: [{conv: 3}]\n")
    except OSError:
        pytest.skip("this file system takes text alone")
    graph = cnndsl.check(path)
    assert graph.name == "n?"
    assert cnndsl.emit(graph).encode()


def test_blocks_may_be_named_like_helpers(tmp_path: Path) -> None:
    blocks = "blocks: {Scale: {body: [{scale: 2.0}, {conv: 3}]}, F: {body: [relu]}}\n"
    text = f"input: [3, 8, 8]\n{blocks}"
    path = write(tmp_path, text + "body: [Scale, F, {residual: [Scale]}]\n")
    assert verify(cnndsl.check(path)) == []
    assert cnndsl.build(path)(torch.randn(1, 3, 8, 8)).shape == (1, 3, 8, 8)
