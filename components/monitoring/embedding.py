"""The activations of a network's last layer but one, in the same pass that classifies."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd

from slimderm.components.classification.classifier import Classifier
from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import calls, check_model, graph_of
from slimderm.components.model_graph.outputs import has_kernel
from slimderm.components.monitoring.inputs import EMBEDDING, pack


@dataclass(frozen=True)
class EmbeddingClassifier(Classifier):
    """A classifier whose answers have a column ``embedding``, as `pack` writes it."""

    def _table(self, given: Any, index: pd.Index) -> pd.DataFrame:
        vectors, probabilities = given  # (N, D), (N, C)
        packed = [pack(np.asarray(vector, np.float32)) for vector in vectors]
        return super()._table(probabilities, index).assign(**{EMBEDDING: packed})


def with_embedding(classifier: Classifier) -> EmbeddingClassifier:
    """Give the same classifier, whose answers tell the embedding.

    Raises
    ------
    ParameterError
        If the network is not of the functional or sequential kind, or has no layer with a kernel.
    """
    model = classifier.model
    check_model(model)
    graph: Any = graph_of(model)
    both = keras.Model(graph.input, [_embedding(model), graph.output])
    return EmbeddingClassifier(both, classifier.description, classifier.temperature)


def _embedding(model: keras.Model) -> Any:
    """Return what goes into the last layer with a kernel; of a map its mean: (N, D)."""
    last = [call for call in calls(model) if has_kernel(call.operation)][-1:]
    if not last:
        raise ParameterError(
            f"embedding: received the network {model.name!r}, which has no layer with a kernel of "
            "its own, expected one; record the other statistics alone"
        )
    (tensor,) = last[0].inputs
    inner = tuple(range(1, len(tensor.shape) - 1))
    return keras.ops.mean(tensor, axis=inner) if inner else tensor
