"""Sections ``ingest``, ``split`` and ``synthetic`` of ``params.yaml``."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from slimderm.components.common.errors import ParameterError
from slimderm.components.common.settings import Count, OneOf, Positive, Seed, settings
from slimderm.components.dataset.labels import PAPER_CLASSES, word_to_diagnosis
from slimderm.components.dataset.layouts import REQUIRED_COLUMNS

MAX_MEGAPIXELS = 64.0

Side = Annotated[int, Field(ge=16)]


@settings
class IngestSettings:
    """Which dataset is read, and which diagnoses make a class."""

    source: str = Field(
        default="data/source",
        description="A dataset's folder; data/source is drawn by the step synthesize.",
    )
    table: str | None = Field(
        default=None,
        description="The table in it, where several could be meant; null: known by its columns.",
    )
    columns: dict[Annotated[str, OneOf(REQUIRED_COLUMNS)], str] = Field(
        default={},
        description="Ours: what the table calls it; empty: the layout is one that is known.",
    )
    diagnoses: dict[str, str] = Field(
        default={}, description="Words of the table: the diagnosis in classes that each means."
    )
    negatives: str | None = Field(
        default=None, description="A folder of images without a lesion; null: there are none."
    )
    max_megapixels: Positive = Field(
        default=MAX_MEGAPIXELS, description="Larger images are quarantined, in millions of pixels."
    )
    classes: dict[str, tuple[str, ...]] = Field(
        default=PAPER_CLASSES,
        description="Class: the diagnoses it gathers; rows of others are quarantined.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        lacks = [name for name in ("image_id", "dx") if self.columns and name not in self.columns]
        if lacks:
            raise ParameterError(
                f"columns: received {', '.join(self.columns)}, expected {' and '.join(lacks)}, too"
            )
        word_to_diagnosis(self.classes, self.diagnoses)
        return self

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
    near_duplicates: Annotated[int, Field(ge=0, le=256)] | None = Field(
        default=28,
        description="Images whose perceptual hashes differ in at most so many of 256 bits stay on "
        "one side; null: only lesions and equal bytes do.",
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
