"""One network's pruning: its schedule, its acceptance rule, and the files of each step."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from slimderm.components.dataset.variants import COMPRESSED
from slimderm.components.pruning.schedules.base import StepResult
from slimderm.components.pruning.schedules.table import get as get_schedule
from slimderm.components.pruning.settings import PruneSettings
from slimderm.components.pruning.verdict import Verdict
from slimderm.flows.base.terminal import console
from slimderm.flows.config.params import Params
from slimderm.flows.work.acceptance import Acceptance
from slimderm.flows.work.sources import LesionSource
from slimderm.flows.work.step_runner import PrunedRun, StepRunner, fine_tuning, fixed_layers
from slimderm.flows.work.training import Trainer


class Pruning:
    """One network's pruning: its schedule, and the files of each step."""

    def __init__(self, params: Params, network: str) -> None:
        self.params, self.network = params, network
        self.source = LesionSource(params, COMPRESSED)
        self.trainer = Trainer(params, network, self.source)
        self.acceptance = Acceptance(self.trainer)
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
        if parent is None:
            self.unpruned = evaluation
        verdict = parent.verdict if parent else None
        return self.acceptance.judge(evaluation, self.unpruned, verdict)

    def steps(self) -> Iterator[StepResult]:
        """Yield the steps of the schedule ``prune.schedule``."""
        settings = self.params.prune
        schedule = get_schedule(settings.schedule)
        return schedule(self.runner, self.accept, settings.for_schedule())

    def keep(self, step: StepResult, folder: Path) -> dict[str, Any]:
        """Copy a step's training into `folder`, with the verdict in its record."""
        return self.acceptance.keep(
            step.evaluation.trained,
            folder,
            f"steps/{step.index:02d}",
            notation=step.notation,
            parent=step.parent,
            percents=list(step.percents),
            stopped=step.stopped,
            verdict=asdict(step.verdict),
        )


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
