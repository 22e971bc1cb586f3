"""The shipped specs against their sources: torchvision's networks, and hand-written ones."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import timm
import torch
import torchvision
import yaml
from reference import identity_mappings
from reference.alexnet import alexnet_course
from reference.alexnet_original import alexnet_original
from reference.googlenet_original import GoogLeNet
from reference.identity_mappings import ResNet110
from reference.inception import InceptionNet
from reference.lenet import lenet, lenet_bn
from reference.nin import nin
from reference.resnet_cifar import ResNetCIFAR
from reference.resnet_mnist import ResNetMNIST
from reference.vgg import vgg11_course
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.regnet import BlockParams

import cnndsl
from cnndsl.costs import min_input
from cnndsl.verify import verify

SPECS = sorted((Path(__file__).parent.parent / "specs").glob("*.yaml"))

# torchvision's networks; the light ones, one a family and block, are compared on every run.
LIGHT = (
    *("alexnet", "vgg11_bn", "googlenet", "resnet18", "resnet50", "densenet121"),
    *("squeezenet1_1", "shufflenet_v2_x0_5", "regnet_y_400mf", "convnext_tiny"),
    *("mobilenet_v2", "mobilenet_v3_small", "mnasnet0_5", "efficientnet_b0"),
    "inception_v3",
)
HEAVY = (
    *("vgg11", "vgg13", "vgg16", "vgg19", "vgg13_bn", "vgg16_bn", "vgg19_bn"),
    *("resnet34", "resnet101", "resnet152"),
    *("densenet161", "densenet169", "densenet201"),
    *("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"),
    *("wide_resnet50_2", "wide_resnet101_2"),
    *("squeezenet1_0", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0"),
    *("regnet_x_400mf", "regnet_x_800mf", "regnet_x_1_6gf", "regnet_x_3_2gf"),
    *("regnet_x_8gf", "regnet_x_16gf", "regnet_x_32gf"),
    *("regnet_y_800mf", "regnet_y_1_6gf", "regnet_y_3_2gf"),
    *("regnet_y_8gf", "regnet_y_16gf", "regnet_y_32gf"),
    "regnet_y_128gf",  # takes 11 GB
    *("convnext_small", "convnext_base", "convnext_large"),
    *("mobilenet_v3_large", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3"),
    *("efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4"),
    *("efficientnet_b5", "efficientnet_b6", "efficientnet_b7"),
    *("efficientnet_v2_s", "efficientnet_v2_m", "efficientnet_v2_l"),
)
ARGUMENTS: dict[str, dict[str, Any]] = {
    "googlenet": {"init_weights": False, "aux_logits": True},
    "inception_v3": {"init_weights": False, "aux_logits": True},
}
# Whose published figures are compared, where the default ones are those of other images.
WEIGHTS = {"regnet_y_128gf": "IMAGENET1K_SWAG_LINEAR_V1"}
# Whose published smallest image is larger than what they really take.
TAKE_SMALLER = ("efficientnet_v2_s", "efficientnet_v2_m", "efficientnet_v2_l")
SIDE = 64  # of the images that are compared: most of these networks take it
SIDES = {"inception_v3": 299}


@dataclass(frozen=True)
class Course:
    """A network that torchvision lacks: its spec, the reference, the side of its images."""

    spec: str
    reference: Callable[[], nn.Module]
    side: int
    same_names: bool = False
    """Whether the reference's state dict has our names, and not our order alone."""


def unit_course(name: str, unit: type[identity_mappings.Original]) -> Course:
    """ResNet-110 with one of the units of "Identity Mappings in Deep Residual Networks"."""
    return Course(f"resnet110_{name}", partial(ResNet110, unit), 32)


def timm_model(name: str) -> Callable[[], nn.Module]:
    """timm's network, with the dropout of its paper."""
    return partial(timm.create_model, name, drop_rate=0.2)


