"""Stage register: accepted networks become registered versions, the smallest the challenger."""

from prefect import flow

from slimderm.flows.base.files import write_json
from slimderm.flows.base.terminal import console
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params
from slimderm.flows.work.challenger import place_challenger
from slimderm.flows.work.registering import register_accepted


@flow(name="register", flow_run_name="register")
def register() -> None:
    """Read ``models``; write ``data/registry.json``.

    Runs that the tracking server lacks, because it is new or the outputs came from the DVC cache,
    are recorded first.
    """
    params = read_params()
    found = register_accepted(params)
    write_json(layout.REGISTERED, found)
    challenger = found["challenger"]
    said = f"no network met its thresholds, so {found['model']} has no challenger"
    if challenger:
        said = place_challenger(params, challenger)
    console.print(f"register: {said}", highlight=False, soft_wrap=True)
