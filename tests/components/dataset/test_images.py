import io
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from components.dataset.images import decode_image, load_images, read_image, resize
from components.errors import ImageError

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)


def encoded(image, form="PNG"):
    stream = io.BytesIO()
    image.save(stream, form)
    return stream.getvalue()


def test_a_png_comes_back_as_it_was():
    assert np.array_equal(decode_image(encoded(Image.fromarray(PIXELS))), PIXELS)


def test_a_jpeg_agrees_with_opencv():
    smooth = cv2.GaussianBlur(cv2.resize(PIXELS, (64, 48)), (0, 0), 3)
    data = cv2.imencode(".jpg", smooth[..., ::-1])[1].tobytes()
    oracle = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    difference = decode_image(data).astype(int) - oracle
    assert np.abs(difference).max() <= 3


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK"])
def test_other_modes_become_rgb(mode):
    image = Image.fromarray(PIXELS).convert(mode)
    form = "JPEG" if mode == "CMYK" else "PNG"
    decoded = decode_image(encoded(image, form))
    assert decoded.shape == PIXELS.shape
    assert decoded.dtype == np.uint8
    if mode == "L":
        assert np.array_equal(decoded[..., 0], np.asarray(image))
        assert np.array_equal(decoded[..., 0], decoded[..., 2])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty file"),
        (b"hello", "not an image"),
        (encoded(Image.fromarray(PIXELS))[:150], "truncated"),
        (encoded(Image.fromarray(PIXELS), "GIF"), "not an image"),
        (
            encoded(Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257)),
            "(mode I;16|16 bits a channel)",
        ),
    ],
    ids=["empty", "text", "cut", "gif", "16-bit"],
)
def test_what_is_no_image_is_refused(data, said):
    with pytest.raises(ImageError, match=said):
        decode_image(data)


@pytest.mark.parametrize("side", [9000, 12000, 60000])
def test_a_bomb_is_refused_by_its_header_alone(side):
    data = bytearray(encoded(Image.fromarray(PIXELS)))
    data[16:24] = side.to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    with pytest.raises(ImageError, match="too large"):
        decode_image(bytes(data))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"nowhere\.jpg"):
        read_image(tmp_path / "nowhere.jpg")


def test_resizing_by_a_whole_factor_averages():
    blocks = PIXELS[:8, :12].reshape(4, 2, 6, 2, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(resize(PIXELS[:8, :12], size=(4, 6)) - blocks).max() <= 0.5


def test_many_images_are_stacked_in_order(tmp_path):
    for name, value in (("a.png", 10), ("b.png", 200)):
        Image.fromarray(np.full((5, 4, 3), value, np.uint8)).save(tmp_path / name)
    loaded = load_images(tmp_path, ["b.png", "a.png"], size=(3, 2))
    assert loaded.shape == (2, 3, 2, 3)
    assert list(loaded[:, 0, 0, 0]) == [200, 10]
