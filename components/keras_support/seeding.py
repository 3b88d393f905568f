"""What Keras makes, drawn from a seed alone, whatever other threads draw."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import keras
from keras.src.random import seed_generator


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let initialisers and dropouts made inside the block depend on a seed alone.

    Keras draws the seed of each from Python's global generator, from which other threads (a
    Prefect flow has several) may draw in between. Inside the block it has a generator of its own,
    in the state that `keras.utils.set_random_seed` gives the global one, so that the numbers are
    the same.

    Parameters
    ----------
    seed : int
        Seeds Keras's, NumPy's and Python's global generators, too.
    """
    keras.utils.set_random_seed(seed)
    shared = seed_generator.python_random
    seed_generator.python_random = Random(seed)
    try:
        yield
    finally:
        seed_generator.python_random = shared
