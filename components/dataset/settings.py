"""Sections ``ingest``, ``split`` and ``synthetic`` of ``params.yaml``."""

from typing import Annotated, Literal

from pydantic import Field

from slimderm.components.common.settings import Count, Positive, Seed, settings
from slimderm.components.dataset.labels import PAPER_CLASSES

MAX_MEGAPIXELS = 64.0

Side = Annotated[int, Field(ge=16)]


@settings
class IngestSettings:
    """Which dataset is read, and which diagnoses make a class."""

    source: str = Field(
        default="data/source",
        description="A folder in HAM10000's layout; data/source is drawn by the step synthesize.",
    )
    negatives: str | None = Field(
        default=None, description="A folder of images without a lesion; null: there are none."
    )
    max_megapixels: Positive = Field(
        default=MAX_MEGAPIXELS, description="Larger images are quarantined, in millions of pixels."
    )
    classes: dict[str, tuple[str, ...]] = Field(
        default=PAPER_CLASSES, description="Class: the diagnoses it gathers."
    )

    @property
    def num_classes(self) -> int:
        """Classes that gather at least one diagnosis."""
        return sum(bool(diagnoses) for diagnoses in self.classes.values())


@settings
class SplitSettings:
    """Sizes of the three parts; the paper's are 3,300, 1,100 and 360 (section 4.1)."""

    train: Count = Field(default=3300, description="Size of the training part; see fill.")
    validation: Count = Field(default=1100, description="Size of the validation part; see fill.")
    test: Count = Field(default=360, description="Size of the test part; see fill.")
    fill: Literal["none", "copies"] = Field(
        default="none",
        description="none: sizes are scaled to the data that are there. copies: they are taken as "
        "they are, classes equal; augmented copies stand for images that a class lacks.",
    )
    max_images: Count | None = Field(
        default=None,
        description="Images taken in all, whole lesions, each class in proportion; null: all.",
    )
    seed: Seed = Field(default=0, description="Of the draw of lesions.")


@settings
class SyntheticSettings:
    """The dataset that the step synthesize draws; read only where ingest.source is data/source."""

    num_lesions: Annotated[int, Field(ge=22)] = Field(
        default=150, description="Lesions, of all seven diagnoses."
    )
    num_negatives: Annotated[int, Field(ge=0)] = Field(
        default=24, description="Images without a lesion."
    )
    height: Side = Field(default=450, description="Of an image, in pixels.")
    width: Side = Field(default=600, description="Of an image, in pixels.")
    seed: Seed = Field(default=0, description="Of the drawing.")
