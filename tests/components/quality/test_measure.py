import subprocess
import sys

import cv2
import numpy as np
import pytest

from slimderm.components.common.errors import ImageError, ParameterError
from slimderm.components.quality.measure import Reference
from slimderm.components.quality.metrics import METRICS, Image, Pair
from slimderm.components.quality.settings import QualitySettings

PERFECT = {
    "psnr": 100,
    "ssim": 1,
    "histogram_intersection": 1,
    "hu_correlation": 1,
    "nmi": 2,
    "spectral_correlation": 1,
}


def test_an_image_against_itself_is_perfect(pair):
    found = Reference(pair[0], QualitySettings()).compare(pair[0])
    assert set(found) == set(METRICS)
    for name, value in found.items():
        assert value == pytest.approx(PERFECT.get(name, 0), abs=1e-6), name


def test_a_worse_image_is_worse_by_every_metric():
    random = np.random.default_rng(0)
    coarse = random.integers(40, 220, (7, 9, 3), dtype=np.uint8)
    image = cv2.resize(coarse, (80, 60), interpolation=cv2.INTER_CUBIC)
    image = np.clip(image + random.normal(0, 3, image.shape), 0, 255).astype(np.uint8)
    reference = Reference(image, QualitySettings())
    near = reference.compare(cv2.GaussianBlur(image, (0, 0), 0.6))
    far = reference.compare(cv2.GaussianBlur(image, (0, 0), 6) // 2)
    for name, metric in METRICS.items():
        sign = 1 if metric.better == "higher" else -1
        assert sign * near[name] > sign * far[name], name


def test_the_settings_reach_their_metrics(pair):
    loose, strict = QualitySettings(changed_threshold=0), QualitySettings(changed_threshold=254)
    original, other = pair
    changed = (original != other).any(axis=2).mean()
    assert Reference(original, loose).compare(other)["share_changed"] == pytest.approx(changed)
    extreme = (np.abs(original.astype(int) - other) > 254).any(axis=2).mean()
    assert Reference(original, strict).compare(other)["share_changed"] == pytest.approx(extreme)


@pytest.mark.parametrize(("radius", "low"), [(0.4, 0), (0.6, 1)])
def test_a_wave_falls_into_the_band_on_its_side_of_the_radius(radius, low):
    grey = np.full((32, 64, 3), 128, np.uint8)
    wave = 10 * np.cos(2 * np.pi * np.arange(64) / 4)  # half the Nyquist frequency
    waved = np.repeat((128 + np.rint(wave)[None, :, None] * np.ones((32, 1, 1))), 3, axis=2)
    found = Reference(grey, QualitySettings(low_frequency_radius=radius)).compare(
        waved.astype(np.uint8)
    )
    assert (found["mse_low"] > 0.01) == low
    assert (found["mse_high"] > 0.01) == (not low)


@pytest.mark.parametrize(
    "array",
    [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3)), np.zeros((6, 9, 3), np.uint8)],
    ids=["gray", "float", "small"],
)
def test_what_cannot_be_measured_is_refused(array):
    with pytest.raises(ImageError, match="expected"):
        Reference(array, QualitySettings())


def test_another_shape_is_refused():
    reference = Reference(np.zeros((9, 9, 3), np.uint8), QualitySettings())
    with pytest.raises(ImageError, match=r"\(9, 8, 3\), expected uint8 \(9, 9, 3\)"):
        reference.compare(np.zeros((9, 8, 3), np.uint8))


@pytest.mark.parametrize("values", [{"low_frequency_radius": 1.0}, {"changed_threshold": 255}])
def test_settings_out_of_range(values):
    with pytest.raises(ParameterError, match="expected"):
        QualitySettings(**values)


def test_what_metrics_share_is_computed_once():
    calls = []
    image = Image(np.zeros((9, 9, 3), np.uint8))

    def count(found):
        calls.append(found)
        return len(calls)

    pair = Pair(image, image, QualitySettings())
    assert [image.once(count), image.once(count), pair.once(count), pair.once(count)] == [
        1,
        1,
        2,
        2,
    ]
    assert calls == [image, pair]


def test_the_table_loads_no_library_that_computes():
    heavy = ("cv2", "numba", "numpy", "skimage", "scipy", "pandas")
    code = "import sys, slimderm.components.quality.settings; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(heavy) & set(run.stdout.split())
