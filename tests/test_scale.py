"""Several processes on the CPU with gloo: by `--devices` and by torchrun, stopped and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import NET, PLAIN, metrics_of, run, weights_hash

from cnndsl.training import checkpoint

CNNDSL = [sys.executable, "-m", "cnndsl"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
PAIR = ("one", "two")
TRAIN = ["train", "plain.yaml", "--device=cpu"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plain.yaml").write_text(PLAIN)
    (tmp_path / "net.yaml").write_text(NET)
    return tmp_path


def start(folder: Path, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def succeed(folder: Path, *command: str) -> str:
    """What a command that ends well writes to the standard output."""
    process = start(folder, *command)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    return out


def curve(run: Path) -> list[float]:
    rows = metrics_of(run)
    keys = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
    return [float(row[key]) for row in rows for key in keys]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(
            [*TORCHRUN, "-m", "cnndsl", *TRAIN], id="torchrun-ddp", marks=pytest.mark.heavy
        ),
        pytest.param([*CNNDSL, *TRAIN, "--devices=2", "--strategy=fsdp"], id="fsdp"),
    ],
)
def test_two_processes_learn_as_one(folder: Path, command: list[str]) -> None:
    """One curve, one writer, each image once; by torchrun and by our launcher."""
    told = succeed(folder, *command, "-o", "two")
    run(folder / "plain.yaml", out=folder / "one")
    assert curve(folder / "two") == pytest.approx(curve(folder / "one"), abs=2e-4)
    kinds = [sorted(p.name.split("tfevents")[0] for p in (folder / n).iterdir()) for n in PAIR]
    assert kinds[0] == kinds[1], "one process alone writes"
    assert told.count("epoch 1/2") == 1
    assert "2 processes (" in told
    state = checkpoint.load(folder / "two" / "last.pt")["progress"]
    assert state["rows"][0]["samples_per_second"] > 0


def test_a_run_goes_on_with_another_number_of_processes(folder: Path) -> None:
    """Two processes, stopped in mid-epoch; one goes on: the same curve as one alone."""
    long = [*CNNDSL, *TRAIN, "--devices=2", "--save-every=3", "--epochs=300", "-o", "two"]
    process = start(folder, *long)
    wait_for(folder / "two" / "last.pt", process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert err.count("go on with `--resume`") == 1
    epoch = checkpoint.load(folder / "two" / "last.pt")["progress"]["epoch"]
    with_ = {"epochs": epoch + 1}
    run(folder / "plain.yaml", out=folder / "two", resume=True, train=with_)
    run(folder / "plain.yaml", out=folder / "one", train=with_)
    assert curve(folder / "two") == pytest.approx(curve(folder / "one"), abs=5e-3)


def test_a_process_that_dies_ends_the_run_or_begins_it_anew(folder: Path) -> None:
    long = [*CNNDSL, "train", "net.yaml", "--device=cpu", "--devices=2", "--save-every=2"]
    process = start(folder, *long, "--epochs=500", "-o", "dies")
    wait_for(folder / "dies" / "last.pt", process)
    os.kill(next(workers(process)), signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "was killed by SIGKILL" in err
    assert "`--resume`" in err
    assert "Traceback" not in err
    epochs = checkpoint.load(folder / "dies" / "last.pt")["progress"]["epoch"] + 4

    goes_on = (f"--epochs={epochs}", "-o", "dies", "--resume", "--restarts=1")
    begun = time.time()
    process = start(folder, *long, *goes_on)
    wait_for(folder / "dies" / "last.pt", process, newer_than=begun)
    os.kill(next(workers(process)), signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out.count("going on in dies") == 2
    rows = metrics_of(folder / "dies")
    assert [row["epoch"] for row in rows] == [str(n + 1) for n in range(epochs)]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"]
)
def test_signals_leave_a_run_that_goes_on(folder: Path, number: int, code: int) -> None:
    train = [*CNNDSL, "train", "net.yaml", "--device=cpu", "--epochs=400", "--save-every=2"]
    process = start(
        folder, *train, "--workers=2", "--set=train.augment.policy=trivialaugment", "-o", "part"
    )
    wait_for(folder / "part" / "last.pt", process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "Traceback" not in err
    epoch = checkpoint.load(folder / "part" / "last.pt")["progress"]["epoch"]
    with_ = {"epochs": epoch, "augment": {"policy": "trivialaugment"}}
    part = run(folder / "net.yaml", out=folder / "part", resume=True, train=with_)
    whole = run(folder / "net.yaml", out=folder / "whole", train=with_)
    assert weights_hash(part.model) == weights_hash(whole.model)


def test_what_several_processes_refuse(folder: Path) -> None:
    process = start(
        folder, *CNNDSL, *TRAIN, "--devices=2", "--set=train.sync_bn=true", "-o", "none"
    )
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "on GPUs alone" in err
    assert not (folder / "none").exists()


def wait_for(path: Path, process: subprocess.Popen[str], newer_than: float = 0) -> None:
    """Until a file is there, or newer than a time."""
    for _ in range(1200):
        if path.exists() and path.stat().st_mtime > newer_than:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError(f"{path} does not come")


def workers(process: subprocess.Popen[str]) -> Iterator[int]:
    """Processes that train, below the one that has started them."""
    import psutil

    for child in psutil.Process(process.pid).children(recursive=True):
        if "train" in child.cmdline():
            yield child.pid
