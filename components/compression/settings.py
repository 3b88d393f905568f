"""Sections ``compress`` and ``storage`` of ``params.yaml``."""

from dataclasses import dataclass, field

from slimderm.components.common.errors import ParameterError
from slimderm.components.common.settings import Settings, setting
from slimderm.components.compression.codecs import CODECS

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


def default_qualities() -> dict[str, tuple[int, ...]]:
    """Give each codec the qualities that the storage study tries."""
    return {name: codec.qualities for name, codec in CODECS.items()}


@dataclass(frozen=True)
class StorageSettings(Settings):
    """Section ``storage`` of ``params.yaml``.

    ``qualities`` gives the codecs to compare and the qualities of each; every one is tried without
    SVD and at each k of ``compress.ranks``. ``max_images`` are drawn at random, by class in
    proportion. Intervals are of ``confidence``; those of rate differences are bootstrapped.
    """

    qualities: dict[str, tuple[int, ...]] = field(default_factory=default_qualities)
    max_images: int | None = setting(60, low=2)
    confidence: float = setting(0.95, above=0.5, below=1)
    bootstrap_samples: int = setting(200, low=50)
    seed: int = setting(0, low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        for codec, qualities in self.qualities.items():
            if codec not in CODECS:
                known = ", ".join(CODECS)
                raise ParameterError(f"qualities: received {codec!r}, expected some of {known}")
            if not qualities or any(not 1 <= quality <= 100 for quality in qualities):
                raise ParameterError(
                    f"qualities: received {list(qualities)} for {codec}, expected some in 1..100"
                )
