import struct

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageCms
from scipy import stats

from slimderm.components.common.errors import ParameterError
from slimderm.components.compression import codecs
from slimderm.components.compression.settings import StorageSettings
from slimderm.components.compression.svd import decompose
from slimderm.components.dataset.images import decode_image
from slimderm.components.quality.measure import Reference
from slimderm.components.quality.metrics import METRICS
from slimderm.components.quality.settings import QualitySettings
from slimderm.components.quality.storage_options import (
    StorageTools,
    measure_options,
    summarise_options,
)
from slimderm.components.quality.storage_sentences import describe_left_out, storage_sentences


def store(codec, quality, *item):
    return codecs.get(codec).store(codecs.Item(*item), quality)


def ignores_quality(codec, k):
    return codecs.get(codec).ignores_quality(k)


def is_lossless(codec, k):
    return codec == "png"


TOOLS = StorageTools(decompose, store, decode_image, is_lossless)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    random = np.random.default_rng(3)
    coarse = random.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    pixels = cv2.resize(coarse, (36, 24)) ^ random.integers(0, 8, (24, 36, 3), dtype=np.uint8)
    file = tmp_path_factory.mktemp("arms") / "ISIC_1.png"
    cv2.imwrite(str(file), pixels)
    return file


def measure(path, qualities, ranks=(8, 24, 99)):
    rows, left_out = measure_options(
        "ISIC_1",
        path,
        qualities=qualities,
        ranks=ranks,
        settings=QualitySettings(),
        tools=TOOLS,
    )
    assert not left_out
    return pd.DataFrame(rows)


def test_each_codec_and_quality_without_svd_and_at_each_k_below_full_rank(path):
    found = measure(path, {"jpeg": (50, 90), "png": (3, 7)})
    arms = [tuple(arm) for arm in found[["codec", "quality", "k"]].fillna(0).to_numpy()]
    expected = [("jpeg", 50), ("jpeg", 90), ("png", 100)]
    assert arms == [(*arm, k) for k in (0, 8) for arm in expected]


def test_a_row_is_what_was_stored_and_read_back(path):
    found = measure(path, {"jpeg": (60,)})
    original = decode_image(path.read_bytes())
    slim = decompose(original).reconstruct(8)
    stored = codecs.get("jpeg").encode(slim, 60)
    row = found[found["k"] == 8].iloc[0]
    assert row["bytes_after"] == len(stored)
    assert row["bytes_before"] == path.stat().st_size
    assert row["pixels"] == 24 * 36
    expected = Reference(original, QualitySettings()).compare(decode_image(stored))
    assert {name: row[name] for name in METRICS} == pytest.approx(expected)
    assert (found[["encode_seconds", "decode_seconds"]] > 0).all(axis=None)


def table():
    """Two codecs; three images; bytes and SSIM made by hand."""
    rows = []
    for image, size in (("a", 900), ("b", 1000), ("c", 1100)):
        for codec, quality, k, share, ssim in (
            ("jpeg", 95, None, 0.5, 0.96),
            ("jpeg", 95, 350, 0.4, 0.95),
            ("avif", 60, None, 0.1, 0.90),
            ("avif", 90, None, 0.4, 1.00),
            ("png", 100, None, 2.0, 1.00),
            ("webp", 80, None, 0.1, 0.50),
            ("webp", 90, None, 0.2, 0.60),
        ):
            rows.append(dict.fromkeys(METRICS, 1.0))
            rows[-1] |= {"image_id": image, "codec": codec, "quality": quality, "k": k}
            rows[-1] |= {"bytes_before": size, "bytes_after": share * size, "ssim": ssim}
            rows[-1] |= {"pixels": 800, "encode_seconds": 0.002, "decode_seconds": 0.001}
            rows[-1] |= {"psnr": 40 + size / 100}
    return pd.DataFrame(rows)


