"""Random numbers of the file format: known answers, Python's own quantiles, exact products."""

from fractions import Fraction
from statistics import NormalDist

import numpy as np
import pytest

from slimderm.components.common.errors import SlimDermError
from slimderm.components.network_compression import random_words
from slimderm.components.network_compression.random_words import (
    GRID,
    LEVELS,
    Purpose,
    Stream,
    permutation,
    signs,
    table,
)

PI = ("243f6a8885a308d3", "13198a2e03707344", "a4093822299f31d0", "082efa98ec4e6c89")


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        (0, (0, 0), "16554d9eca36314c db20fe9d672d0fdc d7e772cee186176b 7e68b68aec7ba23b"),
        (
            (1 << 256) - 1,
            (2**64 - 1, 2**64 - 1),
            "87b092c3013fe90b 438c3c67be8d0224 9cc7d7c69cd777b6 a09caebf594f0ba0",
        ),
        (
            sum(int(word, 16) << 64 * place for place, word in enumerate(PI)),
            (0x452821E638D01377, 0xBE5466CF34E90C6C),
            "a528f45403e61d95 38c72dbd566e9788 a5a1610e72fd18b5 57bd43b5e52b7fe6",
        ),
    ],
)
def test_words_are_the_known_answers_of_philox(counter, key, answer):
    """Vectors of the authors' library, Random123."""
    assert [f"{word:016x}" for word in Stream(*key).words(counter, 1)] == answer.split()


def test_a_stream_is_read_from_any_place_in_any_order():
    whole = Stream(7, Purpose.SAMPLES).words(0, 50)
    stream = Stream(7, Purpose.SAMPLES)
    for first in (40, 3, 3, 49, 0):
        np.testing.assert_array_equal(stream.words(first, 1), whole[4 * first : 4 * first + 4])


def test_normals_are_the_quantiles_that_python_computes():
    quantile = NormalDist().inv_cdf
    expected = [round(GRID * quantile((k + 0.5) / LEVELS)) / GRID for k in range(LEVELS)]
    np.testing.assert_array_equal(table(), np.float32(expected))
    np.testing.assert_array_equal(table(), -table()[::-1])


def test_no_quantile_is_so_near_a_rounding_that_another_library_may_differ():
    quantile = NormalDist().inv_cdf
    scaled = np.array([GRID * quantile((k + 0.5) / LEVELS) for k in range(LEVELS)])
    assert np.abs(scaled % 1 - 0.5).min() > 1e-6


def test_a_normal_times_a_scale_is_exact():
    random = np.random.default_rng(0)
    bits = random.integers(1, 0x7C00, 300, np.uint16)  # all finite positive float16
    for scale, normal in zip(bits.view(np.float16), random.choice(table(), 300), strict=True):
        product = np.float32(scale) * normal
        assert Fraction(float(product)) == Fraction(float(scale)) * Fraction(float(normal))


def test_other_quantiles_are_refused_and_not_decoded(monkeypatch):
    monkeypatch.setattr(random_words, "ndtri", lambda values: values)
    with pytest.raises(SlimDermError, match="quantiles whose table has the checksum"):
        table.__wrapped__()


def test_normals_of_a_stream_are_normal():
    drawn = Stream(1, Purpose.SAMPLES).normals(0, 10_000).astype(float)
    assert drawn.size == 160_000
    assert abs(drawn.mean()) < 0.01
    assert abs(drawn.std() - 1) < 0.01
    assert abs(np.mean(drawn[1:] * drawn[:-1])) < 0.01


def test_a_permutation_is_what_it_was():
    assert permutation(3, 10).tolist() == [7, 9, 2, 8, 1, 0, 4, 3, 6, 5]
    assert sorted(permutation(0, 1001)) == list(range(1001))


def test_signs_are_what_they_were_from_any_place():
    whole = signs(3, 0, 1000)
    assert whole[:12].tolist() == [1, -1, -1, -1, -1, -1, 1, 1, 1, 1, 1, -1]
    assert set(whole) == {-1, 1}
    assert abs(whole.mean()) < 0.1
    for start in (0, 1, 255, 256, 700):
        np.testing.assert_array_equal(signs(3, start, 300), whole[start : start + 300])
