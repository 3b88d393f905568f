"""Weights of least magnitude set to zero, little by little, with training in between.

Nothing shrinks in memory: the zeros pay in a `.slim` file, which writes gaps between the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np

from slimderm.components.common.checks import check_whole
from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.model_graph.copies import copied
from slimderm.components.network_compression.passes import (
    Compressed,
    Means,
    Order,
    Pass,
    compared,
)
from slimderm.components.pruning.masks import apply_masks, magnitude_masks, sparsity
from slimderm.components.pruning.method import check_ratio


@dataclass(frozen=True)
class Sparsify(Pass):
    """Set the smallest weights to zero, in steps, and hold them there while the model is trained.

    Attributes
    ----------
    ratio : float or mapping
        Share of the weights that are zero at the end, in (0, 1): of all kernels together, or of
        each layer by path; ``*`` and ``?`` stand for any characters.
    steps : int
        The share that is left falls geometrically in so many steps, each trained.

    References
    ----------
    Han et al., "Learning both weights and connections", arXiv:1506.02626.
    """

    ratio: float | Mapping[str, float]
    steps: int = 4
    order: ClassVar[Order] = Order.ZEROS

    def __post_init__(self) -> None:
        ratios = self.ratio.values() if isinstance(self.ratio, Mapping) else (self.ratio,)
        for ratio in ratios:
            check_ratio(ratio)
        check_whole("steps", self.steps)

    def _compress(self, model: keras.Model, means: Means) -> Compressed:
        trained: keras.Model = copied(model)
        for step in range(1, self.steps + 1):
            self._mask(trained, step / self.steps)
            means.train(trained)
        after = copied(trained)  # without what held the zeros
        changed = {
            path: f"{np.mean(np.asarray(layer.kernel) == 0):.1%} of its kernel is zero"
            for path, layer in layers_by_path(after).items()
            if hasattr(layer, "kernel")
        }
        notes = (f"{sparsity(after):.1%} of all kernels is zero",)
        return compared(model, after, changed, {}, notes)

    def _mask(self, model: keras.Model, done: float) -> None:
        """Mask what is to be zero when a share of the steps is done."""
        if isinstance(self.ratio, Mapping):
            for pattern, ratio in self.ratio.items():
                masks = magnitude_masks(model, _so_far(ratio, done), scope="local", only=(pattern,))
                apply_masks(model, masks)
        else:
            apply_masks(model, magnitude_masks(model, _so_far(self.ratio, done)))


def _so_far(ratio: float, done: float) -> float:
    return 1.0 - float((1 - float(ratio)) ** done)
