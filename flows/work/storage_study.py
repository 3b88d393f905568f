"""The storage study: every codec at every quality, with and without SVD, on a sample of images."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from slimderm.components.common.cache import content_key, replacing
from slimderm.components.common.errors import ImageError
from slimderm.components.compression import codecs
from slimderm.components.compression.settings import StorageSettings
from slimderm.components.compression.svd import decompose
from slimderm.components.dataset.catalog import check_files, read_catalog
from slimderm.components.dataset.files import find_files
from slimderm.components.dataset.formats import SUFFIXES
from slimderm.components.dataset.images import decode_image
from slimderm.components.dataset.strata import stratified_order
from slimderm.components.quality.metrics import HEADLINE, METRICS
from slimderm.components.quality.rates import rate_table
from slimderm.components.quality.settings import QualitySettings
from slimderm.components.quality.storage_options import (
    LEFT_OUT,
    StorageTools,
    measure_options,
    summarise_options,
)
from slimderm.components.quality.storage_sentences import describe_left_out, storage_sentences
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
    rows, left_out = measure_options(
        *image,
        qualities=storage.qualities,
        ranks=ranks,
        settings=settings,
        tools=StorageTools(decompose, _store, decode_image, _is_lossless),
    )
    pd.DataFrame(rows).to_parquet(folder / "rows.parquet", index=False)
    pd.DataFrame(left_out, columns=LEFT_OUT).astype({"k": "Int64", "quality": "Int64"}).to_parquet(
        folder / "left_out.parquet", index=False
    )


def sample(params: Params) -> list[tuple[str, Path]]:
    """Draw images of the dataset, class by class in proportion: (image_id, path) each."""
    catalog = read_catalog(layout.RAW).sort_values("image_id", ignore_index=True)
    order = stratified_order(list(catalog["dx"]), seed=params.storage.seed)
    chosen = catalog.iloc[sorted(order[: params.storage.max_images])]
    check_files(layout.RAW, chosen)
    return [(row.image_id, layout.RAW / row.file) for row in chosen.itertuples()]


def _folder(images: Path, params: Params) -> list[tuple[str, Path]]:
    files = find_files(images).images
    if not files:
        raise FileNotFoundError(f"{images}: no image in it or below, of {', '.join(SUFFIXES)}")
    order = stratified_order([""] * len(files), seed=params.storage.seed)
    chosen = sorted(order[: params.storage.max_images])
    return [(files[i].relative_to(images).as_posix(), files[i]) for i in chosen]


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
    table, left_out = (
        pd.concat([pd.read_parquet(chunk.folder / name) for chunk in chunks], ignore_index=True)
        for name in ("rows.parquet", "left_out.parquet")
    )
    for line in describe_left_out(left_out):
        console.print(f"storage: {line}", highlight=False, markup=False, soft_wrap=True)
    if table.empty:
        raise ImageError(
            f"storage: received {len(images)} images, of which none could be measured, expected at "
            f"least one; the first: {left_out['reason'].iloc[0]}"
        )
    summary = summarise_options(table, left_out, confidence=params.storage.confidence)
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
        left_out.to_csv(draft / "left_out.csv", index=False)
    measured = table["image_id"].nunique()
    console.print(f"storage: {measured} images by {len(summary)} storage options", highlight=False)
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
