"""What counts as an image: a file, its base64, or whole numbers 0..255; all else is refused."""

import base64

import numpy as np
import pytest

from slimderm.components.classification.pixels import read_image_or_pixels
from slimderm.components.common.errors import ImageError

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "given",
    [
        PIXELS,
        PIXELS.tolist(),
        PIXELS.astype(np.float32),
        PIXELS.astype(np.int64).tolist(),
        list(PIXELS),
    ],
    ids=["array", "lists", "floats", "integers", "list of arrays"],
)
def test_pixels_come_through_unchanged_in_whatever_form(given):
    read = read_image_or_pixels(given)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, PIXELS)


def test_a_file_comes_through_as_bytes_and_as_base64():
    assert read_image_or_pixels(b"\xff\xd8 a file") == b"\xff\xd8 a file"
    text = base64.b64encode(b"\xff\xd8 a file").decode()
    assert read_image_or_pixels(text) == b"\xff\xd8 a file"


def changed(value):
    lists = PIXELS.tolist()
    lists[1][2][0] = value
    return lists


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (changed(256), "pixels from 0 to 256|pixels from . to 256"),
        (changed(-1), "pixels from -1 to"),
        (changed(None), "null, NaN or infinite"),
        (changed(float("nan")), "null, NaN or infinite"),
        (changed(float("inf")), "null, NaN or infinite"),
        (changed("12"), "values of type"),
        (changed([1]), "unequal length"),
        ((PIXELS / 255).tolist(), "as of an image that was scaled"),
        (PIXELS > 7, "values of type bool"),
        (PIXELS[..., 0], r"shape \(4, 5\)"),
        (np.zeros((4, 5, 4)), r"shape \(4, 5, 4\)"),
        (np.zeros((0, 5, 3)), r"shape \(0, 5, 3\)"),
        ([[1, 2], [3]], "unequal length"),
        ({"pixels": 3}, "values of type|no numbers"),
        (7, "shape"),
        (None, "received null"),
        (float("nan"), "received null"),
        ("photo.jpg", "which is no base64"),
        ("", "which is no base64"),
    ],
)
def test_what_is_no_image_is_refused_with_what_is_expected(given, said):
    with pytest.raises(ImageError, match=said) as caught:
        read_image_or_pixels(given)
    assert "whole numbers 0..255 of shape (height, width, 3), RGB" in str(caught.value)
    assert "base64" in str(caught.value)
