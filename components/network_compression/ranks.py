"""Which rank a matrix keeps: a given one, or by energy; and all layers' ranks by a budget."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.method import Budget

HALVINGS = 24  # of the energy, while a budget is met


@dataclass(frozen=True)
class Ranks:
    """How ranks are chosen; exactly one of the three is given.

    Attributes
    ----------
    rank : int, optional
        The same for every layer; a layer of a full rank not above it is left alone.
    energy : float, optional
        In (0, 1]: each layer keeps the smallest rank that holds this share of the sum of squared
        singular values.
    budget : Budget, optional
        What the model may cost: the largest energy, the same for all layers, that meets it.
    """

    rank: int | None = None
    energy: float | None = None
    budget: Budget | None = None

    def __post_init__(self) -> None:
        given = [self.rank, self.energy, self.budget]
        if sum(value is not None for value in given) != 1:
            raise ParameterError(
                f"ranks: received rank {self.rank}, energy {self.energy} and budget "
                f"{self.budget}, expected exactly one of them"
            )
        if self.rank is not None and (
            isinstance(self.rank, bool) or not isinstance(self.rank, Integral) or self.rank < 1
        ):
            raise ParameterError(
                f"rank: received {self.rank!r}, expected a whole number of at least 1"
            )
        if self.energy is not None and (
            isinstance(self.energy, bool)
            or not isinstance(self.energy, Real)
            or not 0 < self.energy <= 1
        ):
            raise ParameterError(
                f"energy: received {self.energy!r}, expected a share above 0, at most 1"
            )

    def of(self, spectra: Mapping[str, npt.NDArray[np.float64]]) -> dict[str, int]:
        """Choose the rank of each matrix; not for a budget.

        Parameters
        ----------
        spectra : mapping
            Name to squared singular values, the largest first.

        Raises
        ------
        ParameterError
            For a rank that no matrix has.
        """
        if self.rank is None:
            assert self.energy is not None
            return by_energy(spectra, self.energy)
        largest = max((len(spectrum) for spectrum in spectra.values()), default=self.rank)
        if self.rank > largest:
            raise ParameterError(
                f"rank: received {self.rank}, expected at most {largest}, the largest full rank "
                "of the layers"
            )
        return {name: min(self.rank, len(spectrum)) for name, spectrum in spectra.items()}


def by_energy(spectra: Mapping[str, npt.NDArray[np.float64]], energy: float) -> dict[str, int]:
    """Return for each matrix the smallest rank that holds a share of the energy."""
    return {name: _rank(spectrum, energy) for name, spectrum in spectra.items()}


def _rank(spectrum: npt.NDArray[np.float64], energy: float) -> int:
    total = spectrum.sum()
    if total == 0:
        return 1
    if energy == 1:
        return len(spectrum)
    return int(np.searchsorted(np.cumsum(spectrum), energy * total) + 1)


def meet(
    spectra: Mapping[str, npt.NDArray[np.float64]],
    budget: Budget,
    cost: Callable[[Mapping[str, int]], float],
) -> dict[str, int]:
    """Return the ranks of the largest energy that meets a budget.

    Parameters
    ----------
    spectra : mapping
        As for `Ranks.of`.
    budget : Budget
        Its limit is compared with what `cost` gives.
    cost : callable
        Ranks to what the model then costs.

    Raises
    ------
    ParameterError
        When rank 1 everywhere costs more.
    """
    smallest = dict.fromkeys(spectra, 1)
    least = cost(smallest)
    if least > budget.limit:
        raise ParameterError(
            f"budget: received {budget.limit:g} {budget.kind}, expected at least {least:g}, what "
            "rank 1 of every layer costs; choose more layers, or prune first"
        )
    best, low, high = smallest, 0.0, 1.0
    whole = by_energy(spectra, 1)
    if cost(whole) <= budget.limit:
        return whole
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        ranks = by_energy(spectra, middle)
        if cost(ranks) <= budget.limit:
            best, low = ranks, middle
        else:
            high = middle
    return best
