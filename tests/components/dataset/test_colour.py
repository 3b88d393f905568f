"""Colour profiles against the arithmetic that they stand for; bit depths against the encoder."""

import io
import struct

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms

from slimderm.components.common.errors import ImageError
from slimderm.components.dataset.formats import depth_of
from slimderm.components.dataset.images import decode_image

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 14, 3), dtype=np.uint8)
GAMMA = 563 / 256
# Adobe RGB (1998) and sRGB to XYZ, both adapted to D50 (Lindbloom).
ADOBE = np.array(
    [
        [0.6097559, 0.2052401, 0.1492240],
        [0.3111242, 0.6256560, 0.0632197],
        [0.0194811, 0.0608902, 0.7448387],
    ]
)
SRGB = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)


def fixed(values):
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def profile(space, tags):
    """A minimal ICC profile, version 2 (ICC.1:2001-04)."""
    tags = {"wtpt": b"XYZ \0\0\0\0" + fixed((0.9642, 1, 0.8249)), **tags}
    place, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, value in tags.items():
        data = value + b"\0" * (-len(value) % 4)
        table += name.encode() + struct.pack(">II", place + len(body), len(data))
        body += data
    head = struct.pack(
        ">I4sI4s4s4s", place + len(body), b"lcms", 0x02100000, b"mntr", space, b"XYZ "
    )
    head += b"\0" * 12 + b"acsp" + b"\0" * 28 + fixed((0.9642, 1, 0.8249)) + b"\0" * 48
    return head + struct.pack(">I", len(tags)) + table + body


def curve(gamma):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def matrix(gamma=GAMMA, primaries=ADOBE):
    columns = {f"{c}XYZ": b"XYZ \0\0\0\0" + fixed(primaries[:, i]) for i, c in enumerate("rgb")}
    return profile(b"RGB ", columns | {f"{c}TRC": curve(gamma) for c in "rgb"})


