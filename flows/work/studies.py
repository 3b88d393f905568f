"""One pruning study: every arm, seed, schedule and ratio, trained and tested, side by side."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from slimderm.components.dataset.variants import REENCODED
from slimderm.components.pruning.method import Budget, Limits, PruningMethod, PruningStep
from slimderm.components.pruning.schedules.base import ScheduleSettings, StepResult
from slimderm.components.pruning.schedules.table import get_by_ratio
from slimderm.components.pruning.study_settings import UNPRUNED, Arm, StudySettings, parse_arm
from slimderm.components.pruning.verdict import Verdict
from slimderm.components.reporting.page import markdown_table
from slimderm.components.reporting.pruning_fronts import fronts, verdicts
from slimderm.components.reporting.pruning_fronts import table as readable
from slimderm.components.reporting.study_curves import curves
from slimderm.flows.base.files import write_json
from slimderm.flows.base.keras_loader import load_keras
from slimderm.flows.base.terminal import console
from slimderm.flows.config.params import Params
from slimderm.flows.work.feature_comparison import compare, same_place
from slimderm.flows.work.reencoded import ReencodedSource
from slimderm.flows.work.sources import CifarSource, ExampleSource, LesionSource
from slimderm.flows.work.step_runner import ControlRunner, PrunedRun, StepRunner, fixed_layers
from slimderm.flows.work.study_comparison import StudyComparison
from slimderm.flows.work.study_tables import (
    StudyRun,
    by_variant,
    histories,
    method_names,
    predictions,
    table,
)
from slimderm.flows.work.training import Trainer
from slimderm.flows.work.training_run import TrainingRun


class Study:
    """One study: the networks it wants, each trained or found."""

    def __init__(self, params: Params, settings: StudySettings) -> None:
        self.params, self.settings = params, settings
        self.sources: dict[str, ExampleSource] = {}

    def source(self, variant: str) -> ExampleSource:
        """Return the examples of a variant, read once for all seeds and arms."""
        if variant not in self.sources:
            self.sources[variant] = self._read(variant)
        return self.sources[variant]

    def _read(self, variant: str) -> ExampleSource:
        settings = self.settings
        if settings.cifar:  # it has one variant
            return CifarSource(settings.cifar)
        if variant == REENCODED:
            return ReencodedSource(self.params, max_train=settings.max_train)
        return LesionSource(self.params, variant, max_train=settings.max_train)

    def runs(self) -> Iterator[StudyRun]:
        """Yield every network: of each variant and seed the unpruned one, then each arm's."""
        settings = self.settings
        for variant in settings.variants:
            for seed in settings.seeds:
                trainer = self._trainer(variant, seed)
                name = trainer.source.name
                unpruned = trainer.tested(trainer.fit(f"{name}, seed {seed}: unpruned"))
                yield StudyRun(name, seed, UNPRUNED, "", 0.0, unpruned, (unpruned,))
                for text in settings.arms:
                    for schedule in settings.schedules:
                        yield from self._arm(trainer, parse_arm(text), schedule)

    def _trainer(self, variant: str, seed: int) -> Trainer:
        settings = self.settings
        train = replace(
            self.params.train,
            seed=seed,
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
        )
        params = replace(self.params, train=train)
        return Trainer(params, settings.network, self.source(variant), weights=settings.weights)

    def _arm(self, trainer: Trainer, arm: Arm, schedule: str) -> Iterator[StudyRun]:
        settings, train = self.settings, trainer.params.train
        fixed = fixed_layers(settings.network, image_only=trainer.image_only)
        method = PruningMethod(
            criterion=arm.criterion,
            scope=arm.scope,
            init=arm.init,
            masks=arm.masks,
            limits=Limits(fixed),
            seed=train.seed,
        )
        if arm.init == "inherit":
            train = replace(
                train,
                epochs=settings.epochs_per_step(schedule, arm),
                learning_rate=settings.fine_tune_learning_rate,
            )
        runner = (ControlRunner if arm.control else StepRunner)(trainer, method, train)
        name = f"{trainer.source.name}, seed {train.seed}: {arm.name}"
        place = (trainer.source.name, train.seed, arm.name, schedule)
        for ratio, steps in self._steps(runner, arm, schedule, name):
            trainings = tuple(step.evaluation.trained for step in steps)
            sparsity = steps[-1].evaluation.sparsity
            tested = trainer.tested(trainings[-1])
            yield StudyRun(*place, ratio, tested, trainings, sparsity, init=arm.init)

    def _steps(
        self, runner: StepRunner, arm: Arm, schedule: str, name: str
    ) -> Iterator[tuple[float, list[StepResult]]]:
        """Yield each ratio's pruning steps."""
        settings = self.settings

        def run_step(
            pruning_step: PruningStep | None, parent: StepResult | None, notation: str
        ) -> PrunedRun:
            matched = self._matched(runner, arm, pruning_step)
            return runner(matched, parent, f"{name}, {notation}")

        schedule_settings = ScheduleSettings(
            num_steps=max(1, settings.num_steps), num_parts=settings.num_steps or None
        )
        return get_by_ratio(schedule)(run_step, _accept, schedule_settings, settings.ratios)

    def _matched(
        self, runner: StepRunner, arm: Arm, step: PruningStep | None
    ) -> PruningStep | None:
        """Turn a global arm's ratio into the parameters that pruning each layer would leave."""
        if step is None or arm.masks or arm.scope == "local" or step.layers is not None:
            return step
        load_keras()
        from slimderm.components.pruning.apply_step import parameters_left

        model = runner.trainer.fit("").load()
        assert step.total is not None
        left = parameters_left(model, step.total, runner.method.limits)
        return PruningStep(budget=Budget("parameters", left))


