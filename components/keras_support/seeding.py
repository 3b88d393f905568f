"""What Keras makes, drawn from a seed alone, whatever other threads draw.

Upstream: `make_default_seed` in ``keras/src/random/seed_generator.py`` (Keras 3.15) draws from that
module's ``python_random``, which is Python's module `random`. Where Keras draws otherwise, `seeded`
refuses: other threads could change a network without notice.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import keras
from keras.src.random import seed_generator

from slimderm.components.common.errors import SlimDermError


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

    Raises
    ------
    SlimDermError
        For a Keras that draws seeds otherwise.
    """
    keras.utils.set_random_seed(seed)
    with _generator(Random(seed)):
        drawn = _draw()
    if drawn != Random(seed).randint(1, int(1e9)):
        raise SlimDermError(
            f"Keras {keras.__version__}: received one that draws its seeds otherwise, expected "
            "`make_default_seed` of Keras 3.15; install keras>=3.15,<3.16"
        )
    with _generator(Random(seed)):
        yield


@contextmanager
def _generator(random: Random) -> Iterator[None]:
    """Let Keras draw seeds from a generator of our own."""
    shared = getattr(seed_generator, "python_random", None)
    seed_generator.python_random = random
    try:
        yield
    finally:
        seed_generator.python_random = shared


def _draw() -> int | None:
    """Draw a seed as a layer does; None where Keras has no such function."""
    draw = getattr(seed_generator, "make_default_seed", None)
    return draw() if callable(draw) else None
