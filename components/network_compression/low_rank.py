"""Dense layers and convolutions as products of two smaller ones, by truncated SVD."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.copies import copied
from slimderm.components.network_compression import factors
from slimderm.components.network_compression.costs import measure
from slimderm.components.network_compression.factors import Matrix, Scheme
from slimderm.components.network_compression.faster import check_faster, times
from slimderm.components.network_compression.input_moments import Moments, input_moments
from slimderm.components.network_compression.passes import (
    Compressed,
    Means,
    Order,
    Pass,
)
from slimderm.components.network_compression.ranks import Ranks, meet
from slimderm.components.network_compression.replaceable import replaceable, replaced
from slimderm.components.network_compression.rewrite import Chain, rewrite


@dataclass(frozen=True)
class LowRank(Pass):
    """Replace layers by two of a low rank between them; biases stay, nothing stands between.

    Attributes
    ----------
    ranks : Ranks
        How many singular values stay.
    scheme : str
        A key of `slimderm.components.network_compression.factors.SCHEMES`: which layers, and how
        their kernels are matrices.
    data_aware : bool
        Lose least of the layer's *outputs* on data, instead of least of the kernel. Layers follow
        each other: each is fitted to what the compressed layers before it give.
    layers : sequence of str, optional
        Layers to replace, by path; ``*`` and ``?`` stand for any characters. All of the scheme's
        where not given.
    faster_only : bool
        Replace a layer only where its factors are measured to be faster on this machine.
    """

    ranks: Ranks
    scheme: str = "dense"
    data_aware: bool = False
    layers: Sequence[str] | None = None
    faster_only: bool = False
    order: ClassVar[Order] = Order.SHAPES

    def __post_init__(self) -> None:
        scheme = factors.get(self.scheme)
        if self.data_aware and not scheme.rows_are_inputs:
            able = [name for name, one in factors.SCHEMES.items() if one.rows_are_inputs]
            raise ParameterError(
                f"data_aware: received scheme {self.scheme}, expected one of {', '.join(able)}"
            )
        if self.ranks.pair:
            raise ParameterError(
                f"rank: received {self.ranks.rank}, expected one number; a pair is for Tucker"
            )
        if self.data_aware and self.ranks.evbmf:
            raise ParameterError(
                "ranks: received evbmf with data_aware, expected another choice: the noise of a "
                "kernel is not that of its outputs"
            )
        check_faster(self.faster_only, self.ranks)

    def _compress(self, model: keras.Model, means: Means) -> Compressed:
        if self.data_aware and means.data is None:
            raise ParameterError("data: received none, expected batches for data_aware ranks")
        return _Factorisation(self, model, means).result()


class _Factorisation:
    """The state of one pass: the copy whose kernels become those of the factors, one by one."""

    def __init__(self, settings: LowRank, model: keras.Model, means: Means) -> None:
        self.settings, self.model, self.means = settings, model, means
        self.data = means.data if settings.data_aware else None
        self.scheme: Scheme = factors.get(settings.scheme)
        self.copy = copied(model)
        self.layers, self.left = replaceable(self.copy, self.scheme.kinds, settings.layers)
        self.known: dict[str, list[tuple[Matrix, Matrix]]] = {}
        self.matrices = {
            path: factors.split(layer, self.scheme) for path, layer in self.layers.items()
        }

    def result(self) -> Compressed:
        ranks = self._ranks()
        chains, changed = {}, {}
        for path, layer in self.layers.items():
            matrices = self.matrices[path]
            rank, full = ranks[path], min(matrices[0].shape)
            size = sum(rank * sum(matrix.shape) for matrix in matrices)
            whole = sum(matrix.size for matrix in matrices)
            if size >= whole:
                self.left[path] = (
                    f"rank {rank} of {full} has {size:,} weights, its kernel has {whole:,}"
                )
                continue
            measured = ""
            if self.settings.faster_only:
                both = times(self.model, path, self._empty_chain(layer, matrices, rank))
                if not both.faster:
                    self.left[path] = f"its factors are not faster: {both}"
                    continue
                measured = f", {both}"
            found = self._factors(path, rank)
            chains[path] = self.scheme.to_chain(layer, found)
            changed[path] = f"rank {full} to {rank}, {whole:,} weights to {size:,}{measured}"
        return replaced(self.model, chains, changed, self.left, self.means)

    def _ranks(self) -> dict[str, int]:
        ranks = self.settings.ranks
        if ranks.budget is not None:
            return meet(self._spectra(), ranks.budget, self._cost)
        shapes = {path: matrices[0].shape for path, matrices in self.matrices.items()}
        return ranks.of(shapes, self._spectra)

    def _spectra(self) -> dict[str, Matrix]:
        """Return squared singular values, those of a layer's groups added up."""
        moments = self._moments(self.layers)
        return {
            path: np.sum([values for values, _ in self._eigen(path, moments)], axis=0)
            for path in self.layers
        }

    def _eigen(self, path: str, moments: Mapping[str, Moments]) -> list[tuple[Matrix, Matrix]]:
        """Decompose each group of a layer; without data once, for nothing changes."""
        if path in self.known:
            return self.known[path]
        matrices = self.matrices[path]
        given: Any = moments.get(path, [None] * len(matrices))
        found = [_eigen(*pair) for pair in zip(matrices, given, strict=True)]
        if self.data is None:
            self.known[path] = found
        return found

    def _cost(self, ranks: Mapping[str, int]) -> float:
        chains = {}
        for path, layer in self.layers.items():
            matrices = self.matrices[path]
            rank = ranks[path]
            if rank * sum(matrices[0].shape) < matrices[0].size:
                chains[path] = self._empty_chain(layer, matrices, rank)
        assert self.settings.ranks.budget is not None
        return measure(rewrite(self.model, chains), self.settings.ranks.budget.kind)

    def _empty_chain(self, layer: Any, matrices: list[Matrix], rank: int) -> Chain:
        return self.scheme.to_chain(
            layer, [(np.zeros((m.shape[0], rank)), np.zeros((rank, m.shape[1]))) for m in matrices]
        )

    def _moments(self, layers: Mapping[str, Any]) -> dict[str, Moments]:
        return {} if self.data is None else input_moments(self.copy, layers, self.data)

    def _factors(self, path: str, rank: int) -> list[tuple[Matrix, Matrix]]:
        """Return the factors of each group, and let the copy compute with them."""
        layer = self.layers[path]
        groups = zip(
            self.matrices[path], self._eigen(path, self._moments({path: layer})), strict=True
        )
        found = [_projected(matrix, vectors[:, :rank]) for matrix, (_, vectors) in groups]
        if self.data is not None:
            layer.kernel.assign(factors.join(layer, [one @ two for one, two in found]))
        return found


def _eigen(matrix: Matrix, moment: Matrix | None) -> tuple[Matrix, Matrix]:
    """Return squared singular values, largest first, and right singular vectors in columns.

    Of the matrix W, or of LᵀW where the moment is L Lᵀ: both are eigenvectors of Wᵀ(L Lᵀ)W.
    """
    gram = matrix.T @ matrix if moment is None else matrix.T @ moment @ matrix
    values, vectors = np.linalg.eigh(gram)
    full = min(matrix.shape)
    return np.maximum(values[::-1][:full], 0), vectors[:, ::-1][:, :full]


def _projected(matrix: Matrix, vectors: Matrix) -> tuple[Matrix, Matrix]:
    """Return W V and Vᵀ, scaled alike: the product is W projected on orthonormal directions."""
    first, second = matrix @ vectors, vectors.T
    scale = float(np.sqrt(np.linalg.norm(first) / np.linalg.norm(second))) or 1.0
    return first / scale, second * scale
