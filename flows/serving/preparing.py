"""Image files made ready for a model, in processes beside the one that holds it."""

from collections.abc import Generator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from slimderm.components.classification.inputs import prepare
from slimderm.components.common.errors import ImageError
from slimderm.components.common.workers import map_ahead, process_pool
from slimderm.components.dataset.images import decode_image
from slimderm.components.monitoring.inputs import picture_numbers
from slimderm.flows.base.files import file_hash

AHEAD = 16  # images that each process may be ahead of the model


class Prepared(NamedTuple):
    """What a model needs of a file.

    Attributes
    ----------
    row : dict
        ``file``, ``image_id``, ``sha256`` and ``error``.
    pixels : uint8 array of shape (height, width, 3), or None
        As `slimderm.components.classification.inputs.prepare` gives them; None where the file is
        faulty.
    numbers : dict
        As `slimderm.components.monitoring.inputs.picture_numbers` gives them; empty unless asked.
    """

    row: dict[str, str]
    pixels: np.ndarray | None
    numbers: dict[str, float]


def prepared(path: Path, description: Mapping[str, Any], *, measure: bool) -> Prepared:
    """Prepare a file; measure it, too, where that is asked."""
    row = {"file": str(path), "image_id": path.stem, "sha256": "", "error": ""}
    try:
        row["sha256"] = file_hash(path)
        data = path.read_bytes()
        numbers = picture_numbers(decode_image(data)) if measure else {}
        return Prepared(row, prepare(data, description), numbers)
    except (ImageError, OSError) as error:
        return Prepared(row | {"error": str(error)}, None, {})


def prepare_all(
    files: Sequence[Path], description: Mapping[str, Any], workers: int, *, measure: bool = False
) -> Generator[Prepared]:
    """Yield `prepared` of each file, in order, made by `workers` processes.

    Raises
    ------
    WorkerError
        If a process ends without an answer.
    """
    work = partial(prepared, description=dict(description), measure=measure)
    with process_pool(workers, [__name__]) as pool:
        yield from map_ahead(pool, work, files, ahead=AHEAD * workers)
