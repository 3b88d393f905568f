import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from slimderm.components.common.errors import ParameterError, SchemaError
from slimderm.components.quality.certainty import certainty, certainty_of
from slimderm.components.quality.choice import choose_k
from slimderm.components.quality.settings import ChooseSettings

RANKS = [10, 20, 30, 40]
SSIM = ChooseSettings(metrics=("ssim",), tolerance=0.05)


def images(num, means=(0.0, 0.6, 0.98, 1.0), spread=0.02, seed=0):
    """SSIM-like values, (num, num_k, 1): independent normal noise around the means."""
    noise = np.random.default_rng(seed).normal(0, spread, (num, len(means)))
    return (np.array(means) + noise)[:, :, None]


def rows(values, metrics=("ssim",), ranks=RANKS, stage="after"):
    """As `measure_image` gives them, with a control row an image."""
    found = []
    for index, image in enumerate(values):
        common = {"image_id": f"i{index}", "stage": stage}
        for k, numbers in zip(ranks, image, strict=True):
            found.append(
                {**common, "arm": "svd", "k": k, **dict(zip(metrics, numbers, strict=True))}
            )
        found.append({**common, "arm": "control", "k": None, **dict.fromkeys(metrics, 9.0)})
    return pd.DataFrame(found)


def state(look, k, metric="ssim"):
    rows = look.intervals
    return rows[(rows["k"] == k) & (rows["metric"] == metric)]["state"].item()


def robbins(num, min_images, error):
    """Standard errors that a confidence sequence reaches, from its formula."""
    time = num / min_images
    return math.sqrt((num + min_images) * (math.log(1 + time) + 2 * math.log(1 / error)) / num)


def test_a_clear_case_stops_at_the_first_look():
    look = certainty_of(images(16), RANKS, SSIM, min_images=16)
    assert look.settled
    assert look.num_images == 16
    assert look.reason == "16 images: k = 30 is certain."
    assert [state(look, k) for k in RANKS] == ["gains", "gains", "settled", "settled"]


def test_fewer_than_the_least_number_are_never_enough():
    look = certainty_of(images(15), RANKS, SSIM, min_images=16)
    assert not look.settled
    assert look.reason == "15 images are fewer than 16."
    assert certainty_of(images(15), RANKS, SSIM, min_images=16, population=15).settled


@pytest.mark.parametrize("population", [None, 600])
def test_a_near_tie_goes_on_to_the_last_image(population):
    values = images(600, means=(0.0, 0.6, 0.95, 1.0))
    values += np.array([0.0, 0.6, 0.95, 1.0])[:, None] - values.mean(axis=0)
    for num in range(30, 600, 30):
        look = certainty_of(values[:num], RANKS, SSIM, min_images=30, population=population)
        assert not look.settled
        assert state(look, 30) == "open"
        assert "the step from k = 30 gains ssim" in look.reason
    last = certainty_of(values, RANKS, SSIM, min_images=30, population=population)
    assert last.settled == (population is not None)


def test_steps_below_the_choice_need_not_be_certain():
    values = images(40, means=(0.0, 0.05, 0.6, 1.0), spread=0.05)
    look = certainty_of(values, RANKS, SSIM, min_images=40)
    assert state(look, 10) == "open"
    assert look.settled
    assert "k = 40" in look.reason


def test_one_metric_that_gains_is_enough_and_one_that_may_is_too_much():
    both = ChooseSettings(metrics=("ssim", "nmi"), tolerance=0.05)
    clear = images(40)
    gaining = images(40, means=(0.0, 0.95, 1.0, 1.0), seed=1)
    look = certainty_of(np.dstack([clear, gaining]), RANKS, both, min_images=40)
    assert state(look, 20, "nmi") == "open"
    assert look.settled
    late = images(40, means=(0.0, 0.5, 0.95, 1.0), spread=0.1, seed=1)
    look = certainty_of(np.dstack([clear, late]), RANKS, both, min_images=40)
    assert state(look, 30, "nmi") == "open"
    assert not look.settled


def test_a_metric_that_is_better_when_lower_mirrors_one_that_is_better_when_higher():
    values, lower = images(30, spread=0.1), ChooseSettings(metrics=("mse",), tolerance=0.05)
    up = certainty_of(values, RANKS, SSIM, min_images=30).intervals
    down = certainty_of(-values, RANKS, lower, min_images=30).intervals
    columns = ["gain", "gain_low", "gain_high"]
    np.testing.assert_allclose(down[columns], up[columns], rtol=1e-12)
    np.testing.assert_allclose(down["mean_low"], -up["mean_high"], rtol=1e-12)
    assert down["state"].tolist() == up["state"].tolist()


