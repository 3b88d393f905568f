"""Section ``train`` of ``params.yaml``, in a module of its own: reading it needs no Keras."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from slimderm.components.common.settings import (
    Count,
    OneOf,
    Positive,
    Seed,
    Tolerance,
    settings,
)
from slimderm.components.training.checkpoints import CHECKPOINTS
from slimderm.components.training.networks import BACKBONES
from slimderm.components.training.precision import PRECISIONS


def _augment(value: Any) -> Any:
    """Read true and false, which files of version 0.1 hold."""
    return {True: "online", False: "none"}[value] if isinstance(value, bool) else value


Augment = Annotated[Literal["online", "offline", "none"], BeforeValidator(_augment)]


@settings
class TrainingSettings:
    """How a network is trained; the input size is the resize study's choice."""

    epochs: Count = Field(default=75, description="Passes over the training part; the paper: 75.")
    learning_rate: Positive = Field(default=0.002, description="Of Adam; the paper: 0.002.")
    weights: dict[Annotated[str, OneOf(BACKBONES)], str] = Field(
        default={},
        description="Files of ImageNet weights without the top, by network of keras.applications.",
    )
    head_epochs: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="Of a network with weights from a file: epochs, the first ones, in which its "
        "last layer alone is trained.",
    )
    unfreeze_from: str | None = Field(
        default=None,
        description="Of a network with weights from a file: the first layer that is trained after "
        "head_epochs; all before it keep their weights for good. null: all are trained.",
    )
    unfrozen_learning_rate: Positive | None = Field(
        default=None, description="After head_epochs; null: learning_rate."
    )
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
        default="average_loss",
        description="Which epoch's network is kept; average_…: of the weights' moving average.",
    )
    average_epochs: Positive = Field(
        default=1.0, description="For average_…: epochs that the moving average reaches back."
    )
    checkpoint_accuracy: Tolerance = Field(
        default=0.90, description="For trained: the training accuracy that an epoch must reach."
    )
    patience: Count | None = Field(
        default=None,
        description="Epochs without a better validation before training stops; null: never.",
    )
    augment: Augment = Field(
        default="online",
        description="When training images are flipped, turned, zoomed and lit at random: online, "
        "anew in every epoch; offline, once before the first, as in the paper; none, never.",
    )
    image_only: bool = Field(
        default=False,
        description="Whether networks go without the branch that reads age, sex and site.",
    )
    seed: Seed = Field(default=0, description="Of weights, batches and augmentation.")

    def _ruled_out(self) -> list[str]:
        rule = CHECKPOINTS[self.checkpoint]
        read = {"average_epochs": rule.averaged, "checkpoint_accuracy": rule.reads_accuracy}
        return [name for name, is_read in read.items() if not is_read]

    def in_effect(self) -> dict[str, Any]:
        """Return the parameters that have an effect with the checkpoint: what shapes a training.

        Without `weights`: what shapes a training is a file's content, not its place.
        """
        idle = {*self._ruled_out(), "weights"}
        return {name: value for name, value in asdict(self).items() if name not in idle}

    def without_effect(self) -> list[str]:
        """Return a sentence for each parameter that is set and has no effect with the others."""
        usual = TrainingSettings()
        return [
            f"train.{name} has no effect with checkpoint {self.checkpoint}"
            for name in self._ruled_out()
            if getattr(self, name) != getattr(usual, name)
        ]
