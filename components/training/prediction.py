"""Class probabilities of a trained network."""

import keras
import numpy as np
import numpy.typing as npt

from slimderm.components.training.batches import Examples, OrderedBatches


def is_image_only(model: keras.Model) -> bool:
    """Tell whether a model takes no metadata."""
    return "metadata" not in {tensor.name for tensor in model.inputs}


def predict(
    model: keras.Model, examples: Examples, *, batch_size: int = 32
) -> npt.NDArray[np.float32]:
    """Return the class probabilities, (N, C) float32, in the examples' order."""
    batches = OrderedBatches(examples, batch_size=batch_size, image_only=is_image_only(model))
    return np.asarray(model.predict(batches, verbose=0), np.float32)
