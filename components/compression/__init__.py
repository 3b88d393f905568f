"""Slim images: truncated SVD, encoders, and what each of them saved."""

from dataclasses import dataclass

from components.compression.codecs import CODECS
from components.settings import Settings, setting

PAPER_RANKS = (100, 200, 300, 350, 400, 450)


@dataclass(frozen=True)
class CompressSettings(Settings):
    """Section ``compress`` of ``params.yaml``: the k of the sweep, and the encoder."""

    ranks: tuple[int, ...] = setting(PAPER_RANKS, low=1)
    codec: str = setting("jpeg", choices=tuple(CODECS))
    quality: int = setting(95, low=1, high=100)
