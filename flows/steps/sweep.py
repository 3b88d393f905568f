"""Stage sweep: every metric for every k, before and after encoding, and for the encoder alone."""

from prefect import flow

from slimderm.components.common.cache import replacing
from slimderm.components.dataset.catalog import read_catalog
from slimderm.components.quality.sweep import summarise
from slimderm.flows.base.files import write_json
from slimderm.flows.base.terminal import console
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params
from slimderm.flows.work.sweep import measurements


@flow(name="sweep", flow_run_name="sweep")
def sweep_ranks() -> None:
    """Read ``data/raw``; write ``data/sweep``.

    ``measurements.parquet`` has a row an image, k and stage, ``summary.csv`` their means,
    ``sampling.json`` how many images were measured and why no more, ``intervals.csv`` (of an
    adaptive sample) the intervals that decided.
    """
    params = read_params()
    table, found = measurements(params)
    num_images, of = table["image_id"].nunique(), len(read_catalog(layout.RAW))
    with replacing(layout.SWEEP) as draft:
        table.to_parquet(draft / "measurements.parquet", index=False)
        summarise(table).to_csv(draft / "summary.csv", index=False)
        reason = found.reason if found else "All images are measured."
        sampling = {"num_images": num_images, "of": of, "reason": reason}
        write_json(draft / "sampling.json", sampling | {"sampling": params.sweep.sampling})
        if found:
            found.intervals.to_csv(draft / "intervals.csv", index=False)
    ranks = list(params.compress.ranks)
    console.print(f"sweep: {num_images} of {of} images, k in {ranks}", highlight=False)
