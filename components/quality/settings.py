"""Sections ``quality``, ``sweep``, ``choose`` and ``resize`` of ``params.yaml``."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from slimderm.components.common.errors import ParameterError
from slimderm.components.common.settings import (
    Confidence,
    Count,
    NonEmpty,
    OneOf,
    Ratio,
    Seed,
    settings,
)
from slimderm.components.quality.metrics import METRICS

DECISIVE = ("ssim", "bhattacharyya", "haralick_distance", "mse_high")
PAPER_SIZES = ((256, 256), (450, 150), (300, 600), (200, 100), (300, 300))  # (height, width)


MetricName = Annotated[str, OneOf(METRICS)]
Side = Annotated[int, Field(ge=8)]


@settings
class QualitySettings:
    """How the difference between two images is measured."""

    changed_threshold: Annotated[int, Field(ge=0, le=254)] = Field(
        default=5, description="A pixel counts as changed beyond so many grey levels."
    )
    low_frequency_radius: Ratio = Field(
        default=0.25,
        description="Below it a frequency is low, as a share of the Nyquist frequency.",
    )


@settings
class SweepSettings:
    """How many images are measured to choose k."""

    sampling: Literal["all", "adaptive"] = Field(
        default="all",
        description="all, as in the paper; adaptive: until the choice of k is certain.",
    )
    confidence: Confidence = Field(default=0.95, description="For adaptive: how certain.")
    min_images: Annotated[int, Field(ge=2)] = Field(
        default=128, description="For adaptive: the fewest."
    )
    chunk_size: Count = Field(
        default=32, description="Images measured at a time, and kept if the run is interrupted."
    )
    seed: Seed = Field(default=0, description="Of the order in which images are drawn.")


@settings
class ChooseSettings:
    """How k, or codec, quality and k together, are chosen."""

    rule: Literal["stabilisation", "fixed", "fewest_bytes"] = Field(
        default="stabilisation",
        description="stabilisation: beyond it no metric gains much; fixed: k; fewest_bytes.",
    )
    metrics: NonEmpty[MetricName] = Field(
        default=DECISIVE, description="For stabilisation: the metrics that decide."
    )
    tolerance: Ratio = Field(
        default=0.01,
        description="For stabilisation: the share of a metric's range that counts as no gain.",
    )
    stage: Literal["before", "after"] = Field(
        default="after",
        description="after: what is stored is judged; before: what the SVD left, not yet encoded.",
    )
    k: Count | None = Field(
        default=None, description="For fixed: singular values kept of each colour channel."
    )
    floors: dict[MetricName, float] = Field(
        default={},
        description="For fewest_bytes: the worst mean of a metric, such as {ssim: 0.95}.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.rule == "fewest_bytes" and not self.floors:
            raise ParameterError(
                "floors: received none, expected at least one for the rule fewest_bytes, such as "
                "ssim: 0.95"
            )
        return self


@settings
class ResizeSettings:
    """The input sizes to compare, and the one that networks are trained at.

    Sizes are (height, width) in pixels; the paper does not say which number is which.
    """

    sizes: tuple[tuple[Side, Side], ...] = Field(
        default=PAPER_SIZES, description="Height and width of each; the paper's five."
    )
    rule: Literal["fixed", "floors"] = Field(
        default="fixed",
        description="fixed: take size; floors: the size of fewest pixels that meets every floor.",
    )
    size: tuple[Side, Side] = Field(
        default=(200, 100),
        description="For fixed: height and width of training's images; the paper: [200, 100].",
    )
    floors: dict[MetricName, float] = Field(
        default={},
        description="For the rule floors: the worst mean of a metric, such as {ssim: 0.9}.",
    )
    max_images: Count | None = Field(
        default=200, description="Images measured, drawn at random; null: all."
    )
    seed: Seed = Field(default=0, description="Of the draw.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.sizes)) < len(self.sizes):
            raise ParameterError(
                f"sizes: received {[list(size) for size in self.sizes]}, expected each size once"
            )
        if self.rule == "floors" and not (self.floors and self.sizes):
            raise ParameterError(
                "floors: received none, or no sizes, expected at least one of each for the rule "
                "floors, such as ssim: 0.9"
            )
        return self
