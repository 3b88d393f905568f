"""Weights of least magnitude set to zero, little by little, with training in between.

Nothing shrinks in memory: the zeros pay in a `.slim` file, which writes gaps between the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import ClassVar

import keras
import numpy as np

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.model_graph.copies import copied
from slimderm.components.network_compression.passes import (
    Batches,
    Compressed,
    FineTune,
    Order,
    check_finite,
    report,
)
from slimderm.components.pruning.masks import apply_masks, magnitude_masks, sparsity
from slimderm.components.pruning.method import check_ratio


@dataclass(frozen=True)
class Sparsify:
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
        if isinstance(self.steps, bool) or not isinstance(self.steps, Integral) or self.steps < 1:
            raise ParameterError(
                f"steps: received {self.steps!r}, expected a whole number of at least 1"
            )

    def apply(
        self,
        model: keras.Model,
        *,
        data: Batches | None = None,
        fine_tune: FineTune | None = None,
        seed: int = 0,
    ) -> Compressed:
        """Make weights zero, and train after each step where ``fine_tune`` is given."""
        check_finite(model)
        trained: keras.Model = copied(model)
        for step in range(1, self.steps + 1):
            self._mask(trained, step / self.steps)
            if fine_tune is not None:
                fine_tune(trained)
        after = copied(trained)  # without what held the zeros
        changed = {
            path: f"{np.mean(np.asarray(layer.kernel) == 0):.1%} of its kernel is zero"
            for path, layer in layers_by_path(after).items()
            if hasattr(layer, "kernel")
        }
        notes = (f"{sparsity(after):.1%} of all kernels is zero",)
        return Compressed(after, report(model, after, changed, {}, notes))

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
