"""Images on which a shipped file is compared with Keras: of the validation part, or drawn."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from slimderm.flows.config import layout

NUM_RANDOM, MOST_VALIDATION, SEED = 100, 200, 0
OLDEST = 90  # of people who are drawn


@dataclass(frozen=True)
class Images:
    """What a network and its file are asked.

    Attributes
    ----------
    inputs : dict of str to float32 array
        The network's inputs by name, N rows each.
    words : str
        What they are, for people.
    people : DataFrame or None
        N rows with age, sex and localization, where the network takes them.
    """

    inputs: dict[str, np.ndarray]
    words: str
    people: pd.DataFrame | None = None

    def for_file(self, encoder: Mapping[str, Any] | None) -> dict[str, np.ndarray]:
        """Return the inputs as a file takes them that was made with an encoder, or with none."""
        if encoder is None:
            return self.inputs
        from slimderm.components.export.person import plain_inputs

        assert self.people is not None
        return {"image": self.inputs["image"]} | plain_inputs(self.people, encoder)


def random_images(model: Any, white: float, encoder: Mapping[str, Any] | None = None) -> Images:
    """Draw inputs from a seed: every value of an image alike and by itself.

    Parameters
    ----------
    model : keras.Model
        Of fixed input sizes.
    white : float
        The largest value of an image.
    encoder : mapping, optional
        As ``MetadataEncoder.to_dict`` gives it: people are drawn, too. Without it metadata are
        drawn from 0 to 1.
    """
    from slimderm.components.model_graph.calls import ends

    draw = np.random.default_rng(SEED)
    inputs = {
        tensor.name: draw.random((NUM_RANDOM, *tensor.shape[1:]), np.float32)
        for tensor in ends(model)[0]
    }
    inputs["image"] *= np.float32(white)
    words = f"seeded random images, noise from 0 to {white:g}, no photographs"
    if encoder is None:
        return Images(inputs, words)
    from slimderm.components.training.metadata import MetadataEncoder

    people = pd.DataFrame(
        {
            "age": draw.integers(0, OLDEST + 1, NUM_RANDOM),
            "sex": draw.choice(encoder["sexes"], NUM_RANDOM),
            "localization": draw.choice(encoder["localizations"], NUM_RANDOM),
        }
    )
    inputs["metadata"] = MetadataEncoder.from_dict(dict(encoder)).transform(people)
    return Images(inputs, words, people)


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
    splits = pd.read_csv(layout.SPLITS, dtype={"image_id": str, "lesion_id": str})
    chosen = splits[(splits["part"] == "validation") & (splits["copy"] == 0)]
    rows = read_catalog(layout.RAW).merge(chosen[["image_id"]], on="image_id")
    rows = rows.sort_values("image_id").sample(frac=1, random_state=SEED)[:MOST_VALIDATION]
    if rows.empty:
        return None
    images = [prepare((layout.RAW / file).read_bytes(), description) for file in rows["file"]]
    inputs = model_inputs(images, rows, description)
    found = {name: np.asarray(array, np.float32) for name, array in inputs.items()}
    return Images(found, "images of this clone's validation part", rows)
