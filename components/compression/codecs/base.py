"""What every codec is given, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slimderm.components.common.errors import ImageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from slimderm.components.compression.svd import Decomposition

    Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Item:
    """An image on its way into a file.

    Attributes
    ----------
    source : bytes
        The file that it came from.
    decomposition : Decomposition
        Of the image before truncation, or None where it was not computed.
    k : int or None
        The rank it was truncated to; None where it was not.
    image : uint8 array of shape (H, W, 3)
        RGB, truncated.
    """

    source: bytes
    decomposition: Decomposition | None
    k: int | None
    image: Pixels


@dataclass(frozen=True)
class Codec:
    """A file format with its encoder, and all that other parts need to know of it.

    Attributes
    ----------
    name, suffix : str
        Its name in ``params.yaml``, its files' ending.
    write : callable
        Item and quality in 1..100 to bytes. It imports its library when it is called.
    qualities : tuple of int
        What the storage study tries where ``params.yaml`` does not say.
    lossless : bool
        Whether decoding gives every pixel of ``Item.image`` back whatever the quality.
    repacks : bool
        Whether a source that was not truncated is kept without loss, whatever the quality.
    instead : str
        The codec of the same ending that stores what this one cannot take; "" where it takes all.
    title : str
        Its name in a picture's legend; `name` where it is empty.
    colour : str
        Of its curves in pictures.
    """

    name: str
    suffix: str
    write: Callable[[Item, int], bytes]
    qualities: tuple[int, ...]
    lossless: bool = False
    repacks: bool = False
    instead: str = ""
    title: str = ""
    colour: str = "#5f6b73"

    def ignores_quality(self, k: int | None) -> bool:
        """Whether an image truncated to `k` (None: not truncated) is the same at any quality."""
        return self.lossless or (self.repacks and k is None)

    def store(self, item: Item, quality: int) -> bytes:
        """Encode `item` at `quality` in 1..100; lossless formats ignore it.

        Raises
        ------
        ImageError
            If the array is not uint8 (H, W, 3), which an encoder could take for another image
            without saying so, or if the encoder refuses it; the message names codec, quality and k.
        """
        import cv2
        import numpy as np

        image = item.image
        rank = "" if item.k is None else f", k = {item.k}"
        what = f"{self.name} of quality {quality}{rank}: cannot encode {image.dtype} {image.shape}"
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ImageError(f"{what}, expected uint8 (H, W, 3)")
        try:
            return self.write(item, quality)
        except (cv2.error, OSError, RuntimeError, ValueError, SystemError) as error:
            raise ImageError(f"{what}: {error}") from error

    def encode(self, image: Pixels, quality: int) -> bytes:
        """Encode uint8 RGB (H, W, 3) that has no source file, as `store`."""
        return self.store(Item(b"", None, None, image), quality)

    def decode(self, data: bytes) -> Pixels:
        """Decode to uint8 RGB (H, W, 3).

        Raises
        ------
        ImageError
            If the bytes are no image.
        """
        from slimderm.components.dataset.images import decode_image

        return decode_image(data)
