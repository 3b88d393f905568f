"""Slim images: truncated SVD, encoders, and what each of them saved."""

from dataclasses import dataclass

from components.compression.codecs import CODECS
from components.errors import ParameterError
from components.settings import Settings, setting

PAPER_RANKS = (100, 200, 300, 350, 400, 450)


@dataclass(frozen=True)
class CompressSettings(Settings):
    """Section ``compress`` of ``params.yaml``: the k of the sweep, and the encoder."""

    ranks: tuple[int, ...] = setting(PAPER_RANKS, low=1)
    codec: str = setting("jpeg", choices=tuple(CODECS))
    quality: int = setting(95, low=1, high=100)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.ranks:
            raise ParameterError("ranks: received none, expected at least one k, such as 350")
