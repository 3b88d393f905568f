"""Examples in memory, and two orders of them: balanced to train, as they stand to judge."""

import math
from dataclasses import dataclass, replace
from typing import Any, Self

import keras
import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ImageError, ParameterError, SchemaError
from slimderm.components.training.augment import augment

Inputs = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Examples:
    """One part of the dataset in memory.

    Attributes
    ----------
    images : numpy.ndarray
        (N, H, W, 3) uint8, RGB.
    metadata : numpy.ndarray
        (N, M) float32, finite.
    labels : numpy.ndarray
        (N,) int64 class indices.
    lesions : numpy.ndarray
        (N,) str, the lesion that each image shows.
    copies : numpy.ndarray, optional
        (N,) bool, whether an image is an augmented copy of another; none is where not given.

    Raises
    ------
    ImageError
        When the images are no such array.
    SchemaError
        When the lengths differ or metadata or labels hold what they may not.
    """

    images: npt.NDArray[np.uint8]
    metadata: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    lesions: npt.NDArray[np.str_]
    copies: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        shape = self.images.shape
        if self.images.dtype != np.uint8 or len(shape) != 4 or shape[-1] != 3:
            raise ImageError(
                f"images: received {self.images.dtype} {shape}, expected uint8 (N, H, W, 3)"
            )
        lengths = [len(part) for part in (self.images, self.metadata, self.labels, self.lesions)]
        if len(set(lengths)) > 1:
            raise SchemaError(
                f"examples: received {lengths} images, metadata, labels and lesions, expected as "
                "many of each"
            )
        if self.metadata.ndim != 2 or not np.isfinite(self.metadata).all():
            raise SchemaError(
                f"metadata: received {self.metadata.shape} with "
                f"{int((~np.isfinite(self.metadata)).sum())} values not finite, expected finite "
                "(N, M); encode it with MetadataEncoder"
            )
        if not np.issubdtype(self.labels.dtype, np.integer) or (self.labels < 0).any():
            raise SchemaError(
                f"labels: received {self.labels.dtype}, smallest "
                f"{self.labels.min(initial=0)}, expected class indices from 0"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def num_copies(self) -> int:
        """Images that are augmented copies of others."""
        return 0 if self.copies is None else int(self.copies.sum())

    def take(self, places: npt.NDArray[np.int64]) -> Self:
        """Return the examples at some places."""
        return replace(
            self,
            images=self.images[places],
            metadata=self.metadata[places],
            labels=self.labels[places],
            lesions=self.lesions[places],
            copies=None if self.copies is None else self.copies[places],
        )


def as_trained(examples: Examples, mode: str, *, seed: int) -> Examples:
    """Return the training part whose images a network sees before online augmentation.

    Parameters
    ----------
    examples : Examples
        The training part.
    mode : str
        `slimderm.components.training.settings.TrainingSettings.augment`. If it is ``offline``, each
        image is augmented once; copies are augmented already and stay as they are.
    seed : int
        The same seed augments the same part in the same way.

    Returns
    -------
    part : Examples
        What was given, for another mode.
    """
    if mode != "offline":
        return examples
    images = examples.images.copy()
    own = slice(None) if examples.copies is None else ~examples.copies
    changed = images[own]
    augment(changed, np.random.default_rng((seed, len(images))))
    images[own] = changed
    return replace(examples, images=images)


class OrderedBatches(keras.utils.PyDataset):  # type: ignore[misc]  # keras has no types
    """Inputs batch by batch in their order, for prediction: nothing is copied ahead."""

    def __init__(self, examples: Examples, *, batch_size: int, image_only: bool = False) -> None:
        super().__init__()
        self.examples = examples
        self.batch_size = batch_size
        self.image_only = image_only

    def __len__(self) -> int:
        return math.ceil(len(self.examples) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[Inputs]:
        span = slice(index * self.batch_size, (index + 1) * self.batch_size)
        inputs: Inputs = {"image": self.examples.images[span]}
        if not self.image_only:
            inputs["metadata"] = self.examples.metadata[span]
        return (inputs,)


class BalancedBatches(keras.utils.PyDataset):  # type: ignore[misc]  # keras has no types
    """Epochs with as many images of every class, for training.

    One epoch holds as many images as the part, rounded down to a multiple of the classes. Scarce
    classes come round again and again, plentiful ones are drawn without replacement, anew in each
    epoch. Only here are images augmented. An epoch depends on the seed and its number alone.

    Parameters
    ----------
    examples : Examples
        The training part.
    num_classes : int
        Length of the one-hot targets.
    batch_size : int
        The last batch of an epoch may be smaller.
    seed : int
        Fixes order and augmentation.
    augmented : bool
        Whether images are flipped, turned, zoomed and lit at random.
    image_only : bool
        Leave the metadata out.

    Raises
    ------
    ParameterError
        When a class has no image, or a label lies outside the classes.
    """

    def __init__(
        self,
        examples: Examples,
        *,
        num_classes: int,
        batch_size: int,
        seed: int,
        augmented: bool,
        image_only: bool = False,
    ) -> None:
        super().__init__()
        counts = np.bincount(examples.labels, minlength=num_classes)
        if len(counts) != num_classes or (counts == 0).any():
            raise ParameterError(
                f"training part: received {counts.tolist()} images per class, expected at least "
                f"one of each of {num_classes} classes; split again or change the classes"
            )
        self.examples = examples
        self.num_classes = num_classes
        self.batch_size = batch_size
        self.seed = seed
        self.augmented = augmented
        self.image_only = image_only
        self.epoch = 0
        self.order = self._draw()

    @property
    def num_images(self) -> int:
        """Images in one epoch."""
        return max(1, len(self.examples) // self.num_classes) * self.num_classes

    def __len__(self) -> int:
        return math.ceil(self.num_images / self.batch_size)

    def __getitem__(self, index: int) -> tuple[Inputs, npt.NDArray[np.float32]]:
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        images = self.examples.images[chosen]
        if self.augmented:
            augment(images, np.random.default_rng((self.seed, self.epoch, index)))
        inputs: Inputs = {"image": images}
        if not self.image_only:
            inputs["metadata"] = self.examples.metadata[chosen]
        return inputs, np.eye(self.num_classes, dtype=np.float32)[self.examples.labels[chosen]]

    def on_epoch_end(self) -> None:
        """Draw the next epoch; Keras calls this."""
        self.epoch += 1
        self.order = self._draw()

    def _draw(self) -> npt.NDArray[np.int64]:
        random = np.random.default_rng((self.seed, self.epoch))
        share = self.num_images // self.num_classes
        drawn = []
        for label in range(self.num_classes):
            members = np.flatnonzero(self.examples.labels == label)
            rounds = math.ceil(share / len(members))
            drawn.append(np.concatenate([random.permutation(members) for _ in range(rounds)]))
        return random.permutation(np.concatenate([members[:share] for members in drawn]))
