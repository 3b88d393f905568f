"""Images on which a shipped file is compared with Keras: of the validation part, or drawn."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from slimderm.flows.config import layout

NUM_RANDOM, MOST_VALIDATION, SEED = 100, 200, 0


@dataclass(frozen=True)
class Images:
    """A network's inputs by name, float32 arrays of N rows, and words for what they are."""

    inputs: dict[str, np.ndarray]
    words: str


def random_images(model: Any, white: float) -> Images:
    """Draw inputs from a seed: every value of an image alike and by itself, metadata in 0..1.

    Parameters
    ----------
    model : keras.Model
        Of fixed input sizes.
    white : float
        The largest value of an image.
    """
    from slimderm.components.model_graph.calls import ends

    draw = np.random.default_rng(SEED)
    inputs = {
        tensor.name: draw.random((NUM_RANDOM, *tensor.shape[1:]), np.float32)
        for tensor in ends(model)[0]
    }
    inputs["image"] *= np.float32(white)
    return Images(inputs, f"seeded random images, noise from 0 to {white:g}, no photographs")


def validation_images(description: Mapping[str, Any]) -> Images | None:
    """Read this clone's validation images as a version takes them; None where there are none.

    Parameters
    ----------
    description : mapping
        Of the version. Its training may have seen these lesions: it is no evidence of accuracy.
    """
    from slimderm.components.classification.inputs import model_inputs, prepare
    from slimderm.components.dataset.catalog import read_catalog

    if not (layout.CATALOG.exists() and layout.SPLITS.exists()):
        return None
    import pandas as pd

    splits = pd.read_csv(layout.SPLITS, dtype={"image_id": str, "lesion_id": str})
    chosen = splits[(splits["part"] == "validation") & (splits["copy"] == 0)]
    rows = read_catalog(layout.RAW).merge(chosen[["image_id"]], on="image_id")
    rows = rows.sort_values("image_id").sample(frac=1, random_state=SEED)[:MOST_VALIDATION]
    if rows.empty:
        return None
    images = [prepare((layout.RAW / file).read_bytes(), description) for file in rows["file"]]
    inputs = model_inputs(images, rows, description)
    found = {name: np.asarray(array, np.float32) for name, array in inputs.items()}
    return Images(found, "images of this clone's validation part")
