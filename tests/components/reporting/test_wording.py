import base64
import io

import numpy as np
import pytest
from PIL import Image

from slimderm.components.reporting import before_after
from slimderm.components.reporting.wording import (
    FASTER,
    FEWER,
    SMALLER,
    causes,
    change,
    times,
    what_did_it,
    write_bytes,
)


@pytest.mark.parametrize(
    ("before", "after", "words", "said"),
    [
        (200, 50, FEWER, "4× fewer"),
        (50, 200, SMALLER, "4× larger"),
        (3.0, 1.5, FASTER, "2× faster"),
        (1000, 1001, SMALLER, "unchanged"),
    ],
)
def test_how_many_times(before, after, words, said):
    assert times(before, after, words) == said


def test_a_change_has_bars_in_proportion():
    found = change("files", 40e6, 10e6, write=write_bytes, words=SMALLER, note="all")
    assert (found.before, found.after, found.note) == ("40.0 MB", "10.0 MB", "4× smaller, all")
    assert found.bars == (1.0, 0.25)


@pytest.mark.parametrize(
    ("number", "said"),
    [(999, "999 bytes"), (1234, "1.2 kB"), (999_960, "1000 kB"), (17_840_000, "17.8 MB"),
     (444e6, "444 MB"), (2.72e9, "2.7 GB")],
)  # fmt: skip
def test_bytes_are_written_for_people(number, said):
    assert write_bytes(number) == said


def test_what_did_it_is_shared_out_by_logarithms():
    encoder, svd = causes({"encoder": 4.0, "SVD": 2.0})
    assert (encoder.factor, svd.factor) == ("4.000×", "2.000×")
    assert (encoder.share, svd.share) == pytest.approx((2 / 3, 1 / 3))
    encoder, svd = causes({"encoder": 3.7, "SVD": 0.99})  # the SVD cost bytes
    assert (encoder.share, svd.share) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("encoder", "svd", "said"),
    [
        (1.802, 0.994, "The encoder did it; SVD made the files 0.6% larger."),
        (3.70, 1.01, "The encoder did nearly all of it."),
        (1.0, 2.0, "SVD did nearly all of it."),
        (2.0, 2.0, "The encoder and SVD did it."),
        (0.5, 1.2, "Nothing made the files smaller."),
    ],
)
def test_who_made_the_files_smaller(encoder, svd, said):
    assert what_did_it(encoder, svd) == said


def pixels(picture):
    kind, data = picture.address.split(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_before_and_after_show_every_pixel_of_the_middle(monkeypatch):
    monkeypatch.setattr(before_after, "SIZE", (2, 4))
    original = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3) + 100
    stored = original.copy()
    stored[1, 1, 0] += 3  # the first that is shown
    stored[1, 2, 1] -= 40
    pictures = before_after.before_and_after(original, stored, name="x", before="b", after="a")
    one, other, lost = map(pixels, pictures)
    np.testing.assert_array_equal(one, original[1:3, 1:5])
    np.testing.assert_array_equal(other, stored[1:3, 1:5])
    assert lost[0, 0, 0] == 128 + 8 * 3
    assert lost[0, 1, 1] == 0  # and no further
    assert (np.delete(lost.ravel(), [0, 4]) == 128).all()
    assert [picture.caption for picture in pictures[:2]] == ["b", "a"]
    assert all(picture.text.startswith("x") for picture in pictures)
