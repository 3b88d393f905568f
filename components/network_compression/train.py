"""Training alone: the control beside passes that train."""

from dataclasses import dataclass
from typing import ClassVar

import keras

from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.model_graph.copies import copied
from slimderm.components.network_compression.passes import (
    Compressed,
    Means,
    Order,
    Pass,
    compared,
)


@dataclass(frozen=True)
class Train(Pass):
    """Train a model on and change nothing else, for as many epochs as another pass has."""

    order: ClassVar[Order] = Order.SHAPES

    def _compress(self, model: keras.Model, means: Means) -> Compressed:
        trained: keras.Model = copied(model)
        means.train(trained)
        changed = {
            path: "trained on"
            for path, layer in layers_by_path(trained).items()
            if means.fine_tune is not None and layer.trainable_variables
        }
        return compared(model, copied(trained), changed, {})