def _accept(evaluation: PrunedRun, parent: StepResult | None) -> Verdict:
    return Verdict(True, "a study accepts every network")


def write_study(folder: Path, runs: Sequence[StudyRun], own: Study, name: str) -> None:
    """Write a study's tables and figures."""
    rows, kept = table(runs), predictions(runs)
    rows.to_csv(folder / "runs.csv", index=False)
    arrays: dict[str, Any] = kept
    np.savez_compressed(folder / "predictions.npz", **arrays)
    source = own.source(own.settings.variants[0])
    classes, copies = list(source.classes), f"\n{source.copies}\n" if source.copies else ""
    write_json(folder / "classes.json", classes)
    melanoma = classes.index("melanoma") if "melanoma" in classes else None
    comparison = StudyComparison(rows, kept, melanoma, own.params.evaluate)
    summary, differences = comparison.summary(), comparison.differences()
    summary.to_csv(folder / "summary.csv", index=False)
    differences.to_csv(folder / "differences.csv", index=False)
    history = histories(runs)
    history.to_csv(folder / "history.csv", index=False)
    history["method"] = method_names(history)
    seed = own.settings.seeds[0]
    for variant, part in summary.groupby("variant", sort=False):
        (folder / f"table_{variant}.md").write_text(markdown_table(readable(part)) + copies)
        compared = verdicts(differences[differences["variant"] == variant])
        (folder / f"differences_{variant}.md").write_text(markdown_table(compared) + copies)
        title = f"{name}: {own.settings.network} on {variant} images"
        fronts(part, title=title).savefig(folder / f"fronts_{variant}.png", dpi=130)
        epochs = history[(history["variant"] == variant) & (history["seed"] == seed)]
        curves(epochs, title=title).savefig(folder / f"curves_{variant}.png", dpi=110)
    if len(own.settings.variants) > 1:
        title = f"{name}: {own.settings.network}, the same pruning on each variant"
        figure = fronts(by_variant(summary), title=title, costs=("num_parameters",))
        figure.savefig(folder / "fronts_variants.png", dpi=130)
    if own.settings.similarity:
        write_feature_comparison(folder, runs, own)


def write_feature_comparison(folder: Path, runs: Sequence[StudyRun], own: Study) -> None:
    """Compare the schedules of each arm at each ratio, first variant and seed."""
    variant, seed = runs[0].variant, own.settings.seeds[0]
    own_runs = [run for run in runs if (run.variant, run.seed) == (variant, seed)]
    unpruned = next(run.trained for run in own_runs if run.arm == UNPRUNED)
    examples = own.source(variant).examples["test"]
    groups: dict[tuple[str, float], dict[str, TrainingRun]] = {}
    for run in own_runs:
        if run.arm != UNPRUNED:
            group = groups.setdefault((run.arm, run.ratio), {UNPRUNED: unpruned})
            group[run.schedule] = run.trained
    tables = [
        compare(folder, arm, ratio, trained, examples) for (arm, ratio), trained in groups.items()
    ]
    similarity = pd.concat(tables)
    similarity.to_csv(folder / "cka.csv", index=False)
    same_place(similarity).to_csv(folder / "cka_same_place.csv", index=False)


def report_run(name: str, run: StudyRun) -> None:
    """Print one line about a network of a study."""
    record, metrics = run.trained.record, run.trained.metrics
    zeros = "" if math.isnan(run.sparsity) else f", {run.sparsity:.1%} of the weights zero"
    console.print(
        f"study {name}: {run.variant}, seed {run.seed}, {run.arm} {run.schedule} "
        f"{100 * run.ratio:g}%: {record['num_parameters']:,} parameters{zeros}, test "
        f"balanced accuracy {metrics['test_balanced_accuracy']:.3f}",
        highlight=False,
        soft_wrap=True,
    )
