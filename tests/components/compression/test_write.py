import hashlib

import cv2
import numpy as np
import pytest

from components.compression import codecs
from components.compression.svd import decompose
from components.compression.write import write_compressed
from components.errors import ImageError, ParameterError


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    (folder / "images").mkdir(parents=True)
    random = np.random.default_rng(0)
    for index in range(3):
        pixels = cv2.resize(random.integers(0, 256, (5, 7, 3), dtype=np.uint8), (28, 20))
        cv2.imwrite(str(folder / f"images/ISIC_{index}.png"), pixels)
    return folder


FILES = [f"images/ISIC_{index}.png" for index in range(3)]


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write(source, target, **more):
    settings = {"k": 4, "codec": "jpeg", "quality": 80, "workers": 2} | more
    return write_compressed(source, FILES, target, **settings)


def test_each_file_is_the_truncated_image_encoded(source, tmp_path):
    seen = []
    manifest = write(source, tmp_path / "out", progress=seen.append)
    assert seen == [1, 2, 3]
    assert list(manifest["image_id"]) == ["ISIC_0", "ISIC_1", "ISIC_2"]
    for row, file in zip(manifest.itertuples(), FILES, strict=True):
        stored = tmp_path / "out" / row.file
        image = cv2.imread(str(source / file))[..., ::-1]
        expected = codecs.get("jpeg").encode(decompose(image).reconstruct(4), 80)
        assert stored.read_bytes() == expected
        assert stored.suffix == ".jpg"
        assert (row.sha256_before, row.sha256_after) == (digest(source / file), digest(stored))
        assert row.bytes_before == (source / file).stat().st_size
        assert row.bytes_after == len(expected)
        assert (row.k, row.full_rank, row.codec, row.quality) == (4, False, "jpeg", 80)


def test_lossless_at_full_rank_keeps_every_pixel(source, tmp_path):
    manifest = write(source, tmp_path / "out", k=20, codec="png")
    assert manifest["full_rank"].all()
    for row, file in zip(manifest.itertuples(), FILES, strict=True):
        stored = cv2.imread(str(tmp_path / "out" / row.file))
        assert np.array_equal(stored, cv2.imread(str(source / file)))


def test_two_runs_give_the_same_bytes_and_leave_the_source_alone(source, tmp_path):
    before = {file: digest(source / file) for file in FILES}
    first, second = (write(source, tmp_path / name) for name in ("a", "b"))
    assert first.equals(second)
    assert {file: digest(source / file) for file in FILES} == before
    assert not list(tmp_path.rglob(".*"))


def test_bad_input_is_an_error_before_anything_is_written(source, tmp_path):
    with pytest.raises(ParameterError, match="k: received 0"):
        write(source, tmp_path / "out", k=0)
    with pytest.raises(ParameterError, match="'gif'"):
        write(source, tmp_path / "out", codec="gif")
    assert not (tmp_path / "out").exists()
    (source / FILES[1]).write_text("no image")
    with pytest.raises(ImageError, match="not an image"):
        write(source, tmp_path / "out")


def test_two_files_of_one_name_are_refused(source, tmp_path):
    (source / "images/ISIC_0.jpg").write_bytes((source / FILES[0]).read_bytes())
    files = [*FILES, "images/ISIC_0.jpg"]
    with pytest.raises(ParameterError, match=r"written as images/ISIC_0\.jpg"):
        write_compressed(source, files, tmp_path / "out", k=4, codec="jpeg", quality=80, workers=1)
    assert not (tmp_path / "out").exists()


def test_the_source_is_not_overwritten(source):
    before = {file: digest(source / file) for file in FILES}
    with pytest.raises(ParameterError, match="expected another folder"):
        write(source, source / "images/..", codec="png")
    assert {file: digest(source / file) for file in FILES} == before
