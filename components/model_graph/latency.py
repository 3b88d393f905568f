"""How long a model takes for one input, measured."""

import time

import keras
import numpy as np

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import ends, packed

WARM_UP, REPEATS = 3, 15


def latency(model: keras.Model, *, repeats: int = REPEATS) -> float:
    """Measure how long one input takes on this machine.

    Parameters
    ----------
    model : keras.Model
        Of fixed input size; zeros are fed.
    repeats : int
        Measurements, at least 1, after three that warm up.

    Returns
    -------
    float
        Milliseconds, the median.

    Raises
    ------
    ParameterError
        When ``repeats`` is below 1, or the model's input size is undefined.
    """
    if repeats < 1:
        raise ParameterError(f"repeats: received {repeats}, expected at least 1")
    tensors = ends(model)[0]
    for tensor in tensors:
        if None in tensor.shape[1:]:
            raise ParameterError(
                f"model: received one whose input {tensor.name} has the undefined size "
                f"{tensor.shape[1:]}, expected a fixed size"
            )
    given = packed(model, [np.zeros((1, *tensor.shape[1:]), tensor.dtype) for tensor in tensors])
    times = []
    for _ in range(WARM_UP + repeats):
        started = time.perf_counter()
        model.predict_on_batch(given)
        times.append(time.perf_counter() - started)
    return float(np.median(times[WARM_UP:]) * 1000)
