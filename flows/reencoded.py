"""The control arm of a study: images that went through the encoder, and through no SVD."""

from typing import Any

import numpy as np

from components.compression.write import compress_image
from components.dataset.images import decode_image, resize
from flows.examples import RAW, LesionSource
from flows.params import Params
from flows.runtime import read_json

NAME = "reencoded"


class ReencodedSource(LesionSource):
    """The original images, encoded as the compressed ones are when they are read."""

    def __init__(self, params: Params, *, max_train: int | None = None) -> None:
        super().__init__(params, "original", max_train=max_train)
        self.name = NAME
        choice = read_json("data/choice.json")
        self.way = {"codec": choice["codec"], "quality": choice["quality"], "k": None}

    @property
    def content(self) -> dict[str, Any]:
        """As for the originals, with the way to encode."""
        return super().content | {"encoded": self.way}

    def load(self, files: list[str]) -> np.ndarray:
        """Encode and decode images, and bring them to the input size."""
        images = []
        for file in files:
            stored, _ = compress_image((RAW / file).read_bytes(), **self.way)
            images.append(resize(decode_image(stored), size=self.size))
        return np.stack(images)
