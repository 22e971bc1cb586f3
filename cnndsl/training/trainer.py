"""Carrying a plan out: the phases of a run, its checkpoints and its files."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

import cnndsl
from cnndsl.training import checkpoint, progress, runfile, target
from cnndsl.training.data import Split, load
from cnndsl.training.device import describe
from cnndsl.training.engine import Engine
from cnndsl.training.errors import TrainError
from cnndsl.training.layerwise import Phase, phases
from cnndsl.training.learner import Learner
from cnndsl.training.loop import Loop, Progress
from cnndsl.training.optim import freeze, initialize
from cnndsl.training.order import steps_of
from cnndsl.training.record import Record
from cnndsl.training.session import (
    Echo,
    Plan,
    Result,
    about,
    check_resumed,
    in_words,
    restarted,
    slug,
)
from cnndsl.training.signals import Signals, Stopped
from cnndsl.training.tally import Metrics


def execute(plan: Plan, echo: Echo, bar: bool) -> Result:
    """Train as planned, in this process of however many there are."""
    if plan.place.start:
        raise TrainError(
            f"a run of {plan.place.start} processes is started by `cnndsl train` or `torchrun`"
        )
    engine = Engine(plan.place)
    try:
        return _execute(plan, engine, echo if engine.main else lambda _: None, bar and engine.main)
    finally:
        engine.close()


def _execute(plan: Plan, engine: Engine, echo: Echo, bar: bool) -> Result:
    resumed = _resumed(plan)
    if changed := target.describe(plan.written, plan.graph, plan.facts):
        echo(changed)
    folder = plan.folder if resumed else None
    if folder is None:
        folder = engine.share(
            checkpoint.make_folder(plan.folder, slug(plan)) if engine.main else None
        )
    assert folder is not None
    with in_words(folder, engine.main):
        _prepare(plan)
        with closing(load(plan.recipe, plan.facts, plan.size, engine.device, echo)) as split:
            return Trainer(plan, engine, split, folder, echo, bar).run(resumed)


def _resumed(plan: Plan) -> dict[str, Any] | None:
    """The checkpoint that the run goes on from, if it does."""
    if plan.folder is None or not (plan.resume or restarted()):
        return None
    path = plan.folder / checkpoint.LAST
    if not path.exists():
        return None
    state = checkpoint.load(path)
    check_resumed(state["about"], about(plan))
    return state


def _prepare(plan: Plan) -> None:
    """What PyTorch is told of the run as a whole."""
    deterministic = plan.recipe.deterministic
    torch.use_deterministic_algorithms(deterministic, warn_only=False)
    torch.backends.cudnn.benchmark = not deterministic and not plan.recipe.sizes
    torch.manual_seed(plan.recipe.seed)


@dataclass
class Trainer:
    """A run while it goes: `progress` is where it stands, `whole` the network's weights."""

    plan: Plan
    engine: Engine
    split: Split
    folder: Path
    echo: Echo
    bar: bool
    progress: Progress = field(default_factory=Progress)

    def run(self, resumed: dict[str, Any] | None) -> Result:
        plan, recipe = self.plan, self.plan.recipe
        parts = phases(plan.graph, recipe, len(plan.facts.classes))
        model = self.make(resumed)
        if resumed:
            self.progress = Progress.of(resumed["progress"])
            self.echo(f"going on in {self.folder} with epoch {self.progress.epoch}")
        self.introduce(model)
        record = self.record(resumed)
        try:
            for phase in parts:
                if self.progress.epoch > phase.last:
                    continue
                same = resumed is not None and resumed["stage"] == phase.stage
                self.phase(phase, parts[-1].last, model, resumed if same else None, record)
                resumed = None
        finally:
            if record:
                record.close(self.progress.rows)
        best = self.progress.best
        assert best is not None, "the last phase has an epoch"
        path = self.folder / checkpoint.BEST
        self.echo(f"best: {best.val_accuracy:.2%} in epoch {best.epoch}, {path}")
        return Result(self.folder, tuple(self.progress.rows), best, model)

    def make(self, resumed: dict[str, Any] | None) -> nn.Module:
        """The network as the run begins with it."""
        recipe = self.plan.recipe
        model = cnndsl.build(self.plan.graph)
        if resumed is None:
            if recipe.init:
                initialize(model, recipe.init)
            if recipe.weights:
                self.load_weights(model, recipe.weights)
        else:
            adopt(model, resumed.get("whole", {}))
            adopt(model, resumed["model"])
        if recipe.freeze:
            freeze(model, recipe.freeze)
        return model

    def load_weights(self, model: nn.Module, source: str) -> None:
        from cnndsl.weights import WeightsError, load_weights

        try:
            loaded = load_weights(model, self.plan.graph, source, partial=True, echo=self.echo)
        except WeightsError as e:
            raise TrainError(e.message, e.help) from e
        for line in loaded.lines():
            self.echo(line)

    def record(self, resumed: dict[str, Any] | None) -> Record | None:
        """The files of the run, which the main process alone writes."""
        if not self.engine.main:
            return None
        plan = self.plan
        if not resumed:
            more: dict[str, Any] = {"data": plan.facts.name, "classes": list(plan.facts.classes)}
            more |= {"mean": list(self.split.mean), "std": list(self.split.std)}
            more |= {"device": plan.place.device.type, "processes": plan.place.world.size}
            runfile.write_run(self.folder, plan.spec, plan.graph, plan.recipe, more)
        self.echo(f"writing to {self.folder}")
        title = f"{target.title(plan.graph)}, {plan.facts.name}"
        return Record(self.folder, title, self.progress.epoch)

    def phase(
        self,
        phase: Phase,
        last: int,
        model: nn.Module,
        resumed: dict[str, Any] | None,
        record: Record | None,
    ) -> None:
        """Train one phase, and leave its weights in `model`."""
        engine, plan = self.engine, self.plan
        own = model if not phase.stage else self.stage_model(phase, model)
        for name, parameter in own.named_parameters():
            if name in phase.frozen:
                parameter.requires_grad_(False)
        learner = Learner.of(
            own, phase.graph.outputs, phase.recipe, engine, len(plan.facts.classes)
        )
        if resumed:
            learner.restore(resumed)
        signals = Signals()
        loop = Loop(
            learner,
            self.split,
            phase.recipe,
            target.training_sizes(plan.recipe, plan.size),
            target.validation_size(plan.recipe, plan.size),
            signals,
            progress.watch_for(self.bar),
            lambda now: self.save(learner, now, phase, model),
            phase.stage,
            phase.first,
        )
        with signals:
            for row in loop.fit(self.progress):
                self.epoch(row, last, learner, phase, model, record)
                if self.enough(phase):
                    break
                if stopped := engine.agree(signals.received):
                    raise Stopped(stopped)
        if phase.stage:
            adopt(model, learner.state()["model"])

    def stage_model(self, phase: Phase, model: nn.Module) -> nn.Module:
        """The network of a stage, with the weights that the whole one has so far."""
        torch.manual_seed(self.plan.recipe.seed)
        own = cnndsl.build(phase.graph)
        adopt(own, model.state_dict())
        return own

    def epoch(
        self,
        row: Metrics,
        last: int,
        learner: Learner,
        phase: Phase,
        model: nn.Module,
        record: Record | None,
    ) -> None:
        """Write down an epoch that is over."""
        best = self.progress.best is row
        self.save(learner, self.progress, phase, model)
        weights = learner.judged() if best else None
        if self.engine.main and weights is not None:
            checkpoint.save_best(self.folder, weights)
        if record:
            record.add(self.progress.rows)
        self.echo(progress.line(row, last, best))

    def save(self, learner: Learner, now: Progress, phase: Phase, model: nn.Module) -> None:
        """Write `last.pt`; every process takes part, the main one writes."""
        state = {"about": about(self.plan), "progress": now.state(), **learner.state()}
        state["stage"] = phase.stage
        if phase.stage:
            state["whole"] = {name: value.cpu() for name, value in model.state_dict().items()}
        if self.engine.main:
            checkpoint.save_last(self.folder, state)

    def enough(self, phase: Phase) -> bool:
        """Whether the validation accuracy has not risen for as long as the recipe waits."""
        rule, best = self.plan.recipe.early_stopping, self.progress.best
        if rule is None or phase.stage or best is None:
            return False
        risen, peak = best.epoch, -1.0
        for row in self.progress.rows:
            if not row.stage and row.val_accuracy > peak + rule.min_delta:
                risen, peak = row.epoch, row.val_accuracy
        since = self.progress.rows[-1].epoch - risen
        if since >= rule.patience:
            self.echo(f"no rise for {since} epochs: the run ends early")
        return since >= rule.patience

    def introduce(self, model: nn.Module) -> None:
        """The first lines of a run: what is trained, on what, where and how."""
        plan, recipe, split = self.plan, self.plan.recipe, self.split
        weights = sum(p.numel() for p in model.parameters() if p.requires_grad)
        steps = len(steps_of(len(split.train), recipe.batch_size))
        self.echo(
            f"{plan.facts.name}: {len(split.train):,} images to train on, {len(split.val):,} to "
            f"validate, {len(plan.facts.classes)} classes"
        )
        self.echo(
            f"epochs: {recipe.epochs}, each of {steps:,} steps, batches of {recipe.batch_size}, "
            f"{recipe.optimizer.name}, lr {recipe.optimizer.start:g} ({recipe.schedule.name}), "
            f"seed {recipe.seed}"
        )
        self.echo(f"{weights:,} parameters on {describe(plan.place)}")


def adopt(model: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Take over the tensors that the network has, too."""
    known = model.state_dict().keys()
    model.load_state_dict({k: v for k, v in weights.items() if k in known}, strict=False)
