"""Recipes: what each key takes, how files and variants join them, and those that are shipped."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import cnndsl
from cnndsl import shipped
from cnndsl.diagnostics import SpecError
from cnndsl.graph import Graph
from cnndsl.ops.base import Reject
from cnndsl.ops.kinds import Choice, Either, Items, Kind, Nothing, Number, Truth
from cnndsl.recipe import Misfit, Recipe, merge, misfits, plain, spread
from cnndsl.recipe.section import Clash, Nested, Plain, Section, Table, Text, args_of
from cnndsl.schema import spec_schema

TRAIN = {**spec_schema(), "properties": {"train": spec_schema()["properties"]["train"]}}
SCHEMA = Draft202012Validator(TRAIN)


def valid(train: Any) -> bool:
    return SCHEMA.is_valid({"train": train})


def misfit(values: dict[str, Any]) -> Misfit:
    with pytest.raises(Misfit) as caught:
        Recipe.create(values)
    return caught.value


# Sections


def test_defaults() -> None:
    recipe = Recipe.create({})
    assert recipe == Recipe()
    assert (recipe.data.name, recipe.optimizer.name, recipe.schedule.name) == (
        *("digits", "sgd", "constant"),
    )
    assert recipe.ema is recipe.layerwise is recipe.early_stopping is None


@pytest.mark.parametrize(
    ("name", "start"), [("sgd", 0.01), ("rmsprop", 0.01), ("adam", 0.001), ("adamw", 0.001)]
)
def test_learning_rate_of_each_optimizer(name: str, start: float) -> None:
    assert Recipe.create({"optimizer": name}).optimizer.start == start
    assert Recipe.create({"optimizer": {"name": name, "lr": 0.3}}).optimizer.start == 0.3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epoch": 3}, "train.epoch: there is no such key"),
        ({"epochs": 0}, "train.epochs: expected an integer of at least 1, found 0"),
        ({"epochs": 2.5}, "train.epochs: expected an integer of at least 1, found 2.5"),
        ({"epochs": True}, "train.epochs: expected an integer of at least 1, found true"),
        ({"size": "big"}, "train.size: expected an integer of at least 1 or null, found 'big'"),
        ({"sizes": []}, "train.sizes: expected null or a list of integers of at least 1, found []"),
        ({"label_smoothing": 2}, "train.label_smoothing: expected a number from 0 to 1, found 2"),
        ({"precision": "fp8"}, "train.precision: expected `fp32` or `bf16` or `fp16`, found 'fp8'"),
        ({"compile": 1}, "train.compile: expected true or false, found 1"),
        ({"weights": " "}, "train.weights: expected text or null, found ' '"),
        ({"clip_norm": 0}, "train.clip_norm: expected a number of at least 1e-12 or null, found 0"),
        ({"freeze": "all"}, "train.freeze: expected null or a list of text, found 'all'"),
        ({"params": {"a": {"b": 1}}}, "train.params.a: expected a value, found {b: 1}"),
        (
            {"lr_scale": {"stem.*": -1}},
            "train.lr_scale.stem.*: expected a number of at least 0, found -1",
        ),
        (
            {"lr_scale": 3},
            "train.lr_scale: expected a mapping from name to a number of at least 0 or null, "
            "found 3",
        ),
        ({"val": 3}, "train.val: expected a mapping, found 3"),
        ({"val": {"resize": 0}}, "train.val.resize: expected an integer of at least 1 or null, "),
        ({"val": {"side": 3}}, "train.val.side: there is no such key"),
        ({"data": "imagenet"}, "train.data.name: expected `digits` or `mnist`"),
        ({"data": {"mean": [0.5]}}, "train.data.mean: `mean` and `std` go together"),
        ({"data": {"std": [0.5]}}, "train.data.std: `mean` and `std` go together"),
        (
            {"data": {"mean": [0, 0, 0], "std": [1]}},
            "train.data.std: `mean` and `std` need one number for each channel",
        ),
        ({"optimizer": {"lr": -1}}, "train.optimizer.lr: expected a number of at least 0 or null"),
        ({"optimizer": {"betas": [0.9]}}, "train.optimizer.betas: expected a list of 2 numbers"),
        ({"optimizer": {"betas": [0.9, 1]}}, "train.optimizer.betas: expected numbers below 1"),
        (
            {"optimizer": {"name": "adam", "nesterov": True, "momentum": 0.9}},
            "train.optimizer.nesterov: needs `sgd` with a momentum",
        ),
        (
            {"optimizer": {"nesterov": True}},
            "train.optimizer.nesterov: needs `sgd` with a momentum",
        ),
        ({"schedule": "multistep"}, "train.schedule.milestones: `multistep` needs them"),
        (
            {"schedule": {"name": "one_cycle", "warmup": 1}},
            "train.schedule.warmup: `one_cycle` has",
        ),
        ({"schedule": {"warmup": 11}}, "train.schedule.warmup: longer than the run of 10 epochs"),
        ({"schedule": {"per": "batch"}}, "train.schedule.per: expected `step` or `epoch`"),
        (
            {"augment": {"flip": 1.5}},
            "train.augment.flip: expected a number from 0 to 1, found 1.5",
        ),
        ({"augment": {"cutmix": -1}}, "train.augment.cutmix: expected a number of at least 0"),
        ({"augment": {"policy": "auto"}}, "train.augment.policy: expected `autoaugment` or"),
        (
            {"augment": {"random_resized_crop": [0.08, 1], "pad_crop": 4}},
            "train.augment.pad_crop: goes without `random_resized_crop`",
        ),
        (
            {"augment": {"random_resized_crop": [0.08, 1], "resize": 256}},
            "train.augment.resize: goes without `random_resized_crop`",
        ),
        (
            {"augment": {"resize": [480, 256]}},
            "train.augment.resize: the first number is the smaller one",
        ),
        (
            {"augment": {"crop_ratio": [2, 1]}},
            "train.augment.crop_ratio: the first number is the smaller one",
        ),
        ({"ema": 1.5}, "train.ema.decay: expected a number from 0 to 1, found 1.5"),
        ({"ema": {"every": 32}}, "train.ema.decay: needs a value"),
        ({"early_stopping": {"min_delta": 0.1}}, "train.early_stopping.patience: needs a value"),
        ({"early_stopping": 0}, "train.early_stopping.patience: expected an integer of at least 1"),
        ({"layerwise": {"epochs": 2}}, "train.layerwise.stages: needs a value"),
        ({"layerwise": ["a"], "sizes": [32]}, "train.sizes: goes without `layerwise`"),
        (
            {"batch_size": 4, "accumulate": 5},
            "train.accumulate: a step has fewer images than parts",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_mistakes(values: dict[str, Any], message: str) -> None:
    found = misfit(values)
    assert found.message.startswith(message)
    assert found.message.startswith(".".join(("train", *found.path)))
    assert found.arg == ".".join(found.path)
    assert valid(values) == isinstance(found, Clash)


def test_help_names_the_key_that_is_meant() -> None:
    assert misfit({"optimiser": "adam"}).help == "did you mean `optimizer`?"
    assert misfit({"schedule": {"warm_up": 3}}).help == "did you mean `warmup`?"
    assert misfit({"schedule": "multistep"}).help == "as in `milestones: [30, 60]`"


def test_all_misfits_are_told_once() -> None:
    values = {
        "epochs": 0,
        "optimizer": {"lr": -1, "nesterov": True},
        "schedule": {"name": "multistep"},
        "ema": {"every": 0},
        "data": {"mean": [0.5]},
        "accumulate": 100,
    }
    found = [".".join(e.path) for e in misfits(Recipe, values)]
    # What is beside a wrong value stays silent: it may fit to the right one.
    assert sorted(found) == [
        *("data.mean", "ema.every", "epochs", "optimizer.lr", "schedule.milestones")
    ]
    lost = [("schedule", "milestones"), ("epochs",)]
    assert not list(misfits(Recipe, {"schedule": "multistep", "accumulate": 100}, lost))


# Shorthand, joining, and back


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ({"optimizer": "adam"}, {"optimizer": {"name": "adam"}}),
        ({"data": "mnist"}, {"data": {"name": "mnist"}}),
        ({"schedule": "cosine"}, {"schedule": {"name": "cosine"}}),
        ({"ema": 0.999}, {"ema": {"decay": 0.999}}),
        ({"ema": None}, {"ema": None}),
        ({"early_stopping": 5}, {"early_stopping": {"patience": 5}}),
        ({"layerwise": ["a", "b"]}, {"layerwise": {"stages": ["a", "b"]}}),
        ({"augment": {"flip": 0.5}, "epochs": 3}, {"augment": {"flip": 0.5}, "epochs": 3}),
    ],
)
def test_shorthand(short: dict[str, Any], long: dict[str, Any]) -> None:
    assert spread(Recipe, short) == long
    assert spread(Recipe, long) == long
    assert Recipe.create(short) == Recipe.create(long)
    assert valid(short)


@pytest.mark.parametrize(
    ("below", "above", "both"),
    [
        ({}, {"a": 1}, {"a": 1}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}, {"a": {"b": 1, "c": 3}}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": None}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
    ],
)
def test_merge(below: dict[str, Any], above: dict[str, Any], both: dict[str, Any]) -> None:
    before = json.dumps(below)
    assert merge(below, above) == both
    assert json.dumps(below) == before


# The schema takes what a recipe takes: values of every kind, and of none

JUNK = st.sampled_from(
    [
        None,
        True,
        -1,
        0,
        1,
        2.5,
        10**6,
        "",
        " ",
        "junk",
        "adam",
        [],
        ["a"],
        [1],
        [0.1, 2],
        {},
        {"a": 1},
    ]
)
NAMES = st.sampled_from(["stem", "features.*", "layer1.0"])


def values_of(kind: Kind) -> st.SearchStrategy[Any]:
    """Values that a kind takes."""
    match kind:
        case Number(whole, low, high):
            numbers = st.integers if whole else st.floats
            least = 0 if low is None else low
            return numbers(least, least + 100 if high is None else high)
        case Truth():
            return st.booleans()
        case Choice(words):
            return st.sampled_from(words)
        case Nothing():
            return st.none()
        case Text():
            return NAMES
        case Plain():
            return st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
        case Items(item, lengths, _):
            sizes = lengths or (1, 2, 3)
            return st.sampled_from(sizes).flatmap(
                lambda n: st.lists(values_of(item), min_size=n, max_size=n)
            )
        case Table(value):
            return st.dictionaries(NAMES, values_of(value), max_size=2)
        case Either(kinds):
            return st.one_of([values_of(one) for one in kinds])
        case Nested(section, optional):
            primary = section.primary()
            options = [sections(section)]
            options += [values_of(args_of(section)[primary].kind)] if primary else []
            return st.one_of(options + ([st.none()] if optional else []))
    raise TypeError(kind)


def sections(section: type[Section]) -> st.SearchStrategy[dict[str, Any]]:
    """Some keys of a section, with values that each of them takes."""
    known = args_of(section)
    return st.lists(st.sampled_from(sorted(known)), unique=True, max_size=4).flatmap(
        lambda names: st.fixed_dictionaries({name: values_of(known[name].kind) for name in names})
    )


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(sections(Recipe))
def test_a_recipe_survives_its_plain_values(values: dict[str, Any]) -> None:
    assert valid(values)
    try:
        recipe = Recipe.create(values)
    except Clash:
        return
    assert Recipe.create(plain(recipe)) == recipe
    assert Recipe.create(json.loads(json.dumps(plain(recipe)))) == recipe
    assert Recipe.create(yaml.safe_load(yaml.safe_dump(plain(recipe)))) == recipe
    assert Recipe.create(spread(Recipe, values)) == recipe
    assert valid(plain(recipe))


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_schema_and_recipe_refuse_the_same(data: st.DataObject) -> None:
    section = data.draw(st.sampled_from([Recipe, *nested()]))
    name = data.draw(st.sampled_from(sorted(args_of(section))))
    value = data.draw(JUNK)
    values = {name: value} if section is Recipe else {nested()[section]: {name: value}}
    try:
        Recipe.create(values)
    except Clash:
        assert valid(values)
    except Reject:
        assert not valid(values), values
    else:
        assert valid(values), values


def nested() -> dict[type[Section], str]:
    """The sections of a recipe, with their keys."""
    found = {}
    for name, arg in args_of(Recipe).items():
        if isinstance(arg.kind, Nested):
            found[arg.kind.section] = name
    return found


@pytest.mark.parametrize(
    ("train", "fits"),
    [
        ({"epochs": "$n", "optimizer": "$name", "ema": "$(0.99 + 0.009)"}, True),
        ({"optimizer": {"lr": "$(0.1 / 2)", "betas": ["$a", 0.9]}, "sizes": "$sizes"}, True),
        ({"recipes": {"long.1": {"epochs": 3, "about": "x", "variants": {"a": {}}}}}, True),
        ({"variants": {"small": {"optimizer": {"lr": 1}}}, "about": "From a paper"}, True),
        ({"val": "$x"}, False),
        ({"recipes": {"a b": {}}}, False),
        ({"recipes": {"a": {"recipes": {}}}}, False),
        ({"variants": {"a": {"variants": {}}}}, False),
        ({"variants": {"a": {"about": "x"}}}, False),
        ({"variants": {"a": {"epochs": 0}}}, False),
        ([], False),
    ],
)
def test_schema(train: Any, fits: bool) -> None:
    Draft202012Validator.check_schema(TRAIN)
    assert valid(train) == fits


# In files

HEAD = """\
name: net
params: {width: 4, rate: 0.1}
variants: {small: {width: 2}, large: {width: 8, rate: 0.2}}
input: [3, 8, 8]
body: [{conv: $width}]
"""

Check = Callable[..., Graph]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Check a network with this `train:`, or further files of it."""

    def check(train: str, variant: str | None = None, files: dict[str, str] | None = None) -> Graph:
        for name, text in {"net.yaml": HEAD + train, **(files or {})}.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        first = [*(files or {}), "net.yaml"][0]
        return cnndsl.check(tmp_path / first, variant)

    return check


