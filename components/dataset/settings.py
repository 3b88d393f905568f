"""Sections ``ingest``, ``split`` and ``synthetic`` of ``params.yaml``."""

from dataclasses import dataclass

from slimderm.components.common.settings import Settings, setting
from slimderm.components.dataset.labels import PAPER_CLASSES

MAX_MEGAPIXELS = 64.0


@dataclass(frozen=True)
class IngestSettings(Settings):
    """Section ``ingest`` of ``params.yaml``."""

    source: str = setting("data/source")
    negatives: str | None = setting(None)
    max_megapixels: float = setting(MAX_MEGAPIXELS, above=0)
    classes: dict[str, tuple[str, ...]] = setting(PAPER_CLASSES)

    @property
    def num_classes(self) -> int:
        """Classes that gather at least one diagnosis."""
        return sum(bool(diagnoses) for diagnoses in self.classes.values())


@dataclass(frozen=True)
class SplitSettings(Settings):
    """Section ``split`` of ``params.yaml``: the paper's sizes (section 4.1), scaled to the data.

    ``max_images`` takes only so many images, whole lesions drawn class by class in proportion.
    """

    train: int = setting(3300, low=1)
    validation: int = setting(1100, low=1)
    test: int = setting(360, low=1)
    max_images: int | None = setting(None, low=1)
    seed: int = setting(0, low=0)


@dataclass(frozen=True)
class SyntheticSettings(Settings):
    """Section ``synthetic`` of ``params.yaml``."""

    num_lesions: int = setting(150, low=22)
    num_negatives: int = setting(24, low=0)
    height: int = setting(450, low=16)
    width: int = setting(600, low=16)
    seed: int = setting(0, low=0)
