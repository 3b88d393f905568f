"""Step: check every row and image; accepted ones become the raw dataset."""

from pathlib import Path

from prefect import flow

from components.dataset.catalog import ingest, write_dataset
from flows.params import read_params
from flows.runtime import console, progress_bar, write_text
from flows.steps import run_step


@flow(name="ingest", flow_run_name="ingest")
def ingest_dataset() -> None:
    """Read the source; write ``data/raw`` and ``data/quarantine.csv``."""
    settings = read_params().ingest
    source = Path(settings.source)
    negatives = Path(settings.negatives) if settings.negatives else None
    with progress_bar("ingest: check", None) as update:
        catalog = ingest(
            source,
            classes=settings.classes,
            negatives=negatives,
            max_megapixels=settings.max_megapixels,
            progress=update,
        )
    write_dataset(catalog, source, negatives, Path("data/raw"))
    write_text("data/quarantine.csv", catalog.quarantine.to_csv(index=False))
    console.print(
        f"ingest: {len(catalog.images)} images of {catalog.images['lesion_id'].nunique()} lesions, "
        f"{len(catalog.quarantine)} rows or files in data/quarantine.csv",
        highlight=False,
    )


if __name__ == "__main__":
    run_step(ingest_dataset)