def test_the_summary_by_hand():
    summary = summarise_options(table(), confidence=0.9)
    arm = summary[(summary["codec"] == "jpeg") & (summary["k"] == 350)].iloc[0]
    assert (arm["num_images"], arm["bytes_before"], arm["bytes_after"]) == (3, 3000, 1200)
    assert arm["compression_ratio"] == pytest.approx(2.5)
    assert arm["storage_saved"] == pytest.approx(0.6)
    assert arm["bits_per_pixel"] == pytest.approx(4)
    assert arm["encode_ms"] == pytest.approx(2)
    low, high = stats.t.interval(0.9, 2, loc=50, scale=stats.sem([49, 50, 51]))
    assert (arm["psnr_low"], arm["psnr_mean"], arm["psnr_high"]) == pytest.approx((low, 50, high))
    assert summary["k"].isna().sum() == 6


def test_the_sentences_by_hand():
    summary = summarise_options(table(), confidence=0.9)
    found = storage_sentences(summary, codec="jpeg", quality=95, k=350)
    assert found == [
        "Of the 2.50× saved, 2.00× is jpeg quality 95 and 1.250× is SVD at k = 350.",
        # halfway between 0.90 and 1.00: the geometric mean of 0.1 and 0.4, against 0.4
        "avif of quality 75 without SVD takes 50% fewer bytes at the same SSIM 0.9500.",
        "png, which loses nothing of the source, takes 5.00× the bytes.",
        "webp was not tried at a quality that gives SSIM 0.9500.",
    ]
    alone = storage_sentences(summary, codec="jpeg", quality=95, k=None)
    assert alone[0] == "Of the 2.00× saved, 2.00× is jpeg quality 95 and 1.000× is SVD."
    grown = storage_sentences(summary, codec="png", quality=100, k=None)
    assert grown[0] == (
        "Nothing is saved, the files grow to 2.00×: 2.00× is png quality 100 and 1.000× is SVD."
    )
    with pytest.raises(ParameterError, match=r"no jpeg quality 95 at k = 100; add it"):
        storage_sentences(summary, codec="jpeg", quality=95, k=100)


@pytest.mark.parametrize("qualities", [{"gif": (1,)}, {"jpeg": ()}, {"jpeg": (0,)}])
def test_settings_out_of_range(qualities):
    with pytest.raises(ParameterError, match=r"qualities\.(gif: unknown key|jpeg: received)"):
        StorageSettings(qualities=qualities)


def picture(folder, name, image, **options):
    path = folder / name
    image.save(path, **options)
    return path


def profiles():
    """sRGB's profile: cut short, as one of grey by its first curve, with Display P3's colours."""
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey = own[:16] + b"GRAY" + own[20:].replace(b"rTRC", b"kTRC")
    wide = bytearray(own)
    primaries = {  # of Display P3 in XYZ, adapted to D50
        b"rXYZ": (0.51512, 0.24120, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.15710, 0.06657, 0.78407),
    }
    for name, colour in primaries.items():  # a tag: its name, and where its bytes are
        (place,) = struct.unpack_from(">I", own, own.index(name, 128) + 4)
        struct.pack_into(">3i", wide, place + 8, *(round(value * 65536) for value in colour))
    return own[:200], grey, bytes(wide)


@pytest.fixture
def odd(tmp_path):
    """A PNG, and JPEGs with ink, or with a profile that is damaged, of grey, or of more colours."""
    colours = (47 * np.arange(90)).astype(np.uint8).reshape(5, 6, 3)
    image = Image.fromarray(cv2.resize(colours, (40, 30)))
    damaged, grey, wide = profiles()
    return [
        picture(tmp_path, "a.png", image),
        picture(tmp_path, "b.jpg", image.convert("CMYK")),
        picture(tmp_path, "c.jpg", image, quality=98),
        picture(tmp_path, "d.jpg", image, quality=98, icc_profile=damaged),
        picture(tmp_path, "e.jpg", image, quality=98, icc_profile=grey),
        picture(tmp_path, "f.jpg", image.convert("L"), quality=98, icc_profile=grey),
        picture(tmp_path, "g.jpg", image, quality=98, icc_profile=wide),
    ]