LIGHT_COURSES = (
    Course("lenet", lenet, 28),
    Course("lenet_bn", lenet_bn, 28),
    Course("inception", InceptionNet, 28),
    Course("resnet_mnist", ResNetMNIST, 28),
    Course("nin", nin, 224),
    Course("resnet20", partial(ResNetCIFAR, 3), 32),
    Course("resnet20_project", partial(ResNetCIFAR, 3, project=True), 32),
    unit_course("exclusive_gating", identity_mappings.ExclusiveGating),
    unit_course("full_preactivation", identity_mappings.FullPreactivation),
)
HEAVY_COURSES = (
    Course("alexnet_course", alexnet_course, 224),
    Course("vgg11_course", vgg11_course, 224),
    Course("alexnet_original", alexnet_original, 224),
    Course("googlenet_original", GoogLeNet, 224),
    Course("inception_v4", timm_model("inception_v4"), 107, same_names=True),
    Course("inception_resnet_v2", timm_model("inception_resnet_v2"), 107, same_names=True),
    Course("resnet32", partial(ResNetCIFAR, 5), 32),
    Course("resnet44", partial(ResNetCIFAR, 7), 32),
    Course("resnet56", partial(ResNetCIFAR, 9), 32),
    Course("resnet110", partial(ResNetCIFAR, 18), 32),
    unit_course("original", identity_mappings.Original),
    unit_course("constant_scaling", identity_mappings.ConstantScaling),
    unit_course("shortcut_only_gating", identity_mappings.ShortcutOnlyGating),
    unit_course("conv_shortcut", identity_mappings.ConvShortcut),
    unit_course("dropout_shortcut", identity_mappings.DropoutShortcut),
    unit_course("bn_after_addition", identity_mappings.BNAfterAddition),
    unit_course("relu_before_addition", identity_mappings.ReLUBeforeAddition),
    unit_course("relu_only_preactivation", identity_mappings.ReLUOnlyPreactivation),
)
COURSES = (*LIGHT_COURSES, *HEAVY_COURSES)


@dataclass(frozen=True)
class Pair:
    """Our network and the reference, with equal weights, and images for both."""

    ours: nn.Module
    theirs: nn.Module
    images: Tensor
    same_names: bool


def variants(path: Path) -> list[str | None]:
    """The names of a spec's variants; None alone where it has none."""
    spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    return list(spec.get("variants") or [None])


def networks(others_heavy: bool = False) -> list[Any]:
    """Each variant of each shipped spec; all but the first of each behind the marker, if asked."""
    marks = (pytest.mark.heavy,) if others_heavy else ()
    return [
        pytest.param(path, name, id=name or path.stem, marks=marks if index else ())
        for path in SPECS
        for index, name in enumerate(variants(path))
    ]


def heavy(cases: Iterable[Any]) -> list[Any]:
    return [pytest.param(case, marks=pytest.mark.heavy) for case in cases]


@contextmanager
def regnet_widths_on_cpu() -> Iterator[None]:
    """RegNet computes its widths with tensors, which must not be on the meta device."""
    original = BlockParams.from_init_params

    def computed(**params: Any) -> BlockParams:
        with torch.device("cpu"):
            return original(**params)

    with patch.object(BlockParams, "from_init_params", computed):
        yield


def torchvision_model(name: str) -> nn.Module:
    """torchvision's network on the meta device, without weights."""
    with warnings.catch_warnings(), torch.device("meta"), regnet_widths_on_cpu():
        warnings.simplefilter("ignore")  # GoogLeNet's note on the time that its own weights take
        return torchvision.models.get_model(name, weights=None, **ARGUMENTS.get(name, {}))


def randomize(model: nn.Module) -> nn.Module:
    """Move a network from the meta device to the CPU, with random weights and statistics."""
    model.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("num_batches_tracked"):
                tensor.zero_()
            elif name.endswith("running_var") or (tensor.ndim == 1 and name.endswith("weight")):
                tensor.uniform_(0.5, 1.5, generator=generator)
            elif tensor.ndim == 1:
                tensor.normal_(0, 0.1, generator=generator)
            else:
                tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5, generator=generator)
    return model


def pair_with(ours: nn.Module, theirs: nn.Module, images: Tensor, *, same_names: bool) -> Pair:
    state = theirs.state_dict()
    if not same_names:
        state = dict(zip(ours.state_dict(), state.values(), strict=True))
    ours.load_state_dict(state, strict=True)
    return Pair(ours, theirs, images, same_names)


