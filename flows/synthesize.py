"""Step: make a small dataset in the official layout."""

from prefect import flow

from components.dataset.synthetic import write_synthetic
from flows.params import read_params
from flows.runtime import console, progress_bar, replacing
from flows.steps import run_step

FOLDER = "data/source"


@flow(name="synthesize", flow_run_name="synthesize")
def synthesize() -> None:
    """Write ``data/source``."""
    settings = read_params().synthetic
    with replacing(FOLDER) as draft, progress_bar("synthesize", None) as update:
        write_synthetic(draft, settings, progress=update)
    console.print(f"synthesize: {FOLDER}, seed {settings.seed}", highlight=False)


if __name__ == "__main__":
    run_step(synthesize)
