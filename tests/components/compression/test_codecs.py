import io
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import metrics

from slimderm.components.common.errors import ImageError, ParameterError
from slimderm.components.compression import codecs
from slimderm.components.compression.settings import CompressSettings, StorageSettings

IMAGE = cv2.resize(np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8), (80, 60))


def test_png_gives_every_pixel_back():
    png = codecs.get("png")
    assert png.lossless
    assert np.array_equal(png.decode(png.encode(IMAGE, 1)), IMAGE)


def test_jpeg_is_opencvs_at_the_same_quality():
    jpeg = codecs.get("jpeg")
    data = jpeg.encode(IMAGE, 95)
    oracle = cv2.imencode(".jpg", cv2.cvtColor(IMAGE, cv2.COLOR_RGB2BGR))[1].tobytes()
    assert data == oracle  # 95 is OpenCV's default
    decoded = cv2.imdecode(np.frombuffer(oracle, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(jpeg.decode(data), cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB))
    assert len(jpeg.encode(IMAGE, 30)) < len(data)


def test_red_stays_red():
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    jpeg = codecs.get("jpeg")
    assert jpeg.decode(jpeg.encode(red, 95))[..., 0].mean() > 190


def psnr(codec, quality):
    found = codecs.get(codec)
    return metrics.peak_signal_noise_ratio(IMAGE, found.decode(found.encode(IMAGE, quality)))


@pytest.mark.parametrize(
    "codec", [name for name, codec in codecs.CODECS.items() if not codec.lossless]
)
def test_quality_buys_fidelity_with_bytes(codec):
    found = codecs.get(codec)
    sizes = [len(found.encode(IMAGE, quality)) for quality in (20, 60, 95)]
    assert sizes == sorted(sizes)
    values = [psnr(codec, quality) for quality in (20, 60, 95)]
    assert values == sorted(values)
    assert values[-1] > 30


@pytest.mark.parametrize(("codec", "name"), [("webp", "WEBP"), ("avif", "AVIF"), ("jxl", "JXL")])
def test_the_files_are_what_their_endings_say(codec, name):
    found = codecs.get(codec)
    with Image.open(io.BytesIO(found.encode(IMAGE, 80))) as image:
        assert (image.format, image.size, image.mode) == (name, (80, 60), "RGB")
    assert found.suffix == f".{codec}"


def test_an_item_of_a_codec_of_pixels_is_its_image_alone():
    item = codecs.Item(b"source", None, 3, IMAGE)
    assert codecs.get("webp").store(item, 70) == codecs.get("webp").encode(IMAGE, 70)


def test_bad_input_is_named():
    with pytest.raises(ParameterError, match=r"'gif', expected one of jpeg, "):
        codecs.get("gif")
    for data in (b"", b"no image"):
        with pytest.raises(ImageError, match="expected a JPEG"):
            codecs.get("jpeg").decode(data)
    with pytest.raises(ImageError, match="cannot encode"):
        codecs.get("jpeg").encode(np.zeros((0, 4, 3), np.uint8), 95)


@pytest.mark.parametrize("codec", codecs.CODECS)
@pytest.mark.parametrize(
    "array",
    [
        np.zeros((6, 8), np.uint8),
        np.zeros((6, 8, 4), np.uint8),
        np.zeros((6, 8, 3)),
        np.zeros((6, 8, 3), np.uint16),
    ],
    ids=["gray", "alpha", "float", "deep"],
)
def test_an_array_that_opencv_would_reinterpret_is_refused(codec, array):
    with pytest.raises(ImageError, match=r"expected uint8 \(H, W, 3\)"):
        codecs.get(codec).encode(array, 95)


@pytest.mark.parametrize(
    "values", [{"ranks": (0,)}, {"ranks": ()}, {"codec": "gif"}, {"quality": 0}, {"quality": 101}]
)
def test_settings_out_of_range(values):
    with pytest.raises(ParameterError, match="expected"):
        CompressSettings(**values)


@pytest.mark.parametrize("name", codecs.CODECS)
def test_every_codec_may_be_named_in_params_and_is_in_the_storage_study(name):
    assert codecs.get(name).name == name
    assert CompressSettings(codec=name).codec == name
    assert StorageSettings().qualities[name] == codecs.get(name).qualities


def test_the_table_loads_no_library_that_encodes():
    heavy = ("cv2", "PIL", "imagecodecs", "numpy", "pandas", "scipy", "numba")
    code = "import sys, slimderm.components.compression.settings; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(heavy) & set(run.stdout.split())
