"""Compare trained networks on the same lesions, over several seeds."""

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ParameterError, SchemaError
from slimderm.components.evaluation.metrics import Floats, Probabilities, weighted_metrics

Interval = tuple[float, float, float]  # value, low, high
# Takes weights (S, N), labels, probabilities (N, C) and the melanoma class.
Measure = Callable[[Floats, npt.NDArray[np.int64], Probabilities, int | None], dict[str, Floats]]
CHUNK = 128  # bootstrap samples at a time: bounds memory, costs nothing


class Comparison:
    """Bootstrap samples of a test part's lesions, the same for every network.

    So networks are compared on equal terms: a difference is taken within each sample, and its
    interval leaves out what makes a sample hard for both.

    Parameters
    ----------
    labels : numpy.ndarray
        (N,) class indices.
    lesions : numpy.ndarray
        (N,) the lesion of each image; all images of a drawn lesion come along.
    melanoma : int, optional
        The class whose recall is the melanoma sensitivity.
    num_samples : int
        Bootstrap samples.
    confidence : float
        Share of the samples that an interval holds, in (0, 1).
    seed : int
        Fixes the draws.

    Raises
    ------
    ParameterError
        When ``num_samples`` or ``confidence`` is out of range.
    SchemaError
        When lesions are not as many as labels.
    """

    def __init__(
        self,
        labels: npt.NDArray[np.int64],
        lesions: npt.NDArray[np.str_],
        *,
        melanoma: int | None = None,
        num_samples: int = 1000,
        confidence: float = 0.95,
        seed: int = 0,
    ) -> None:
        if num_samples < 1 or not 0 < confidence < 1:
            raise ParameterError(
                f"bootstrap: received {num_samples} samples at confidence {confidence}, expected "
                "at least 1 at a confidence in (0, 1)"
            )
        if len(lesions) != len(labels):
            raise SchemaError(f"received {len(lesions)} lesions for {len(labels)} labels")
        self.labels, self.melanoma, self.tail = labels, melanoma, (1 - confidence) / 2
        names, lesion_of_image = np.unique(lesions, return_inverse=True)
        random = np.random.default_rng(seed)
        chances = np.full(len(names), 1 / len(names))
        counts = random.multinomial(len(names), chances, num_samples).astype(np.float64)
        # The first row is the part itself, not a sample of it.
        self.weights = np.vstack([np.ones(len(labels)), counts[:, lesion_of_image]])

    def metrics(self, probabilities: npt.NDArray[np.float32]) -> dict[str, Floats]:
        """Every metric of networks that differ in their seed alone, their mean.

        Parameters
        ----------
        probabilities : numpy.ndarray
            (S, N, C), one row a seed.

        Returns
        -------
        dict
            Metric to (1 + num_samples,): of the part itself, then of each sample.
        """
        found: dict[str, list[Floats]] = {}
        for one in probabilities:
            for name, values in self.by_chunk(weighted_metrics, one).items():
                found.setdefault(name, []).append(values)
        return {name: np.mean(values, axis=0) for name, values in found.items()}

    def by_chunk(self, measure: Measure, one: Probabilities) -> dict[str, Floats]:
        """Metrics of one network, as `metrics`, measured a chunk of samples at a time."""
        chunks = np.array_split(self.weights, max(1, len(self.weights) // CHUNK))
        parts = [measure(rows, self.labels, one, self.melanoma) for rows in chunks]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def interval(self, values: Floats) -> Interval:
        """Turn the values of `metrics`, or a difference of them, into a value with its interval."""
        samples = values[1:][~np.isnan(values[1:])]
        if not samples.size:
            return float(values[0]), float("nan"), float("nan")
        low, high = np.quantile(samples, (self.tail, 1 - self.tail))
        return float(values[0]), float(low), float(high)


def rows_of(names: Iterable[str], values: dict[str, Interval]) -> dict[str, float]:
    """Lay out chosen metrics as columns ``name``, ``name_low``, ``name_high``."""
    columns: dict[str, float] = {}
    for name in names:
        if name in values:
            value, low, high = values[name]
            columns |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return columns
