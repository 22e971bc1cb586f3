"""`cnndsl train` as it is typed: flags, `--set train.…`, recipes, and what is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from harness import NET
from typer.testing import CliRunner

from cnndsl.cli import app
from cnndsl.cli.train import divided


def run(*args: str) -> Any:
    return CliRunner().invoke(app, ["train", *args])


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(
        NET.replace("train: {", "train: {recipes: {short: {epochs: 1, size: 8}}, ")
    )
    return "net.yaml"


def test_flags_and_settings_are_one() -> None:
    params, settings = divided(
        ["width=8", "train.optimizer=adamw", "train.optimizer.lr=0.1", "train.ema=0.9"],
        {"epochs": 3, "data.root": "DIR", "seed": None},
    )
    assert params == {"width": 8}
    assert settings == {
        "optimizer": {"name": "adamw", "lr": 0.1},
        "ema": {"decay": 0.9},
        "epochs": 3,
        "data": {"root": "DIR"},
    }


def test_a_mapping_is_given_whole() -> None:
    _, settings = divided(["train.lr_scale={fc.*: 0.1}", "train.freeze=[conv]"], {})
    assert settings == {"lr_scale": {"fc.*": 0.1}, "freeze": ["conv"]}


def test_a_key_given_twice_is_wrong_usage() -> None:
    with pytest.raises(typer.Exit) as caught:
        divided(["train.epochs=3"], {"epochs": 4})
    assert caught.value.exit_code == 2


def test_every_way_to_a_recipe(net: str) -> None:
    flags = ["--lr", "0.02", "--optimizer", "sgd", "--batch-size", "32", "--device", "cpu"]
    done = run(net, "--recipe", "short", *flags, "--set", "train.optimizer.momentum=0.9", "-o", "x")
    assert done.exit_code == 0, done.stderr
    train = yaml.safe_load(Path("x/run.yaml").read_text())["train"]
    assert (train["epochs"], train["batch_size"]) == (1, 32)
    assert train["optimizer"] | {"lr": 0.02, "momentum": 0.9, "name": "sgd"} == train["optimizer"]
    again = run("x/run.yaml", "--device", "cpu")
    assert again.exit_code == 0, again.stderr
    assert (
        again.stdout.splitlines()[-2].split("images/s")[0].split()[:-1]
        == (done.stdout.splitlines()[-2].split("images/s")[0].split()[:-1])
    )


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--recipe", "long"], 1, "net has no recipe `long`"),
        (["--set", "train.optimiser.lr=1"], 1, "did you mean `optimizer`?"),
        (["--set", "train.optimizer.lr=fast"], 1, "train.optimizer.lr: expected a number"),
        (["--set", "train.sizes=8"], 1, "train.sizes: expected"),
        (["--set", "train."], 1, "is not NAME=VALUE"),
        (["--set", "wide=3"], 1, "no parameter `wide`"),
        (["--epochs", "3", "--set", "train.epochs=4"], 2, "given twice"),
        (["--precision", "fp16", "--device", "cpu"], 1, "fp16 needs a GPU"),
        (["--device", "cuda:7"], 1, "--device cpu"),
        (["--devices", "2", "--device", "cpu", "--strategy", "mpi"], 1, "use ddp or fsdp"),
        (["--resume"], 1, "`--resume` needs a run"),
        (["--optimizer", "lion"], 1, "`adamw`"),
    ],
)
def test_mistakes_are_told(
    net: str, args: list[str], code: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    done = run(net, *args)
    assert done.exit_code == code, done.output
    assert message in done.stderr
    assert not isinstance(done.exception, Exception) or isinstance(done.exception, SystemExit)
    assert not Path("runs").exists()


def test_what_nothing_reads_is_told(net: str) -> None:
    text = Path(net).read_text()
    Path(net).write_text("let: {forgotten: 1}\n" + text)
    done = run(net, "--recipe", "short", "--device", "cpu", "-o", "x")
    assert done.exit_code == 0, done.stderr
    assert "net.yaml:1:7: warning[unused]: nothing reads the value `forgotten`" in done.stderr


def test_a_key_that_is_not_read_ends_the_command(net: str) -> None:
    done = run(net, "--set", "train.data.root=x", "--device", "cpu", "-o", "x")
    assert done.exit_code == 1
    assert "error: train.data.root: `digits` does not read it" in done.stderr
    assert not Path("x").exists()
