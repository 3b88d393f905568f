"""Each metric against an independent program, on identical pairs of images."""

import cv2
import mahotas
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage import metrics as oracle

from benchmarks import reference
from slimderm.components.quality.kernels.haralick import cooccurrences, haralick
from slimderm.components.quality.kernels.windows import window_moments
from slimderm.components.quality.measure import Reference
from slimderm.components.quality.metrics import (
    METRICS,
    Image,
    Pair,
    colour,
    fidelity,
    information,
    shape,
    spectrum,
    texture,
)
from slimderm.components.quality.settings import QualitySettings

# Absolute; in brackets the spread over k = 100..450 of a metric's mean on 600x450 originals.
TOLERANCES = {
    "psnr": 1e-9,  # 60 dB
    "ssim": 2e-7,  # 0.05
    "rmse": 1e-9,  # 2.4
    "mse": 1e-9,  # 5.7
    "histogram_intersection": 1e-6,  # 0.015
    "bhattacharyya": 1e-6,  # 0.016
    "hu_distance": 1e-13,  # 5e-8
    "hu_correlation": 1e-9,  # 1e-15: it says nothing here
    "haralick_distance": 1e-8,  # 19
    "share_changed": 1e-12,  # 0.07
    "voi": 1e-9,  # 5.9
    "nmi": 1e-9,  # 0.6
    "mse_low": 1e-4,  # 5.1
    "mse_high": 1e-4,  # 4.6
    "spectral_correlation": 1e-6,  # 0.0012
}


def gray(image):
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def image_of(pixels):
    """An image of RGB pixels, or of gray ones, which its gray image then is."""
    colours = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    return Image(np.ascontiguousarray(colours))


def pair_of(original, other, **values):
    return Pair(image_of(original), image_of(other), QualitySettings(**values))


def test_every_metric_agrees_with_the_plain_computation(pair):
    original, other = pair
    found = Reference(original, QualitySettings()).compare(other)
    expected = reference.compare(original, other)
    assert set(found) == set(TOLERANCES) == set(METRICS)
    for name, tolerance in TOLERANCES.items():
        assert found[name] == pytest.approx(expected[name], abs=tolerance), name


images = st.tuples(st.integers(7, 20), st.integers(7, 20)).flatmap(
    lambda sides: st.tuples(*[hnp.arrays(np.uint8, (*sides, 3))] * 2)
)


@given(images)
@settings(max_examples=40, deadline=None)
def test_every_metric_agrees_on_whatever_images(found):
    original, other = found
    ours = Reference(original, QualitySettings()).compare(other)
    expected = reference.compare(original, other)
    for name in set(TOLERANCES) - {"spectral_correlation"}:  # undefined where amplitudes are flat
        # Mahotas takes a variance of 1e-13 for one, and divides by it.
        near = 1e-4 if name == "haralick_distance" else TOLERANCES[name]
        assert ours[name] == pytest.approx(expected[name], abs=near), name


def test_equal_images_get_the_ceiling_and_no_infinity(pair):
    same = pair_of(pair[0], pair[0])
    found = [metric(same) for metric in (fidelity.psnr, fidelity.rmse, fidelity.share_changed)]
    assert found == [fidelity.PSNR_CEILING, 0, 0]


def test_ssim_agrees_with_scikit_image(pair):
    original, other = pair
    expected = oracle.structural_similarity(original, other, channel_axis=-1, data_range=255)
    assert fidelity.ssim(pair_of(original, other)) == pytest.approx(expected, abs=2e-7)


def test_window_moments_are_whole_numbers_by_hand(pair):
    image = pair[0]
    sums, spreads = window_moments(image.reshape(len(image), -1))
    windows = np.lib.stride_tricks.sliding_window_view(image.astype(int), (7, 7), axis=(0, 1))
    total = windows.sum(axis=(-1, -2))  # (H - 6, W - 6, 3)
    squares = (windows**2).sum(axis=(-1, -2))
    assert np.array_equal(sums.reshape(total.shape), total)
    assert np.array_equal(spreads.reshape(total.shape), 49 * squares - total**2)


