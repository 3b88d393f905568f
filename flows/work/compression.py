"""Compressing the dataset: each image kept in the cache, so that an interruption loses little."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from slimderm.components.common.cache import cached, content_key, is_whole, place
from slimderm.components.common.errors import ImageError
from slimderm.components.compression.write import compress_image
from slimderm.components.quality.measure import Reference
from slimderm.components.quality.metrics import METRICS
from slimderm.components.quality.settings import QualitySettings
from slimderm.flows.base.code import code_hash
from slimderm.flows.base.files import read_json, write_json
from slimderm.flows.base.terminal import console, progress_bar
from slimderm.flows.config import layout
from slimderm.flows.config.choice import StorageOption
from slimderm.flows.config.params import RecordSettings
from slimderm.flows.work.chunks import Chunk, run_chunks

CHUNK_SIZE = 16
IMAGE, ROW = "image", "row.json"
COLUMNS = ["image_id", "file", "source_file", "sha256_before", "sha256_after", "bytes_before"]
COLUMNS += ["bytes_after", "k", "full_rank", "codec", "quality", *METRICS]


@dataclass(frozen=True)
class ImageStorage:
    """How every image is stored, and measured against its original."""

    option: StorageOption
    settings: QualitySettings

    def fill(self, folder: Path, source: Path) -> None:
        """Compress one file into a folder of the cache: the stored bytes, the manifest's row."""
        try:
            stored, row = compress_image(
                source.read_bytes(),
                **asdict(self.option),
                measure=self._measure,
            )
        except ImageError as error:
            raise ImageError(f"{source}: {error}") from error
        (folder / IMAGE).write_bytes(stored)
        write_json(folder / ROW, row)

    def _measure(
        self, original: npt.NDArray[np.uint8], stored: npt.NDArray[np.uint8]
    ) -> Mapping[str, float]:
        return Reference(original, self.settings).compare(stored)


def _compress_chunk(
    _: Path, *, images: list[tuple[str, Path]], storage: ImageStorage, cache: Path
) -> None:
    for key, source in images:
        cached(cache, key, partial(storage.fill, source=source))


def compress_dataset(
    catalog: pd.DataFrame, storage: ImageStorage, record: RecordSettings
) -> list[Path]:
    """Compress what is not in the cache.

    Returns
    -------
    list of path
        The cache's folder of each image, in the catalog's order: `IMAGE` and `ROW`.
    """
    cache, raw = Path(record.cache).resolve(), layout.RAW.resolve()
    code = code_hash(__name__)
    keys = [content_key(code=code, storage=storage, sha256=sha256) for sha256 in catalog["sha256"]]
    folders = [place(cache, key) for key in keys]
    sources = [raw / file for file in catalog["file"]]
    with progress_bar("compress", len(catalog)) as update:
        missing = [index for index, folder in enumerate(folders) if not is_whole(folder)]
        update(done := len(catalog) - len(missing))
        chunks = []
        for start in range(0, len(missing), CHUNK_SIZE):
            images = [(keys[index], sources[index]) for index in missing[start:][:CHUNK_SIZE]]
            work = partial(_compress_chunk, images=images, storage=storage, cache=cache)
            chunks.append(Chunk(cache, content_key(images=[key for key, _ in images]), work))
        for chunk in chunks:  # an image of it is missing, so it is not done
            shutil.rmtree(chunk.folder, ignore_errors=True)
        for _ in run_chunks(chunks, record):
            done = min(done + CHUNK_SIZE, len(catalog))
            update(done)
    kept = len(catalog) - len(missing)
    console.print(f"compress: {len(missing)} images compressed, {kept} found", highlight=False)
    return folders


def link_images(
    catalog: pd.DataFrame, folders: Sequence[Path], names: Sequence[str], target: Path
) -> pd.DataFrame:
    """Put finished images into a folder, and return its manifest: a row an image.

    Parameters
    ----------
    catalog : DataFrame
        Columns image_id and file of each image.
    folders : sequence of path
        As `compress_dataset` returns them.
    names : sequence of str
        Each image's name in `target`.
    target : path
        The folder.
    """
    rows = []
    for (_, image), name, folder in zip(catalog.iterrows(), names, folders, strict=True):
        _link(folder / IMAGE, target / name)
        given = {"image_id": image["image_id"], "file": name, "source_file": image["file"]}
        rows.append(given | read_json(folder / ROW))
    return pd.DataFrame(rows, columns=COLUMNS).astype({"k": "Int64"})


def _link(source: Path, target: Path) -> None:
    """Give a finished file a second name; a copy if the file system has no hard links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
