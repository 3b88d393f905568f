"""From an image file and a person's metadata to what a trained model takes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from slimderm.components.dataset.images import decode_image, resize
from slimderm.components.dataset.variants import COMPRESSED


def prepare(data: bytes | np.ndarray, description: Mapping[str, Any]) -> np.ndarray:
    """Prepare an image as the model's training images were: same k, encoder and size.

    Parameters
    ----------
    data : bytes, or uint8 array of shape (H, W, 3)
        An image file, or its pixels, RGB.
    description : dict
        As `slimderm.flows.work.training.Trainer.description` gives it.

    Returns
    -------
    uint8 array of shape (height, width, 3)
    """
    file, pixels = (data, decode_image(data)) if isinstance(data, bytes) else (b"", data)
    if description["variant"] == COMPRESSED:
        # Compiled code: loading it takes most of a second, which models of original images save.
        from slimderm.components.compression.write import store_image

        option = {name: description[name] for name in ("k", "codec", "quality")}
        stored, _ = store_image(pixels, file, **option)
        pixels = decode_image(stored)
    height, width = description["size"]
    return resize(pixels, size=(height, width))


def model_inputs(
    images: Sequence[np.ndarray], people: pd.DataFrame, description: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Return what a model takes.

    Parameters
    ----------
    images : sequence of N uint8 arrays of shape (height, width, 3)
        As `prepare` gives them.
    people : DataFrame
        N rows: age (years, NaN where unknown), sex, localization (where unknown ``unknown``).
    description : mapping
        As `slimderm.flows.work.training.Trainer.description` gives it.

    Returns
    -------
    dict of str to array
        ``image``, (N, height, width, 3) uint8, and, unless it sees images alone, ``metadata``.
    """
    inputs = {"image": np.stack(images)}
    if not description["image_only"]:
        from slimderm.components.training.metadata import MetadataEncoder

        inputs["metadata"] = MetadataEncoder.from_dict(description["encoder"]).transform(people)
    return inputs
