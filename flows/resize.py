"""Step: what is left of an image at each input size, what each network costs there; the size."""

from dataclasses import asdict
from functools import partial
from pathlib import Path

import pandas as pd
from prefect import flow

from components.dataset.catalog import check_files, read_catalog
from components.dataset.strata import stratified_order
from components.quality.resize import choose_size, measure_resized, summarise_sizes
from components.quality.settings import QualitySettings
from components.training.resolutions import resolution_table
from flows.engines import Chunk, run_chunks
from flows.params import Params, read_params
from flows.runtime import code_hash, console, content_key, progress_bar, replacing, write_json
from flows.steps import run_step

RAW, RESIZE = Path("data/raw"), Path("data/resize")
CODE = ("components/quality", "components/dataset")
CHUNK_SIZE = 8


def _measure(
    folder: Path,
    *,
    images: list[tuple[str, Path]],
    sizes: tuple[tuple[int, ...], ...],
    settings: QualitySettings,
) -> None:
    measure = partial(measure_resized, sizes=sizes, settings=settings)
    rows = [row for image in images for row in measure(*image)]
    pd.DataFrame(rows).to_parquet(folder / "rows.parquet", index=False)


def _measurements(params: Params) -> pd.DataFrame:
    catalog = read_catalog(RAW).sort_values("image_id", ignore_index=True)
    order = stratified_order(list(catalog["dx"]), seed=params.resize.seed)
    sample = catalog.iloc[sorted(order[: params.resize.max_images])]
    check_files(RAW, sample)
    sizes, settings = params.resize.sizes, params.quality
    recipe = content_key(code=code_hash(*CODE), sizes=sizes, quality=asdict(settings))
    cache, raw = Path(params.record.cache).resolve(), RAW.resolve()
    chunks = []
    for start in range(0, len(sample), CHUNK_SIZE):
        part = sample.iloc[start : start + CHUNK_SIZE]
        images = [(row.image_id, raw / row.file) for row in part.itertuples()]
        key = content_key(recipe=recipe, images=part[["image_id", "sha256"]].to_dict("list"))
        work = partial(_measure, images=images, sizes=sizes, settings=settings)
        chunks.append(Chunk(cache, key, work))
    with progress_bar("resize", len(sample)) as update:
        for done, _ in enumerate(run_chunks(chunks, params.record), start=1):
            update(min(done * CHUNK_SIZE, len(sample)))
    parts = [pd.read_parquet(chunk.folder / "rows.parquet") for chunk in chunks]
    return pd.concat(parts, ignore_index=True)


@flow(name="resize", flow_run_name="resize")
def resize_study() -> None:
    """Read ``data/raw``; write ``data/resize``.

    ``measurements.parquet`` has a row an image and size, ``summary.csv`` a row a size,
    ``resolutions.csv`` what each network costs at each size, ``choice.json`` the input size that
    training takes.
    """
    params = read_params()
    table = _measurements(params)
    summary = summarise_sizes(table)
    choice = choose_size(summary, params.resize)
    num_classes = sum(bool(diagnoses) for diagnoses in params.ingest.classes.values())
    costs = resolution_table(params.networks, params.resize.sizes, num_classes=num_classes)
    with replacing(RESIZE) as draft:
        table.to_parquet(draft / "measurements.parquet", index=False)
        summary.to_csv(draft / "summary.csv", index=False)
        costs.to_csv(draft / "resolutions.csv", index=False)
        write_json(draft / "choice.json", asdict(choice))
    num_images = table["image_id"].nunique()
    console.print(f"resize: {num_images} images. {choice.reason}", highlight=False)


if __name__ == "__main__":
    run_step(resize_study)
