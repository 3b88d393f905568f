"""Stage compress: write the whole dataset at the chosen k."""

from prefect import flow

from slimderm.components.common.cache import replacing
from slimderm.components.compression.write import target_names
from slimderm.components.dataset.catalog import check_files, read_catalog
from slimderm.flows.base.terminal import console
from slimderm.flows.config import layout
from slimderm.flows.config.choice import storage_choice
from slimderm.flows.config.params import read_params
from slimderm.flows.work.compression import ImageStorage, compress_dataset, link_images


@flow(name="compress", flow_run_name="compress")
def compress() -> None:
    """Read ``data/raw`` and ``data/choice.json``; write ``data/compressed``.

    ``manifest.parquet`` has a row an image: image_id, file, source_file, the hashes and sizes of
    both, k, full_rank, codec (which may be another where the chosen one cannot take the source),
    quality and every metric of what is stored against its original.
    Images that an earlier run finished are found again, whatever interrupted it.
    """
    params, option = read_params(), storage_choice().option
    catalog = read_catalog(layout.RAW).sort_values("image_id")
    check_files(layout.RAW, catalog)
    names = target_names(list(catalog["file"]), codec=option.codec)
    folders = compress_dataset(catalog, ImageStorage(option, params.quality), params.record)
    with replacing(layout.COMPRESSED) as draft:
        manifest = link_images(catalog, folders, names, draft)
        manifest.to_parquet(draft / layout.MANIFEST.name, index=False)
    before, after = manifest["bytes_before"].sum(), manifest["bytes_after"].sum()
    console.print(
        f"compress: {len(manifest)} images at k = {option.k} as {option.codec} of quality "
        f"{option.quality}, {before / 1e6:.1f} MB before, {after / 1e6:.1f} MB after",
        highlight=False,
    )
    others = manifest[manifest["codec"] != option.codec]
    if len(others):
        console.print(
            f"compress: {len(others)} images that {option.codec} cannot take, such as "
            f"{others['source_file'].iloc[0]}, are stored as {others['codec'].iloc[0]}",
            highlight=False,
            soft_wrap=True,
        )
