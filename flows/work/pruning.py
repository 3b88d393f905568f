"""One network's pruning: its schedule, its acceptance rule, and the files of each step."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from slimderm.components.dataset.variants import COMPRESSED, ORIGINAL
from slimderm.components.pruning.acceptance import Verdict
from slimderm.components.pruning.acceptance import get as get_acceptance
from slimderm.components.pruning.schedules.base import StepResult
from slimderm.components.pruning.schedules.table import get as get_schedule
from slimderm.flows.base.files import read_json, write_json
from slimderm.flows.base.terminal import console
from slimderm.flows.config import layout
from slimderm.flows.config.params import Params
from slimderm.flows.record.runs import write_provenance
from slimderm.flows.work.sources import LesionSource
from slimderm.flows.work.step_runner import StepRunner, fine_tuning, fixed_layers
from slimderm.flows.work.training import Trainer


class Pruning:
    """One network's pruning: its schedule, and the files of each step."""

    def __init__(self, params: Params, network: str) -> None:
        self.params, self.network = params, network
        self.trainer = Trainer(params, network, LesionSource(params, COMPRESSED))
        self.baseline = read_json(layout.baseline(network) / ORIGINAL / "record.json")
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

    def accept(self, metrics: Mapping[str, float]) -> Verdict:
        """Judge a step's metrics by the rule of ``prune.acceptance``."""
        settings = self.params.prune
        judge = get_acceptance(settings.acceptance).judge
        return judge(metrics, self.baseline["metrics"], settings.thresholds_for(self.network))

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
        target = folder / record["folder"]
        shutil.copytree(trained.folder, target)
        write_json(target / "record.json", record)
        write_provenance(target)
        return dict(record)


def smallest_accepted(records: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the accepted step with the fewest parameters, the earlier of equals."""
    accepted = [record for record in records if record["verdict"]["accepted"]]
    return min(accepted, key=lambda record: record["num_parameters"], default=None)


def report_step(record: Mapping[str, Any]) -> None:
    """Print one line about a step."""
    accepted, metrics = record["verdict"]["accepted"], record["metrics"]
    console.print(
        f"prune: {record['network']} {record['notation']} {'accepted' if accepted else 'refused'}, "
        f"{record['num_parameters']:,} parameters, accuracy {metrics['train_accuracy']:.3f} in "
        f"training, {metrics['validation_accuracy']:.3f} in validation",
        highlight=False,
        soft_wrap=True,
    )
