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
from components.pruning.sequences import iterative, layerwise, one_shot
from flows.cutting import Cutting, fine_tuning, fixed_layers
from flows.examples import LesionSource
from flows.fitting import Workshop
from flows.params import Params, read_params
from flows.runs import record_folder, record_network, sign
from flows.runtime import console, read_json, replacing, write_json
from flows.steps import run_step
from flows.tracking import Tracker


class Pruning:
    """One network's pruning: its schedule, and what is kept of each step."""

    def __init__(self, params: Params, network: str) -> None:
        self.params, self.network = params, network
        self.workshop = Workshop(params, network, LesionSource(params, "compressed"))
        self.baseline = read_json(f"models/{network}/baseline/original/record.json")
        settings = params.prune
        fixed = fixed_layers(network, image_only=params.train.image_only)
        self.cutting = Cutting(
            self.workshop,
            settings.recipe(fixed, params.train.seed),
            fine_tuning(
                params.train,
                settings.init,
                settings.fine_tune_epochs,
                settings.fine_tune_learning_rate,
            ),
            data_batches=settings.data_batches,
            # The rule `validation` leaves the test part alone until the choice is made; `paper`
            # needs it at every step, and a path of table 6 exists to report it.
            test_each=settings.acceptance == "paper" or settings.schedule == "path",
        )

    def accept(self, metrics: Mapping[str, float]) -> Verdict:
        """Judge a step's metrics by the rule of ``prune.acceptance``."""
        settings = self.params.prune
        rule = get_acceptance(settings.acceptance)
        return rule(metrics, self.baseline["metrics"], settings.bars_for(self.network))

    def steps(self) -> Iterator[Step]:
        """Yield the schedule's steps."""
        settings = self.params.prune
        work, accept = self.cutting, self.accept
        if settings.schedule == "path":
            return explicit_path(work, accept, settings.path)
        if settings.schedule == "one_shot":
            target = settings.target()
            ratio = None if target else settings.ratio
            return one_shot(work, accept, ratio=ratio, budget=target)
        if settings.schedule == "iterative":
            number, spacing = settings.num_steps, settings.spacing
            return iterative(work, accept, ratio=settings.ratio, num_steps=number, spacing=spacing)
        if settings.schedule == "layerwise":
            return layerwise(work, accept, ratio=settings.ratio)
        return algorithm2(
            work,
            accept,
            factors=settings.factors,
            max_failures=settings.max_failures,
            max_prunings=settings.max_prunings,
            refused_start=settings.refused_start,
        )

    def keep(self, step: Step, folder: Path) -> dict[str, Any]:
        """Copy a step's training into `folder`, with the verdict in its record."""
        fitted = step.evaluation.fitted
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
        sign(target)
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
            fitted_of[step.notation] = step.evaluation.fitted
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
