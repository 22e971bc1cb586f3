"""The trials of a sweep by Ray Tune, on this machine or a cluster."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cnndsl.sweep.results import Outcome
from cnndsl.sweep.running import Journal, Resources
from cnndsl.sweep.trial import Trial, run_trial
from cnndsl.training.errors import TrainError

SETTINGS = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # paths as `data` are seen from where the sweep was started
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
}
STATE = ".ray"
"""The folder, below that of the sweep, of what Ray notes for itself; removed at the end."""


def run_parallel(trials: Sequence[Trial], journal: Journal, resources: Resources) -> None:
    """As many trials at once as there are processors and GPUs for; raises KeyboardInterrupt."""
    with ray_started(resources, trials[0].device), _quiet():
        placed, gpus = _placed(trials, resources)
        state = journal.results.folder / STATE
        try:
            over = _fit(placed, journal, resources, gpus, str(state.resolve()))
        finally:
            journal.interrupted()
            shutil.rmtree(state, ignore_errors=True)
    if over < len(trials):
        raise KeyboardInterrupt  # Tune takes Ctrl-C for the wish to end in order


def _fit(
    trials: Sequence[Trial], journal: Journal, resources: Resources, gpus: float, state: str
) -> int:
    """Hand the trials to Tune; how many of them are over when it ends."""
    from ray import tune

    by_name = {trial.name: trial for trial in trials}
    configs = [asdict(trial) for trial in trials]
    longest = max(trial.epochs for trial in trials)
    follower = make_follower(by_name, journal)
    tuner = tune.Tuner(
        tune.with_resources(train, {"cpu": resources.cpus, "gpu": gpus}),
        param_space={"trial": tune.grid_search(configs), "cwd": os.getcwd()},
        tune_config=tune.TuneConfig(
            metric="accuracy",
            mode="max",
            scheduler=make_asha(longest) if resources.asha else None,
            reuse_actors=True,  # which has imported torch
        ),
        run_config=tune.RunConfig(
            name="sweep", storage_path=state, verbose=0, callbacks=[follower]
        ),
    )
    tuner.fit()
    return journal.over


def train(config: Mapping[str, Any]) -> None:
    """One trial, in a process of Ray's."""
    from ray import tune

    os.chdir(config["cwd"])
    trial = Trial(**config["trial"])

    def tell(epochs: int, outcome: Outcome) -> None:
        if epochs < trial.epochs:  # the last one is told by the outcome
            tune.report(_report(epochs, outcome))

    tune.report(_report(trial.epochs, run_trial(trial, tell)))


def _report(epochs: int, outcome: Outcome) -> dict[str, Any]:
    """What Tune is told; a trial without an epoch counts as the worst."""
    return {
        "accuracy": outcome.val_accuracy or 0.0,
        "epochs": epochs,
        "outcome": asdict(outcome),
    }


def make_asha(epochs: int) -> Any:
    """Ends the worse half of the trials after 1, 2, 4, … epochs, as asynchronous halving does."""
    from ray.tune.schedulers import ASHAScheduler

    # One more than there are: a trial in its last epoch is not cut short.
    return ASHAScheduler(time_attr="epochs", max_t=epochs + 1, grace_period=1, reduction_factor=2)


def make_follower(trials: Mapping[str, Trial], journal: Journal) -> Any:
    """Tells the journal what Tune tells of the trials."""
    from ray import tune

    class Follower(tune.Callback):  # type: ignore[misc]
        def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            journal.stands(own(trial), Outcome("running"))

        def on_trial_result(
            self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any
        ) -> None:
            outcome = Outcome(**result["outcome"])
            if outcome.status == "running":
                journal.stands(own(trial), outcome)

        def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            outcome = last(trial)
            if outcome.status == "running":  # the scheduler ended it
                outcome = replace(outcome, status="stopped")
            journal.ended(own(trial), outcome)

        def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            journal.ended(own(trial), replace(last(trial), status="failed", message=reason(trial)))

    def own(trial: Any) -> Trial:
        return trials[trial.config["trial"]["name"]]

    return Follower()


def last(trial: Any) -> Outcome:
    """What was last told of one of Tune's trials."""
    told = (trial.last_result or {}).get("outcome")
    return Outcome(**told) if told else Outcome("running")


def reason(trial: Any) -> str:
    """Why Ray lost the process of a trial, in a line."""
    try:
        lines = Path(trial.error_file).read_text(encoding="utf-8").splitlines()[1:]
    except (OSError, TypeError):
        lines = []
    told = [line.strip() for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)]
    return f"the process of the trial ended: {(told or lines or ['it is not known why'])[-1][:200]}"


def _placed(trials: Sequence[Trial], resources: Resources) -> tuple[list[Trial], float]:
    """The trials with the device that each will have, and how many GPUs it is given."""
    import ray

    device, machine = trials[0].device, ray.cluster_resources()
    gpus = resources.gpus
    if gpus is None:
        gpus = float(device.startswith("cuda") or (device == "auto" and "GPU" in machine))
    if not resources.address:
        for name, wanted in (("CPU", resources.cpus), ("GPU", gpus)):
            if wanted > machine.get(name, 0):
                raise TrainError(
                    f"a trial is given {wanted:g} {name}, this machine has "
                    f"{machine.get(name, 0):g}",
                    f"use a smaller `--{name.lower()}s-per-trial`, or `--device cpu`",
                )
    return [trial if gpus else replace(trial, device="cpu") for trial in trials], gpus


@contextmanager
def ray_started(resources: Resources, device: str) -> Iterator[None]:
    """Ray on this machine or a cluster, for as long as the sweep lasts, if it does not run yet."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        yield
        return
    own: dict[str, Any] = {"include_dashboard": False}
    if device == "cpu":
        own["num_gpus"] = 0
    try:
        ray.init(
            resources.address,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            **{} if resources.address else own,
        )
    except (OSError, RuntimeError, ValueError) as e:
        raise TrainError(
            f"Ray does not start: {' '.join(str(e).split())[:200]}",
            "`--address` is that of a cluster that `ray start --head` began",
        ) from e
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what Ray tells of itself."""
    logger = logging.getLogger("ray")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
