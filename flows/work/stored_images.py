"""The catalog's images as a version takes them: as the dataset stores them, or compressed anew.

To compress an image takes far longer than to read it, and a version of today takes what the
compressed dataset holds.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from slimderm.components.classification.inputs import prepare
from slimderm.components.dataset.images import decode_image, resize
from slimderm.components.dataset.variants import COMPRESSED
from slimderm.flows.config import layout

OPTION = ("k", "codec", "quality")


class StoredImages:
    """Images of the catalog as a version takes them.

    Parameters
    ----------
    description : mapping
        Of the version.
    """

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.description = description
        self._stored = _stored(description)

    def prepared(self, files: Iterable[str]) -> list[np.ndarray]:
        """Prepare images, as `prepare` does.

        Parameters
        ----------
        files : iterable of str
            Below ``data/raw``.

        Returns
        -------
        list of uint8 array of shape (height, width, 3)
        """
        height, width = self.description["size"]
        found = []
        for file in files:
            data = (layout.RAW / file).read_bytes()
            kept = _as_stored(data, self._stored.get(file))
            if kept is None:
                found.append(prepare(data, self.description))
            else:
                found.append(resize(decode_image(kept), size=(height, width)))
        return found


def _stored(description: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the manifest's row of each image that is stored as the version takes it."""
    if description["variant"] != COMPRESSED or not layout.MANIFEST.exists():
        return {}
    manifest = pd.read_parquet(layout.MANIFEST)
    for name in OPTION:
        asked, column = description[name], manifest[name]
        same = column.isna() if asked is None else column.eq(asked).fillna(value=False)
        manifest = manifest[same.astype(bool)]
    return {row["source_file"]: row for row in manifest.to_dict("records")}


def _as_stored(source: bytes, row: Mapping[str, Any] | None) -> bytes | None:
    """Read what is stored of a file; None where either has changed since."""
    file = None if row is None else Path(layout.COMPRESSED, row["file"])
    if row is None or file is None or not file.is_file():
        return None
    stored = file.read_bytes()
    hashes = [hashlib.sha256(data).hexdigest() for data in (source, stored)]
    return stored if hashes == [row["sha256_before"], row["sha256_after"]] else None