def test_share_of_changed_pixels_by_hand():
    original = np.full((10, 10, 3), 100, np.uint8)
    other = original.copy()
    other[0, :5, 1] += 6
    other[1, :5, 2] -= 5

    def share(threshold):
        return fidelity.share_changed(pair_of(original, other, changed_threshold=threshold))

    assert (share(5), share(4), share(6)) == pytest.approx((0.05, 0.10, 0))


def test_histograms_agree_with_numpy(pair):
    found = colour.histograms(image_of(pair[0]))
    for channel in range(3):
        counts = np.bincount(pair[0][..., channel].ravel(), minlength=256)
        assert found[channel] == pytest.approx(counts / counts.sum(), abs=1e-7)


def test_histogram_distances_agree_with_their_formulas(pair):
    p, q = (colour.histograms(image_of(image)).astype(float) for image in pair)
    expected = np.minimum(p, q).sum(axis=1).mean()
    assert colour.intersection(pair_of(*pair)) == pytest.approx(expected, abs=1e-6)
    overlap = np.clip(1 - np.sqrt(p * q).sum(axis=1), 0, None)
    found = colour.bhattacharyya(pair_of(*pair))
    assert found == pytest.approx(np.sqrt(overlap).mean(), abs=1e-3)


def test_the_first_two_hu_moments_agree_with_their_formulas(pair):
    dark = np.maximum(gray(pair[0]), 1)  # a black image has no centre
    image = dark.astype(float)
    mass = image.sum()
    rows, columns = np.indices(image.shape)
    down = rows - (rows * image).sum() / mass
    right = columns - (columns * image).sum() / mass
    spread = [(image * a * b).sum() / mass**2 for a, b in ((right, right), (down, down))]
    slant = (image * right * down).sum() / mass**2
    expected = [sum(spread), (spread[0] - spread[1]) ** 2 + 4 * slant**2]
    found = shape.hu_moments(image_of(dark))[:2]
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-15)


def test_hu_moments_do_not_see_a_turn(pair):
    image = gray(pair[0])
    turned = np.ascontiguousarray(np.rot90(image, 2))
    expected = shape.hu_moments(image_of(image))
    assert shape.hu_moments(image_of(turned)) == pytest.approx(expected, rel=1e-3, abs=1e-12)
    assert shape.hu_distance(pair_of(image, image)) == 0
    assert shape.hu_correlation(pair_of(image, image)) == 1


def test_hu_distance_and_correlation_agree_with_numpy(pair):
    x, y = (shape.hu_moments(image_of(image)) for image in pair)
    assert shape.hu_distance(pair_of(*pair)) == pytest.approx(
        np.sqrt(((x - y) ** 2).sum()), abs=1e-15
    )
    if x.std() and y.std():
        assert shape.hu_correlation(pair_of(*pair)) == pytest.approx(
            np.corrcoef(x, y)[0, 1], abs=1e-9
        )


def test_haralick_features_are_mahotas_over_four_directions(pair):
    for image in map(gray, pair):
        expected = mahotas.features.haralick(image)
        found = texture.haralick_features(image_of(image))
        assert found == pytest.approx(expected.mean(axis=0), abs=1e-8)
        counts = cooccurrences(image)
        levels = int(image.max()) + 1
        for direction in range(4):
            both = counts[direction] + counts[direction].T
            found = mahotas.features.texture.cooccurence(
                image.astype(np.int32), direction, symmetric=True
            )
            assert np.array_equal(both[:levels, :levels], found)
            own = haralick(counts[direction], levels)
            assert own == pytest.approx(expected[direction], abs=1e-8)


