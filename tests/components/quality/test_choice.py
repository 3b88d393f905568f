import numpy as np
import pandas as pd
import pytest

from slimderm.components.common.errors import ParameterError, SchemaError
from slimderm.components.quality.choice import choose_k, choose_option
from slimderm.components.quality.settings import ChooseSettings

RANKS = [100, 200, 300, 350, 400, 450]


def table(stage="after", ranks=RANKS, **means):
    columns = {f"{name}_mean": values for name, values in means.items()}
    return pd.DataFrame({"arm": "svd", "k": ranks, "stage": stage, **columns})


def settings(*metrics, **more):
    return ChooseSettings(metrics=metrics, tolerance=0.05, **more)


def test_the_smallest_k_from_which_nothing_gains():
    summary = table(ssim=[0.0, 0.6, 0.9, 0.99, 0.995, 1.0])
    choice = choose_k(summary, settings("ssim"))
    assert choice.k == 350
    assert choice.reason == (
        "From k = 350 on no step gains 5% of its range on ssim; the step to k = 350 still brings "
        "ssim 9.0% of its range."
    )
    gains = choice.evidence.set_index("k")["gain"]
    assert gains[:450].tolist()[:5] == pytest.approx([0.6, 0.3, 0.09, 0.005, 0.005])
    assert np.isnan(gains[450])


def test_a_metric_that_is_better_when_lower():
    assert choose_k(table(mse=[10, 4, 1, 0.4, 0.3, 0.2]), settings("mse")).k == 350


def test_every_metric_has_to_settle():
    summary = table(ssim=[0, 1, 1, 1, 1, 1], mse=[10, 8, 6, 4, 0.1, 0])
    assert choose_k(summary, settings("ssim")).k == 200
    assert choose_k(summary, settings("mse")).k == 400
    assert choose_k(summary, settings("ssim", "mse")).k == 400


def test_a_loss_at_the_end_is_no_gain():
    summary = table(haralick_distance=[17, 2, 0.9, 1.8, 2.6, 2.6])
    assert choose_k(summary, settings("haralick_distance")).k == 300


def test_a_late_gain_counts_whatever_came_before():
    assert choose_k(table(ssim=[0, 0.5, 0.5, 0.5, 0.5, 1]), settings("ssim")).k == 450


def test_where_nothing_settles_the_largest_is_taken_and_said():
    choice = choose_k(table(ssim=[0, 0.2, 0.4, 0.6, 0.8, 1]), settings("ssim"))
    assert choice.k == 450
    assert choice.reason.startswith("No k settles before the largest, k = 450")


def test_where_nothing_moves_the_smallest_is_taken():
    choice = choose_k(table(ssim=[0.5] * 6), settings("ssim"))
    assert choice.k == 100
    assert "the smallest" in choice.reason


def test_a_gain_of_just_the_tolerance_is_a_gain():
    assert (
        choose_k(
            table(ranks=[1, 2, 3], ssim=[0.0, 0.75, 1.0]),
            ChooseSettings(metrics=("ssim",), tolerance=0.25),
        ).k
        == 3
    )


def test_a_single_k():
    assert choose_k(table(ranks=[7], ssim=[0.3]), settings("ssim")).k == 7


def test_the_order_of_rows_and_other_stages_are_of_no_account():
    summary = table(ssim=[0.0, 0.6, 0.9, 0.99, 0.995, 1.0])
    other = table(stage="before", ssim=[0, 1, 1, 1, 1, 1])
    mixed = pd.concat([summary, other]).sample(frac=1, random_state=3)
    assert choose_k(mixed, settings("ssim")).k == 350
    assert choose_k(mixed, settings("ssim", stage="before")).k == 200


def test_a_fixed_k():
    summary = table(ssim=[0.0, 0.6, 0.9, 0.99, 0.995, 1.0])
    assert choose_k(summary, settings("ssim", rule="fixed", k=200)).k == 200
    for k in (None, 250):
        with pytest.raises(ParameterError, match=f"choose.k: received {k}, expected one of"):
            choose_k(summary, settings("ssim", rule="fixed", k=k))


