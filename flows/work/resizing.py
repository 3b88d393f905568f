"""Measuring a sample of images at every input size, chunk by chunk."""

from dataclasses import asdict
from functools import partial
from pathlib import Path

import pandas as pd

from slimderm.components.common.cache import content_key
from slimderm.components.dataset.catalog import check_files, read_catalog
from slimderm.components.dataset.strata import stratified_order
from slimderm.components.quality.resize import measure_resized
from slimderm.components.quality.settings import QualitySettings
from slimderm.flows.base.code import code_hash
from slimderm.flows.base.terminal import progress_bar
from slimderm.flows.config import layout
from slimderm.flows.config.params import Params
from slimderm.flows.work.chunks import Chunk, run_chunks

CHUNK_SIZE = 8


def measurements(params: Params) -> pd.DataFrame:
    """Measure a sample of images, found again after an interruption; a row an image and size."""
    catalog = read_catalog(layout.RAW).sort_values("image_id", ignore_index=True)
    order = stratified_order(list(catalog["dx"]), seed=params.resize.seed)
    sample = catalog.iloc[sorted(order[: params.resize.max_images])]
    check_files(layout.RAW, sample)
    sizes, settings = params.resize.sizes, params.quality
    common = content_key(code=code_hash(__name__), sizes=sizes, quality=asdict(settings))
    cache, raw = Path(params.record.cache).resolve(), layout.RAW.resolve()
    chunks = []
    for start in range(0, len(sample), CHUNK_SIZE):
        part = sample.iloc[start : start + CHUNK_SIZE]
        images = [(row.image_id, raw / row.file) for row in part.itertuples()]
        key = content_key(work=common, images=part[["image_id", "sha256"]].to_dict("list"))
        work = partial(_measure, images=images, sizes=sizes, settings=settings)
        chunks.append(Chunk(cache, key, work))
    with progress_bar("resize", len(sample)) as update:
        for done, _ in enumerate(run_chunks(chunks, params.record), start=1):
            update(min(done * CHUNK_SIZE, len(sample)))
    parts = [pd.read_parquet(chunk.folder / "rows.parquet") for chunk in chunks]
    return pd.concat(parts, ignore_index=True)


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