@pytest.fixture(
    scope="module",
    params=[*LIGHT, *heavy(HEAVY)],
)
def published(request: pytest.FixtureRequest) -> Pair:
    """Our network with the state dict of torchvision's."""
    theirs = randomize(torchvision_model(request.param))
    images = images_of(3, SIDES.get(request.param, SIDE))
    return pair_with(cnndsl.build(request.param), theirs, images, same_names=True)


@pytest.fixture(
    scope="module",
    params=[*LIGHT_COURSES, *heavy(HEAVY_COURSES)],
    ids=lambda case: case.spec,
)
def taught(request: pytest.FixtureRequest) -> Pair:
    """Our network with the weights of the reference, by name or in their order."""
    case = request.param
    graph = cnndsl.check(case.spec)
    with torch.device("meta"):
        theirs = case.reference()
    images = images_of(graph.inputs[0].shape.channels, case.side)
    ours = cnndsl.build(graph)
    return pair_with(ours, randomize(theirs), images, same_names=case.same_names)


def images_of(channels: int, side: int) -> Tensor:
    """Two random images."""
    return torch.randn(2, channels, side, side, generator=torch.Generator().manual_seed(1))


# --- equality ------------------------------------------------------------------------------------


def test_torchvision_inference(published: Pair) -> None:
    assert_equal_inference(published)


def test_torchvision_training(published: Pair) -> None:
    assert_equal_training(published)


def test_course_inference(taught: Pair) -> None:
    assert_equal_inference(taught)


def test_course_training(taught: Pair) -> None:
    assert_equal_training(taught)


def assert_equal_inference(pair: Pair) -> None:
    ours, theirs = pair.ours.eval(), pair.theirs.eval()
    with torch.no_grad():
        found, expected = ours(pair.images), theirs(pair.images)
    assert expected.isfinite().all()
    assert expected.std() > 0
    assert torch.equal(found, expected)


def assert_equal_training(pair: Pair) -> None:
    """Equal outputs under equal random numbers, gradients, and running statistics after it."""
    found = training_step(pair.ours, pair.images)
    expected = training_step(pair.theirs, pair.images)
    for mine, other in zip(found, expected, strict=True):
        assert other.isfinite().all()
        assert torch.equal(mine, other)
    gradients = [{n: p.grad for n, p in m.named_parameters()} for m in (pair.ours, pair.theirs)]
    assert_same_tensors(*gradients, same_names=pair.same_names)
    states = pair.ours.state_dict(), pair.theirs.state_dict()
    assert_same_tensors(*states, same_names=pair.same_names)


