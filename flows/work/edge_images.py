"""Images for a shipped file: of the validation part to judge it, of training to calibrate it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from slimderm.flows.config import layout
from slimderm.flows.work.edge_network import Network

NUM_RANDOM, NUM_CALIBRATION, SEED = 100, 200, 0
OLDEST = 90  # of people who are drawn
VALIDATION = "images of this clone's validation part"


@dataclass(frozen=True)
class Images:
    """What a network and its file are asked.

    Attributes
    ----------
    inputs : dict of str to float32 array
        The network's inputs by name, N rows each.
    words : str
        What they are, for people.
    rows : DataFrame or None
        N rows with age, sex and localization, where the network takes them, and of photographs
        ``label`` and ``lesion_id``.
    """

    inputs: dict[str, np.ndarray]
    words: str
    rows: pd.DataFrame | None = None

    def for_file(self, encoder: Mapping[str, Any] | None) -> dict[str, np.ndarray]:
        """Return the inputs as a file takes them that was made with an encoder, or with none."""
        if encoder is None:
            return self.inputs
        from slimderm.components.export.person import plain_inputs

        assert self.rows is not None
        return {"image": self.inputs["image"]} | plain_inputs(self.rows, encoder)

    def labelled(self, classes: list[str]) -> Any | None:
        """Return the images' `Labelled`, or None where they have no labels of these classes."""
        from slimderm.components.export.accuracy import Labelled

        if self.rows is None or not set(self.rows.get("label", [""])) <= set(classes):
            return None
        return Labelled(
            np.array([classes.index(name) for name in self.rows["label"]]),
            self.rows["lesion_id"].to_numpy(dtype=str),
            classes.index("melanoma") if "melanoma" in classes else None,
        )


def random_images(network: Network) -> Images:
    """Draw inputs from a seed: every value of an image alike and by itself.

    People are drawn where the network's encoder is known; else metadata from 0 to 1.
    """
    from slimderm.components.model_graph.calls import ends
    from slimderm.components.training.metadata import MetadataEncoder

    draw = np.random.default_rng(SEED)
    inputs = {
        tensor.name: draw.random((NUM_RANDOM, *tensor.shape[1:]), np.float32)
        for tensor in ends(network.model)[0]
    }
    inputs["image"] *= np.float32(network.white)
    words = f"seeded random images, noise from 0 to {network.white:g}, no photographs"
    if network.encoder is None:
        return Images(inputs, words)
    people = pd.DataFrame(
        {
            "age": draw.integers(0, OLDEST + 1, NUM_RANDOM),
            "sex": draw.choice(network.encoder["sexes"], NUM_RANDOM),
            "localization": draw.choice(network.encoder["localizations"], NUM_RANDOM),
        }
    )
    inputs["metadata"] = MetadataEncoder.from_dict(dict(network.encoder)).transform(people)
    return Images(inputs, words, people)


def validation_images(network: Network) -> Images | None:
    """Read this clone's validation images as a version takes them; None where there are none.

    Lesions that the version was trained on are left out; where that is not known, the words say so.
    """
    rows = _rows("validation")
    if network.trained_on is not None:
        rows = rows[~rows["lesion_id"].isin(network.trained_on)]
    known = network.trained_on is not None
    unknown = "; whether the version was trained on some of them is not known"
    return read_images(rows, network, VALIDATION + ("" if known else unknown))


def training_images(network: Network) -> Images | None:
    """Read `NUM_CALIBRATION` of this clone's training images, drawn from `SEED`, not augmented."""
    rows = _rows("train").sample(frac=1, random_state=SEED)[:NUM_CALIBRATION]
    return read_images(rows, network, "images of this clone's training part, not augmented")


def read_images(rows: pd.DataFrame, network: Network, words: str) -> Images | None:
    """Read rows of the catalog as a version takes them; None for no rows, or for a bare file."""
    from slimderm.components.classification.inputs import model_inputs
    from slimderm.flows.work.stored_images import StoredImages

    told = network.description
    if rows.empty or told is None:
        return None
    images = StoredImages(told).prepared(rows["file"])
    inputs = model_inputs(images, rows, told)
    found = {name: np.asarray(array, np.float32) for name, array in inputs.items()}
    return Images(found, words, rows)


def _rows(part: str) -> pd.DataFrame:
    """Return the catalog's rows of a part, without copies; none where this clone has no dataset."""
    from slimderm.components.dataset.catalog import read_catalog

    if not (layout.CATALOG.exists() and layout.SPLITS.exists()):
        return pd.DataFrame({"lesion_id": []})
    splits = pd.read_csv(layout.SPLITS, dtype={"image_id": str, "lesion_id": str})
    chosen = splits[(splits["part"] == part) & (splits["copy"] == 0)]
    rows = read_catalog(layout.RAW).merge(chosen[["image_id"]], on="image_id")
    return rows.sort_values("image_id")
