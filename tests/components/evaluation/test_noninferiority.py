"""Non-inferiority: intervals against closed forms and loops, three verdicts, seeds."""

import numpy as np
import pytest

from slimderm.components.common.errors import SchemaError
from slimderm.components.evaluation.noninferiority import (
    Difference,
    PairedComparison,
    Word,
    worst,
)

WIDE = Difference(0.7, 0.72, -0.08, 0.04)


def outcomes(labels, right, num_classes=3):
    """One-hot predictions that are right where `right` says so, as those of one seed."""
    return np.eye(num_classes)[np.where(right, labels, (labels + 1) % num_classes)][np.newaxis]


def of_counts(own_alone, other_alone, both):
    """Labels of one class of two, and predictions with these counts of discordant images."""
    own = np.repeat([True, False, True], [own_alone, other_alone, both])
    other = np.repeat([False, True, True], [own_alone, other_alone, both])
    labels = np.zeros(len(own), int)
    return labels, outcomes(labels, own, 2), outcomes(labels, other, 2)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (-0.049, 0.1, "non-inferior"),
        (-0.05, 0.1, "inconclusive"),
        (-0.2, -0.05, "inconclusive"),
        (-0.2, -0.051, "inferior"),
        (float("nan"), float("nan"), "inconclusive"),
    ],
)
def test_the_interval_beside_minus_the_margin_gives_the_verdict(low, high, word):
    assert Difference(0.7, 0.7, low, high).word(0.05) == word


def test_one_metric_that_is_worse_is_enough_and_all_must_be_shown():
    good, bad, open_ = Word.NON_INFERIOR, Word.INFERIOR, Word.INCONCLUSIVE
    assert worst([good, good]) == good
    assert worst([good, open_]) == open_
    assert worst([open_, bad, good]) == bad


@pytest.mark.parametrize("counts", [(20, 30, 150), (0, 0, 20), (3, 0, 40), (60, 80, 300)])
def test_the_interval_is_bonett_and_prices(counts):
    """Their adjusted Wald interval in closed form (2012): one class, no lesions."""
    labels, own, other = of_counts(*counts)
    comparison = PairedComparison(
        labels, np.arange(len(labels)).astype(str), num_classes=2, num_samples=20_000
    )
    found = comparison.differences(own, other, ("accuracy",))["accuracy"]
    first, second = ((count + 1) / (len(labels) + 2) for count in counts[:2])
    spread = 1.96 * np.sqrt((first + second - (first - second) ** 2) / (len(labels) + 2))
    assert found.challenger - found.reference == pytest.approx(
        (counts[0] - counts[1]) / len(labels)
    )
    centre = first - second
    # The quantiles of a skewed or discrete distribution are not symmetric.
    assert found.low == pytest.approx(centre - spread, abs=0.12 * spread + 0.5 / len(labels))
    assert found.high == pytest.approx(centre + spread, abs=0.12 * spread + 0.5 / len(labels))


def test_networks_that_agree_on_a_few_images_prove_nothing():
    labels, own, _ = of_counts(0, 0, 12)
    comparison = PairedComparison(labels, np.arange(12).astype(str), num_classes=2)
    found = comparison.differences(own, own, ("accuracy",))["accuracy"]
    assert found.challenger == found.reference == 1
    assert found.word(0.10) == Word.INCONCLUSIVE


def test_an_image_of_a_lesion_that_is_there_already_tells_nothing_new():
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 60)
    own, other = (random.random(180) < 0.7 for _ in range(2))
    lesions = np.arange(180).astype(str)

    def width(times):
        comparison = PairedComparison(
            np.tile(labels, times), np.tile(lesions, times), num_classes=3, num_samples=4000
        )
        pair = (np.tile(outcomes(labels, right), (1, times, 1)) for right in (own, other))
        found = comparison.differences(*pair, ("balanced_accuracy",))["balanced_accuracy"]
        return found.high - found.low

    assert width(3) == pytest.approx(width(1), rel=0.08)


def test_training_noise_widens_the_interval_as_between_seeds():
    """Seeds that differ in all images alike: the difference varies between the trainings alone."""
    labels = np.zeros(1000, int)
    lesions = np.arange(1000).astype(str)
    comparison = PairedComparison(labels, lesions, num_classes=2, num_samples=2000)
    random = np.random.default_rng(1)
    shares = np.array([0.60, 0.72, 0.75, 0.81])
    own = np.concatenate([outcomes(labels, random.random(1000) < share, 2) for share in shares])
    other = np.concatenate([outcomes(labels, random.random(1000) < 0.7, 2) for _ in shares])
    found = comparison.differences(own, other, ("accuracy",))["accuracy"]
    by_seed = [
        (mine.argmax(1) == 0).mean() - (theirs.argmax(1) == 0).mean()
        for mine, theirs in zip(own, other, strict=True)
    ]
    assert found.challenger - found.reference == pytest.approx(np.mean(by_seed))
    error = np.std(by_seed, ddof=1) / 2  # of a mean of four
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(error, rel=0.12)
    one = comparison.differences(own[:1], other[:1], ("accuracy",))["accuracy"]
    assert one.high - one.low < found.high - found.low


def test_seeds_that_err_independently_narrow_the_interval_as_more_lesions_would():
    """The seeds' luck with the lesions is not counted twice."""
    random = np.random.default_rng(3)
    labels = np.zeros(600, int)
    comparison = PairedComparison(
        labels, np.arange(600).astype(str), num_classes=2, num_samples=2000
    )
    widths = []
    for _ in range(8):
        own, other = (
            np.concatenate([outcomes(labels, random.random(600) < 0.8, 2) for _ in range(4)])
            for _ in range(2)
        )
        for number in (1, 4):
            pair = (own[:number], other[:number])
            found = comparison.differences(*pair, ("accuracy",))["accuracy"]
            widths.append(found.high - found.low)
    one, four = np.mean(widths[::2]), np.mean(widths[1::2])
    assert 0.45 < four / one < 0.65  # 0.5, and a little where the estimate between seeds is above 0


def test_all_metrics_are_compared_where_none_is_named():
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 90)
    pair = random.dirichlet(np.ones(3), (2, 1, 90))
    comparison = PairedComparison(
        labels, np.arange(90).astype(str), num_classes=3, melanoma=1, num_samples=100
    )
    found = comparison.differences(*pair)
    assert {"auroc", "balanced_accuracy", "melanoma_sensitivity"} < found.keys()
    few = comparison.differences(*pair, ("melanoma_sensitivity", "balanced_accuracy"))
    assert few == {name: found[name] for name in few}
    without = PairedComparison(labels, np.arange(90).astype(str), num_classes=3)
    assert list(without.differences(*pair, tuple(few))) == ["balanced_accuracy"]


def test_arrays_that_do_not_fit_are_refused():
    labels, own, _ = of_counts(1, 1, 10)
    comparison = PairedComparison(labels, np.arange(12).astype(str), num_classes=2)
    with pytest.raises(SchemaError, match="the same for both"):
        comparison.differences(own, np.concatenate([own, own]))
    with pytest.raises(SchemaError, match="14 labels"):
        comparison.differences(own[:, :5], own[:, :5])


def test_a_difference_is_told_with_its_interval():
    assert str(WIDE) == "0.700 against 0.720, difference -0.020 (-0.080 to +0.040)"
