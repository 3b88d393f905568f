import re
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest

from slimderm.components.common.errors import ImageError
from slimderm.components.compression import codecs
from slimderm.components.compression.svd import decompose
from slimderm.components.quality.measure import Reference
from slimderm.components.quality.settings import QualitySettings
from slimderm.components.quality.sweep import (
    VALUES,
    SweepTools,
    measure_chunk,
    measure_image,
    summarise,
)

JPEG = codecs.get("jpeg")


def store(source, decomposition, k, image):
    return JPEG.encode(image, 90)


def encode(image):
    return JPEG.encode(image, 90)


TOOLS = SweepTools((4, 9, 20, 50), QualitySettings(), decompose, store, JPEG.decode)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    found = []
    for seed in range(3):
        random = np.random.default_rng(seed)
        coarse = random.integers(0, 256, (5, 6, 3), dtype=np.uint8)
        pixels = cv2.resize(coarse, (26, 20)) ^ random.integers(0, 8, (20, 26, 3), dtype=np.uint8)
        path = folder / f"ISIC_{seed}.png"
        cv2.imwrite(str(path), pixels)
        found.append((path.stem, path))
    return found


def test_one_image_gives_two_rows_a_k_and_a_control(images):
    name, path = images[0]
    table = pd.DataFrame(measure_image(name, path, TOOLS))
    assert list(table["arm"]) == ["svd"] * 8 + ["control"]
    assert table["k"].tolist()[:8] == [4, 4, 9, 9, 20, 20, 50, 50]
    assert np.isnan(table["k"].iloc[-1])
    assert table["stage"].tolist() == ["before", "after"] * 4 + ["after"]
    assert (table["bytes_before"] == path.stat().st_size).all()
    assert table["bytes_after"].isna().tolist() == [True, False] * 4 + [False]


def test_the_rows_are_what_was_reconstructed_and_stored(images):
    name, path = images[0]
    original = cv2.imread(str(path))[..., ::-1]
    rows = measure_image(name, path, TOOLS)
    slim = decompose(original).reconstruct(9)
    reference = Reference(np.ascontiguousarray(original), QualitySettings())
    before, after = rows[2], rows[3]
    assert {k: before[k] for k in VALUES[1:]} == pytest.approx(reference.compare(slim))
    stored = encode(slim)
    assert {k: after[k] for k in VALUES[1:]} == pytest.approx(
        reference.compare(JPEG.decode(stored))
    )
    assert after["bytes_after"] == len(stored)
    assert after["explained_variance"] == decompose(original).explained_variance(9)


def test_what_a_codec_cannot_take_is_named_by_its_file(images):
    """A PNG, whose coefficients jxl_transcode cannot keep; and a file that is no image."""
    name, path = images[1]

    def transcode(source, decomposition, k, image):
        item = codecs.Item(source, decomposition, k, image)
        return codecs.get("jxl_transcode").store(item, 90)

    tools = replace(TOOLS, encode=transcode)
    with pytest.raises(ImageError, match=f"^{re.escape(str(path))}: jxl_transcode of quality 90"):
        measure_chunk([(name, path)], tools)
    bad = path.parent / "bad.png"
    bad.write_bytes(b"text")
    with pytest.raises(ImageError, match=f"^{re.escape(str(bad))}: not an image"):
        measure_chunk([("bad", bad)], TOOLS)


def test_at_full_rank_the_svd_is_the_control(images):
    table = pd.DataFrame(measure_image(*images[0], TOOLS))
    control = table[table["arm"] == "control"].iloc[0]
    for k in (20, 50):
        full = table[(table["k"] == k) & (table["stage"] == "after")].iloc[0]
        assert full["full_rank"]
        assert full[["bytes_after", *VALUES]].tolist() == pytest.approx(
            control[["bytes_after", *VALUES]].tolist()
        )
        before = table[(table["k"] == k) & (table["stage"] == "before")].iloc[0]
        assert before["mse"] == 0
    assert not table[table["k"] == 9]["full_rank"].any()


def test_the_summary_by_hand(images):
    table = measure_chunk(images, TOOLS)
    summary = summarise(table)
    assert len(summary) == 9
    row = summary[(summary["k"] == 9) & (summary["stage"] == "after")].iloc[0]
    here = table[(table["k"] == 9) & (table["stage"] == "after")]
    assert row["num_images"] == 3
    assert row["ssim_mean"] == pytest.approx(np.mean(here["ssim"]))
    assert row["ssim_std"] == pytest.approx(np.std(here["ssim"], ddof=1))
    ratio = here["bytes_before"].sum() / here["bytes_after"].sum()
    assert row["compression_ratio"] == pytest.approx(ratio)
    assert row["storage_saved"] == pytest.approx(1 - 1 / ratio)
    before = summary[summary["stage"] == "before"]
    assert before["bytes_after"].isna().all()
    assert summary.loc[summary["arm"] == "control", "k"].isna().all()
