"""The control arm of a study: images that went through the encoder, and through no SVD."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np

from slimderm.components.common.errors import ImageError
from slimderm.components.compression.write import compress_image
from slimderm.components.dataset.images import decode_image, resize
from slimderm.components.dataset.variants import ORIGINAL, REENCODED
from slimderm.flows.config.choice import storage_choice
from slimderm.flows.config.params import Params
from slimderm.flows.work.sources import LesionSource


class ReencodedSource(LesionSource):
    """The original images, encoded as the compressed ones are when they are read."""

    def __init__(self, params: Params, *, max_train: int | None = None) -> None:
        super().__init__(params, ORIGINAL, max_train=max_train)
        self.name = REENCODED
        self.option = replace(storage_choice().option, k=None)

    @property
    def content(self) -> dict[str, Any]:
        """As for the originals, with the storage option."""
        return super().content | {"encoded": asdict(self.option)}

    def load(self, files: list[str]) -> np.ndarray:
        """Encode and decode images, and bring them to the input size."""
        images = []
        for file in files:
            path = self.folder / file
            try:
                stored, _ = compress_image(path.read_bytes(), **asdict(self.option))
                images.append(resize(decode_image(stored), size=self.size))
            except ImageError as error:
                raise ImageError(f"{path}: {error}") from error
        return np.stack(images)
