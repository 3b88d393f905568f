"""How alike the layers of two networks are: linear CKA, estimated without bias batch by batch.

Kornblith et al. 2019 (arXiv 1905.00414) for CKA; the unbiased estimator of HSIC is that of Song et
al. 2012 (JMLR 13, eq. 5), used in minibatches as by Nguyen, Raghu and Kornblith 2021 (arXiv
2010.15327, eq. 3): numerator and denominator are averaged over batches, so the estimate does not
depend on the batch size.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import graph_of
from slimderm.components.model_graph.outputs import has_kernel, layer_outputs, output_of, to_numpy

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
FEWEST = 4  # images in a batch: the estimator divides by n - 3


@dataclass(frozen=True)
class Similarity:
    """CKA of every pair of layers.

    Attributes
    ----------
    first, second : tuple of str
        Layers of the two networks, in their order.
    values : numpy.ndarray
        (len(first), len(second)) float64, 1 for layers that are alike up to rotation and scale,
        about 0 for layers that have nothing in common; NaN where a layer says the same of every
        image. Being unbiased, an estimate may fall a little outside [0, 1].
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    values: Floats

    def frame(self) -> "pd.DataFrame":
        """Lay out one row a pair: ``first``, ``second``, ``cka``."""
        import pandas as pd

        pairs = pd.MultiIndex.from_product([self.first, self.second], names=["first", "second"])
        return pd.DataFrame({"cka": self.values.ravel()}, index=pairs).reset_index()


def default_layers(model: keras.Model) -> list[str]:
    """Return the layers that hold kernels, in the model's order; nested models are not entered."""
    return [layer.name for layer in model.layers if has_kernel(layer)]


def layer_similarity(
    first: keras.Model,
    second: keras.Model,
    batches: Iterable[Any],
    *,
    first_layers: Sequence[str] | None = None,
    second_layers: Sequence[str] | None = None,
) -> Similarity:
    """Compare every layer of one network with every layer of another on the same inputs.

    Parameters
    ----------
    first, second : keras.Model
        Functional; of whatever widths.
    batches : iterable
        Inputs of both, at least 4 samples each.
    first_layers, second_layers : sequence of str, optional
        Layers by name; those with kernels where not given. Of a layer that is called more than
        once, the first call counts.

    Returns
    -------
    Similarity

    Raises
    ------
    ParameterError
        For a model without a graph, one without kernels where no layers are named, an unknown
        layer, too small a batch, or no batch.
    """
    models = {"first": first, "second": second}
    chosen = {"first": first_layers, "second": second_layers}
    return layer_similarities(models, batches, layers=chosen)["first", "second"]


def layer_similarities(
    models: Mapping[str, keras.Model],
    batches: Iterable[Any],
    *,
    layers: Mapping[str, Sequence[str] | None] | None = None,
) -> dict[tuple[str, str], Similarity]:
    """Compare several networks pairwise, layer by layer; each sees every batch once.

    Parameters
    ----------
    models : mapping
        Two or more, by name; as in `layer_similarity`.
    batches : iterable
        Inputs of all, at least 4 samples each.
    layers : mapping, optional
        Model's name to its layers by name; those with kernels where it has none.

    Returns
    -------
    dict
        Pair of names, in the order of ``models``, to `Similarity`.

    Raises
    ------
    ParameterError
        As `layer_similarity`, and for fewer than two models.
    """
    if len(models) < 2:
        raise ParameterError(f"models: received {len(models)}, expected two or more")
    taps = {name: _tapped(model, (layers or {}).get(name)) for name, model in models.items()}
    own = {name: np.zeros(len(chosen)) for name, (_, chosen) in taps.items()}
    cross = {
        pair: np.zeros([len(taps[name][1]) for name in pair]) for pair in combinations(taps, 2)
    }
    number = 0
    for inputs in batches:
        grams = {name: _grams(tap, inputs) for name, (tap, _) in taps.items()}  # (L, n, n) each
        for name, found in grams.items():
            own[name] += np.diag(hsic(found, found))
        for one, other in cross:
            cross[one, other] += hsic(grams[one], grams[other])
        number += 1
    if not number:
        raise ParameterError("batches: received none, expected at least one")
    scales = {name: np.sqrt(np.maximum(values, 0)) for name, values in own.items()}
    return {
        (one, other): Similarity(
            tuple(taps[one][1]), tuple(taps[other][1]), _ratio(values, scales[one], scales[other])
        )
        for (one, other), values in cross.items()
    }


def _ratio(cross: Floats, scale: Floats, other: Floats) -> Floats:
    product = np.outer(scale, other)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(product > 0, cross / product, np.nan)


def _tapped(model: keras.Model, names: Sequence[str] | None) -> tuple[keras.Model, list[str]]:
    chosen = default_layers(model) if names is None else list(names)
    if not chosen:
        raise ParameterError(
            f"layers: received none of {model.name!r}, expected at least one; name some of "
            f"{', '.join(layer_outputs(model))}"
        )
    outputs = [output_of(model, name) for name in chosen]
    graph: Any = graph_of(model)
    return keras.Model(graph.input, outputs), chosen


def _grams(tap: keras.Model, inputs: Any) -> Floats:
    """Inner products between the samples of a batch, layer by layer: (L, n, n).

    Taken from the first sample on: the estimate is the same, and what is constant becomes exactly
    zero, whatever its size.
    """
    outputs = tap(inputs, training=False)
    found = []
    for output in outputs if isinstance(outputs, list | tuple) else [outputs]:
        features = to_numpy(output).astype(np.float64)
        if len(features) < FEWEST:
            raise ParameterError(
                f"batch: received {len(features)} samples, expected at least {FEWEST}; the "
                "estimator is not defined for fewer"
            )
        flat = (features - features[0]).reshape(len(features), -1)
        found.append(flat @ flat.T)
    return np.stack(found)


def hsic(grams: Floats, others: Floats) -> Floats:
    """Estimate HSIC without bias between all pairs of Gram matrices (Song et al. 2012, eq. 5).

    Parameters
    ----------
    grams, others : numpy.ndarray
        (L, n, n) and (M, n, n), n at least 4.

    Returns
    -------
    numpy.ndarray
        (L, M).
    """
    n = grams.shape[-1]
    hollow = ~np.eye(n, dtype=bool)
    one, two = grams * hollow, others * hollow
    traces = one.reshape(len(one), -1) @ two.reshape(len(two), -1).T
    sums = np.outer(one.sum((1, 2)), two.sum((1, 2)))
    rows = one.sum(2) @ two.sum(2).T
    found: Floats = traces + sums / ((n - 1) * (n - 2)) - 2 * rows / (n - 2)
    found /= n * (n - 3)
    return found
