import io

import imagecodecs
import numpy as np
import pillow_jxl  # noqa: F401  it registers JPEG XL with Pillow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from slimderm.components.common.errors import ImageError
from slimderm.components.dataset.images import decode_image
from slimderm.components.dataset.jxl import CODESTREAM, CONTAINER, STARTS, read_size


def encoded(height, width, **options):
    stream = io.BytesIO()
    Image.new("RGB", (width, height), (90, 40, 20)).save(stream, "JXL", effort=1, **options)
    return stream.getvalue()


@given(st.integers(1, 700), st.integers(1, 700))
@settings(max_examples=60, deadline=None)
def test_the_size_is_what_was_encoded(height, width):
    assert read_size(encoded(height, width)) == (height, width)


@pytest.mark.parametrize(
    "size",
    [(8, 8), (256, 256), (450, 600), (300, 400), (400, 600), (90, 160), (80, 100), (50, 100)],
)
def test_every_ratio_and_the_short_form(size):
    assert read_size(encoded(*size)) == size


def test_a_container_of_boxes_is_looked_through():
    stream = io.BytesIO()
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (45, 60, 3), dtype=np.uint8))
    image.save(stream, "JPEG", quality=90)
    data = bytes(imagecodecs.jpegxl_encode_jpeg(stream.getvalue()))
    assert data.startswith(CONTAINER)
    assert data.startswith(STARTS)
    assert read_size(data) == (45, 60)


def bomb(height, width):
    """The header alone of an image of any size, by hand."""
    bits, place = 0, 1  # not small
    for side, count in ((height, 30), (None, 3), (width, 30)):
        if side is None:
            place += count  # no ratio
            continue
        bits |= 3 << place
        bits |= (side - 1) << (place + 2)
        place += 2 + count
    return CODESTREAM + bits.to_bytes(14, "little")


def test_a_bomb_is_refused_before_it_is_decoded():
    data = bomb(10_000, 10_001)
    assert read_size(data) == (10_000, 10_001)
    with pytest.raises(ImageError, match=r"10001x10000 pixels.*64 megapixels \(ingest\.max"):
        decode_image(data)


@pytest.mark.parametrize("data", [CODESTREAM, CODESTREAM + b"\x01", CONTAINER, CONTAINER * 3])
def test_what_ends_too_early_is_an_error(data):
    with pytest.raises(ImageError, match="truncated"):
        read_size(data)
