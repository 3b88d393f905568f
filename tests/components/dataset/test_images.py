import io
import zlib

import cv2
import imagecodecs
import numpy as np
import pillow_jxl  # noqa: F401  it registers JPEG XL with Pillow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from slimderm.components.common.errors import ImageError
from slimderm.components.dataset.images import decode_image, load_images, read_image, resize

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)


def encoded(image, form="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


FILES = {
    "png": encoded(Image.fromarray(PIXELS)),
    "grey png": encoded(Image.fromarray(PIXELS).convert("L")),
    "palette": encoded(Image.fromarray(PIXELS).convert("P")),
    "jpeg": encoded(Image.fromarray(PIXELS), "JPEG"),
    "progressive": encoded(Image.fromarray(PIXELS), "JPEG", progressive=True),
    "cmyk": encoded(Image.fromarray(PIXELS).convert("CMYK"), "JPEG"),
    "webp": encoded(Image.fromarray(PIXELS), "WEBP", lossless=True),
    "avif": encoded(Image.fromarray(PIXELS), "AVIF", quality=90),
    "jxl": encoded(Image.fromarray(PIXELS), "JXL", lossless=True),
}
TURNS = {  # EXIF orientation to what turns the stored image upright
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image.transpose(1, 0, 2)[::-1, ::-1],
    8: np.rot90,
}


def test_a_png_comes_back_as_it_was():
    assert np.array_equal(decode_image(encoded(Image.fromarray(PIXELS))), PIXELS)


@pytest.mark.parametrize("form", ["webp", "jxl"])
def test_lossless_formats_come_back_as_they_were(form):
    assert np.array_equal(decode_image(FILES[form]), PIXELS)


def test_avif_agrees_with_an_independent_decoder():
    assert np.array_equal(decode_image(FILES["avif"]), imagecodecs.avif_decode(FILES["avif"]))


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_the_exif_orientation_is_applied(orientation, form):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = encoded(Image.fromarray(PIXELS), form, exif=exif)
    plain = decode_image(encoded(Image.fromarray(PIXELS), form))
    assert np.array_equal(decode_image(stored), TURNS[orientation](plain))


def test_of_several_frames_it_is_the_first():
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    stored = encoded(frames[0], "WEBP", lossless=True, save_all=True, append_images=frames[1:])
    assert np.array_equal(decode_image(stored), PIXELS)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "JXL"])
def test_one_pixel_is_an_image(form):
    assert decode_image(encoded(Image.new("RGB", (1, 1), (9, 9, 9)), form)).shape == (1, 1, 3)


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif", "jxl"])
def test_the_size_is_refused_in_every_format(name):
    with pytest.raises(ImageError, match=r"received 13x9 pixels, expected at most 0\.0001"):
        decode_image(FILES[name], max_megapixels=0.0001)


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
    if mode in ("L", "LA"):
        grey = np.asarray(image.getchannel("L"))
        assert np.array_equal(decoded, np.stack([grey] * 3, axis=-1))
    elif mode == "P":
        palette = np.array(image.getpalette()).reshape(-1, 3)
        assert np.array_equal(decoded, palette[np.asarray(image)])
    elif mode == "RGBA":
        assert np.array_equal(decoded, PIXELS)


def test_transparency_is_dropped_and_leaves_the_colour():
    clear = np.dstack([PIXELS, np.zeros(PIXELS.shape[:2], np.uint8)])
    assert np.array_equal(decode_image(encoded(Image.fromarray(clear))), PIXELS)


def test_ink_becomes_light():
    red = Image.new("CMYK", (32, 32), (0, 255, 255, 0))
    middle = decode_image(encoded(red, "JPEG"))[16, 16].astype(int)
    assert np.abs(middle - (255, 0, 0)).max() <= 4


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_are_refused_not_cut_off(channels):
    deep = np.random.default_rng(0).integers(0, 2**16, (5, 6, channels)).astype(np.uint16)
    data = cv2.imencode(".png", deep)[1].tobytes()
    with pytest.raises(ImageError, match="16 bits a channel, expected 8-bit RGB"):
        decode_image(data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty file"),
        (b"hello", "not an image"),
        (encoded(Image.fromarray(PIXELS))[:150], "truncated"),
        (encoded(Image.fromarray(PIXELS), "GIF"), "not an image"),
        (encoded(Image.fromarray(PIXELS[..., 0] > 99)), "mode 1"),
    ],
    ids=["empty", "text", "cut", "gif", "1-bit"],
)
def test_what_is_no_image_is_refused(data, said):
    with pytest.raises(ImageError, match=said):
        decode_image(data)


@pytest.mark.parametrize("name", FILES)
def test_a_cut_file_is_refused_or_had_all_its_pixels(name):
    data = FILES[name]
    whole = decode_image(data)
    refused = 0
    for end in range(len(data)):
        try:
            assert np.array_equal(decode_image(data[:end]), whole), f"cut at {end} of {len(data)}"
        except ImageError:
            refused += 1
    assert refused >= len(data) - 20


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_part_of_a_photograph_is_truncated(suffix):
    data = cv2.imencode(suffix, cv2.resize(PIXELS, (200, 150)))[1].tobytes()
    for share in (0.3, 0.6, 0.95):
        with pytest.raises(ImageError, match="truncated"):
            decode_image(data[: int(share * len(data))])


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_file_gives_an_image_or_an_image_error(name, data):
    damaged = bytearray(FILES[name])
    where = st.integers(0, len(damaged) - 1) | st.integers(0, 60)
    for place, value in data.draw(st.lists(st.tuples(where, st.integers(0, 255)), max_size=5)):
        damaged[place] = value
    try:
        image = decode_image(bytes(damaged), max_megapixels=1)
    except ImageError:
        return
    assert image.dtype == np.uint8
    assert image.shape[2:] == (3,)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data):
    with pytest.raises(ImageError):
        decode_image(data)


def test_the_limit_itself_is_allowed():
    assert decode_image(FILES["png"], max_megapixels=9 * 13 / 1e6).shape == (9, 13, 3)
    with pytest.raises(ImageError, match=r"received 13x9 pixels, expected at most 0\.000116"):
        decode_image(FILES["png"], max_megapixels=(9 * 13 - 1) / 1e6)


@pytest.mark.parametrize("side", [9000, 10000, 60000])
def test_a_bomb_is_refused_by_its_header_alone(side):
    data = bytearray(encoded(Image.fromarray(PIXELS)))
    data[16:24] = side.to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    with pytest.raises(ImageError, match="too large"):
        decode_image(bytes(data))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"nowhere\.jpg"):
        read_image(tmp_path / "nowhere.jpg")
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(ImageError, match=r"empty\.jpg: empty file"):
        read_image(tmp_path / "empty.jpg")


def test_resizing_by_a_whole_factor_averages():
    blocks = PIXELS[:8, :12].reshape(4, 2, 6, 2, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(resize(PIXELS[:8, :12], size=(4, 6)) - blocks).max() <= 0.5


def test_many_images_are_stacked_in_order(tmp_path):
    for name, value in (("a.png", 10), ("b.png", 200)):
        Image.fromarray(np.full((5, 4, 3), value, np.uint8)).save(tmp_path / name)
    loaded = load_images(tmp_path, ["b.png", "a.png"], size=(3, 2))
    assert loaded.shape == (2, 3, 2, 3)
    assert list(loaded[:, 0, 0, 0]) == [200, 10]