def test_the_interval_of_a_mean_is_student_s_at_the_level_of_the_sequence():
    half = images(20)
    values = np.concatenate([half, 1 - half])  # symmetric, so nothing is added for a tail
    look = certainty_of(values, RANKS, SSIM, confidence=0.9, min_images=10)
    level = 1 - 2 * stats.norm.sf(robbins(40, 10, 0.1))
    for index, row in look.intervals.iterrows():
        column = values[:, index, 0]
        low, high = stats.t.interval(level, 39, column.mean(), stats.sem(column))
        assert (row["mean_low"], row["mean_high"]) == pytest.approx((low, high), rel=1e-9)


def test_a_long_tail_widens_its_own_side():
    values = np.random.default_rng(3).lognormal(0, 1, (50, 2, 1))
    metrics = ChooseSettings(metrics=("ssim", "nmi"))
    look = certainty_of(values.repeat(2, axis=2), [1, 2], metrics, min_images=10).intervals.iloc[0]
    column = values[:, 0, 0]
    t = stats.t.isf(stats.norm.sf(robbins(50, 10, 0.05 / 2)), 49)
    # (n - 1) / n: scipy's skewness divides by the deviation over n.
    skewness = stats.skew(column) * (49 / 50) ** 1.5
    tail = skewness * (1 + 2 * t * t) / (6 * math.sqrt(50))
    assert tail > 0
    assert look["mean"] - look["mean_low"] == pytest.approx(t * stats.sem(column))
    assert look["mean_high"] - look["mean"] == pytest.approx((t + tail) * stats.sem(column))


def test_the_interval_of_a_gain_is_as_wide_as_a_bootstrap_s():
    values = images(300, means=(0.0, 0.5, 0.9, 1.0), spread=0.2, seed=7)
    values += np.random.default_rng(8).normal(0, 0.5, (300, 1, 1))  # an image's own level cancels
    look = certainty_of(values, RANKS, SSIM, min_images=300).intervals[:3]
    generator = np.random.default_rng(9)
    draws = generator.integers(0, 300, (4000, 300))
    means = values[draws, :, 0].mean(axis=1)
    gains = np.diff(means, axis=1) / (means[:, 3] - means[:, 0])[:, None]
    reach = robbins(300, 300, 0.05)
    below = (look["gain"] - look["gain_low"]).to_numpy()
    np.testing.assert_allclose(below / reach, gains.std(axis=0), rtol=0.06)
    np.testing.assert_allclose(look["gain"], gains.mean(axis=0), atol=0.002)


@pytest.mark.parametrize("population", [None, 400])
def test_draws_from_a_population_shrink_the_interval_as_they_use_it_up(population):
    values = images(400)
    part = certainty_of(values[:300], RANKS, SSIM, min_images=75, population=population).intervals
    time, left = (300, 1) if population is None else (1200, 0.25)
    error = np.std(values[:300, 0, 0], ddof=1) * math.sqrt(left / 300)
    t = stats.t.isf(stats.norm.sf(robbins(time, 75, 0.05)), 299)
    width = min(part["mean"][0] - part["mean_low"][0], part["mean_high"][0] - part["mean"][0])
    assert width == pytest.approx(t * error)


def test_looking_after_each_chunk_misses_as_seldom_as_promised():
    """Of 150 runs of 20 looks at most 10 % may ever miss; looks of 90 % each miss far more."""
    generator = np.random.default_rng(11)
    missed = alone = 0
    for _ in range(150):
        values = generator.normal(0, 1, (400, 1, 1))
        looks = [
            certainty_of(values[:num], [5], SSIM, confidence=0.9, min_images=20).intervals.iloc[0]
            for num in range(20, 401, 20)
        ]
        missed += any(not look["mean_low"] <= 0 <= look["mean_high"] for look in looks)
        alone += any(
            abs(stats.ttest_1samp(values[:num, 0, 0], 0).statistic) > 1.7
            for num in range(20, 401, 20)
        )
    assert missed <= 15
    assert alone > 45


def test_a_gain_that_few_images_make_is_not_taken_for_settled():
    """One image in 30 gains much, 6 % on the mean where 5 % count: seldom may it be overlooked."""
    overlooked = 0
    for seed in range(100):
        values = images(300, means=(0.0, 0.94, 0.94), spread=0.01, seed=seed)
        rare = np.random.default_rng(seed).random(300) < 1 / 30
        values[rare, 2] += 1.8
        for num in range(100, 301, 50):
            look = certainty_of(values[:num], RANKS[:3], SSIM, min_images=100)
            if look.settled:
                overlooked += "k = 20" in look.reason
                break
    assert overlooked <= 5


