"""Stage prune: prune one network until it is the smallest that still meets the baseline."""

from prefect import flow

from slimderm.components.common.cache import replacing
from slimderm.flows.base.files import write_json
from slimderm.flows.base.terminal import note
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.work.pruning import Pruning
from slimderm.flows.work.pruning_steps import write_steps


@flow(name="prune", flow_run_name="prune-{network}")
def prune(network: str) -> None:
    """Write ``models/<network>/pruned``: ``steps.json`` and a folder for each step."""
    params = read_params()
    params.check_recipes()
    pruning = Pruning(params, network)
    with replacing(layout.pruned(network)) as draft:
        summary = write_steps(pruning, Tracker(params.record), draft)
        write_json(draft / "steps.json", summary)
    note("prune", summary["ending"])
    note("prune", pruning.trainer.source.copies)
