"""Stage prune: prune one network until it is the smallest that still meets the baseline."""

from prefect import flow

from slimderm.components.common.cache import replacing
from slimderm.flows.base.files import write_json
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.runs import record_folder, record_network
from slimderm.flows.work.pruning import Pruning, report_step, smallest_accepted


@flow(name="prune", flow_run_name="prune-{network}")
def prune(network: str) -> None:
    """Write ``models/<network>/pruned``: ``steps.json`` and a folder for each step."""
    params = read_params()
    pruning = Pruning(params, network)
    tracker = Tracker(params.record)
    parent = record_network(tracker, network, pruning.trainer.key)
    description = pruning.trainer.description()
    with replacing(layout.pruned(network)) as draft:
        records, trained_of = [], {}
        for step in pruning.steps():
            record = pruning.keep(step, draft)
            record_folder(tracker, parent, step.notation, draft / record["folder"], description)
            records.append(record)
            trained_of[step.notation] = step.evaluation.trained
            report_step(record)
        smallest = smallest_accepted(records)
        if smallest is not None:
            tested = pruning.trainer.tested(trained_of[smallest["notation"]])
            smallest |= tested.full_record
            write_json(draft / smallest["folder"] / "record.json", smallest)
        write_json(
            draft / "steps.json",
            {
                "trainer": pruning.trainer.key,
                "description": description,
                "steps": records,
                "smallest": smallest,
            },
        )
