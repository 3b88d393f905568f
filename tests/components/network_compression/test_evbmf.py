"""The rank of a noisy matrix: planted ones are found, at any scale of the noise."""

import numpy as np
import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.network_compression.evbmf import evbmf_rank
from slimderm.components.network_compression.low_rank import LowRank
from slimderm.components.network_compression.ranks import Ranks


def planted(shape, rank, noise, strength):
    """Singular values of orthonormal directions of equal strength, and Gaussian noise."""
    generator = np.random.default_rng(0)
    left, right = (np.linalg.qr(generator.standard_normal((size, rank)))[0] for size in shape)
    matrix = strength * left @ right.T + noise * generator.standard_normal(shape)
    return np.linalg.svd(matrix, compute_uv=False) ** 2


@pytest.mark.parametrize("noise", [1e-3, 1.0, 50.0])
@pytest.mark.parametrize(
    ("shape", "rank"), [((40, 300), 5), ((300, 40), 5), ((100, 100), 20), ((64, 1152), 1)]
)
def test_the_planted_rank_is_found(shape, rank, noise):
    """The noise's own largest singular value is about √rows + √columns: three times as strong."""
    strength = 3 * noise * (np.sqrt(shape[0]) + np.sqrt(shape[1]))
    assert evbmf_rank(planted(shape, rank, noise, strength), shape) == rank


def test_directions_below_the_noise_are_not_counted():
    strength = 0.2 * (np.sqrt(60) + np.sqrt(200))
    assert evbmf_rank(planted((60, 200), 4, 1.0, strength), (60, 200)) == 0


@pytest.mark.parametrize("shape", [(50, 400), (200, 200)])
def test_noise_alone_has_no_rank(shape):
    assert evbmf_rank(planted(shape, 1, 1.0, 0.0), shape) == 0


def test_a_matrix_without_noise_keeps_its_rank_and_zeros_have_none():
    assert evbmf_rank(planted((30, 90), 7, 0.0, 1.0), (30, 90)) == 7
    assert evbmf_rank(np.zeros(30), (30, 90)) == 0
    assert evbmf_rank(np.ones(1), (1, 90)) == 0


def test_each_matrix_gets_its_own_and_at_least_one():
    spectra = {"some": planted((40, 300), 5, 1.0, 99.0), "none": planted((40, 300), 1, 1.0, 0.0)}
    ranks = Ranks(evbmf=True).of(dict.fromkeys(spectra, (40, 300)), lambda: spectra)
    assert ranks == {"some": 5, "none": 1}


def test_it_is_one_choice_of_several_and_not_for_outputs():
    with pytest.raises(ParameterError, match="expected exactly one of them"):
        Ranks(rank=2, evbmf=True)
    with pytest.raises(ParameterError, match="received evbmf with data_aware"):
        LowRank(Ranks(evbmf=True), data_aware=True)


@pytest.mark.parametrize("rank", [(0, 2), (2,), (2, 3, 4), (2, 1.5), "ab", (True, 2)])
def test_wrong_pairs_are_refused(rank):
    with pytest.raises(ParameterError, match="for Tucker perhaps two"):
        Ranks(rank=rank)


def test_a_pair_is_for_tucker():
    with pytest.raises(ParameterError, match="expected one number; a pair is for Tucker"):
        LowRank(Ranks(rank=(2, 3)))
