"""Stage resize: what is left of an image at each input size, what each network costs there."""

from prefect import flow

from slimderm.components.common.cache import replacing
from slimderm.components.quality.resize import choose_size, summarise_sizes
from slimderm.components.training.resolutions import resolution_table
from slimderm.flows.base.terminal import console
from slimderm.flows.config import layout
from slimderm.flows.config.choice import InputSize
from slimderm.flows.config.params import read_params
from slimderm.flows.work.resizing import measurements


@flow(name="resize", flow_run_name="resize")
def resize_study() -> None:
    """Read ``data/raw``; write ``data/resize``.

    ``measurements.parquet`` has a row an image and size, ``summary.csv`` a row a size,
    ``resolutions.csv`` what each network costs at each size, ``choice.json`` the input size that
    training takes.
    """
    params = read_params()
    table = measurements(params)
    summary = summarise_sizes(table)
    found = choose_size(summary, params.resize)
    costs = resolution_table(
        params.counted_networks, params.resize.sizes, num_classes=params.ingest.num_classes
    )
    with replacing(layout.RESIZE) as draft:
        table.to_parquet(draft / "measurements.parquet", index=False)
        summary.to_csv(draft / "summary.csv", index=False)
        costs.to_csv(draft / "resolutions.csv", index=False)
        InputSize(found.rule, found.reason, found.height, found.width).save(
            draft / layout.INPUT_SIZE.name
        )
    num_images = table["image_id"].nunique()
    console.print(f"resize: {num_images} images. {found.reason}", highlight=False)
