import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from slimderm.components.common.errors import ImageError, ParameterError
from slimderm.components.compression.svd import decompose, is_full_rank

shapes = st.tuples(st.integers(1, 14), st.integers(1, 14), st.just(3))
images = hnp.arrays(np.uint8, shapes)


def photo(height=40, width=56, seed=0):
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    base = 120 + 60 * np.sin(rows / 7)[..., None] * np.cos(
        columns / np.array([5, 9, 13])[:, None, None]
    ).transpose(1, 2, 0)
    return np.clip(base + random.normal(0, 6, base.shape), 0, 255).astype(np.uint8)


def by_numpy(image, k):
    """A decomposition for each k and channel, as plain as can be."""
    out = np.empty(image.shape)
    for channel in range(3):
        u, s, v = np.linalg.svd(image[..., channel].astype(float), full_matrices=False)
        out[..., channel] = u[:, :k] @ np.diag(s[:k]) @ v[:k]
    return out


def large_images():
    random = np.random.default_rng(0)
    return {
        "photo": photo(300, 400),
        "tall": photo(400, 300, seed=1),
        "random": random.integers(0, 256, (300, 400, 3), dtype=np.uint8),
        "grey": np.repeat(photo(300, 400, seed=2)[..., :1], 3, axis=2),
        "extreme": random.choice(np.array([0, 255], np.uint8), (300, 400, 3)),
    }


@pytest.mark.parametrize(("name", "image"), large_images().items(), ids=str)
def test_reconstruction_agrees_with_numpy(name, image):
    for k, ours in decompose(image).truncations([1, 60, 150, 250, 299]):
        oracle = np.clip(np.rint(by_numpy(image, k)), 0, 255)
        assert np.abs(ours - oracle).max() <= 1, k
        assert (ours != oracle).mean() < 1e-4, k


@given(images, st.integers(1, 14))
@settings(max_examples=60, deadline=None)
def test_reconstruction_of_tiny_images_agrees_with_numpy(image, k):
    values = [np.linalg.svd(image[..., c].astype(float), compute_uv=False) for c in range(3)]
    # Where the k-th and the next singular value are equal, which to keep is anybody's choice.
    assume(
        all(k >= len(s) or s[k - 1] - s[k] > 1e-3 * (1 + s[0]) or s[k - 1] < 1e-9 for s in values)
    )
    oracle = by_numpy(image, k)
    ties = np.abs(oracle - np.floor(oracle) - 0.5) < 1e-3
    ours = decompose(image).reconstruct(k)
    difference = np.abs(ours - np.clip(np.rint(oracle), 0, 255))
    assert (difference <= ties).all()


def test_several_k_at_once_are_the_same_as_one_by_one():
    found = decompose(photo())
    together = dict(found.truncations([3, 20, 39, 40, 99]))
    assert list(together) == [99, 40, 39, 20, 3]
    for k, slim in together.items():
        difference = np.abs(slim.astype(int) - found.reconstruct(k))
        assert difference.max() <= 1
        assert (difference > 0).mean() < 1e-3


@given(images)
@settings(max_examples=60, deadline=None)
def test_full_rank_gives_the_image_back(image):
    assert np.array_equal(decompose(image).reconstruct(min(image.shape[:2])), image)
    assert decompose(image).explained_variance(min(image.shape[:2])) == pytest.approx(1)


@given(images, st.integers(1, 14))
@settings(max_examples=60, deadline=None)
def test_the_error_is_the_energy_of_what_was_discarded(image, k):
    found = decompose(image)
    error = ((by_numpy(image, k) - image) ** 2).sum()
    discarded = (found.values[:, k:] ** 2).sum()
    total = (image.astype(float) ** 2).sum()
    assert error == pytest.approx(discarded, abs=1e-6 * (1 + total))
    if total:
        assert found.explained_variance(k) == pytest.approx(1 - discarded / total, abs=1e-9)


def test_transposing_the_image_transposes_the_result():
    image = photo()
    turned = decompose(image.transpose(1, 0, 2)).reconstruct(7)
    difference = decompose(image).reconstruct(7).transpose(1, 0, 2).astype(int) - turned
    assert np.abs(difference).max() <= 1
    assert (difference != 0).mean() < 1e-4


def test_a_constant_and_a_black_image_need_one_value():
    grey = np.full((9, 7, 3), 93, np.uint8)
    assert np.array_equal(decompose(grey).reconstruct(1), grey)
    black = np.zeros((9, 7, 3), np.uint8)
    assert np.array_equal(decompose(black).reconstruct(1), black)
    assert decompose(black).explained_variance(1) == 1


def test_more_values_never_explain_less():
    found = decompose(photo())
    shares = [found.explained_variance(k) for k in range(1, 41)]
    assert shares == sorted(shares)


@pytest.mark.parametrize("k", [0, -3])
def test_k_below_one_is_an_error(k):
    found = decompose(photo())
    for use in (found.reconstruct, found.explained_variance):
        with pytest.raises(ParameterError, match=f"received {k}, expected at least 1"):
            use(k)


def test_full_rank_is_the_shorter_side():
    assert not is_full_rank((450, 600, 3), 449)
    assert is_full_rank((450, 600, 3), 450)
    assert is_full_rank((600, 450, 3), 450)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 3)),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_what_is_no_image_is_refused(array):
    with pytest.raises(ImageError, match="expected uint8"):
        decompose(array)
