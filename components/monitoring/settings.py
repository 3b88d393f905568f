"""When inputs count as other than training's, and what follows; section watch of the policy."""

from typing import Annotated

from pydantic import Field

from slimderm.components.common.settings import Count, Ratio, Seed, Tolerance, settings


@settings
class WatchSettings:
    """How recorded inputs are compared with the reference, and what follows an alarm."""

    reference_images: Count = Field(
        default=1000, description="Held-out images of training's data behind a reference, at most."
    )
    seed: Seed = Field(default=0, description="Of the reference, of permutations, of resampling.")
    days: Count = Field(default=7, description="Inputs of the last so many days are compared.")
    min_inputs: Annotated[int, Field(ge=20)] = Field(
        default=100, description="With fewer inputs nothing is compared."
    )
    max_inputs: Annotated[int, Field(ge=100)] = Field(
        default=1000, description="Of more, so many are drawn."
    )
    false_alarms: Ratio = Field(
        default=0.05,
        description="Chance of an alarm at one look where inputs are like the reference, over all "
        "tests together (Benjamini-Hochberg).",
    )
    least_distance: Tolerance = Field(
        default=0.1,
        description="Smaller differences of a number (Kolmogorov-Smirnov) or of groups (total "
        "variation) are no alarm, however sure; 0 to 1.",
    )
    least_balanced_accuracy: Tolerance = Field(
        default=0.0,
        description="An alarm where the champion's interval by later labels lies below; 0: never.",
    )
    least_melanoma_sensitivity: Tolerance = Field(
        default=0.0, description="The same of its sensitivity for melanoma."
    )
    start_pipeline: bool = Field(
        default=False, description="Whether an alarm of the scheduled look starts the pipeline."
    )