def test_no_recipe(check: Check) -> None:
    for text in ("", "train: {}\n", "train: {recipes: {}, variants: {}, about: Nothing}\n"):
        graph = check(text)
        assert (graph.train, graph.recipes) == ({}, {})


def test_shorthand_is_spread(check: Check) -> None:
    graph = check("train: {optimizer: adam, ema: 0.9, data: {name: mnist}, epochs: 3}\n")
    assert graph.train == {
        "optimizer": {"name": "adam"},
        "ema": {"decay": 0.9},
        "data": {"name": "mnist"},
        "epochs": 3,
    }


def test_expressions_see_the_parameters(check: Check) -> None:
    train = (
        "train:\n"
        "  optimizer: {lr: $(rate / width), name: $('adam' if width > 4 else 'sgd')}\n"
        "  sizes: [$width, $(2 * width)]\n"
        "  params: {width: $(width + 1)}\n"
        "  lr_scale: {0.weight: $rate}\n"
    )
    graph = check(train, "large")
    assert graph.train == {
        "optimizer": {"lr": 0.025, "name": "adam"},
        "sizes": [8, 16],
        "params": {"width": 9},
        "lr_scale": {"0.weight": 0.2},
    }
    assert check(train).train["optimizer"] == {"lr": 0.025, "name": "sgd"}


