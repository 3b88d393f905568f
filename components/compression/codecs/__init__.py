"""How an image is stored, by name: a file a codec, and its line in `CODECS`.

All other lists of codecs come from this table: the choices of ``params.yaml``, the storage study's
qualities, the pictures' colours. It loads no library that encodes, so settings can import it. A
codec whose files `slimderm.components.dataset.formats` does not know yet needs a line there, too,
so that they can be read.
"""

from slimderm.components.common.checks import look_up
from slimderm.components.common.errors import ImageError
from slimderm.components.compression.codecs import (
    avif,
    factors,
    jpeg,
    jxl,
    jxl_transcode,
    png,
    webp,
)
from slimderm.components.compression.codecs.base import Codec, Item

__all__ = ["CODECS", "Codec", "Item", "get", "store"]

CODECS: dict[str, Codec] = {
    "jpeg": jpeg.CODEC,
    "webp": webp.CODEC,
    "avif": avif.CODEC,
    "jxl": jxl.CODEC,
    "jxl_transcode": jxl_transcode.CODEC,
    "png": png.CODEC,
    "factors": factors.CODEC,
}


def get(name: str) -> Codec:
    """Return the codec of a name.

    Raises
    ------
    ParameterError
        If there is none; the message lists those there are.
    """
    return look_up("codec", name, CODECS)


def store(name: str, item: Item, quality: int) -> tuple[bytes, str]:
    """Encode an image by a codec, or by the one that stores what it cannot take.

    Parameters
    ----------
    name : str
        A key of `CODECS`.
    item : Item
    quality : int
        In 1..100.

    Returns
    -------
    stored : bytes
    codec : str
        The one that was taken: `name`, or its `Codec.instead`.

    Raises
    ------
    ImageError
        If neither can.
    """
    codec = get(name)
    try:
        return codec.store(item, quality), name
    except ImageError:
        if not codec.instead:
            raise
        return get(codec.instead).store(item, quality), codec.instead