def test_a_table_without_the_stage_is_an_error():
    with pytest.raises(ParameterError, match="stage 'before'"):
        choose_k(table(ssim=[0] * 6), settings("ssim", stage="before"))


def test_a_mean_that_is_no_number_does_not_pass_for_settled():
    summary = table(ssim=[0.0, 0.6, np.nan, 0.99, 0.995, 1.0])
    with pytest.raises(SchemaError, match=r"ssim_mean: received .*nan.* expected a number"):
        choose_k(summary, settings("ssim"))


def test_no_metric_is_no_rule():
    with pytest.raises(ParameterError, match=r"metrics: received \[\]"):
        ChooseSettings(metrics=())


ARMS = pd.DataFrame(
    [
        ("jpeg", 95, np.nan, 900, 0.97, 4.0),
        ("jpeg", 95, 350.0, 880, 0.96, 5.0),
        ("avif", 80, np.nan, 500, 0.95, 9.0),
        ("avif", 80, 350.0, 500, 0.95, 9.0),
        ("avif", 50, np.nan, 200, 0.90, 20.0),
    ],
    columns=["codec", "quality", "k", "bytes_after", "ssim_mean", "haralick_distance_mean"],
).assign(num_left_out=0)


@pytest.mark.parametrize(
    ("floors", "expected"),
    [
        ({"ssim": 0.5}, ("avif", 50, None)),
        ({"ssim": 0.95}, ("avif", 80, None)),  # of two with the same bytes the one without SVD
        ({"ssim": 0.951}, ("jpeg", 95, 350)),
        ({"ssim": 0.961}, ("jpeg", 95, None)),
        ({"haralick_distance": 9.0}, ("avif", 80, None)),
        ({"ssim": 0.9, "haralick_distance": 4.5}, ("jpeg", 95, None)),
    ],
)
def test_the_fewest_bytes_that_meet_every_floor(floors, expected):
    found = choose_option(ARMS, floors)
    assert (found.codec, found.quality, found.k) == expected
    assert found.evidence.iloc[0]["codec"] == expected[0]
    assert found.evidence["bytes_after"].is_monotonic_increasing
    assert "takes the fewest bytes" in found.reason


def test_an_option_that_cannot_store_every_image_is_not_chosen():
    lacking = ARMS.assign(num_left_out=[0, 0, 2, 2, 0])
    found = choose_option(lacking, {"ssim": 0.95})
    assert (found.codec, found.k) == ("jpeg", 350)
    assert found.reason.endswith(" 2 cannot store every image.")


def test_the_order_of_the_arms_is_of_no_account():
    assert choose_option(ARMS[::-1], {"ssim": 0.95}).k is None


def test_floors_that_nothing_meets_name_what_comes_nearest():
    with pytest.raises(
        ParameterError, match=r"ssim at least 0\.98; jpeg of quality 95 without SVD"
    ):
        choose_option(ARMS, {"ssim": 0.98})
    with pytest.raises(ParameterError, match=r"comes nearest, with haralick_distance 4"):
        choose_option(ARMS, {"ssim": 0.96, "haralick_distance": 1.0})


def test_bad_floors_are_errors():
    with pytest.raises(ParameterError, match="floors: received none"):
        ChooseSettings(rule="fewest_bytes")
    with pytest.raises(ParameterError, match=r"floors\.beauty: unknown key"):
        ChooseSettings(rule="fewest_bytes", floors={"beauty": 1})
    with pytest.raises(ParameterError, match=r"floors\.ssim: received nan, expected a number"):
        ChooseSettings(floors={"ssim": float("nan")})
    blank = ARMS.assign(ssim_mean=[np.nan, 1, 1, 1, 1])
    with pytest.raises(SchemaError, match="ssim_mean: received a storage option without a number"):
        choose_option(blank, {"ssim": 0.9})
    with pytest.raises(ParameterError, match="call choose_option"):
        choose_k(table(ssim=[0] * 6), ChooseSettings(rule="fewest_bytes", floors={"ssim": 0.9}))
