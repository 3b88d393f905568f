"""Stage ingest: check every row and image; accepted ones become the raw dataset."""

from pathlib import Path

import pandas as pd
from prefect import flow

from slimderm.components.common.errors import SchemaError
from slimderm.components.dataset.catalog import ingest, write_dataset
from slimderm.components.dataset.quarantine import fault
from slimderm.flows.base.files import write_text
from slimderm.flows.base.terminal import console, progress_bar
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params


@flow(name="ingest", flow_run_name="ingest")
def ingest_dataset() -> None:
    """Read the source; write ``data/raw`` and ``data/quarantine.csv``."""
    settings = read_params().ingest
    source = Path(settings.source)
    negatives = Path(settings.negatives) if settings.negatives else None
    try:
        with progress_bar("ingest: check", None) as update:
            catalog = ingest(
                source,
                classes=settings.classes,
                negatives=negatives,
                columns=settings.columns,
                diagnoses=settings.diagnoses,
                table=settings.table,
                max_megapixels=settings.max_megapixels,
                progress=update,
            )
    except SchemaError as error:
        unread = fault("no dataset", file=str(source), detail=str(error))
        write_text(layout.QUARANTINE, pd.DataFrame([unread]).to_csv(index=False))
        raise
    write_text(layout.QUARANTINE, catalog.quarantine.to_csv(index=False))
    for line in (*catalog.notes, *catalog.faults()):
        console.print(f"ingest: {line}", highlight=False, markup=False, soft_wrap=True)
    catalog.check(source)
    write_dataset(catalog, source, negatives, layout.RAW)
    console.print(
        f"ingest: {len(catalog.images)} images of {catalog.images['lesion_id'].nunique()} lesions, "
        f"{len(catalog.quarantine)} rows or files in {layout.QUARANTINE}",
        highlight=False,
    )