VARIED = """\
train:
  epochs: 3
  optimizer: {name: sgd, lr: 0.1, momentum: 0.9}
  ema: 0.9
  variants:
    small: {optimizer: {lr: $(rate / 2)}, ema: {every: 2}}
    large: {optimizer: adam, ema: null, epochs: 5}
  recipes:
    long:
      about: A longer one
      epochs: 90
      variants:
        large: {epochs: 120, schedule: cosine}
    short: {}
"""


def test_variants_change_what_differs(check: Check) -> None:
    optimizer = {"name": "sgd", "lr": 0.1, "momentum": 0.9}
    assert check(VARIED).train == {"epochs": 3, "optimizer": optimizer, "ema": {"decay": 0.9}}
    assert check(VARIED, "small").train == {
        "epochs": 3,
        "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9},
        "ema": {"decay": 0.9, "every": 2},
    }
    assert check(VARIED, "large").train == {
        "epochs": 5,
        "optimizer": {"name": "adam", "lr": 0.1, "momentum": 0.9},
        "ema": None,
    }


def test_other_recipes_stand_alone(check: Check) -> None:
    assert check(VARIED).recipes == {"long": {"epochs": 90}, "short": {}}
    assert check(VARIED, "large").recipes == {
        "long": {"epochs": 120, "schedule": {"name": "cosine"}},
        "short": {},
    }