def test_a_metric_that_never_moves_is_settled():
    look = certainty_of(np.full((5, 4, 1), 0.3), RANKS, SSIM, min_images=5)
    assert look.settled
    assert "k = 10" in look.reason
    assert look.intervals["gain"].isna().all()


@pytest.mark.parametrize("flip", [0, 1])
def test_a_range_that_may_be_zero_leaves_all_open(flip):
    """Means of one k are the other's but for little, or for nothing at all."""
    values = np.array([[0.0, 1.0], [1.0, 0.0]] * 10)[:, :, None]
    values[0, 0] += 0.1 * flip
    look = certainty_of(values, [1, 2], SSIM, min_images=20)
    row = look.intervals.iloc[0]
    assert (row["gain_low"], row["gain_high"], row["state"]) == (-math.inf, math.inf, "open")
    assert not look.settled
    assert certainty_of(values, [1, 2], SSIM, min_images=20, population=20).settled


def test_a_single_image_and_a_single_k():
    look = certainty_of(images(1), RANKS, SSIM, min_images=2)
    assert not look.settled
    assert look.intervals["gain_high"].tolist()[:3] == [math.inf] * 3
    assert certainty_of(images(4)[:, :1], [10], SSIM, min_images=4).settled


def test_a_fixed_k_needs_the_least_number():
    fixed = ChooseSettings(rule="fixed", k=20, metrics=("ssim",))
    tie = images(20, means=(0.0, 0.5, 0.99, 1.0), spread=0.3)
    assert not certainty_of(tie, RANKS, SSIM, min_images=20).settled
    assert certainty_of(tie, RANKS, fixed, min_images=20).settled
    assert not certainty_of(tie, RANKS, fixed, min_images=21).settled


def test_a_table_gives_what_its_array_gives_in_any_order_of_rows():
    metrics = ("ssim", "mse")
    settings = ChooseSettings(metrics=metrics, tolerance=0.05)
    values = np.dstack([images(12), -images(12, seed=1)])
    table = pd.concat([rows(values, metrics), rows(-values, metrics, stage="before")])
    look = certainty(table.sample(frac=1, random_state=0), settings, min_images=12)
    expected = certainty_of(values, RANKS, settings, min_images=12)
    pd.testing.assert_frame_equal(look.intervals, expected.intervals, rtol=1e-9)
    assert (look.settled, look.reason) == (expected.settled, expected.reason)


@pytest.mark.parametrize("seed", range(5))
def test_with_all_images_gains_states_and_k_are_those_of_the_choice(seed):
    values = images(8, means=(0.0, 0.6, 0.95, 1.0), spread=0.1, seed=seed)
    table = rows(values)
    look = certainty(table, SSIM, min_images=2, population=8)
    means = table.groupby(["arm", "k", "stage"])["ssim"].mean().rename("ssim_mean").reset_index()
    choice = choose_k(means, SSIM)
    evidence = look.intervals
    assert look.reason == f"8 images: k = {choice.k} is certain."
    np.testing.assert_allclose(evidence["gain"], choice.evidence["gain"], rtol=1e-9)
    assert (evidence["state"] == "settled").tolist() == choice.evidence["settled"].tolist()


def test_faulty_tables_are_refused():
    table = rows(images(3))
    with pytest.raises(ParameterError, match="stage 'before'"):
        certainty(table, ChooseSettings(metrics=("ssim",), stage="before"), min_images=2)
    twice = pd.concat([table, table[(table["image_id"] == "i1") & (table["k"] == 20)]])
    hole = table.assign(ssim=table["ssim"].where((table["image_id"] != "i1") | (table["k"] != 20)))
    for faulty in (twice, hole, hole.dropna(subset=["ssim"])):
        with pytest.raises(SchemaError, match=r"image i1: received .* expected one row for each k"):
            certainty(faulty, SSIM, min_images=2)


@pytest.mark.parametrize(
    ("name", "value"),
    [("confidence", 0), ("confidence", 1), ("min_images", 1), ("population", 2)],
)
def test_numbers_out_of_range_are_refused(name, value):
    given_ = {"min_images": 2, name: value}
    with pytest.raises(ParameterError, match=f"{name}: received {value}, expected"):
        certainty(rows(images(3)), SSIM, **given_)
