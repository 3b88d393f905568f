"""Section ``train`` of ``params.yaml``, in a module of its own: reading it needs no Keras."""

from typing import Annotated, Literal

from pydantic import Field

from slimderm.components.common.settings import (
    Count,
    OneOf,
    Positive,
    Ratio,
    Seed,
    Tolerance,
    settings,
)
from slimderm.components.training.checkpoints import CHECKPOINTS
from slimderm.components.training.precision import PRECISIONS


@settings
class TrainingSettings:
    """How a network is trained; the input size is the resize study's choice."""

    epochs: Count = Field(default=75, description="Passes over the training part; the paper: 75.")
    learning_rate: Positive = Field(default=0.002, description="Of Adam; the paper: 0.002.")
    decay: Literal["none", "cosine"] = Field(
        default="none", description="Whether the learning rate falls to zero over the epochs."
    )
    batch_size: Count = Field(
        default=32, description="Images in a batch; the paper leaves it open."
    )
    precision: Annotated[str, OneOf(PRECISIONS)] = Field(
        default="auto",
        description="Arithmetic of the layers; auto: mixed_bfloat16 where it is fast.",
    )
    statistics_images: Count = Field(
        default=1024,
        description="Training images over which batch normalization's statistics are recomputed "
        "before a network is judged.",
    )
    checkpoint: Annotated[str, OneOf(CHECKPOINTS)] = Field(
        default="average_best",
        description="Which epoch's network is kept; average_…: of the weights' moving average.",
    )
    average_momentum: Ratio = Field(
        default=0.98, description="For average_…: of the moving average, a training step."
    )
    checkpoint_accuracy: Tolerance = Field(
        default=0.90, description="For trained: the training accuracy that an epoch must reach."
    )
    patience: Count | None = Field(
        default=None,
        description="Epochs without a better validation before training stops; null: never.",
    )
    augment: bool = Field(
        default=True,
        description="Whether training images are flipped, turned, zoomed and lit at random.",
    )
    image_only: bool = Field(
        default=False,
        description="Whether networks go without the branch that reads age, sex and site.",
    )
    seed: Seed = Field(default=0, description="Of weights, batches and augmentation.")