def test_haralick_distance_is_euclidean(pair):
    x, y = (texture.haralick_features(image_of(image)) for image in pair)
    assert texture.haralick_distance(pair_of(*pair)) == pytest.approx(np.linalg.norm(x - y))


def test_variation_of_information_agrees_with_scikit_image(pair):
    x, y = map(gray, pair)
    found = information.variation(pair_of(x, y))
    assert found == pytest.approx(sum(oracle.variation_of_information(x, y)), abs=1e-9)
    back = information.variation(pair_of(y, x))
    assert found == pytest.approx(back, abs=1e-9)
    assert information.variation(pair_of(x, x)) == 0


@pytest.mark.parametrize("seed", range(3))
def test_normalised_mutual_information_agrees_with_scikit_image(seed):
    random = np.random.default_rng(seed)
    x = random.integers(0, 256, (40, 50), dtype=np.uint8)
    x[0, :2] = 0, 255  # then scikit-image's 256 bins are the 256 grey levels
    y = np.clip(x + random.integers(-9, 10, x.shape), 0, 255).astype(np.uint8)
    y[0, :2] = 0, 255
    found = information.normalised_mutual(pair_of(x, y))
    expected = oracle.normalized_mutual_information(x, y, bins=256)
    assert found == pytest.approx(expected, abs=1e-9)


def test_mutual_information_of_equal_and_of_constant_images_is_two(pair):
    x = gray(pair[0])
    assert information.normalised_mutual(pair_of(x, x)) == (pytest.approx(2))


@pytest.mark.parametrize("radius", [0.1, 0.25, 0.9])
def test_bands_share_out_the_error_of_the_gray_image(pair, radius):
    x, y = map(gray, pair)
    found = spectrum.compare(pair_of(x, y, low_frequency_radius=radius))
    down, right = np.meshgrid(*(np.fft.fftfreq(side) * 2 for side in x.shape), indexing="ij")
    inside = np.hypot(down, right) <= radius
    error = np.abs(np.fft.fft2(x.astype(float) - y, norm="ortho")) ** 2
    assert found.mse_low == pytest.approx(error[inside].mean(), rel=1e-6, abs=1e-6)
    expected = error[~inside].mean() if (~inside).any() else 0
    assert found.mse_high == pytest.approx(expected, rel=1e-6, abs=1e-6)
    whole = (found.mse_low * inside.sum() + found.mse_high * (~inside).sum()) / x.size
    assert whole == pytest.approx(((x.astype(float) - y) ** 2).mean(), rel=1e-6, abs=1e-6)


def test_spectral_correlation_agrees_with_numpy(pair):
    x, y = map(gray, pair)
    amplitudes = [np.abs(np.fft.fft2(image.astype(float))).ravel()[1:] for image in (x, y)]
    found = spectrum.compare(pair_of(x, y)).correlation
    if min(amplitude.std() for amplitude in amplitudes) > 1e-6:
        assert found == pytest.approx(np.corrcoef(*amplitudes)[0, 1], abs=1e-6)
    same = spectrum.compare(pair_of(x, x))
    assert same.correlation == pytest.approx(1, abs=1e-12)


def test_a_uniform_image_has_no_spectrum_in_common_with_another(pair):
    uniform = np.full(pair[0].shape[:2], 93, np.uint8)
    other = gray(pair[0])

    def correlation(x, y):
        return spectrum.compare(pair_of(x, y)).correlation

    assert correlation(uniform, uniform + 1) == 1
    expected = 0 if other.std() else 1
    assert correlation(uniform, other) == correlation(other, uniform) == expected


@given(images)
@settings(max_examples=20, deadline=None)
def test_information_is_symmetric_and_zero_on_equals(found):
    x, y = map(gray, found)
    there = information.variation(pair_of(x, y))
    back = information.variation(pair_of(y, x))
    assert there == pytest.approx(back, abs=1e-9)
    assert information.variation(pair_of(x, x)) == 0
