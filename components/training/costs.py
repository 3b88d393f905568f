"""What a network costs where it runs: time for one image, bytes on disk."""

import tempfile
import time
from pathlib import Path

import keras
import numpy as np

from components.errors import ParameterError

WARM_UP = 3  # calls that trace the graph and fill the caches


def latency(model: keras.Model, *, repeats: int = 50) -> float:
    """Median milliseconds for the probabilities of one image on this machine.

    Raises
    ------
    ParameterError
        When ``repeats`` is below 1.
    """
    if repeats < 1:
        raise ParameterError(f"repeats: received {repeats}, expected at least 1")
    inputs = {tensor.name: np.zeros((1, *tensor.shape[1:]), np.float32) for tensor in model.inputs}
    times = []
    for _ in range(WARM_UP + repeats):
        started = time.perf_counter()
        model.predict_on_batch(inputs)
        times.append(time.perf_counter() - started)
    return float(np.median(times[WARM_UP:]) * 1000)


def without_optimizer(model: keras.Model) -> keras.Model:
    """Return a model on the same weights that saves no optimizer state."""
    return keras.Model(model.input, model.output, name=model.name)


def bytes_with_optimizer(model: keras.Model) -> int:
    """Measure the ``.keras`` file with Adam's state, as in training.

    The model itself is left as it is; a model that was never trained is measured as if it had been.
    """
    trained = without_optimizer(model)
    trained.compile(keras.optimizers.Adam(), "categorical_crossentropy")
    trained.optimizer.build(trained.trainable_variables)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        trained.save(path)
        return path.stat().st_size
