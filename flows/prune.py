"""Step: prune one network until it is the smallest that still meets the baseline."""

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefect import flow

from components.pruning.acceptance import Verdict
from components.pruning.acceptance import get as get_acceptance
from components.pruning.schedules import Step, algorithm2, explicit_path
from components.pruning.widths import Widths
from components.training.architectures import get
from flows.fitting import Fitted, Workshop
from flows.params import Params, read_params
from flows.runs import record_folder, record_network
from flows.runtime import console, read_json, replacing, run_step, write_json
from flows.tracking import Tracker


class Pruning:
    """One network's pruning: what the schedule calls to train, and what is kept of each step."""

    def __init__(self, params: Params, network: str) -> None:
        self.params, self.network = params, network
        self.workshop = Workshop(params, network, "compressed")
        self.baseline = read_json(f"models/{network}/baseline/original/record.json")
        settings = params.prune
        # The rule `validation` leaves the test part alone until the choice is made; `paper` needs
        # it at every step, and a path of table 6 exists to report it.
        self.test_each = settings.acceptance == "paper" or settings.schedule == "path"

    def train(self, widths: Widths, notation: str, parent: Step | None) -> Fitted:
        """Train at `widths` on compressed images; from scratch, so the parent is of no account."""
        fitted = self.workshop.fit(widths, f"{self.network}: prune {notation}")
        return self.workshop.tested(fitted) if self.test_each else fitted

    def accept(self, metrics: Mapping[str, float]) -> Verdict:
        """Judge a step's metrics by the rule of ``prune.acceptance``."""
        settings = self.params.prune
        rule = get_acceptance(settings.acceptance)
        return rule(metrics, self.baseline["metrics"], settings.bars_for(self.network))

    def steps(self) -> Iterator[Step]:
        """Yield the schedule's steps."""
        settings, network = self.params.prune, get(self.network)
        start = Widths(network.convolutions, network.dense)
        if settings.schedule == "path":
            return explicit_path(start, self.train, self.accept, settings.path)
        return algorithm2(
            start,
            self.train,
            self.accept,
            factors=settings.factors,
            max_failures=settings.max_failures,
            refused_start=settings.refused_start,
        )

    def keep(self, step: Step, folder: Path) -> dict[str, Any]:
        """Copy a step's training into `folder`, with the verdict in its record."""
        fitted = step.evaluation
        record = fitted.full_record | {
            "notation": step.notation,
            "parent": step.parent,
            "percents": list(step.percents),
            "stopped": step.stopped,
            "folder": f"steps/{step.index:02d}",
            "share_of_parameters": fitted.record["num_parameters"]
            / self.baseline["num_parameters"],
            "verdict": asdict(step.verdict),
        }
        target = folder / record["folder"]
        shutil.copytree(fitted.folder, target)
        write_json(target / "record.json", record)
        return dict(record)


def smallest_accepted(records: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the accepted step with the fewest parameters, the earlier of equals."""
    accepted = [record for record in records if record["verdict"]["accepted"]]
    return min(accepted, key=lambda record: record["num_parameters"], default=None)


def _say(record: Mapping[str, Any]) -> None:
    accepted, metrics = record["verdict"]["accepted"], record["metrics"]
    console.print(
        f"prune: {record['network']} {record['notation']} {'accepted' if accepted else 'refused'}, "
        f"{record['num_parameters']:,} parameters, accuracy {metrics['train_accuracy']:.3f} in "
        f"training, {metrics['validation_accuracy']:.3f} in validation",
        highlight=False,
        soft_wrap=True,
    )


@flow(name="prune", flow_run_name="prune-{network}")
def prune(network: str) -> None:
    """Write ``models/<network>/pruned``: ``steps.json`` and a folder for each step."""
    params = read_params()
    pruning = Pruning(params, network)
    tracker = Tracker(params.record)
    parent = record_network(tracker, network, pruning.workshop.key)
    description = pruning.workshop.description()
    with replacing(f"models/{network}/pruned") as draft:
        records, fitted_of = [], {}
        for step in pruning.steps():
            record = pruning.keep(step, draft)
            record_folder(tracker, parent, step.notation, draft / record["folder"], description)
            records.append(record)
            fitted_of[step.notation] = step.evaluation
            _say(record)
        smallest = smallest_accepted(records)
        if smallest is not None:
            tested = pruning.workshop.tested(fitted_of[smallest["notation"]])
            smallest |= tested.full_record
            write_json(draft / smallest["folder"] / "record.json", smallest)
        write_json(
            draft / "steps.json",
            {
                "workshop": pruning.workshop.key,
                "description": description,
                "steps": records,
                "smallest": smallest,
            },
        )


if __name__ == "__main__":
    run_step(prune, *sys.argv[1:])
