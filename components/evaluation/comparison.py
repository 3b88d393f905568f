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

    Where there are several training seeds, each sample draws seeds, too: one fewer than there are,
    so that the variance between them is not underestimated (Rao and Wu 1988, doi
    10.1080/01621459.1988.10478591), and their effects shrunk, so that it is not counted twice
    (Carpenter, Goldstein and Rasbash 2003, doi 10.1111/1467-9876.00415).

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
        self.random_seed = seed
        names, lesion_of_image = np.unique(lesions, return_inverse=True)
        random = np.random.default_rng(seed)
        chances = np.full(len(names), 1 / len(names))
        counts = random.multinomial(len(names), chances, num_samples).astype(np.float64)
        # The first row is the part itself, not a sample of it.
        self.weights = np.vstack([np.ones(len(labels)), counts[:, lesion_of_image]])

    def by_seed(
        self, probabilities: Probabilities, measure: Measure = weighted_metrics
    ) -> dict[str, Floats]:
        """Measure networks that differ in their seed alone.

        Parameters
        ----------
        probabilities : numpy.ndarray
            (S, N, C), one row a seed.
        measure : callable
            What is measured; every metric where not given.

        Returns
        -------
        dict
            Metric to (S, 1 + num_samples): of the part itself, then of each sample.
        """
        found = [self._by_chunk(measure, one) for one in probabilities]
        return {name: np.stack([each[name] for each in found]) for name in found[0]}

    def pooled(self, values: Floats) -> Floats:
        """Pool the seeds of a metric, or of a difference, and let the samples draw seeds, too.

        What seeds differ by holds what each one's luck with these lesions is, which the samples of
        lesions have already. So the seeds' own part alone is drawn: their effects are shrunk to the
        variance that is left.

        Parameters
        ----------
        values : numpy.ndarray
            (S, 1 + num_samples), as those of `by_seed`.

        Returns
        -------
        numpy.ndarray
            (1 + num_samples,): the mean over the seeds, then that of each sample.
        """
        pooled: Floats = values.mean(axis=0)
        number = len(values)
        if number == 1:
            return pooled
        effects = values[:, 0] - pooled[0]
        luck = np.nanvar(values[:, 1:] - pooled[1:], axis=1).mean() * number / (number - 1)
        between = effects.var(ddof=1)
        if between > luck:
            random = np.random.default_rng([self.random_seed, number])
            shares = np.full(number, 1 / number)
            drawn = random.multinomial(number - 1, shares, len(pooled) - 1) / (number - 1)
            pooled[1:] += np.sqrt(1 - luck / between) * (drawn @ effects)
        return pooled

    def _by_chunk(self, measure: Measure, one: Probabilities) -> dict[str, Floats]:
        chunks = np.array_split(self.weights, max(1, len(self.weights) // CHUNK))
        parts = [measure(rows, self.labels, one, self.melanoma) for rows in chunks]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def interval(self, values: Floats) -> Interval:
        """Turn what `pooled` gives into a value with its interval."""
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