def encoded_srgb(linear):
    linear = np.clip(linear, 0, 1)
    low = linear <= 0.0031308
    return 255 * np.where(low, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def stored(image, form="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_another_rgb_becomes_srgb(mode):
    image = Image.fromarray(PIXELS).convert(mode)
    before = np.asarray(image.convert("RGB")) / 255
    expected = encoded_srgb(before**GAMMA @ (np.linalg.inv(SRGB) @ ADOBE).T)
    found = decode_image(stored(image, icc_profile=matrix()))
    assert np.abs(found - expected).max() <= 2
    assert np.abs(found - 255 * before).max() > 20  # the profile matters


@pytest.mark.parametrize(
    ("form", "options"),
    [("JPEG", {"quality": 95}), ("WEBP", {"lossless": True}), ("AVIF", {"quality": 95})],
)
def test_the_profile_of_every_format_counts(form, options):
    image = Image.new("RGB", (32, 32), (40, 200, 60))
    with_one = decode_image(stored(image, form, icc_profile=matrix(), **options))[16, 16]
    expected = encoded_srgb(
        (np.array((40, 200, 60)) / 255) ** GAMMA @ (np.linalg.inv(SRGB) @ ADOBE).T
    )
    assert np.abs(with_one - expected).max() <= 6


def test_grey_of_another_curve_becomes_srgb():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    data = stored(Image.fromarray(grey), icc_profile=profile(b"GRAY", {"kTRC": curve(1)}))
    assert np.abs(decode_image(data) - encoded_srgb(grey / 255)[..., np.newaxis]).max() <= 2


def test_srgb_stays_as_it_is_to_the_bit():
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(decode_image(stored(Image.fromarray(PIXELS), icc_profile=own)), PIXELS)


def test_the_orientation_is_applied_with_a_profile_too():
    exif = Image.Exif()
    exif[0x0112] = 6
    plain = decode_image(stored(Image.fromarray(PIXELS), icc_profile=matrix()))
    turned = decode_image(stored(Image.fromarray(PIXELS), icc_profile=matrix(), exif=exif))
    assert np.array_equal(turned, np.rot90(plain, -1))


@pytest.mark.parametrize(
    ("image", "icc", "said"),
    [
        (Image.fromarray(PIXELS), b"no profile", "10 bytes that cannot be read"),
        (Image.fromarray(PIXELS), matrix()[:200], "cannot be read"),
        (
            Image.fromarray(PIXELS),
            profile(b"GRAY", {"kTRC": curve(1)}),
            "of GRAY in an image of mode RGB",
        ),
        (Image.fromarray(PIXELS).convert("CMYK"), matrix(), "of RGB in an image of mode CMYK"),
        (
            Image.fromarray(PIXELS),
            profile(b"HSV ", {}),
            "one of HSV, expected one of RGB, GRAY, CMYK",
        ),
    ],
    ids=["bytes", "cut", "grey", "ink", "space"],
)
def test_a_profile_that_is_none_of_this_image_is_refused(image, icc, said):
    with pytest.raises(ImageError, match=f"^colour profile: .*{said}"):
        decode_image(stored(image, "JPEG", icc_profile=icc))


DEEP = np.random.default_rng(1).integers(0, 2**16, (16, 16, 3)).astype(np.uint16)
FILES = {
    ("png", 16): imagecodecs.png_encode(DEEP),
    ("jpeg", 12): imagecodecs.jpeg_encode(DEEP >> 4, bitspersample=12),
    ("avif", 10): imagecodecs.avif_encode(DEEP >> 6, bitspersample=10),
    ("avif", 12): imagecodecs.avif_encode(DEEP >> 4, bitspersample=12),
    ("jxl", 16): imagecodecs.jpegxl_encode(DEEP),
    ("jxl", 10): imagecodecs.jpegxl_encode(DEEP >> 6, bitspersample=10),
    ("jxl", 32): imagecodecs.jpegxl_encode(DEEP.astype(np.float32) / 65535),
}


@pytest.mark.parametrize(("form", "depth"), FILES)
def test_more_than_8_bits_are_refused_in_every_format(form, depth):
    with pytest.raises(ImageError, match=f"received {depth} bits a channel, expected 8-bit RGB"):
        decode_image(bytes(FILES[form, depth]))


@pytest.mark.parametrize("brand", [b"avif", b"avis", b"mif1", b"msf1"])  # all that Pillow opens
def test_an_avif_of_any_brand_has_its_depth(brand):
    data = bytes(FILES["avif", 10])
    assert data[4:8] == b"ftyp"
    data = data[:8] + brand + data[12:]
    assert depth_of(data) == 10
    with pytest.raises(ImageError, match="received 10 bits a channel, expected 8-bit RGB"):
        decode_image(data)


@pytest.mark.parametrize("form", ["png", "jpeg", "avif", "jpegxl", "webp"])
def test_8_bits_are_8(form):
    data = bytes(getattr(imagecodecs, f"{form}_encode")((DEEP >> 8).astype(np.uint8)))
    assert depth_of(data) == 8
    assert decode_image(data).shape == (16, 16, 3)


class Bits:
    """Numbers of some bits each, the lowest first: a JPEG XL header by hand."""

    def __init__(self, *numbers):
        text = "".join(format(value, f"0{count}b")[::-1] for value, count in numbers)
        value = int(text[::-1], 2)
        self.data = b"\xff\x0a" + value.to_bytes(80, "little")


SIZE = ((1, 1), (1, 5), (1, 3))  # 16 rows, ratio 1:1
SHOWN = (*SIZE,)
PREVIEW = ((0, 1), (1, 2), (7, 8), (0, 3), (0, 2), (9, 6))  # both sides without eighths
MOVES = ((2, 2), (5, 10), (3, 2), (700, 10), (1, 2), (4, 3), (1, 1))


def test_the_depth_stands_behind_whatever_a_header_holds():
    extra = ((0, 1), (1, 1), (2, 3), (1, 1), *SHOWN, (1, 1), *PREVIEW, (1, 1), *MOVES)
    assert depth_of(Bits(*SIZE, *extra, (0, 1), (2, 2)).data) == 12
    assert depth_of(Bits(*SIZE, *extra, (0, 1), (3, 2), (13, 6)).data) == 14
    assert depth_of(Bits(*SIZE, *extra, (1, 1), (1, 2)).data) == 16
    assert depth_of(Bits(*SIZE, (1, 1)).data) == 8
