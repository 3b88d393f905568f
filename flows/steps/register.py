"""Stage register: accepted networks become registered versions, the smallest the challenger."""

from prefect import flow

from slimderm.flows.base.files import read_json, write_json
from slimderm.flows.base.terminal import console
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.registry import Registry
from slimderm.flows.record.runs import record_folder, record_network


@flow(name="register", flow_run_name="register")
def register() -> None:
    """Read ``models``; write ``data/registry.json``.

    Runs that the tracking server lacks, because it is new or the outputs came from the DVC cache,
    are recorded first: those of the unpruned networks and those of every step.
    """
    params = read_params()
    registry = Registry(tracker := Tracker(params.record))
    accepted = []
    for network in params.networks:
        pruned = layout.pruned(network)
        summary = read_json(pruned / "steps.json")
        parent = record_network(tracker, network, summary["trainer"])
        for folder in sorted(layout.baseline(network).iterdir()):
            description = read_json(folder / "description.json")
            record_folder(tracker, parent, folder.name, folder, description)
        for step in summary["steps"]:
            record_folder(
                tracker, parent, step["notation"], pruned / step["folder"], summary["description"]
            )
            if step["verdict"]["accepted"]:
                tags = {"network": network, "notation": step["notation"]}
                version = registry.register(step["key"], tags)
                accepted.append(
                    {
                        "network": network,
                        "notation": step["notation"],
                        "num_parameters": step["num_parameters"],
                        "version": version,
                    }
                )
    challenger = min(accepted, key=lambda entry: entry["num_parameters"], default=None)
    if challenger is not None:
        registry.set_alias("challenger", challenger["version"])
    write_json(
        layout.REGISTERED,
        {"model": registry.name, "accepted": accepted, "challenger": challenger},
    )
    name = registry.name
    console.print(
        f"register: {name} version {challenger['version']} is the challenger "
        f"({challenger['network']} {challenger['notation']})"
        if challenger
        else f"register: no network met its thresholds, so {name} has no challenger",
        highlight=False,
    )
