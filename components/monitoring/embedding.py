"""The activations of a network's last layer but one, told beside its answers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import keras
import numpy as np
import pandas as pd

from slimderm.components.classification.classifier import Classifier, network_answer
from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import calls, check_model, graph_of
from slimderm.components.model_graph.outputs import has_kernel
from slimderm.components.monitoring.inputs import EMBEDDING, pack

Answering = TypeVar("Answering", bound=Classifier)


def with_embedding(classifier: Answering, network: keras.Model) -> Answering:
    """Give the same classifier, whose answers have a column ``embedding``, as `pack` writes it.

    Parameters
    ----------
    classifier : Classifier
        It may answer by a file that is made of the network, and knows nothing of its layers.
    network : keras.Model
        The network that gives the embedding.

    Raises
    ------
    ParameterError
        If the network is not of the functional or sequential kind, or has no layer with a kernel.
    """
    check_model(network)
    graph: Any = graph_of(network)
    inner = keras.Model(graph.input, _embedding(network))

    def embedded(images: Sequence[np.ndarray], people: pd.DataFrame) -> Mapping[str, list[str]]:
        vectors = network_answer(inner, images, people, classifier.description)  # (N, D)
        return {EMBEDDING: [pack(np.asarray(vector, np.float32)) for vector in vectors]}

    return replace(classifier, extra_columns=embedded)


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
