"""The columns of MLflow's list of runs: a view that anybody opens by its address.

MLflow keeps the columns that a person chose in that person's browser. A view that is shared is a
tag of the experiment, as MLflow's page writes it when somebody shares a view.
"""

import json

from slimderm.flows.record.mlflow_store import Tracker

VIEW = "results"
TAG = f"mlflow.sharedViewState.{VIEW}"
COLUMNS = {
    "attributes": ("Created", "User"),
    "tags": ("verdict", "notation"),
    "metrics": (
        "smallest/num_parameters",
        "smallest/bytes",
        "smallest/validation_balanced_accuracy",
        "best/validation_balanced_accuracy",
    ),
}


def share_view(tracker: Tracker) -> None:
    """Keep the view with the experiment, and say in its description how to open it."""
    columns = [f"{kind}.`{name}`" for kind, names in COLUMNS.items() for name in names]
    address = f"#/experiments/{tracker.experiment_id}/runs?workflowType=machine_learning"
    note = (
        "One run for each network and version of the data; below it one for each training. "
        f"[What came out]({address}&viewStateShareKey={VIEW}), with the columns that say it."
    )
    wanted = {TAG: json.dumps({"selectedColumns": columns}), "mlflow.note.content": note}
    known = tracker.client.get_experiment(tracker.experiment_id).tags
    for name, value in wanted.items():
        if name not in known:  # a person may have changed it
            tracker.client.set_experiment_tag(tracker.experiment_id, name, value)
