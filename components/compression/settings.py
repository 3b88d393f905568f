"""Sections ``compress`` and ``storage`` of ``params.yaml``."""

from typing import Annotated

from pydantic import Field

from slimderm.components.common.settings import (
    Confidence,
    Count,
    NonEmpty,
    OneOf,
    Seed,
    settings,
)
from slimderm.components.compression.codecs import CODECS

PAPER_RANKS = (100, 200, 300, 350, 400, 450)
# The codecs, and the qualities to compare of each.
QUALITIES = {name: codec.qualities for name, codec in CODECS.items()}

CodecName = Annotated[str, OneOf(QUALITIES)]
Quality = Annotated[int, Field(ge=1, le=100)]


@settings
class CompressSettings:
    """The k of the sweep, and how an image is encoded after the SVD."""

    ranks: NonEmpty[Count] = Field(
        default=PAPER_RANKS,
        description="Singular values kept of each colour channel (k); every one is measured.",
    )
    codec: CodecName = Field(default="jpeg", description="How images are encoded; the paper: jpeg.")
    quality: Quality = Field(
        default=95, description="Of the encoder; codecs without loss ignore it."
    )


@settings
class StorageSettings:
    """The storage study: bytes and quality of every codec, with and without SVD."""

    qualities: dict[CodecName, NonEmpty[Quality]] = Field(
        default=QUALITIES,
        description="Codec: its qualities, each tried without SVD and at each k of compress.ranks.",
    )
    max_images: Annotated[int, Field(ge=2)] | None = Field(
        default=60,
        description="Images measured, drawn at random, each class in proportion; null: all.",
    )
    confidence: Confidence = Field(default=0.95, description="Of the intervals.")
    bootstrap_samples: Annotated[int, Field(ge=50)] = Field(
        default=200, description="Resamplings behind the interval of a rate difference."
    )
    seed: Seed = Field(default=0, description="Of the draw of images and of the bootstrap.")
