"""Step: write the whole dataset at the chosen k."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from prefect import flow

from components.checkpoints import is_whole, place
from components.compression.write import compress_image, target_names
from components.dataset.catalog import check_files, read_catalog
from components.quality.measure import Reference
from components.quality.settings import METRICS, QualitySettings
from flows.engines import Chunk, run_chunks
from flows.params import Params, RecordSettings, read_params
from flows.runtime import (
    cached,
    code_hash,
    console,
    content_key,
    progress_bar,
    read_json,
    replacing,
    write_json,
)
from flows.steps import run_step

RAW, COMPRESSED = Path("data/raw"), Path("data/compressed")
CODE = ("components/compression", "components/quality", "components/dataset")
CHUNK_SIZE = 16
IMAGE, ROW = "image", "row.json"
COLUMNS = ["image_id", "file", "source_file", "sha256_before", "sha256_after", "bytes_before"]
COLUMNS += ["bytes_after", "k", "full_rank", "codec", "quality", *METRICS]


@dataclass(frozen=True)
class Recipe:
    """How every image is stored, and measured against its original."""

    k: int | None
    codec: str
    quality: int
    settings: QualitySettings

    def fill(self, folder: Path, source: Path) -> None:
        """Compress one file into a folder of the cache: the stored bytes, the manifest's row."""
        stored, row = compress_image(
            source.read_bytes(),
            k=self.k,
            codec=self.codec,
            quality=self.quality,
            measure=self._measure,
        )
        (folder / IMAGE).write_bytes(stored)
        write_json(folder / ROW, row)

    def _measure(
        self, original: npt.NDArray[np.uint8], stored: npt.NDArray[np.uint8]
    ) -> Mapping[str, float]:
        return Reference(original, self.settings).compare(stored)


def _compress_chunk(
    _: Path, *, images: list[tuple[str, Path]], recipe: Recipe, cache: Path
) -> None:
    for key, source in images:
        cached(cache, key, partial(recipe.fill, source=source))


def _compress(catalog: pd.DataFrame, recipe: Recipe, record: RecordSettings) -> list[Path]:
    """Compress what is not in the cache; the folder of each image, in the catalog's order."""
    cache, raw = Path(record.cache).resolve(), RAW.resolve()
    code = code_hash(*CODE)
    keys = [content_key(code=code, recipe=recipe, sha256=sha256) for sha256 in catalog["sha256"]]
    folders = [place(cache, key) for key in keys]
    sources = [raw / file for file in catalog["file"]]
    with progress_bar("compress", len(catalog)) as update:
        missing = [index for index, folder in enumerate(folders) if not is_whole(folder)]
        update(done := len(catalog) - len(missing))
        chunks = []
        for start in range(0, len(missing), CHUNK_SIZE):
            images = [(keys[index], sources[index]) for index in missing[start:][:CHUNK_SIZE]]
            work = partial(_compress_chunk, images=images, recipe=recipe, cache=cache)
            chunks.append(Chunk(cache, content_key(images=[key for key, _ in images]), work))
        for chunk in chunks:  # an image of it is missing, so it is not done
            shutil.rmtree(chunk.folder, ignore_errors=True)
        for _ in run_chunks(chunks, record):
            done = min(done + CHUNK_SIZE, len(catalog))
            update(done)
    kept = len(catalog) - len(missing)
    console.print(f"compress: {len(missing)} images compressed, {kept} found", highlight=False)
    return folders


def _link(source: Path, target: Path) -> None:
    """Give a finished file a second name; a copy where the file system has no such thing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _recipe(params: Params) -> Recipe:
    choice = read_json("data/choice.json")
    return Recipe(choice["k"], choice["codec"], choice["quality"], params.quality)


@flow(name="compress", flow_run_name="compress")
def compress() -> None:
    """Read ``data/raw`` and ``data/choice.json``; write ``data/compressed``.

    ``manifest.parquet`` has a row an image: image_id, file, source_file, the hashes and sizes of
    both, k, full_rank, codec, quality and every metric of what is stored against its original.
    Images that an earlier run finished are found again, whatever interrupted it.
    """
    params = read_params()
    recipe = _recipe(params)
    catalog = read_catalog(RAW).sort_values("image_id")
    check_files(RAW, catalog)
    names = target_names(list(catalog["file"]), codec=recipe.codec)
    folders = _compress(catalog, recipe, params.record)
    with replacing(COMPRESSED) as draft:
        rows = []
        for (_, image), name, folder in zip(catalog.iterrows(), names, folders, strict=True):
            _link(folder / IMAGE, draft / name)
            given = {"image_id": image["image_id"], "file": name, "source_file": image["file"]}
            rows.append(given | read_json(folder / ROW))
        manifest = pd.DataFrame(rows, columns=COLUMNS).astype({"k": "Int64"})
        manifest.to_parquet(draft / "manifest.parquet", index=False)
    before, after = manifest["bytes_before"].sum(), manifest["bytes_after"].sum()
    console.print(
        f"compress: {len(manifest)} images at k = {recipe.k} as {recipe.codec} of quality "
        f"{recipe.quality}, {before / 1e6:.1f} MB before, {after / 1e6:.1f} MB after",
        highlight=False,
    )


if __name__ == "__main__":
    run_step(compress)
