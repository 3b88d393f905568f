"""Stage synthesize: draw a small dataset in HAM10000's layout."""

from prefect import flow

from slimderm.components.common.cache import replacing
from slimderm.components.dataset.synthetic import write_synthetic
from slimderm.flows.base.terminal import console, progress_bar
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params


@flow(name="synthesize", flow_run_name="synthesize")
def synthesize() -> None:
    """Write ``data/source``."""
    settings = read_params().synthetic
    with replacing(layout.SOURCE) as draft, progress_bar("synthesize", None) as update:
        write_synthetic(draft, settings, progress=update)
    console.print(f"synthesize: {layout.SOURCE}, seed {settings.seed}", highlight=False)
