"""Stage split: training, validation and test by lesion."""

from prefect import flow

from slimderm.components.dataset.catalog import read_catalog
from slimderm.components.dataset.copies import copies_sentence
from slimderm.components.dataset.splits import check_no_leak, split
from slimderm.flows.base.files import write_text
from slimderm.flows.base.terminal import console, note
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params


@flow(name="split", flow_run_name="split")
def split_lesions() -> None:
    """Read ``data/raw``; write ``data/splits.csv`` and ``data/shortfall.csv``."""
    catalog = read_catalog(layout.RAW)
    result = split(catalog, read_params().split)
    check_no_leak(catalog, result.frame)
    write_text(layout.SPLITS, result.frame.to_csv(index=False))
    write_text(layout.SHORTFALL, result.shortfall.to_csv(index=False))
    sizes = result.frame["part"].value_counts()
    console.print("split: " + ", ".join(f"{part} {sizes[part]}" for part in sizes.index))
    note("split", copies_sentence(result.shortfall))
