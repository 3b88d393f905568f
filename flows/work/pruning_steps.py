"""Every step of one network's pruning: its files, its run in MLflow, and the smallest accepted."""

from pathlib import Path
from typing import Any

from slimderm.flows.base.files import write_json
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.runs import record_folder, record_network
from slimderm.flows.work.pruning import (
    Pruning,
    ending,
    report_power,
    report_step,
    smallest_accepted,
)


def write_steps(pruning: Pruning, tracker: Tracker, folder: Path) -> dict[str, Any]:
    """Prune until the schedule ends; write and record each step.

    Parameters
    ----------
    pruning : Pruning
        Of one network.
    tracker : Tracker
        Gets a run for each step, below the network's own.
    folder : path
        Gets a folder for each step.

    Returns
    -------
    dict
        ``trainer``: key of the network's training; ``description``: its parameters; ``power``: what
        the validation part can resolve, in words; ``steps``: each step's record; ``seeds``: those
        of what was trained by other seeds, to judge a step; ``smallest``: the record of the
        smallest accepted step, judged on the test part, or None; ``ending``: as `ending` gives it.
    """
    trainer = pruning.trainer
    parent = record_network(tracker, pruning.network, trainer.key)
    description = trainer.description()
    power = pruning.acceptance.power(pruning.source)
    report_power(pruning.network, power)
    records, seeds, trained_of = [], [], {}
    for step in pruning.steps():
        record = pruning.keep(step, folder)
        record_folder(tracker, parent, step.notation, folder / record["folder"], description)
        records.append(record)
        for other in pruning.acceptance.keep_seeds(step.notation, folder):
            record_folder(tracker, parent, other["notation"], folder / other["folder"], description)
            seeds.append(other)
        trained_of[step.notation] = step.evaluation.trained
        report_step(record)
    smallest = smallest_accepted(records)
    if smallest is not None:
        smallest |= trainer.tested(trained_of[smallest["notation"]]).full_record
        write_json(folder / smallest["folder"] / "record.json", smallest)
    return {
        "trainer": trainer.key,
        "description": description,
        "power": power,
        "steps": records,
        "seeds": seeds,
        "smallest": smallest,
        "ending": ending(pruning.network, records, pruning.params.prune),
    }
