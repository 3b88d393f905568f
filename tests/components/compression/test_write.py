import hashlib
import io

import cv2
import numpy as np
import pytest
from PIL import Image

from slimderm.components.common.errors import ImageError, ParameterError
from slimderm.components.compression import codecs
from slimderm.components.compression.codecs.jxl_transcode import restore_jpeg
from slimderm.components.compression.svd import decompose
from slimderm.components.compression.write import compress_image, target_names
from slimderm.components.dataset.images import decode_image


def picture(seed=0, height=20, width=28):
    random = np.random.default_rng(seed)
    return cv2.resize(random.integers(0, 256, (5, 7, 3), dtype=np.uint8), (width, height))


IMAGE = picture()
SOURCE = cv2.imencode(".png", IMAGE[..., ::-1])[1].tobytes()
JPEG = cv2.imencode(".jpg", IMAGE[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()


def digest(data):
    return hashlib.sha256(data).hexdigest()


def compress(data=SOURCE, **more):
    return compress_image(data, **({"k": 4, "codec": "jpeg", "quality": 80} | more))


def test_what_is_stored_is_the_truncated_image_encoded():
    stored, row = compress()
    assert stored == codecs.get("jpeg").encode(decompose(IMAGE).reconstruct(4), 80)
    assert row == {
        "sha256_before": digest(SOURCE),
        "sha256_after": digest(stored),
        "bytes_before": len(SOURCE),
        "bytes_after": len(stored),
        "k": 4,
        "full_rank": False,
        "codec": "jpeg",
        "quality": 80,
    }


@pytest.mark.parametrize("k", [20, 99, None])
def test_lossless_at_full_rank_keeps_every_pixel(k):
    stored, row = compress(k=k, codec="png")
    assert row["full_rank"]
    assert np.array_equal(decode_image(stored), IMAGE)


def test_the_row_holds_what_measure_says_of_what_is_read_back():
    stored, row = compress(
        measure=lambda x, y: {"same": float((x == IMAGE).all()), "sum": float(y.sum())}
    )
    assert (row["same"], row["sum"]) == (1, decode_image(stored).sum())


@pytest.mark.parametrize("codec", codecs.CODECS)
def test_two_runs_give_the_same_bytes(codec):
    assert compress(JPEG, codec=codec)[0] == compress(JPEG, codec=codec)[0]


def test_a_transcoded_jpeg_comes_back_bit_for_bit():
    stored, row = compress(JPEG, k=None, codec="jxl_transcode")
    assert row["bytes_after"] != row["bytes_before"]
    assert restore_jpeg(stored) == JPEG
    assert np.array_equal(decode_image(stored), decode_image(JPEG))
    truncated, _ = compress(JPEG, k=4, codec="jxl_transcode")
    slim = decompose(decode_image(JPEG)).reconstruct(4)
    assert restore_jpeg(truncated) == codecs.get("jpeg").encode(slim, 80)


def test_a_transcoded_jpeg_keeps_its_orientation():
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    Image.fromarray(IMAGE).save(stream, "JPEG", exif=exif)
    stored, _ = compress(stream.getvalue(), k=None, codec="jxl_transcode")
    upright = decode_image(stream.getvalue())
    assert upright.shape == (28, 20, 3)
    assert np.array_equal(decode_image(stored), upright)


def inked():
    stream = io.BytesIO()
    Image.fromarray(IMAGE).convert("CMYK").save(stream, "JPEG")
    return stream.getvalue()


@pytest.mark.parametrize("source", [SOURCE, inked()], ids=["png", "cmyk"])
@pytest.mark.parametrize("k", [None, 99])
def test_what_cannot_be_transcoded_is_stored_as_jpeg_xl_and_the_row_says_so(source, k):
    stored, row = compress(source, k=k, codec="jxl_transcode")
    assert row["codec"] == "jxl"
    assert stored == codecs.get("jxl").encode(decode_image(source), 80)


def test_what_was_never_a_jpeg_is_not_restored():
    with pytest.raises(ImageError, match="no repacked JPEG"):
        restore_jpeg(codecs.get("jxl").encode(IMAGE, 80))


def test_an_error_of_a_codec_names_quality_and_rank():
    item = codecs.Item(SOURCE, None, None, IMAGE)
    with pytest.raises(ImageError, match=r"^jxl_transcode of quality 80: .*no JPEG file"):
        codecs.get("jxl_transcode").store(item, 80)
    wide = np.zeros((8, 17000, 3), np.uint8)  # beyond WebP's 16383
    with pytest.raises(ImageError, match=r"^webp of quality 70, k = 3: .*\(8, 17000, 3\): ."):
        codecs.store("webp", codecs.Item(b"", None, 3, wide), 70)


def test_what_a_codec_has_instead_has_its_ending():
    for codec in codecs.CODECS.values():
        assert not codec.instead or codecs.get(codec.instead).suffix == codec.suffix


def test_bad_input_is_an_error():
    with pytest.raises(ParameterError, match="k: received 0"):
        compress(k=0)
    with pytest.raises(ParameterError, match="'gif'"):
        compress(codec="gif")
    with pytest.raises(ImageError, match="not an image"):
        compress(b"no image")


def test_targets_are_named_as_their_sources():
    assert target_names(["a/x.jpg", "b/y.PNG"], codec="avif") == ["a/x.avif", "b/y.avif"]
    with pytest.raises(ParameterError, match=r"received a/x\.png and a/x\.jpg.* a/x\.jpg"):
        target_names(["a/x.png", "a/x.jpg"], codec="jpeg")
