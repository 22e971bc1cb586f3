"""Keys of a recipe that nothing reads: each one is told, and no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import cnndsl
from cnndsl.cli import app
from cnndsl.recipe import Recipe, without_unread
from cnndsl.sweep.space import Space, read_axes
from cnndsl.training.augment import ImageAugmenter
from cnndsl.training.errors import TrainError
from cnndsl.training.optim import make_optimizer
from cnndsl.training.target import make_recipe

NET = "input: [3, 8, 8]\nbody: [{conv: 4}, flatten, {linear: 10}]\n"


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., list[tuple[int, int, str]]]:
    """The places and messages of what is wrong with a `train:`, which stands on line 3."""

    def told(train: str, variant: str | None = None, more: str = "") -> list[tuple[int, int, str]]:
        path = tmp_path / "net.yaml"
        path.write_text(f"{NET}train: {train}\n{more}", encoding="utf-8")
        try:
            cnndsl.check(path, variant)
        except cnndsl.SpecError as e:
            return [(d.span.line, d.span.column, d.message) for d in e.diagnostics]
        return []

    return told


# What reads a key changes with it: torch's optimizer, the learning rates, the pictures.


def optimizer(values: dict[str, Any]) -> Any:
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1), torch.nn.BatchNorm2d(1))
    made = make_optimizer(model, Recipe.create({"optimizer": values}))
    groups = [{k: v for k, v in group.items() if k != "params"} for group in made.param_groups]
    return [
        (len(group["params"]), own) for group, own in zip(made.param_groups, groups, strict=True)
    ]


def rates(values: dict[str, Any]) -> Any:
    recipe = Recipe.create({"epochs": 6, "schedule": values})
    return [recipe.lr_at(step, 4) for step in range(24)]


def pictures(values: dict[str, Any]) -> Any:
    augment = ImageAugmenter(Recipe.create({"augment": values}).augment, True, cifar=False)
    noise = torch.randint(256, (20, 30, 3), generator=torch.Generator().manual_seed(0))
    image = Image.fromarray(noise.to(torch.uint8).numpy())
    made = []
    for seed in range(12):
        torch.manual_seed(seed)
        made.append(augment(image, (16, 16)).tobytes())
    return made


EFFECTS: dict[str, tuple[Callable[[dict[str, Any]], Any], str, dict[Any, dict[str, Any]], Any]] = {
    "optimizer": (
        optimizer,
        "name",
        {"sgd": {}, "adam": {}, "adamw": {}, "rmsprop": {}},
        {"lr": 0.3, "momentum": 0.7, "weight_decay": 0.1, "norm_weight_decay": 0.2}
        | {"bias_weight_decay": 0.3, "betas": [0.5, 0.6], "alpha": 0.5, "eps": 0.1},
    ),
    "schedule": (
        rates,
        "name",
        {"constant": {}, "step": {"step_size": 2}, "multistep": {"milestones": [2]}}
        | {"cosine": {}, "polynomial": {}, "one_cycle": {}},
        {"min_lr": 0.001, "step_size": 3, "milestones": [3], "gamma": 0.5, "power": 2}
        | {"pct_start": 0.5, "div_factor": 5, "final_div_factor": 10, "warmup_factor": 0.5},
    ),
    "augment": (
        pictures,
        "policy",
        {"autoaugment": {}, "randaugment": {}, "trivialaugment": {}, "augmix": {}, None: {}},
        {"magnitude": 30, "ops": 5, "crop_ratio": [0.2, 0.3], "pad_crop": 3, "flip": 1}
        | {"vertical_flip": 1, "color_jitter": 0.9, "resize": 40},
    ),
}
CASES = [
    pytest.param(section, kind, key, id=f"{section}-{kind}-{key}")
    for section, (_, _, kinds, keys) in EFFECTS.items()
    for kind in kinds
    for key in keys
]


@pytest.mark.parametrize(("section", "kind", "key"), CASES)
def test_a_key_without_effect_is_an_error_and_no_other(
    section: str, kind: str | None, key: str, told: Any
) -> None:
    effect, choice, kinds, keys = EFFECTS[section]
    base = {choice: kind, **kinds[kind]}
    changed = {**base, key: keys[key]}
    has_effect = effect(base) != effect(changed)
    values = ", ".join(f"{k}: {'null' if v is None else v}" for k, v in changed.items())
    found = told(f"{{{section}: {{{values}}}}}")
    assert bool(found) != has_effect
    if found:
        [(line, _, message)] = found
        assert (line, message.partition(":")[0]) == (3, f"{section}.{key}")


def test_a_key_is_judged_where_it_is_written(told: Any) -> None:
    """By the choice beside it; one that was inherited, or waits for a variant, is no mistake."""
    inherited = "{optimizer: {name: sgd, momentum: 0.9}, variants: {a: {optimizer: adam}}}"
    variants = "variants: {a: {}, b: {}}\n"
    assert told(inherited, "a", variants) == []
    waiting = "{optimizer: {betas: [0.5, 0.6]}, variants: {a: {optimizer: adam}, b: {epochs: 2}}}"
    assert [told(waiting, name, variants) for name in (None, "a", "b")] == [[], [], []]
    beside = "{optimizer: {name: sgd, betas: [0.5, 0.6]}, variants: {a: {optimizer: adam}}}"
    message = "optimizer.betas: `sgd` does not read it"
    assert told(beside, "a", variants) == [(3, 32, message)]
    above = "{optimizer: sgd, variants: {a: {optimizer: {betas: [0.5, 0.6]}}}}"
    assert told(above, None, variants) == []
    assert told(above, "a", variants) == [(3, 52, message)]
    other = "{optimizer: adam, recipes: {r: {schedule: {name: cosine, gamma: 0.5}}}}"
    assert told(other) == [(3, 65, "schedule.gamma: `cosine` does not read it")]
    assert told("{schedule: {warmup_factor: 0.1}}") == [
        (3, 20, "schedule.warmup_factor: nothing reads it where `warmup` is 0")
    ]


def test_extended_recipes(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        f"{NET}train: {{optimizer: {{name: sgd, momentum: 0.9}}}}\n"
    )
    path = tmp_path / "net.yaml"
    path.write_text("extends: base.yaml\ntrain: {optimizer: {name: adam, betas: [0.5, 0.6]}}\n")
    cnndsl.check(path)
    path.write_text("extends: base.yaml\ntrain: {optimizer: {betas: [0.5, 0.6]}}\n")
    with pytest.raises(cnndsl.SpecError, match=r"optimizer.betas: `sgd` does not read it"):
        cnndsl.check(path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"optimizer": {"betas": [0.5, 0.6]}}, "train.optimizer.betas: `sgd` does not read it"),
        ({"optimizer": {"name": "adam", "alpha": 1}}, "train.optimizer.alpha: `adam` does not"),
        ({"data": {"root": "x"}}, "train.data.root: `digits` does not read it"),
        ({"optimizer": "adam"}, ""),
        ({"optimizer": {"name": "adam", "betas": [0.5, 0.6]}}, ""),
        ({"data": {"name": "folder", "root": "x"}}, ""),
    ],
)
def test_the_command_line_is_judged_too(
    given: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"{NET}train: {{optimizer: {{name: sgd, momentum: 0.9}}}}\n")
    graph = cnndsl.check(path)
    if not message:
        make_recipe(graph, None, given)
        return
    with pytest.raises(TrainError) as caught:
        make_recipe(graph, None, given)
    assert caught.value.message.startswith(message)


def test_what_a_run_notes_can_be_read_again(told: Any) -> None:
    """Without the keys that its choices do not read: they would be mistakes."""
    values = without_unread(Recipe.create({"optimizer": {"name": "adam", "momentum": 0.5}}))
    assert set(values["optimizer"]) & {"momentum", "betas", "alpha"} == {"betas"}
    assert told(str(values).replace("None", "null").replace("'", '"')) == []


def test_sweeps_over_kinds() -> None:
    """A kind is tried without what it does not read; what none reads is an error."""
    space = Space(read_axes(["train.optimizer.name=sgd,adam", "train.optimizer.momentum=0,0.9"]))
    found = [candidate.settings["optimizer"] for candidate in space.grid()]
    assert found == [
        {"name": "sgd", "momentum": 0},
        {"name": "sgd", "momentum": 0.9},
        {"name": "adam"},
        {"name": "adam"},
    ]


@pytest.mark.parametrize(
    "axes",
    [
        ("train.optimizer.name=adam,adamw", "train.optimizer.momentum=0,0.9"),
        ("train.optimizer=adam,adamw", "train.optimizer.momentum=0..0.9"),
        ("train.optimizer={name: adam, momentum: 0.5}",),
    ],
)
def test_sweeps_over_what_nothing_reads(axes: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(NET)
    given = [word for axis in axes for word in ("--set", axis)]
    done = CliRunner().invoke(app, ["sweep", str(path), *given, "-o", str(tmp_path / "s")])
    assert done.exit_code == 1
    assert "optimizer.momentum: `adam` does not read it" in done.stderr