def test_each_variant_is_checked_when_it_is_chosen(check: Check) -> None:
    train = "train: {variants: {small: {accumulate: 65}}}\n"
    assert check(train).train == {}
    with pytest.raises(SpecError, match="fewer images than parts"):
        check(train, "small")


OTHER = """\
extends: ./net.yaml
train:
  optimizer: {lr: 1}
  ema: null
  variants: {own: {seed: 7}}
  recipes:
    long: {batch_size: 32}
    new: {epochs: 1}
variants: {own: {width: 3}}
"""


def test_extending_joins_recipes(check: Check) -> None:
    graph = check(VARIED, files={"other.yaml": OTHER})
    assert graph.train == {
        "epochs": 3,
        "optimizer": {"name": "sgd", "lr": 1, "momentum": 0.9},
        "ema": None,
    }
    assert graph.recipes == {
        "long": {"epochs": 90, "batch_size": 32},
        "short": {},
        "new": {"epochs": 1},
    }
    assert check(VARIED, "own", {"other.yaml": OTHER}).train["seed"] == 7


def test_extending_a_variant_keeps_its_part(check: Check) -> None:
    large = OTHER.replace("net.yaml", "net.yaml:large")
    graph = check(VARIED, files={"other.yaml": large})
    assert graph.train == {
        "epochs": 5,
        "optimizer": {"name": "adam", "lr": 1, "momentum": 0.9},
        "ema": None,
    }
    long = {"epochs": 120, "schedule": {"name": "cosine"}, "batch_size": 32}
    assert graph.recipes["long"] == long
    again = {"other.yaml": "extends: ./middle.yaml\ntrain: {epochs: 1}\n", "middle.yaml": large}
    graph = check(VARIED, files=again)
    assert graph.train["optimizer"] == {"name": "adam", "lr": 1, "momentum": 0.9}
    assert (graph.train["epochs"], graph.recipes["long"]) == (1, long)