def test_an_option_that_a_source_cannot_take_is_left_out_for_it_and_counted(odd):
    qualities = {"jpeg": (50, 90), "jxl_transcode": (75, 95)}
    tools = StorageTools(decompose, store, decode_image, ignores_quality)
    measured = [
        measure_options(
            path.name,
            path,
            qualities=qualities,
            ranks=(8,),
            settings=QualitySettings(),
            tools=tools,
        )
        for path in odd
    ]
    # Without SVD two of JPEG and one repacked, at k = 8 two of each; none where no colour is known.
    assert [len(rows) for rows, _ in measured] == [2 + 4, 2 + 4, 3 + 4, 0, 0, 3 + 4, 3 + 4]
    left_out = pd.DataFrame([row for _, more in measured for row in more])
    assert left_out[["image_id", "codec", "quality", "k"]].fillna(0).values.tolist() == [
        ["a.png", "jxl_transcode", 100, 0],
        ["b.jpg", "jxl_transcode", 100, 0],
        ["d.jpg", "", 0, 0],
        ["e.jpg", "", 0, 0],
    ]
    reasons = left_out.set_index("image_id")["reason"]
    assert reasons[:2].str.startswith("jxl_transcode of quality 100: cannot encode").all()
    assert "colour profile: received one of 200 bytes that cannot be read" in reasons["d.jpg"]
    assert "colour profile: received one of GRAY in an image of mode RGB" in reasons["e.jpg"]
    said = describe_left_out(left_out)
    assert said[0].startswith(f"left out: 2 images, such as {odd[3]}: ")
    assert said[1].startswith(
        f"jxl_transcode is left out for 2 images, such as {odd[0]}: jxl_transcode of quality 100"
    )
    table = pd.DataFrame([row for rows, _ in measured for row in rows])
    kept = table[(table["codec"] == "jxl_transcode") & table["k"].isna()]
    assert kept["image_id"].tolist() == ["c.jpg", "f.jpg", "g.jpg"]
    assert (kept["mse"] == 0).all()  # the profile is repacked too, and applied when it is read
    colours = decode_image(odd[6].read_bytes()).astype(int) - decode_image(odd[2].read_bytes())
    assert np.abs(colours).max() > 3  # which matters
    summary = summarise_options(table, left_out, confidence=0.9).set_index(
        ["codec", "quality", "k"]
    )
    lacking = summary[summary["num_left_out"] > 0]
    assert lacking.index.get_level_values("codec").tolist() == ["jxl_transcode"]
    assert lacking[["num_images", "num_left_out"]].values.tolist() == [[3, 2]]
    assert summary["num_left_out"].sum() == 2
    said = storage_sentences(summary.reset_index(), codec="jpeg", quality=90, k=None)[1]
    assert said.endswith("2 images are left out, which it cannot take.")
    own = table[(table["codec"] == "jpeg") & (table["quality"] == 90) & table["k"].isna()]
    share = kept["bytes_after"].sum() / kept["bytes_before"].sum()
    times = share * own["bytes_before"].sum() / own["bytes_after"].sum()
    assert f"takes {times:.2f}× the bytes" in said


@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "empty file"), (b"text", "not an image"), (None, "window of SSIM")]
)
def test_a_bad_image_stops_nothing(tmp_path, data, reason):
    path = tmp_path / "bad.png"
    if data is None:
        Image.new("RGB", (40, 5)).save(path)
    else:
        path.write_bytes(data)
    rows, left_out = measure_options(
        "bad", path, qualities={"png": (1,)}, ranks=(), settings=QualitySettings(), tools=TOOLS
    )
    assert rows == []
    assert [(row["file"], row["codec"]) for row in left_out] == [(str(path), "")]
    assert reason in left_out[0]["reason"]


def test_a_rank_that_is_full_for_some_images_leaves_nothing_out(path, tmp_path):
    small = tmp_path / "small.png"
    cv2.imwrite(str(small), cv2.imread(str(path))[:10])
    rows = [
        row
        for name in (path, small)
        for row in measure_options(
            name.stem,
            name,
            qualities={"png": (1,)},
            ranks=(15,),
            settings=QualitySettings(),
            tools=TOOLS,
        )[0]
    ]
    summary = summarise_options(pd.DataFrame(rows), confidence=0.9)
    assert list(summary["num_images"]) == [1, 2]
    assert list(summary["num_left_out"]) == [0, 0]
