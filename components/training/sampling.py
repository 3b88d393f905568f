"""A part of the dataset with as many images of each class."""

import numpy as np

from slimderm.components.training.batches import Examples


def equal_classes(examples: Examples, *, seed: int) -> Examples:
    """Draw as many examples of each class as the scarcest has, without repetition.

    The training part is mostly nevi, so its plain accuracy would reward a network that says "nevus"
    to everything. The paper's threshold is for a training part that is balanced.

    Parameters
    ----------
    examples : Examples
    seed : int
        The same seed draws the same examples.

    Returns
    -------
    subset : Examples
        In the order in which they stand in `examples`; their images as they are there.
    """
    random = np.random.default_rng(seed)
    places = [np.flatnonzero(examples.labels == label) for label in np.unique(examples.labels)]
    size = min(map(len, places))
    chosen = np.sort(np.concatenate([random.choice(p, size, replace=False) for p in places]))
    return examples.take(chosen)
