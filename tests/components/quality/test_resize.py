import cv2
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from skimage import metrics as oracle

from slimderm.components.common.errors import ParameterError, SchemaError
from slimderm.components.quality.metrics import METRICS
from slimderm.components.quality.resize import choose_size, measure_resized, summarise_sizes
from slimderm.components.quality.settings import PAPER_SIZES, QualitySettings, ResizeSettings


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    file = tmp_path_factory.mktemp("resize") / "ISIC_1.png"
    cv2.imwrite(str(file), cv2.resize(coarse, (56, 42)) ^ random.integers(0, 8, 3, dtype=np.uint8))
    return file


def measure(path, *sizes):
    rows = measure_resized("ISIC_1", path, sizes=sizes, settings=QualitySettings())
    return pd.DataFrame(rows)


def test_each_size_against_opencv_and_scikit_image(path):
    original = cv2.imread(str(path))[..., ::-1]
    found = measure(path, (21, 28), (40, 10))
    for row, (height, width) in zip(found.itertuples(), [(21, 28), (40, 10)], strict=True):
        small = cv2.resize(original, (width, height), interpolation=cv2.INTER_AREA)
        back = cv2.resize(small, (56, 42), interpolation=cv2.INTER_CUBIC)
        assert (row.height, row.width) == (height, width)
        assert row.psnr == pytest.approx(oracle.peak_signal_noise_ratio(original, back))
        ssim = oracle.structural_similarity(original, back, channel_axis=-1, data_range=255)
        assert row.ssim == pytest.approx(ssim, abs=1e-6)


def test_its_own_size_loses_nothing_and_a_smaller_one_more(path):
    found = measure(path, (42, 56), (30, 40), (10, 12)).set_index("height")
    assert found.loc[42, "ssim"] == pytest.approx(1)
    assert found.loc[42, "psnr"] == 100
    assert found["ssim"].is_monotonic_decreasing


def table():
    rows = []
    for image, offset in (("a", -0.01), ("b", 0.0), ("c", 0.01)):
        for height, width, ssim, psnr in (
            (200, 100, 0.80, 25.0),
            (300, 300, 0.95, 32.0),
            (256, 256, 0.90, 30.0),
            (150, 450, 0.91, 29.0),
        ):
            row = dict.fromkeys(METRICS, 1.0) | {"ssim": ssim + offset, "psnr": psnr}
            row |= {"haralick_distance": 100 - psnr}
            rows.append({"image_id": image, "height": height, "width": width, **row})
    return pd.DataFrame(rows)


def test_the_summary_by_hand():
    summary = summarise_sizes(table(), confidence=0.9)
    assert list(summary["pixels"]) == [20000, 65536, 67500, 90000]
    row = summary.iloc[0]
    low, high = stats.t.interval(0.9, 2, loc=0.8, scale=stats.sem([0.79, 0.80, 0.81]))
    assert (row["ssim_low"], row["ssim_mean"], row["ssim_high"]) == pytest.approx((low, 0.8, high))
    assert row["num_images"] == 3
    assert row["ssim_std"] == pytest.approx(0.01)  # of 0.79, 0.80 and 0.81
    one = summarise_sizes(table().query("image_id == 'a'"))
    assert one[["ssim_std", "ssim_low"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("floors", "expected"),
    [
        ({"ssim": 0.5}, (200, 100)),
        ({"ssim": 0.905}, (150, 450)),
        ({"ssim": 0.9 - 1e-9}, (256, 256)),
        ({"ssim": 0.8, "psnr": 31}, (300, 300)),
        ({"haralick_distance": 70}, (256, 256)),
    ],
)
def test_the_fewest_pixels_that_meet_every_floor(floors, expected):
    found = choose_size(summarise_sizes(table()), ResizeSettings(rule="floors", floors=floors))
    assert (found.height, found.width) == expected
    assert f"{expected[0]}×{expected[1]} has the fewest pixels" in found.reason


@pytest.mark.parametrize(
    ("floors", "expected"),
    [
        ({"ssim": 0.5, "haralick_distance": 80}, (600, 100)),
        ({"haralick_distance": 80, "ssim": 0.5}, (200, 300)),
    ],
)
def test_of_as_many_pixels_the_better_by_the_first_floor(floors, expected):
    rows = [(200, 300, 0.8, 60), (600, 100, 0.9, 70), (300, 300, 0.99, 10)]
    columns = ["height", "width", "ssim_mean", "haralick_distance_mean"]
    summary = pd.DataFrame(rows, columns=columns).assign(pixels=[60000, 60000, 90000])
    for order in (summary, summary[::-1]):
        found = choose_size(order, ResizeSettings(rule="floors", floors=floors))
        assert (found.height, found.width) == expected


def test_the_reason_says_which_way_a_floor_holds():
    floors = {"ssim": 0.8, "haralick_distance": 70}
    found = choose_size(summarise_sizes(table()), ResizeSettings(rule="floors", floors=floors))
    assert found.reason == (
        "256×256 has the fewest pixels of the sizes that meet ssim at least 0.8, "
        "haralick_distance at most 70: 2 of 4 do."
    )


def test_a_mean_that_is_no_number_is_an_error():
    summary = summarise_sizes(table())
    summary.loc[0, "ssim_mean"] = float("nan")
    with pytest.raises(SchemaError, match="no number as a mean of ssim, expected"):
        choose_size(summary, ResizeSettings(rule="floors", floors={"ssim": 0.99, "psnr": 20}))
    found = choose_size(summary, ResizeSettings(rule="floors", floors={"psnr": 20}))
    assert (found.height, found.width) == (200, 100)


def test_the_papers_size_is_taken_where_nothing_is_said():
    found = choose_size(summarise_sizes(table()), ResizeSettings())
    assert (found.height, found.width, found.rule) == (200, 100, "fixed")
    assert ResizeSettings().size in PAPER_SIZES


def test_floors_that_nothing_meets_name_what_comes_nearest():
    settings = ResizeSettings(rule="floors", floors={"ssim": 0.99})
    with pytest.raises(ParameterError, match=r"300×300 comes nearest, with ssim 0\.95"):
        choose_size(summarise_sizes(table()), settings)
    settings = ResizeSettings(rule="floors", floors={"psnr": 40, "rmse": 2, "ssim": 0.99})
    with pytest.raises(ParameterError, match=r"300×300 comes nearest, with psnr 32, ssim 0\.95\."):
        choose_size(summarise_sizes(table()), settings)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"sizes": ((200,),)}, r"sizes: received \[200\]"),
        ({"sizes": ((200, 4),)}, "sizes: received 4, expected a whole number of at least 8"),
        ({"sizes": ((200, 100), (200, 100))}, "expected each size once"),
        ({"size": (200, 100, 30)}, r"size: received \[200, 100, 30\]"),
        ({"floors": {"beauty": 1}}, "beauty: unknown key"),
        ({"rule": "floors"}, "floors: received none"),
    ],
)
def test_settings_out_of_range(values, said):
    with pytest.raises(ParameterError, match=said):
        ResizeSettings(**values)
