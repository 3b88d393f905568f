"""Images as a version takes them: read where they are stored so, the same as compressed anew."""

import cv2
import numpy as np
import pandas as pd
import pytest

from slimderm.components.classification.inputs import prepare
from slimderm.components.compression.write import compress_image
from slimderm.flows.config import layout
from slimderm.flows.work.stored_images import StoredImages

FILES = ["a.png", "part/b.png", "c.png"]
NAMES = ["a.jpg", "part/b.jpg", "c.jpg"]
OPTION = {"k": 5, "codec": "jpeg", "quality": 80}
DESCRIPTION = OPTION | {"variant": "compressed", "size": [8, 10]}


@pytest.fixture(params=[5, None])
def stored(request, tmp_path, monkeypatch):
    """Three images and how they are stored, with SVD or without; returns the description."""
    monkeypatch.chdir(tmp_path)
    random, rows = np.random.default_rng(0), []
    option = OPTION | {"k": request.param}
    for file, name in zip(FILES, NAMES, strict=True):
        pixels = cv2.GaussianBlur(random.integers(0, 256, (24, 30, 3), np.uint8), (0, 0), 2)
        data = cv2.imencode(".png", pixels)[1].tobytes()
        kept, row = compress_image(data, **option)
        for place, content in ((layout.RAW / file, data), (layout.COMPRESSED / name, kept)):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        rows.append({"file": name, "source_file": file} | row)
    pd.DataFrame(rows).astype({"k": "Int64"}).to_parquet(layout.MANIFEST)
    return DESCRIPTION | option


def anew(description):
    return np.stack([prepare((layout.RAW / file).read_bytes(), description) for file in FILES])


def counted(monkeypatch):
    """Count the images that are compressed."""
    from slimderm.components.compression import write

    times, store = [], write.store_image
    monkeypatch.setattr(write, "store_image", lambda *a, **k: times.append(1) or store(*a, **k))
    return times


def test_stored_images_are_read_and_equal_those_compressed_anew(stored, monkeypatch):
    wanted, times = anew(stored), counted(monkeypatch)
    assert np.array_equal(np.stack(StoredImages(stored).prepared(FILES)), wanted)
    assert not times


@pytest.mark.parametrize("other", [{"k": 3}, {"quality": 50}, {"codec": "webp"}])
def test_those_stored_otherwise_are_compressed_anew(stored, monkeypatch, other):
    asked = stored | other
    wanted, times = anew(asked), counted(monkeypatch)
    assert np.array_equal(np.stack(StoredImages(asked).prepared(FILES)), wanted)
    assert len(times) == 3


@pytest.mark.parametrize("place", [layout.COMPRESSED / "a.jpg", layout.RAW / "a.png"])
def test_one_that_has_changed_is_compressed_anew(stored, monkeypatch, place):
    pixels = np.full((24, 30, 3), 90, np.uint8)
    place.write_bytes(cv2.imencode(place.suffix, pixels)[1].tobytes())
    wanted, times = anew(stored), counted(monkeypatch)
    assert np.array_equal(np.stack(StoredImages(stored).prepared(FILES)), wanted)
    assert len(times) == 1


def test_where_nothing_is_stored_or_asked_for_as_stored_the_originals_are_read(stored):
    original = stored | {"variant": "original"}
    assert np.array_equal(np.stack(StoredImages(original).prepared(FILES)), anew(original))
    layout.MANIFEST.unlink()
    assert np.array_equal(np.stack(StoredImages(stored).prepared(FILES)), anew(stored))
