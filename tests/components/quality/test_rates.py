import numpy as np
import pandas as pd
import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.quality.rates import bjontegaard_rate, rate_table

RATES = np.array([1.0, 2.0, 4.0, 8.0])
QUALITIES = np.array([30.0, 34.0, 38.0, 42.0])


def rate(rates, qualities):
    return bjontegaard_rate(
        np.array(rates), np.array(qualities), base_rate=RATES, base_quality=QUALITIES
    )


def test_half_the_bytes_at_every_quality_is_half():
    assert rate(RATES / 2, QUALITIES) == pytest.approx(-0.5)
    assert rate(RATES * 1.1, QUALITIES) == pytest.approx(0.1)


def test_the_order_of_the_points_is_of_no_account():
    assert rate(RATES[::-1] / 2, QUALITIES[::-1]) == pytest.approx(-0.5)


def test_a_point_that_costs_more_and_gives_less_is_left_out():
    assert rate([*RATES / 2, 3.0], [*QUALITIES, 37.0]) == pytest.approx(-0.5)


def test_straight_lines_by_hand():
    # log2 of the rate is (q - 30) / 4 against (q - 32) / 4 - 0.1 (q - 32): over 32..42 they differ
    # by 0.5 + 0.1 * 5 = 1 in the mean.
    qualities = np.linspace(32, 42, 30)
    rates = 2 ** ((qualities - 32) / 4 - 0.1 * (qualities - 32))
    assert rate(rates, qualities) == pytest.approx(2**-1.0 - 1, abs=1e-6)


def test_only_the_qualities_in_common_count():
    far = [34.0, 38.0, 50.0], [1.0, 2.0, 1e9]
    near = [34.0, 38.0], [1.0, 2.0]
    assert rate(near[1], near[0]) == pytest.approx(-0.5)
    assert rate(far[1], far[0]) > rate(near[1], near[0])


@pytest.mark.parametrize("qualities", [[43.0, 50.0], [10.0, 30.0], [35.0, 35.0]])
def test_no_quality_in_common_is_no_number(qualities):
    assert np.isnan(rate([1.0, 2.0], qualities))


def table(num_images=6):
    random = np.random.default_rng(0)
    rows = []
    for image in range(num_images):
        size = random.uniform(0.5, 2)
        for codec, factor in (("jpeg", 1.0), ("new", 0.6 + 0.02 * image)):
            for k in (None, 9):
                for quality, psnr in zip((20, 50, 80), (30.0, 36.0, 41.0), strict=True):
                    share = factor * (1.0 if k is None else 1.2)
                    rows.append(
                        {
                            "image_id": f"i{image}",
                            "codec": codec,
                            "quality": quality,
                            "k": k,
                            "pixels": 1000,
                            "bytes_after": size * share * 2 ** (psnr / 5),
                            "psnr": psnr,
                            "ssim": psnr / 50,
                            "haralick_distance": 50 - psnr,
                        }
                    )
    return pd.DataFrame(rows)


def test_each_codec_and_k_against_jpeg_alone():
    found = rate_table(table(), confidence=0.9, samples=60, seed=0)
    found["k"] = found["k"].fillna(0)
    cells = found.set_index(["codec", "k", "metric"])
    for metric in ("psnr", "ssim", "haralick_distance"):
        assert cells.loc[("jpeg", 0, metric), "rate"] == pytest.approx(0, abs=1e-12)
        assert cells.loc[("jpeg", 9, metric), "rate"] == pytest.approx(0.2)
        row = cells.loc[("new", 0, metric)]
        assert -0.4 <= row["low"] < row["rate"] < row["high"] <= -0.3
    with_svd, without = (cells.loc[("new", k, "psnr"), "rate"] for k in (9, 0))
    assert 1 + with_svd == pytest.approx(1.2 * (1 + without))


def test_one_image_has_no_interval_and_one_quality_no_curve():
    one = table(1)
    one = pd.concat([one, one[one["quality"] == 20].assign(codec="png")])
    found = rate_table(one, confidence=0.9, samples=60, seed=0)
    assert found[["low", "high"]].isna().all(axis=None)
    assert "png" not in set(found["codec"])
    with pytest.raises(ParameterError, match=r"received 'png'.* \['jpeg', 'new'\]"):
        rate_table(one, base="png", confidence=0.9, samples=60, seed=0)


def test_curves_are_compared_over_the_images_that_both_can_store():
    whole = table()
    few = whole[whole["image_id"].isin(sorted(whole["image_id"].unique())[:3])]
    lacks = pd.concat([whole[whole["codec"] == "jpeg"], few[few["codec"] == "new"]])
    options = {"confidence": 0.9, "samples": 0, "seed": 0}
    expected = rate_table(few, **options).query("codec == 'new'")["rate"].to_numpy()
    found = rate_table(lacks, **options).query("codec == 'new'")["rate"].to_numpy()
    assert found == pytest.approx(expected)
    assert rate_table(whole, **options).query("codec == 'new'")["rate"].to_numpy() != pytest.approx(
        expected
    )
