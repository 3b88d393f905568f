"""Step: accepted networks become versions of the registered model, the smallest the challenger."""

from pathlib import Path

from prefect import flow

from flows.params import read_params
from flows.registry import Registry
from flows.runs import record_folder, record_network
from flows.runtime import console, read_json, write_json
from flows.steps import run_step
from flows.tracking import Tracker


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
        pruned = Path("models") / network / "pruned"
        summary = read_json(pruned / "steps.json")
        parent = record_network(tracker, network, summary["workshop"])
        for folder in sorted((pruned.parent / "baseline").iterdir()):
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
        "data/registry.json",
        {"model": registry.name, "accepted": accepted, "challenger": challenger},
    )
    name = registry.name
    console.print(
        f"register: {name} version {challenger['version']} is the challenger "
        f"({challenger['network']} {challenger['notation']})"
        if challenger
        else f"register: no network met its bars, so {name} has no challenger",
        highlight=False,
    )


if __name__ == "__main__":
    run_step(register)
