import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from slimderm.components.common.errors import ImageError, ParameterError
from slimderm.components.compression.codecs.factors import pack, step_of
from slimderm.components.compression.svd import decompose
from slimderm.components.dataset.factors import HEAD, MAGIC, read_header, unpack
from slimderm.components.dataset.images import decode_image

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
FOUND = decompose(IMAGE)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3))))
@settings(max_examples=40, deadline=None)
def test_with_a_fine_step_every_k_gives_its_truncation(image):
    found = decompose(image)
    for k in {1, max(1, min(image.shape[:2]) // 2), min(image.shape[:2])}:
        back = unpack(pack(found, k, 100)).astype(int)
        # A step of 1 in a factor is worth less than one grey level in the mean.
        assert np.abs(back - found.reconstruct(k)).mean() < 1


def test_the_quantiser_is_rounding_to_the_step_by_hand():
    data = pack(FOUND, 7, 60)
    step = np.float32(step_of(60))
    assert step_of(100) == 1
    assert step_of(50) == pytest.approx(10)
    expected = np.zeros((3, 40, 30))
    for channel in range(3):
        u, s, v = np.linalg.svd(IMAGE[..., channel].astype(float), full_matrices=False)
        s = s.astype(np.float32).astype(float)
        long = np.rint(u[:, :7] * s[:7] / step) * step
        short = np.rint(v[:7].T * s[:7] / step) * step
        expected[channel] = (long / s[:7]) @ short.T
    oracle = np.clip(np.rint(expected.transpose(1, 2, 0)), 0, 255)
    found = unpack(data)
    assert (np.abs(found - oracle) > 1).mean() < 0.01  # a factor may fall on the other side of .5
    assert read_header(data) == (40, 30, 7, pytest.approx(step))


def test_lower_quality_and_lower_rank_take_fewer_bytes():
    sizes = [len(pack(FOUND, k, quality)) for k, quality in [(30, 90), (30, 40), (5, 40)]]
    assert sizes == sorted(sizes, reverse=True)


def test_the_reader_of_images_reads_it():
    data = pack(FOUND, 99, 90)
    assert np.array_equal(decode_image(data), unpack(data))
    with pytest.raises(ImageError, match=r"too large: received 30x40"):
        decode_image(data, max_megapixels=0.001)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:20], "not a file of factors"),
        (lambda data: data[: HEAD.size + 10], "fails its checksum"),
        (lambda data: data[:-5], "fails its checksum"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "fails its checksum"),
        (lambda data: HEAD.pack(MAGIC, 40, 30, 31, 1.0, 0) + data[HEAD.size :], "rank 31"),
        (lambda data: HEAD.pack(MAGIC, 40, 30, 7, 0.0, 0) + data[HEAD.size :], "step 0"),
    ],
)
def test_damage_is_named(damage, message):
    with pytest.raises(ImageError, match=message):
        unpack(damage(pack(FOUND, 7, 80)))


@pytest.mark.parametrize(
    ("body", "step"),
    [
        (b"", 1.0),  # no singular values
        (np.ones(21, "<f4").tobytes(), 1.0),  # no streams
        (np.ones(21, "<f4").tobytes() + b"\xff\xff\xff\xff" + bytes(9), 1.0),  # one that is none
        (pack(FOUND, 7, 80)[HEAD.size :], np.inf),
        (np.full(21, np.nan, "<f4").tobytes() + pack(FOUND, 7, 80)[HEAD.size + 84 :], 1.0),
    ],
)
def test_what_was_made_to_deceive_is_refused(body, step):
    data = HEAD.pack(MAGIC, 40, 30, 7, step, zlib.crc32(body)) + body
    with pytest.raises(ImageError, match="unreadable"):
        unpack(data)


def test_k_below_one_is_an_error():
    with pytest.raises(ParameterError, match="received 0"):
        pack(FOUND, 0, 90)
