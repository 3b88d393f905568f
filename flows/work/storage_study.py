"""The storage study: every codec at every quality, with and without SVD, on a sample of images."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from slimderm.components.common.cache import content_key, replacing
from slimderm.components.compression import codecs
from slimderm.components.compression.settings import StorageSettings
from slimderm.components.compression.svd import decompose
from slimderm.components.dataset.catalog import check_files, read_catalog
from slimderm.components.dataset.formats import SUFFIXES
from slimderm.components.dataset.images import decode_image
from slimderm.components.dataset.strata import stratified_order
from slimderm.components.quality.metrics import HEADLINE, METRICS
from slimderm.components.quality.rates import rate_table
from slimderm.components.quality.settings import QualitySettings
from slimderm.components.quality.storage_options import (
    StorageTools,
    measure_options,
    storage_sentences,
    summarise_options,
)
from slimderm.components.reporting.storage_plots import rate_distortion
from slimderm.flows.base.code import code_hash
from slimderm.flows.base.files import file_hash
from slimderm.flows.base.terminal import console, progress_bar
from slimderm.flows.config import layout
from slimderm.flows.config.params import Params, read_params
from slimderm.flows.work.chunks import Chunk, run_chunks

RATE_LABELS = {metric: METRICS[metric].label for metric in HEADLINE}


def _store(codec: str, quality: int, *item: Any) -> bytes:
    return codecs.get(codec).store(codecs.Item(*item), quality)


def _is_lossless(codec: str, k: int | None) -> bool:
    return codecs.get(codec).ignores_quality(k)


def _measure(
    folder: Path,
    *,
    image: tuple[str, Path],
    ranks: tuple[int, ...],
    storage: StorageSettings,
    settings: QualitySettings,
) -> None:
    rows = measure_options(
        *image,
        qualities=storage.qualities,
        ranks=ranks,
        settings=settings,
        tools=StorageTools(decompose, _store, decode_image, _is_lossless),
    )
    pd.DataFrame(rows).to_parquet(folder / "rows.parquet", index=False)


def sample(params: Params) -> list[tuple[str, Path]]:
    """Draw images of the dataset, class by class in proportion: (image_id, path) each."""
    catalog = read_catalog(layout.RAW).sort_values("image_id", ignore_index=True)
    order = stratified_order(list(catalog["dx"]), seed=params.storage.seed)
    chosen = catalog.iloc[sorted(order[: params.storage.max_images])]
    check_files(layout.RAW, chosen)
    return [(row.image_id, layout.RAW / row.file) for row in chosen.itertuples()]


def _folder(images: Path, params: Params) -> list[tuple[str, Path]]:
    files = sorted(file for file in images.rglob("*") if file.suffix.lower() in SUFFIXES)
    if not files:
        raise FileNotFoundError(f"{images}: no image in it or below, of {', '.join(SUFFIXES)}")
    order = stratified_order([""] * len(files), seed=params.storage.seed)
    chosen = sorted(order[: params.storage.max_images])
    return [(files[index].stem, files[index]) for index in chosen]


def measure_storage(images: list[tuple[str, Path]], params: Params, target: Path) -> pd.DataFrame:
    """Measure images, (image_id, path) each, by every storage option; write tables; the summary."""
    code, cache = code_hash(__name__), Path(params.record.cache).resolve()
    settings = {"storage": asdict(params.storage), "quality": asdict(params.quality)}
    common = content_key(code=code, ranks=params.compress.ranks, **settings)
    chunks = []
    for name, path in images:
        work = partial(
            _measure,
            image=(name, path.resolve()),
            ranks=params.compress.ranks,
            storage=params.storage,
            settings=params.quality,
        )
        key = content_key(work=common, image=name, sha256=file_hash(path))
        chunks.append(Chunk(cache, key, work))
    with progress_bar("storage", len(chunks)) as update:
        for done, _ in enumerate(run_chunks(chunks, params.record), start=1):
            update(done)
    parts = [pd.read_parquet(chunk.folder / "rows.parquet") for chunk in chunks]
    table = pd.concat(parts, ignore_index=True)
    summary = summarise_options(table, confidence=params.storage.confidence)
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
    console.print(
        f"storage: {len(images)} images by {len(summary)} storage options", highlight=False
    )
    return summary


def study_folder(images: Path, target: Path, k: int) -> None:
    """Study any folder of images; say what came out and where it lies."""
    params = read_params()
    summary = measure_storage(_folder(images, params), params, target)
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