def test_a_mistake_of_an_extended_file_is_told_there(check: Check) -> None:
    with pytest.raises(SpecError) as caught:
        check("train: {optimizer: {lr: $(rate - 1)}}\n", files={"other.yaml": OTHER[:20] + "\n"})
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message == (
        "train.optimizer.lr: expected a number of at least 0 or null, found -0.9"
    )
    assert diagnostic.span.source.path.endswith("net.yaml")
    assert (diagnostic.span.line, diagnostic.span.column) == (6, 25)


# The shipped ones

SPECS = sorted(shipped.folder().glob("*.yaml"))
LARGE = ("efficientnet", "regnet")
"""Those of many large variants."""
CLASSES = {"folder": 1000, "cifar100": 100}
CHANNELS = {"folder": 3, "cifar10": 3, "cifar100": 3}
TORCHVISION = (
    *("alexnet", "convnext", "densenet", "efficientnet", "googlenet", "inception_v3", "mnasnet"),
    *("mobilenet_v2", "mobilenet_v3", "regnet", "resnet", "shufflenet_v2", "squeezenet", "vgg"),
)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=pytest.mark.heavy if path.stem in LARGE else ())
        for path in SPECS
    ],
)
def test_shipped_recipes_fit_their_networks(path: Path) -> None:
    """Each is right in every variant, and the network takes the images that it says."""
    checked = set()
    for variant in shipped.variants(path) or ("",):
        graph = cnndsl.check(path, variant)
        for values in graph.recipes.values():
            recipe = Recipe.create(values)
            classes = CLASSES.get(recipe.data.name, 10)
            sides = [
                recipe.size or graph.inputs[0].shape[1],
                recipe.val.crop,
                *(recipe.sizes or ()),
            ]
            for side in {side for side in sides if side}:
                params = {"classes": classes, **(recipe.params or {})}
                shape = (CHANNELS.get(recipe.data.name, 1), side, side)
                key = (variant, json.dumps(params), shape)
                if key not in checked:
                    checked.add(key)
                    fitted = cnndsl.check(path, variant, params, shape)
                    assert fitted.nodes[fitted.output.node].shape == (classes,)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_shipped_recipes_name_their_source(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    recipes = yaml.safe_load(text)["train"].get("recipes", {})
    assert all(recipe["about"] for recipe in recipes.values())
    assert "imagenet" in recipes or path.stem not in TORCHVISION
    assert not re.search(r"[ \t]$", text, re.MULTILINE)


def test_the_recipe_of_resnet50() -> None:
    """torchvision's: 90 epochs of 256 images, the rate 0.1 falling to a tenth every 30."""
    recipe = Recipe.create(cnndsl.check("resnet50").recipes["imagenet"])
    assert (recipe.epochs, recipe.batch_size, recipe.size) == (90, 256, 224)
    assert [recipe.lr_at(epoch * 5004, 5004) for epoch in (0, 29, 30, 60, 89)] == pytest.approx(
        [0.1, 0.1, 0.01, 0.001, 0.001]
    )
    new = Recipe.create(cnndsl.check("resnet50").recipes["imagenet_v2"])
    assert (new.size, new.val.crop, new.val.resize, new.augment.repeats) == (176, 224, 232, 4)
    assert new.lr_at(0, 1) == pytest.approx(0.005)
    assert new.lr_at(5, 1) == 0.5
    assert new.ema is not None
    assert new.ema.decay == pytest.approx(0.998908, abs=1e-6)
    assert (new.optimizer.weight_decay, new.optimizer.norm_weight_decay) == (2e-5, 0)
