"""Stage register: accepted networks become registered versions, the smallest the challenger."""

from prefect import flow

from slimderm.flows.base.files import write_json
from slimderm.flows.base.terminal import console
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params
from slimderm.flows.work.registering import register_accepted


@flow(name="register", flow_run_name="register")
def register() -> None:
    """Read ``models``; write ``data/registry.json``.

    Runs that the tracking server lacks, because it is new or the outputs came from the DVC cache,
    are recorded first.
    """
    found = register_accepted(read_params())
    write_json(layout.REGISTERED, found)
    name, challenger = found["model"], found["challenger"]
    console.print(
        f"register: {name} version {challenger['version']} is the challenger "
        f"({challenger['network']} {challenger['notation']})"
        if challenger
        else f"register: no network met its thresholds, so {name} has no challenger",
        highlight=False,
    )
