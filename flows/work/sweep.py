"""Measuring images at every k, chunk by chunk, until all are measured or the choice is certain."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from slimderm.components.common.cache import content_key
from slimderm.components.compression import codecs
from slimderm.components.compression.svd import decompose
from slimderm.components.dataset.catalog import check_files, read_catalog
from slimderm.components.dataset.images import decode_image
from slimderm.components.dataset.strata import stratified_order
from slimderm.components.quality.certainty import Certainty, certainty
from slimderm.components.quality.sweep import SweepTools, measure_chunk
from slimderm.flows.base.code import code_hash
from slimderm.flows.base.terminal import progress_bar
from slimderm.flows.config import layout
from slimderm.flows.config.params import Params
from slimderm.flows.work.chunks import Chunk, run_chunks


def measurements(params: Params) -> tuple[pd.DataFrame, Certainty | None]:
    """Measure images in chunks, which are found again after an interruption.

    A sample grows by whole chunks, in their order, whichever is done first: what is used depends
    on the seed and not on the machine.

    Returns
    -------
    table : DataFrame
        A row an image, k and stage.
    found : Certainty or None
        Of an adaptive sample, whether and why it is large enough.
    """
    catalog = _order(read_catalog(layout.RAW), params)
    check_files(layout.RAW, catalog)
    chunks = _chunks(catalog, params)
    tables: list[pd.DataFrame] = []
    done: set[int] = set()
    found = None
    with progress_bar("sweep", len(catalog)) as update:
        for index in run_chunks(chunks, params.record):
            done.add(index)
            while len(tables) in done:
                tables.append(pd.read_parquet(chunks[len(tables)].folder / "rows.parquet"))
                if params.sweep.sampling == "adaptive":
                    found = certainty(
                        pd.concat(tables),
                        params.choose,
                        confidence=params.sweep.confidence,
                        min_images=params.sweep.min_images,
                        population=len(catalog),
                    )
                    if found.settled:
                        break
            update(min(len(done) * params.sweep.chunk_size, len(catalog)))
            if found is not None and found.settled:
                break
    return pd.concat(tables, ignore_index=True), found


def _store(*item: Any, codec: str, quality: int) -> bytes:
    return codecs.store(codec, codecs.Item(*item), quality)[0]


def sweep_tools(params: Params) -> SweepTools:
    """Return what `measure_chunk` measures an image by."""
    return SweepTools(
        ranks=params.compress.ranks,
        settings=params.quality,
        decompose=decompose,
        encode=partial(_store, codec=params.compress.codec, quality=params.compress.quality),
        decode=decode_image,
    )


def _order(catalog: pd.DataFrame, params: Params) -> pd.DataFrame:
    """Put images in the order in which they are measured."""
    catalog = catalog.sort_values("image_id", ignore_index=True)
    if params.sweep.sampling == "all":
        return catalog
    return catalog.iloc[stratified_order(list(catalog["dx"]), seed=params.sweep.seed)]


def _chunks(catalog: pd.DataFrame, params: Params) -> list[Chunk]:
    settings = {"compress": asdict(params.compress), "quality": asdict(params.quality)}
    work = content_key(code=code_hash(__name__), **settings)
    cache, raw = Path(params.record.cache).resolve(), layout.RAW.resolve()
    size, chunks, tools = params.sweep.chunk_size, [], sweep_tools(params)
    for start in range(0, len(catalog), size):
        part = catalog.iloc[start : start + size]
        key = content_key(work=work, images=part[["image_id", "sha256"]].to_dict("list"))
        images = [(row.image_id, raw / row.file) for row in part.itertuples()]
        chunks.append(Chunk(cache, key, partial(_measure, images=images, tools=tools)))
    return chunks


def _measure(folder: Path, *, images: list[tuple[str, Path]], tools: SweepTools) -> None:
    measure_chunk(images, tools).to_parquet(folder / "rows.parquet", index=False)
