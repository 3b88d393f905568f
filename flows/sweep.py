"""Step: every metric for every k, before and after encoding, and for the encoder alone."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from prefect import flow

from components.compression import codecs
from components.compression.svd import decompose
from components.dataset.catalog import check_files, read_catalog
from components.dataset.images import decode_image
from components.dataset.strata import stratified_order
from components.quality.sampling import Certainty, certainty
from components.quality.sweep import Bench, measure_chunk, summarise
from flows.engines import Chunk, run_chunks
from flows.params import Params, read_params
from flows.runtime import code_hash, console, content_key, progress_bar, replacing, write_json
from flows.steps import run_step

RAW = Path("data/raw")
CODE = ("components/compression", "components/quality", "components/dataset")


def _store(*item: Any, codec: str, quality: int) -> bytes:
    return codecs.get(codec).store(codecs.Item(*item), quality)


def _bench(params: Params) -> Bench:
    return Bench(
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
    recipe = content_key(code=code_hash(*CODE), **settings)
    cache, raw = Path(params.record.cache).resolve(), RAW.resolve()
    size, chunks, bench = params.sweep.chunk_size, [], _bench(params)
    for start in range(0, len(catalog), size):
        part = catalog.iloc[start : start + size]
        key = content_key(recipe=recipe, images=part[["image_id", "sha256"]].to_dict("list"))
        images = [(row.image_id, raw / row.file) for row in part.itertuples()]
        chunks.append(Chunk(cache, key, partial(_measure, images=images, bench=bench)))
    return chunks


def _measure(folder: Path, *, images: list[tuple[str, Path]], bench: Bench) -> None:
    measure_chunk(images, bench).to_parquet(folder / "rows.parquet", index=False)


def _measurements(params: Params) -> tuple[pd.DataFrame, Certainty | None]:
    """Measure images in chunks, which are found again after an interruption.

    A sample grows by whole chunks, in their order, whichever is done first: what is used depends
    on the seed and not on the machine.
    """
    catalog = _order(read_catalog(RAW), params)
    check_files(RAW, catalog)
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


@flow(name="sweep", flow_run_name="sweep")
def sweep_ranks() -> None:
    """Read ``data/raw``; write ``data/sweep``.

    ``measurements.parquet`` has a row an image, k and stage, ``summary.csv`` their means,
    ``sampling.json`` how many images were measured and why no more, ``intervals.csv`` (of an
    adaptive sample) the intervals that decided.
    """
    params = read_params()
    table, found = _measurements(params)
    num_images, of = table["image_id"].nunique(), len(read_catalog(RAW))
    with replacing("data/sweep") as draft:
        table.to_parquet(draft / "measurements.parquet", index=False)
        summarise(table).to_csv(draft / "summary.csv", index=False)
        reason = found.reason if found else "All images are measured."
        sampling = {"num_images": num_images, "of": of, "reason": reason}
        write_json(draft / "sampling.json", sampling | {"sampling": params.sweep.sampling})
        if found:
            found.intervals.to_csv(draft / "intervals.csv", index=False)
    ranks = list(params.compress.ranks)
    console.print(f"sweep: {num_images} of {of} images, k in {ranks}", highlight=False)


if __name__ == "__main__":
    run_step(sweep_ranks)