def training_step(model: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    """The outputs of a forward pass in training mode; the gradients are left in the parameters."""
    model.train()
    model.zero_grad()
    torch.manual_seed(3)
    outputs = model(images.clone())
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    sum(output.square().mean() for output in outputs).backward()
    return outputs


def assert_same_tensors(
    found: dict[str, Tensor | None], expected: dict[str, Tensor | None], *, same_names: bool
) -> None:
    if same_names:
        assert set(found) == set(expected)
        found = {name: found[name] for name in expected}
    for (name, mine), other in zip(found.items(), expected.values(), strict=True):
        assert mine is not None, name
        assert other is not None, name
        assert torch.equal(mine, other), name


# --- auxiliary heads -----------------------------------------------------------------------------


def test_outputs_of_googlenet() -> None:
    with torch.device("meta"):
        model = cnndsl.build("googlenet")
        images = torch.empty(2, 3, SIDE, SIDE)
    assert model.train()(images)._fields == ("logits", "aux2", "aux1")
    assert model.eval()(images).shape == (2, 1000)


@pytest.mark.parametrize(("name", "side"), [("googlenet", SIDE), ("inception_v3", 75)])
def test_without_aux_takes_their_weights(name: str, side: int) -> None:
    theirs = randomize(torchvision_model(name)).eval()
    ours = cnndsl.build(f"{name}_no_aux").eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    images = images_of(3, side)
    with torch.no_grad():
        assert torch.equal(ours(images), theirs(images))
    assert isinstance(ours.train()(images), Tensor)


# --- figures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*LIGHT, *heavy(HEAVY)])
def test_figures_of_torchvision(name: str) -> None:
    """The static figures are those of the model, and those that torchvision publishes."""
    graph = cnndsl.check(name)
    assert_figures(graph, torchvision_model(name))
    meta = torchvision.models.get_model_weights(name)[WEIGHTS.get(name, "DEFAULT")].meta
    inference = cnndsl.check("googlenet_no_aux") if name == "googlenet" else graph
    assert cnndsl.cost(inference).params == meta["num_params"]
    assert round(cnndsl.cost(graph).macs / 1e9, 3) == meta["_ops"]
    side = min_input(graph)
    assert side is not None
    published = meta["min_size"]
    assert (side, side) == published or (name in TAKE_SMALLER and side < min(published))


@pytest.mark.parametrize("name", [*LIGHT, *heavy(HEAVY)])
def test_smallest_image_of_torchvision(name: str) -> None:
    side = min_input(cnndsl.check(name))
    assert side is not None
    model = torchvision_model(name).eval()
    with torch.device("meta"), torch.no_grad():
        model(torch.empty(1, 3, side, side))
        with pytest.raises((RuntimeError, ValueError)):
            model(torch.empty(1, 3, side - 1, side - 1))


@pytest.mark.parametrize("width", [0.35, 0.5, 0.75, 1.25, 1.4, 2.0])
@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"])
def test_width_multiplier(name: str, width: float) -> None:
    graph = cnndsl.check(name, params={"width": width})
    with torch.device("meta"):
        ours = cnndsl.build(graph)
        theirs = torchvision.models.get_model(name, weights=None, width_mult=width)
    shapes = [{n: t.shape for n, t in m.state_dict().items()} for m in (ours, theirs)]
    assert shapes[0] == shapes[1]
    assert_figures(graph, theirs)


@pytest.mark.parametrize("case", COURSES, ids=lambda case: case.spec)
def test_figures_of_courses(case: Course) -> None:
    with torch.device("meta"):
        assert_figures(cnndsl.check(case.spec), case.reference())


def assert_figures(graph: cnndsl.Graph, model: nn.Module) -> None:
    """Parameters and multiply-adds, and the shape of the output, are the model's."""
    costs = cnndsl.cost(graph)
    assert costs.params == sum(p.numel() for p in model.parameters() if p.requires_grad)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        output = model.eval()(torch.empty(1, *graph.inputs[0].shape, device="meta"))
    assert costs.macs * 2 == counter.get_total_flops()
    assert graph.nodes[graph.output.node].shape == output.shape[1:]


# --- every spec ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "variant"), networks())
def test_every_variant_checks(path: Path, variant: str | None) -> None:
    """The spec holds with all that it expects, and there is nothing to tell of it."""
    graph = cnndsl.check(path, variant)
    graph.verify()
    assert not graph.diagnostics


@pytest.mark.parametrize(("path", "variant"), networks(others_heavy=True))
def test_pytorch_finds_the_static_shapes_and_weights(path: Path, variant: str | None) -> None:
    graph = cnndsl.check(path, variant)
    assert verify(graph) == []
    with torch.device("meta"):
        model = cnndsl.build(graph).eval()
        output = model(torch.empty(2, *graph.inputs[0].shape))
    assert output.shape == (2, *graph.nodes[graph.output.node].shape)
    assert sum(p.numel() for p in model.parameters()) == cnndsl.cost(graph).params


@pytest.mark.parametrize(("path", "variant"), networks(others_heavy=True))
def test_every_variant_takes_the_digits(path: Path, variant: str | None) -> None:
    """The recipe's data fits the network: grey images of ten classes, at the recipe's size."""
    graph = cnndsl.check(path, variant)
    assert graph.train["data"] == {"name": "digits"}
    side = graph.train["size"]
    small = cnndsl.check(path, variant, params={"classes": 10}, input=[1, side, side])
    assert small.nodes[small.output.node].shape == (10,)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_spec_without_a_variant_is_its_first(path: Path) -> None:
    assert cnndsl.check(path).params == cnndsl.check(path, variants(path)[0]).params


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_variant_expects_its_figures(path: Path) -> None:
    """No shipped network goes without parameters, multiply-adds, smallest input and output."""
    spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert spec["about"]
    for variant in variants(path):
        facts = spec["expect"][variant] if variant else spec["expect"]
        assert {"params", "macs", "min_input", "output"} <= facts.keys()
