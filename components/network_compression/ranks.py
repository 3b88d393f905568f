"""Which rank a matrix keeps: given, by energy or by its noise; all layers' ranks by a budget."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ParameterError
from slimderm.components.network_compression.evbmf import evbmf_rank
from slimderm.components.pruning.method import Budget

HALVINGS = 24  # of the energy, while a budget is met

Key = TypeVar("Key", bound=Hashable)  # of a matrix: a layer's path, perhaps with a mode
# Squared singular values, the largest first.
Spectra = Mapping[Key, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Ranks:
    """How ranks are chosen; exactly one of the four is given.

    Attributes
    ----------
    rank : int or pair of int, optional
        The same for every layer; a layer of a full rank not above it keeps its own. A pair is for
        Tucker: of input channels, of output channels.
    energy : float, optional
        In (0, 1]: each matrix keeps the smallest rank that holds this share of the sum of squared
        singular values.
    budget : Budget, optional
        What the model may cost: the largest energy, the same for all layers, that meets it.
    evbmf : bool
        Each matrix keeps what is more than noise, by empirical variational Bayes; 1 at least.
    """

    rank: int | Sequence[int] | None = None
    energy: float | None = None
    budget: Budget | None = None
    evbmf: bool = False

    def __post_init__(self) -> None:
        given = [self.rank, self.energy, self.budget, self.evbmf or None]
        if sum(value is not None for value in given) != 1:
            raise ParameterError(
                f"ranks: received rank {self.rank}, energy {self.energy}, budget {self.budget} "
                f"and evbmf {self.evbmf}, expected exactly one of them"
            )
        if self.rank is not None and not _is_rank(self.rank) and not self.pair:
            raise ParameterError(
                f"rank: received {self.rank!r}, expected a whole number of at least 1, for "
                "Tucker perhaps two"
            )
        if self.energy is not None and (
            isinstance(self.energy, bool)
            or not isinstance(self.energy, Real)
            or not 0 < self.energy <= 1
        ):
            raise ParameterError(
                f"energy: received {self.energy!r}, expected a share above 0, at most 1"
            )

    @property
    def pair(self) -> bool:
        """Whether ranks are given for input and for output channels."""
        given = self.rank
        return isinstance(given, list | tuple) and len(given) == 2 and all(map(_is_rank, given))

    def of_mode(self, mode: int) -> "Ranks":
        """Return what holds for input channels (0) or output channels (1)."""
        if isinstance(self.rank, Sequence):
            return replace(self, rank=self.rank[mode])
        return self

    def of(
        self, shapes: Mapping[Key, tuple[int, int]], spectra: Callable[[], Spectra[Key]]
    ) -> dict[Key, int]:
        """Choose the rank of each matrix; neither for a budget nor for a pair.

        Parameters
        ----------
        shapes : mapping
            Name to the matrix's shape.
        spectra : callable
            Gives name to squared singular values, the largest first; not called for a rank. Those
            of several matrices of one shape, added up, give them one rank.

        Raises
        ------
        ParameterError
            For a rank that no matrix has.
        """
        if self.evbmf:
            found = spectra()
            return {name: max(evbmf_rank(found[name], shapes[name]), 1) for name in found}
        if self.energy is not None:
            return by_energy(spectra(), self.energy)
        assert isinstance(self.rank, Integral)
        largest = max(map(min, shapes.values()), default=self.rank)
        if self.rank > largest:
            raise ParameterError(
                f"rank: received {self.rank}, expected at most {largest}, the largest full rank "
                "of the layers"
            )
        return {name: min(self.rank, *shape) for name, shape in shapes.items()}


def _is_rank(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1


def by_energy(spectra: Spectra[Key], energy: float) -> dict[Key, int]:
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
    spectra: Spectra[Key],
    budget: Budget,
    cost: Callable[[Mapping[Key, int]], float],
) -> dict[Key, int]:
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
    too_large = by_energy(spectra, 1)
    if cost(too_large) <= budget.limit:
        return too_large
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        ranks = by_energy(spectra, middle)
        if ranks in (best, too_large):  # costs what is known
            low, high = (middle, high) if ranks == best else (low, middle)
        elif cost(ranks) <= budget.limit:
            best, low = ranks, middle
        else:
            too_large, high = ranks, middle
    return best
