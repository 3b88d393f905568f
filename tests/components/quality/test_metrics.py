"""Each metric against an independent program, on identical pairs of images."""

import warnings

import cv2
import mahotas
import numpy as np
import pytest
from skimage import metrics as oracle

from components.quality import colour, fidelity, information, shape, spectrum, texture


def gray(image):
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def test_errors_agree_with_scikit_image(pair):
    original, other = pair
    assert fidelity.mse(original, other) == pytest.approx(
        oracle.mean_squared_error(original, other), abs=1e-9
    )
    assert fidelity.rmse(original, other) == pytest.approx(
        np.sqrt(((original.astype(float) - other) ** 2).mean()), abs=1e-9
    )
    expected = oracle.peak_signal_noise_ratio(original, other, data_range=255)
    assert fidelity.psnr(original, other) == pytest.approx(expected, abs=1e-9)


def test_equal_images_get_the_ceiling_and_no_infinity(pair):
    assert fidelity.psnr(pair[0], pair[0]) == fidelity.PSNR_CEILING


def test_ssim_agrees_with_scikit_image(pair):
    original, other = pair
    expected = oracle.structural_similarity(original, other, channel_axis=-1, data_range=255)
    assert fidelity.ssim(original, other) == pytest.approx(expected, abs=1e-7)
    assert fidelity.ssim(fidelity.moments(original), other) == fidelity.ssim(original, other)


def test_share_of_changed_pixels_by_hand():
    original = np.full((10, 10, 3), 100, np.uint8)
    other = original.copy()
    other[0, :5, 1] += 6
    other[1, :5, 2] -= 5
    assert fidelity.share_changed(original, other, threshold=5) == 0.05
    assert fidelity.share_changed(original, other, threshold=4) == 0.10
    assert fidelity.share_changed(original, other, threshold=6) == 0


def test_histograms_agree_with_numpy(pair):
    found = colour.histograms(pair[0])
    for channel in range(3):
        counts = np.bincount(pair[0][..., channel].ravel(), minlength=256)
        assert found[channel] == pytest.approx(counts / counts.sum(), abs=1e-7)


def test_histogram_distances_agree_with_their_formulas(pair):
    p, q = (colour.histograms(image).astype(float) for image in pair)
    expected = np.minimum(p, q).sum(axis=1).mean()
    assert colour.histogram_intersection(p, q) == pytest.approx(expected, abs=1e-6)
    overlap = np.clip(1 - np.sqrt(p * q).sum(axis=1), 0, None)
    found = colour.bhattacharyya(p.astype(np.float32), q.astype(np.float32))
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
    found = shape.hu_moments(dark)[:2]
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-15)


def test_hu_moments_do_not_see_a_turn(pair):
    image = gray(pair[0])
    turned = np.ascontiguousarray(np.rot90(image, 2))
    expected = shape.hu_moments(image)
    assert shape.hu_moments(turned) == pytest.approx(expected, rel=1e-3, abs=1e-12)
    assert shape.hu_distance(expected, expected) == 0
    assert shape.hu_correlation(expected, expected) == 1


def test_hu_distance_and_correlation_agree_with_numpy(pair):
    x, y = (shape.hu_moments(gray(image)) for image in pair)
    assert shape.hu_distance(x, y) == pytest.approx(np.sqrt(((x - y) ** 2).sum()), abs=1e-15)
    if x.std() and y.std():
        assert shape.hu_correlation(x, y) == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-9)


def test_haralick_features_are_mahotas_over_four_directions(pair):
    x, y = (texture.haralick_features(gray(image)) for image in pair)
    directions = mahotas.features.haralick(gray(pair[0]))
    assert x == pytest.approx(directions.mean(axis=0), abs=1e-9)
    assert texture.haralick_distance(x, y) == pytest.approx(np.linalg.norm(x - y))


def test_variation_of_information_agrees_with_scikit_image(pair):
    x, y = map(gray, pair)
    found = information.variation_of_information(*information.entropies(x, y))
    assert found == pytest.approx(sum(oracle.variation_of_information(x, y)), abs=1e-9)
    back = information.variation_of_information(*information.entropies(y, x))
    assert found == pytest.approx(back, abs=1e-9)
    assert information.variation_of_information(*information.entropies(x, x)) == 0


@pytest.mark.parametrize("seed", range(3))
def test_normalised_mutual_information_agrees_with_scikit_image(seed):
    random = np.random.default_rng(seed)
    x = random.integers(0, 256, (40, 50), dtype=np.uint8)
    x[0, :2] = 0, 255  # then scikit-image's 256 bins are the 256 grey levels
    y = np.clip(x + random.integers(-9, 10, x.shape), 0, 255).astype(np.uint8)
    y[0, :2] = 0, 255
    found = information.normalised_mutual_information(*information.entropies(x, y))
    expected = oracle.normalized_mutual_information(x, y, bins=256)
    assert found == pytest.approx(expected, abs=1e-9)


def test_mutual_information_of_equal_and_of_constant_images_is_two(pair):
    x = gray(pair[0])
    assert information.normalised_mutual_information(*information.entropies(x, x)) == (
        pytest.approx(2)
    )


@pytest.mark.parametrize("radius", [0.1, 0.25, 0.9])
def test_bands_share_out_the_error_of_the_gray_image(pair, radius):
    x, y = map(gray, pair)
    waves = spectrum.spectrum(x), spectrum.spectrum(y)
    low, high = spectrum.band_errors(*waves, radius=radius)
    down, right = np.meshgrid(*(np.fft.fftfreq(side) * 2 for side in x.shape), indexing="ij")
    inside = np.hypot(down, right) <= radius
    error = np.abs(np.fft.fft2(x.astype(float) - y, norm="ortho")) ** 2
    assert low == pytest.approx(error[inside].mean(), abs=1e-6)
    assert high == pytest.approx(error[~inside].mean() if (~inside).any() else 0, abs=1e-6)
    whole = (low * inside.sum() + high * (~inside).sum()) / x.size
    assert whole == pytest.approx(((x.astype(float) - y) ** 2).mean(), rel=1e-9, abs=1e-9)


def test_spectral_correlation_agrees_with_numpy(pair):
    x, y = map(gray, pair)
    found = spectrum.spectral_correlation(spectrum.spectrum(x), spectrum.spectrum(y))
    amplitudes = [np.abs(np.fft.fft2(image.astype(float))).ravel()[1:] for image in (x, y)]
    if min(amplitude.std() for amplitude in amplitudes) > 1e-6:
        assert found == pytest.approx(np.corrcoef(*amplitudes)[0, 1], abs=1e-9)
    assert spectrum.spectral_correlation(spectrum.spectrum(x), spectrum.spectrum(x)) == (
        pytest.approx(1)
    )


def test_a_uniform_image_has_no_spectrum_in_common_with_another(pair):
    uniform = spectrum.spectrum(np.full(pair[0].shape[:2], 93, np.uint8))
    brighter = spectrum.spectrum(np.full(pair[0].shape[:2], 94, np.uint8))
    assert spectrum.spectral_correlation(uniform, brighter) == 1
    other = gray(pair[0])
    expected = 0 if other.std() else 1
    for x, y in ((uniform, spectrum.spectrum(other)), (spectrum.spectrum(other), uniform)):
        assert spectrum.spectral_correlation(x, y) == expected


def test_no_metric_warns(pair):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        information.entropies(*map(gray, pair))
