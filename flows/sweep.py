"""Step: every metric for every k, before and after encoding, and for the encoder alone."""

from dataclasses import asdict
from functools import partial
from pathlib import Path

import pandas as pd
from prefect import flow

from components.compression import codecs
from components.compression.svd import decompose
from components.dataset.catalog import read_catalog
from components.quality.sweep import Bench, summarise, sweep
from flows.params import Params, read_params
from flows.runtime import cached, code_hash, console, content_key, progress_bar, replacing, run_step

RAW = Path("data/raw")
CODE = ("components/compression", "components/quality", "components/dataset")


def _bench(params: Params) -> Bench:
    codec = codecs.get(params.compress.codec)
    return Bench(
        ranks=params.compress.ranks,
        settings=params.quality,
        decompose=decompose,
        encode=partial(codec.encode, quality=params.compress.quality),
        decode=codec.decode,
    )


def _measurements(params: Params) -> pd.DataFrame:
    """Measure every image, in chunks that are found again after an interruption."""
    catalog = read_catalog(RAW).sort_values("image_id", ignore_index=True)
    settings = {"compress": asdict(params.compress), "quality": asdict(params.quality)}
    size = params.quality.chunk_size
    recipe = content_key(code=code_hash(*CODE), **settings)
    chunks, keys = [], []
    for start in range(0, len(catalog), size):
        part = catalog.iloc[start : start + size]
        chunks.append([(row.image_id, RAW / row.file) for row in part.itertuples()])
        keys.append(content_key(recipe=recipe, images=part[["image_id", "sha256"]].to_dict("list")))
    cache = Path(params.record.cache)
    folders = [cache / key[:2] / key for key in keys]
    missing = [index for index, folder in enumerate(folders) if not folder.exists()]
    done = len(catalog) - sum(len(chunks[index]) for index in missing)
    with progress_bar("sweep", len(catalog)) as update:
        update(done)
        todo = [chunks[index] for index in missing]
        for position, table in sweep(todo, _bench(params), workers=params.record.workers):
            key = keys[missing[position]]
            cached(cache, key, partial(_write_chunk, table=table))
            done += len(todo[position])
            update(done)
    return pd.concat([pd.read_csv(folder / "rows.csv") for folder in folders], ignore_index=True)


def _write_chunk(folder: Path, *, table: pd.DataFrame) -> None:
    table.to_csv(folder / "rows.csv", index=False)


@flow(name="sweep")
def sweep_ranks() -> None:
    """Read ``data/raw``; write ``data/sweep``: ``measurements.csv`` and ``summary.csv``."""
    params = read_params()
    table = _measurements(params)
    with replacing("data/sweep") as draft:
        table.to_csv(draft / "measurements.csv", index=False)
        summarise(table).to_csv(draft / "summary.csv", index=False)
    images = table["image_id"].nunique()
    console.print(f"sweep: {images} images, k in {list(params.compress.ranks)}", highlight=False)


if __name__ == "__main__":
    run_step(sweep_ranks)
