"""The trials of a sweep: one after the other in this process, or many at once by Ray Tune."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec

from cnndsl.sweep.results import Outcome, Results
from cnndsl.sweep.trial import Trial, run_trial

Echo = Callable[[str], None]


@dataclass(frozen=True)
class Resources:
    """What a trial is given, and where the trials run; `gpus` None is as the device needs."""

    cpus: float = 1
    gpus: float | None = None
    address: str | None = None
    """Of a cluster of Ray; None is this machine."""
    asha: bool = False
    """Whether trials that fall behind end early."""


NEEDED = ("ray", "fsspec", "pandas", "pyarrow", "requests")
"""What Ray Tune is made of."""


def has_ray() -> bool:
    """Whether Ray Tune is installed, found out without importing it."""
    return all(find_spec(name) for name in NEEDED)


def run_trials(
    trials: Sequence[Trial], results: Results, resources: Resources, echo: Echo, bar: bool = False
) -> None:
    """Train every one, and write each result when it is there.

    Raises signals.Stopped or KeyboardInterrupt where the sweep was asked to end, with the results
    that there are written.
    """
    journal = Journal(results, len(trials), echo)
    if trials and has_ray():
        from cnndsl.sweep.parallel import run_parallel

        run_parallel(trials, journal, resources)
    else:
        run_sequential(trials, journal, bar)


@dataclass
class Journal:
    """Notes what becomes of each trial, in the table and in a line of text."""

    results: Results
    total: int
    echo: Echo
    over: int = 0

    def stands(self, trial: Trial, outcome: Outcome) -> None:
        """A trial goes on."""
        self.results.set(trial.name, outcome)

    def ended(self, trial: Trial, outcome: Outcome) -> None:
        """A trial is over."""
        self.over += 1
        self.results.set(trial.name, outcome)
        self.echo(f"{self.over:{len(str(self.total))}}/{self.total}  {told(trial.name, outcome)}")

    def interrupted(self) -> None:
        """The sweep ends: trials under way can go on later."""
        for row in self.results.rows:
            if row.outcome.status == "running":
                self.results.set(row.trial, replace(row.outcome, status="interrupted"))


def told(name: str, outcome: Outcome) -> str:
    """A trial that is over, in one line."""
    if outcome.status == "failed":
        return f"{name}  failed: {outcome.message}"
    early = ", stopped early" if outcome.status == "stopped" else ""
    return (
        f"{name}  accuracy {outcome.val_accuracy:.2%} in epoch {outcome.best_epoch}  "
        f"{outcome.seconds:.1f} s{early}"
    )


def run_sequential(trials: Sequence[Trial], journal: Journal, bar: bool) -> None:
    """One trial after the other, in this process."""
    try:
        for trial in trials:
            journal.stands(trial, Outcome("running"))

            def tell(epochs: int, outcome: Outcome, trial: Trial = trial) -> None:
                journal.stands(trial, outcome)

            journal.ended(trial, run_trial(trial, tell, bar))
    finally:
        journal.interrupted()
