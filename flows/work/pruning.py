"""One network's pruning: its schedule, its acceptance rule, and the files of each step."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from slimderm.components.dataset.variants import COMPRESSED, ORIGINAL
from slimderm.components.evaluation.metrics import Probabilities
from slimderm.components.evaluation.power import in_words, part_size, powers
from slimderm.components.pruning.acceptance import get as get_acceptance
from slimderm.components.pruning.schedules.base import StepResult
from slimderm.components.pruning.schedules.table import get as get_schedule
from slimderm.components.pruning.settings import PruneSettings
from slimderm.components.pruning.verdict import Case, Demands, Validation, Verdict
from slimderm.components.pruning.widths import UNPRUNED
from slimderm.flows.base.files import read_json, write_json
from slimderm.flows.base.terminal import console
from slimderm.flows.config import layout
from slimderm.flows.config.params import Params
from slimderm.flows.record.runs import write_provenance
from slimderm.flows.work.sources import LesionSource
from slimderm.flows.work.step_runner import PrunedRun, StepRunner, fine_tuning, fixed_layers
from slimderm.flows.work.training import Trainer, TrainingRun


class Pruning:
    """One network's pruning: its schedule, and the files of each step."""

    def __init__(self, params: Params, network: str) -> None:
        self.params, self.network = params, network
        self.source = LesionSource(params, COMPRESSED)
        self.trainer = Trainer(params, network, self.source)
        self.baseline = read_json(layout.baseline(network) / ORIGINAL / "record.json")
        self.seeds: dict[str, SeedRun] = {}
        self.num_kept = 0
        settings = params.prune
        for sentence in settings.without_effect():
            console.print(f"prune: {sentence}", highlight=False, soft_wrap=True)
        fixed = fixed_layers(network, image_only=params.train.image_only)
        self.runner = StepRunner(
            self.trainer,
            settings.method(fixed, params.train.seed),
            fine_tuning(
                params.train,
                settings.init,
                settings.fine_tune_epochs,
                settings.fine_tune_learning_rate,
            ),
            data_batches=settings.data_batches,
            test_each=settings.tests_each_step,
        )

    def accept(self, evaluation: PrunedRun, parent: StepResult | None) -> Verdict:
        """Judge what a step trained by the rule of ``prune.acceptance``."""
        settings = self.params.prune
        if parent is None:
            self.unpruned = evaluation
        case = Case(
            metrics=evaluation.metrics,
            baseline=self.baseline["metrics"],
            thresholds=settings.thresholds_for(self.network),
            demands=self.demands,
            validation=self._validation(evaluation),
            parent=parent.verdict if parent else None,
        )
        return get_acceptance(settings.acceptance).judge(case)

    def _validation(self, evaluation: PrunedRun) -> Validation:
        unpruned = self.unpruned

        def predict(number: int) -> tuple[Probabilities, Probabilities]:
            pair = (evaluation, unpruned)
            runs = [run.again(number) if number else run for run in pair]
            for run, pruned in zip(runs, (True, False), strict=True):
                if number:
                    self.seeds.setdefault(run.trained.key, SeedRun(run.trained, number, pruned))
            own, reference = (run.trained.validation["probabilities"] for run in runs)
            return own, reference

        kept, number = evaluation.trained.validation, len(self.source.classes)
        return Validation(kept["labels"], kept["lesions"], number, predict, self.trainer.melanoma)

    @property
    def demands(self) -> Demands:
        """What the rule noninferior demands."""
        evaluate = self.params.evaluate
        return self.params.prune.demands(num_samples=evaluate.bootstrap_samples, seed=evaluate.seed)

    def power(self) -> str:
        """Say what the validation part can resolve, by one training seed and by all."""
        rows = self.source.rows("validation")
        labels = np.array([self.source.classes.index(label) for label in rows["label"]])
        size = part_size(labels, rows["lesion_id"].to_numpy(dtype=str), self.trainer.melanoma)
        demands, told = self.demands, []
        for number in sorted({1, demands.max_seeds}):
            found = powers(
                size,
                demands.margins,
                discordance=self.params.prune.discordance,
                error=demands.error,
                num_seeds=number,
            )
            seeds = f"{number} training seed{'s' if number > 1 else ''}"
            told.append(f"{in_words(found, demands.margins)} by {seeds}")
        return f"validation, {size}, can resolve {'; '.join(told)}"

    def steps(self) -> Iterator[StepResult]:
        """Yield the steps of the schedule ``prune.schedule``."""
        settings = self.params.prune
        schedule = get_schedule(settings.schedule)
        return schedule(self.runner, self.accept, settings.for_schedule())

    def keep(self, step: StepResult, folder: Path) -> dict[str, Any]:
        """Copy a step's training into `folder`, with the verdict in its record."""
        trained = step.evaluation.trained
        record = trained.full_record | {
            "notation": step.notation,
            "parent": step.parent,
            "percents": list(step.percents),
            "stopped": step.stopped,
            "folder": f"steps/{step.index:02d}",
            "share_of_parameters": trained.record["num_parameters"]
            / self.baseline["num_parameters"],
            "verdict": asdict(step.verdict),
        }
        return _keep(trained, record, folder)

    def keep_seeds(self, step: StepResult, folder: Path) -> list[dict[str, Any]]:
        """Copy what was trained by other seeds to judge a step, unless a step before has it."""
        found = []
        for run in list(self.seeds.values())[self.num_kept :]:
            name = step.notation if run.pruned else UNPRUNED
            place = f"seeds/{self.num_kept:02d}"
            self.num_kept += 1
            notation = f"{name}, seed +{run.number}"
            record = run.trained.full_record | {"notation": notation, "folder": place}
            found.append(_keep(run.trained, record, folder))
        return found


