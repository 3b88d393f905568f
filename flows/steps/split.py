"""Stage split: training, validation and test by lesion."""

from prefect import flow

from slimderm.components.dataset.catalog import read_catalog
from slimderm.components.dataset.copies import copies_sentence
from slimderm.components.dataset.similar import find_near_duplicates, join_near_duplicates
from slimderm.components.dataset.splits import check_no_leak, split
from slimderm.flows.base.files import write_text
from slimderm.flows.base.terminal import console, note
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params


@flow(name="split", flow_run_name="split")
def split_lesions() -> None:
    """Read ``data/raw``; write ``data/splits.csv``, ``shortfall.csv``, ``near_duplicates.csv``."""
    settings = read_params().split
    catalog = read_catalog(layout.RAW)
    distance = -1 if settings.near_duplicates is None else settings.near_duplicates
    pairs = find_near_duplicates(catalog, max_distance=distance)
    catalog = join_near_duplicates(catalog, pairs)
    result = split(catalog, settings)
    check_no_leak(catalog, result.frame)
    write_text(layout.SPLITS, result.frame.to_csv(index=False))
    write_text(layout.SHORTFALL, result.shortfall.to_csv(index=False))
    write_text(layout.NEAR_DUPLICATES, pairs.to_csv(index=False))
    between = int((pairs["lesion_id"] != pairs["other_lesion"]).sum())
    console.print(
        f"split: {len(pairs)} pairs of near duplicates, {between} of them of two lesions, which "
        f"are kept together: {layout.NEAR_DUPLICATES}",
        highlight=False,
        soft_wrap=True,
    )
    sizes = result.frame["part"].value_counts()
    console.print("split: " + ", ".join(f"{part} {sizes[part]}" for part in sizes.index))
    note("split", copies_sentence(result.shortfall))
