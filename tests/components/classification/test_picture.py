"""Pictures in a few numbers, against SciPy and counts made by hand."""

import numpy as np
import pytest
from scipy import ndimage

from slimderm.components.classification.picture import Look, look_of, warnings_of
from slimderm.components.common.errors import ImageError

WEIGHTS = np.array([0.299, 0.587, 0.114])


def test_brightness_and_sharpness_are_those_of_scipy():
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    grey = image @ WEIGHTS
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    inner = ndimage.convolve(grey, kernel)[1:-1, 1:-1]
    look = look_of(image)
    assert look.brightness == pytest.approx(grey.mean(), rel=1e-5)
    assert look.sharpness == pytest.approx(inner.var(), rel=1e-4)
    assert (look.height, look.width) == (40, 60)


def test_skin_is_counted_by_hand():
    image = np.zeros((2, 4, 3), np.uint8)
    image[0, 0] = (200, 150, 140)  # skin
    image[0, 1] = (45, 35, 35)  # a dark lesion
    image[0, 2] = (39, 20, 20)  # too dark to tell
    image[0, 3] = (150, 145, 142)  # grey
    image[1] = (90, 150, 90)  # green
    assert look_of(image).skin == 2 / 8


def test_a_large_picture_is_measured_as_its_smaller_self():
    small = np.random.default_rng(1).integers(0, 256, (80, 160, 3), dtype=np.uint8)
    large = small.repeat(3, axis=0).repeat(3, axis=1)
    one, three = look_of(small), look_of(large)
    assert three.sharpness == pytest.approx(one.sharpness)
    assert three.width == 480


def test_a_single_pixel_has_no_sharpness():
    assert look_of(np.zeros((1, 1, 3), np.uint8)).sharpness == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"brightness": 79}, "very dark"),
        ({"brightness": 216}, "very bright"),
        ({"sharpness": 5.9}, "blurred"),
        ({"skin": 0.19}, "colour of skin (19%)"),
        ({"height": 49}, "smaller, 300×49 pixels, than the network sees, 100×50"),
        ({"width": 441, "height": 200}, "oddly long"),
    ],
)
def test_each_limit_has_its_warning(change, said):
    usual = {"brightness": 150.0, "sharpness": 50.0, "skin": 0.9, "height": 200, "width": 300}
    assert warnings_of(Look(**usual), (50, 100)) == []
    found = warnings_of(Look(**(usual | change)), (50, 100))
    assert said in found[0]


def test_what_is_no_picture_is_refused():
    with pytest.raises(ImageError, match=r"received float64 of shape \(2, 2\), expected uint8"):
        look_of(np.zeros((2, 2)))
