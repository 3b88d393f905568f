"""An input in a few numbers: what is recorded of a picture, and of a person, in place of them.

Whoever changes what a number means gives it another name, so that inputs recorded before are not
compared with those of now.
"""

import base64
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from slimderm.components.classification.picture import look_of, shrunk
from slimderm.components.common.errors import SchemaError
from slimderm.components.dataset.metadata import UNKNOWN

Pixels = npt.NDArray[np.uint8]
Vector = npt.NDArray[np.float16]

PICTURE = {  # number: what it is
    "brightness": "mean, 0 to 255",
    "contrast": "spread (standard deviation) of L* of CIELAB",
    "sharpness": "variance of the Laplacian",
    "skin": "share of pixels of a skin's or a lesion's colour",
    "red_green": "mean a* of CIELAB",
    "yellow_blue": "mean b*",
    "red_green_spread": "spread of a*",
    "yellow_blue_spread": "spread of b*",
    "height": "pixels",
    "width": "pixels",
}
NUMBERS = (*PICTURE, "confidence")
SAID = ("sex", "localization")  # of a person, in words
WORDS = ("predicted", "age", *SAID)
EMBEDDING = "embedding"
DECADE = 10  # years
OLDEST = 90  # ages from here on are one group: there are few such people
DIGITS = 5  # significant, of a number that is kept


def picture_numbers(image: Pixels) -> dict[str, float]:
    """Measure a picture.

    Parameters
    ----------
    image : uint8 array of shape (H, W, 3)
        RGB, as it was given.

    Returns
    -------
    dict of str to float
        `PICTURE`, measured on a picture whose long side has at most 160 pixels.

    Raises
    ------
    ImageError
        If it is no such array.
    """
    look = look_of(image)
    lab = cv2.cvtColor(shrunk(image).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)  # (h, w, 3)
    means, spreads = lab.mean(axis=(0, 1)), lab.std(axis=(0, 1))
    values = (
        look.brightness,
        spreads[0],
        look.sharpness,
        look.skin,
        *means[1:],
        *spreads[1:],
        look.height,
        look.width,
    )
    return {name: _short(value) for name, value in zip(PICTURE, values, strict=True)}


def answer_words(predicted: str, probability: float) -> dict[str, Any]:
    """Give what is kept of an answer: the class, and its probability, 0 to 1."""
    return {"predicted": predicted, "confidence": _short(probability)}


def person_words(person: Mapping[str, Any]) -> dict[str, str]:
    """Give what is kept of a person: no age in years, no word that the network does not know.

    Parameters
    ----------
    person : mapping
        ``age`` (years, NaN or None where unknown), ``sex``, ``localization``, as a network read
        them; nothing of it where it sees images alone. What else stands there is left out.

    Returns
    -------
    dict of str to str
        The same names; age as its decade, such as ``40 to 49``.
    """
    words = {"age": decade(person["age"])} if "age" in person else {}
    return words | {name: str(person[name] or UNKNOWN) for name in SAID if name in person}


def decade(years: float | None) -> str:
    """Name the decade of an age: ``0 to 9`` up to ``90 and more``; ``unknown`` for none."""
    if years is None or np.isnan(years):
        return UNKNOWN
    begin = int(years) // DECADE * DECADE
    return f"{OLDEST} and more" if begin >= OLDEST else f"{begin} to {begin + DECADE - 1}"


def pack(vector: npt.NDArray[np.floating[Any]]) -> str:
    """Write an embedding, (D,), as text: base64 of little-endian float16."""
    largest = np.finfo(np.float16).max
    return base64.b64encode(np.clip(vector, -largest, largest).astype("<f2").tobytes()).decode()


def unpack(text: str) -> Vector:
    """Read what `pack` wrote: (D,) float16.

    Raises
    ------
    SchemaError
        If it is something else.
    """
    try:
        return np.frombuffer(base64.b64decode(text, validate=True), "<f2").astype(np.float16)
    except (ValueError, TypeError) as error:
        raise SchemaError(
            f"embedding: received {text!r:.40}, expected base64 of float16 values"
        ) from error


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
