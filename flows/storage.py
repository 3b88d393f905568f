"""Step: which way of storing takes the fewest bytes at which quality, with and without SVD."""

import argparse
import os
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from prefect import flow

from components.compression import codecs
from components.compression.svd import decompose
from components.dataset.catalog import SUFFIXES, check_files, read_catalog
from components.dataset.images import decode_image
from components.dataset.strata import stratified_order
from components.quality.arms import Tools, measure_arms, storage_sentences, summarise_arms
from components.quality.rates import RATE_METRICS, rate_table
from components.quality.settings import METRICS, QualitySettings, StorageSettings
from components.reporting.studies import rate_distortion
from flows.engines import Chunk, run_chunks
from flows.params import Params, read_params
from flows.runtime import (
    code_hash,
    command_line,
    console,
    content_key,
    file_hash,
    progress_bar,
    replacing,
)
from flows.steps import run_step

RAW, STORAGE = Path("data/raw"), Path("data/storage")
RATE_LABELS = {metric: METRICS[metric].label for metric in RATE_METRICS}
CODE = ("components/compression", "components/quality", "components/dataset")


def _store(codec: str, quality: int, *item: Any) -> bytes:
    return codecs.get(codec).store(codecs.Item(*item), quality)


def _is_lossless(codec: str, k: int | None) -> bool:
    found = codecs.get(codec)
    return found.lossless or (found.repacks and k is None)


def _measure(
    folder: Path,
    *,
    image: tuple[str, Path],
    ranks: tuple[int, ...],
    storage: StorageSettings,
    settings: QualitySettings,
) -> None:
    rows = measure_arms(
        *image,
        qualities=storage.qualities,
        ranks=ranks,
        settings=settings,
        tools=Tools(decompose, _store, decode_image, _is_lossless),
    )
    pd.DataFrame(rows).to_parquet(folder / "rows.parquet", index=False)


def _sample(params: Params) -> list[tuple[str, Path]]:
    catalog = read_catalog(RAW).sort_values("image_id", ignore_index=True)
    order = stratified_order(list(catalog["dx"]), seed=params.storage.seed)
    chosen = catalog.iloc[sorted(order[: params.storage.max_images])]
    check_files(RAW, chosen)
    return [(row.image_id, RAW / row.file) for row in chosen.itertuples()]


def _folder(images: Path, params: Params) -> list[tuple[str, Path]]:
    files = sorted(file for file in images.rglob("*") if file.suffix.lower() in SUFFIXES)
    if not files:
        raise FileNotFoundError(f"{images}: no image in it or below, of {', '.join(SUFFIXES)}")
    order = stratified_order([""] * len(files), seed=params.storage.seed)
    chosen = sorted(order[: params.storage.max_images])
    return [(files[index].stem, files[index]) for index in chosen]


def study(images: list[tuple[str, Path]], params: Params, target: Path) -> pd.DataFrame:
    """Measure images, (image_id, path) each, in every way; write the tables; the summary."""
    code, cache = code_hash(*CODE), Path(params.record.cache).resolve()
    settings = {"storage": asdict(params.storage), "quality": asdict(params.quality)}
    recipe = content_key(code=code, ranks=params.compress.ranks, **settings)
    chunks = []
    for name, path in images:
        work = partial(
            _measure,
            image=(name, path.resolve()),
            ranks=params.compress.ranks,
            storage=params.storage,
            settings=params.quality,
        )
        key = content_key(recipe=recipe, image=name, sha256=file_hash(path))
        chunks.append(Chunk(cache, key, work))
    with progress_bar("storage", len(chunks)) as update:
        for done, _ in enumerate(run_chunks(chunks, params.record), start=1):
            update(done)
    parts = [pd.read_parquet(chunk.folder / "rows.parquet") for chunk in chunks]
    table = pd.concat(parts, ignore_index=True)
    summary = summarise_arms(table, confidence=params.storage.confidence)
    rates = rate_table(
        table,
        confidence=params.storage.confidence,
        samples=params.storage.bootstrap_samples,
        seed=params.storage.seed,
    )
    with replacing(target) as draft:
        table.to_parquet(draft / "measurements.parquet", index=False)
        summary.to_csv(draft / "summary.csv", index=False)
        rates.to_csv(draft / "rates.csv", index=False)
    console.print(f"storage: {len(images)} images in {len(summary)} ways", highlight=False)
    return summary


@flow(name="storage", flow_run_name="storage")
def storage() -> None:
    """Read ``data/raw``; write ``data/storage``.

    ``measurements.parquet`` has a row an image and arm, ``summary.csv`` a row an arm, ``rates.csv``
    the Bjøntegaard rate differences against JPEG without SVD.
    """
    params = read_params()
    study(_sample(params), params, STORAGE)


def _study_folder(images: Path, target: Path, k: int) -> None:
    """Study any folder of images; say what came out and where it lies."""
    os.environ.setdefault("MPLBACKEND", "agg")
    params = read_params()
    summary = study(_folder(images, params), params, target)
    sentences = storage_sentences(
        summary,
        codec=params.compress.codec,
        quality=params.compress.quality,
        k=k if k in set(summary["k"]) else None,
    )
    for sentence in sentences:
        console.print(sentence, highlight=False, soft_wrap=True)
    figure = rate_distortion(summary, RATE_LABELS, k)
    figure.savefig(target / "rate_distortion.png", dpi=110)
    console.print(f"Look at {target}: rate_distortion.png, summary.csv, rates.csv", highlight=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, help="any folder of images, instead of data/raw")
    parser.add_argument("--target", type=Path, default=Path("reports/storage"))
    parser.add_argument("--k", type=int, default=350, help="rank of the sentences and the picture")
    arguments = parser.parse_args()
    if arguments.images is None:
        run_step(storage)
    else:
        with command_line():
            _study_folder(arguments.images, arguments.target, arguments.k)
