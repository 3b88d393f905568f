"""Section ``compress`` of ``params.yaml``."""

from dataclasses import dataclass

from slimderm.components.common.errors import ParameterError
from slimderm.components.common.settings import Settings, setting

PAPER_RANKS = (100, 200, 300, 350, 400, 450)
# The encoders of `slimderm.components.compression.codecs`, which load their libraries.
CODEC_NAMES = ("jpeg", "png", "webp", "avif", "jxl", "jxl_transcode", "factors")


@dataclass(frozen=True)
class CompressSettings(Settings):
    """Section ``compress`` of ``params.yaml``: the k of the sweep, and the encoder."""

    ranks: tuple[int, ...] = setting(PAPER_RANKS, low=1)
    codec: str = setting("jpeg", choices=CODEC_NAMES)
    quality: int = setting(95, low=1, high=100)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.ranks:
            raise ParameterError("ranks: received none, expected at least one k, such as 350")
