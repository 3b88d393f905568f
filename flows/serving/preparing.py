"""Image files made ready for a model, in processes beside the one that holds it."""

from collections.abc import Generator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from slimderm.components.classification.inputs import prepare
from slimderm.components.common.errors import ImageError
from slimderm.components.common.workers import map_ahead, process_pool
from slimderm.flows.base.files import file_hash

Prepared = tuple[dict[str, str], np.ndarray | None]
AHEAD = 16  # images that each process may be ahead of the model


def prepared(path: Path, description: Mapping[str, Any]) -> Prepared:
    """Return what a file's row begins with, and its pixels; None and the reason where it is faulty.

    Returns
    -------
    row : dict
        ``file``, ``image_id``, ``sha256`` and ``error``.
    pixels : uint8 array of shape (height, width, 3), or None
        As `slimderm.components.classification.inputs.prepare` gives them.
    """
    row = {"file": str(path), "image_id": path.stem, "sha256": "", "error": ""}
    try:
        row["sha256"] = file_hash(path)
        return row, prepare(path.read_bytes(), description)
    except (ImageError, OSError) as error:
        return row | {"error": str(error)}, None


def prepare_all(
    files: Sequence[Path], description: Mapping[str, Any], workers: int
) -> Generator[Prepared]:
    """Yield `prepared` of each file, in order, made by `workers` processes.

    Raises
    ------
    WorkerError
        If a process ends without an answer.
    """
    work = partial(prepared, description=dict(description))
    with process_pool(workers, [__name__]) as pool:
        yield from map_ahead(pool, work, files, ahead=AHEAD * workers)