@dataclass(frozen=True)
class SeedRun:
    """A training by another seed, of a pruned network or of the unpruned one."""

    trained: TrainingRun
    number: int
    pruned: bool


def _keep(trained: TrainingRun, record: dict[str, Any], folder: Path) -> dict[str, Any]:
    target = folder / record["folder"]
    shutil.copytree(trained.folder, target)
    write_json(target / "record.json", record)
    write_provenance(target)
    return dict(record)


def smallest_accepted(records: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the accepted step with the fewest parameters, the earlier of equals."""
    accepted = [record for record in records if record["verdict"]["accepted"]]
    return min(accepted, key=lambda record: record["num_parameters"], default=None)


def ending(network: str, records: Sequence[dict[str, Any]], settings: PruneSettings) -> str:
    """Say that no pruned network is accepted, why, and what to do; empty where one is.

    Parameters
    ----------
    network : str
        Its name.
    records : sequence of dict
        Every step's record, the unpruned network's first.
    settings : PruneSettings
        The rule that judged.
    """
    unpruned, *pruned = records
    if any(record["verdict"]["accepted"] for record in pruned):
        return ""
    refused = not unpruned["verdict"]["accepted"]
    why, advice = "", "train longer (train.epochs) or on more images"
    if refused:
        rule, reason = settings.acceptance, unpruned["verdict"]["reason"]
        why = f" The unpruned network is refused by the rule {rule}: {reason.rstrip('.')}."
        if not pruned:
            advice = f"set prune.refused_start: prune, to prune it all the same; {advice}"
    tried = {0: "No pruned network was tried", 1: "The one pruned network is not accepted"}.get(
        len(pruned), f"None of the {len(pruned)} pruned networks is accepted"
    )
    return (
        f"{network} ends with {'nothing' if refused else 'nothing but the unpruned network'}.{why} "
        f"{tried}; the end: {records[-1]['stopped']}. What to do: {advice}; or state another rule "
        "(prune.acceptance) before looking at the results."
    )


def report_power(network: str, sentence: str) -> None:
    """Print what the part that judges can resolve."""
    console.print(f"prune: {network}: {sentence}", highlight=False, soft_wrap=True)


def report_step(record: Mapping[str, Any]) -> None:
    """Print one line about a step."""
    metrics = record["metrics"]
    console.print(
        f"prune: {record['network']} {record['notation']} {record['verdict']['word']}, "
        f"{record['num_parameters']:,} parameters, accuracy {metrics['train_accuracy']:.3f} in "
        f"training, {metrics['validation_accuracy']:.3f} in validation",
        highlight=False,
        soft_wrap=True,
    )
