"""Whether inputs look like the reference, beside SciPy's and other people's sums."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics.pairwise import rbf_kernel

from slimderm.components.common.errors import SchemaError
from slimderm.components.monitoring.comparison import compare, maximum_mean_discrepancy
from slimderm.components.monitoring.inputs import pack
from slimderm.components.monitoring.settings import WatchSettings

SETTINGS = WatchSettings()
SITES = ["back", "face", "foot"]


def sample(seed, size, *, darker=0.0, face=0.3, apart=0.0):
    """Inputs in which brightness, the share of faces and the embedding can be moved."""
    random = np.random.default_rng(seed)
    vectors = random.normal(apart, 1, (size, 4))
    return pd.DataFrame(
        {
            "brightness": random.normal(150 - darker, 20, size),
            "contrast": random.normal(9, 2, size),
            "height": 450,
            "localization": random.choice(SITES, size, p=[0.65 - face / 2, face, 0.35 - face / 2]),
            "sex": "unknown",
            "embedding": [pack(vector) for vector in vectors],
            "prediction_id": [f"{number:x}" for number in range(size)],
        }
    )


def test_p_values_and_distances_are_scipys():
    reference, inputs = sample(0, 300), sample(1, 80, darker=25, face=0.1)
    table = compare(reference, inputs, SETTINGS).set_index("statistic")
    assert set(table.index) == set(reference) - {"prediction_id"}
    for name in ("brightness", "contrast"):
        ks = stats.ks_2samp(reference[name], inputs[name], method="asymp")
        found = table.loc[name, ["distance", "p"]].to_list()
        assert found == pytest.approx([ks.statistic, ks.pvalue])
    counts = [
        [(each["localization"] == site).sum() for site in SITES] for each in (reference, inputs)
    ]
    assert table.loc["localization", "p"] == pytest.approx(stats.chi2_contingency(counts).pvalue)
    shares = np.array(counts) / np.sum(counts, axis=1, keepdims=True)
    assert table.loc["localization", "distance"] == pytest.approx(
        np.abs(np.diff(shares, axis=0)).sum() / 2
    )
    assert table.loc[["height", "sex"], "p"].tolist() == [1, 1]  # where nothing can differ
    rank = table["p"].rank(method="first")
    by_hand = [(table["p"] * len(table) / rank)[rank >= each].min() for each in rank]
    assert table["p_adjusted"].tolist() == pytest.approx(np.minimum(by_hand, 1).tolist())
    assert table.index[table["drifted"]].tolist() == ["brightness", "localization"]
    assert "face: share 0." in table.loc["localization", "change"]


def test_a_sure_difference_that_is_small_is_no_alarm():
    reference, inputs = sample(0, 20_000), sample(1, 20_000, darker=3)
    given = [each.drop(columns="embedding") for each in (reference, inputs)]
    found = compare(*given, SETTINGS).set_index("statistic").loc["brightness"]
    assert found["p_adjusted"] < 1e-6
    assert found["distance"] < 0.1
    assert not found["drifted"]


def test_rare_words_are_taken_together():
    reference, inputs = sample(0, 400), sample(1, 100)
    reference.loc[:2, "localization"] = ["ear", "hand", "scalp"]
    found = compare(reference, inputs, SETTINGS).set_index("statistic").loc["localization"]
    names = [*SITES, "rare"]
    counts = [
        [
            each["localization"].isin(SITES).sum()
            if site == "all"
            else (each["localization"] == site).sum()
            for site in SITES
        ]
        + [(~each["localization"].isin(SITES)).sum()]
        for each in (reference, inputs)
    ]
    assert len(names) == len(counts[0])
    expected = stats.chi2_contingency(counts, correction=False).pvalue
    assert found["p"] == pytest.approx(expected)


def test_the_discrepancy_of_embeddings_is_that_of_a_gaussian_kernel():
    random = np.random.default_rng(0)
    reference = random.normal(0, [1, 5, 0], (60, 3))  # one coordinate that never moves
    inputs = random.normal(0.5, [1, 5, 0], (40, 3))
    spread = np.array([*reference[:, :2].std(axis=0), 1])
    one, other = reference / spread, inputs / spread
    width = np.median(np.square(one[:, None] - one[None]).sum(axis=2))
    kernel = [
        rbf_kernel(a, b, 1 / width).mean() for a, b in ((one, one), (one, other), (other, other))
    ]
    squared, p = maximum_mean_discrepancy(reference, inputs, seed=0)
    assert squared == pytest.approx(kernel[0] - 2 * kernel[1] + kernel[2], abs=1e-5)
    assert 0 < p < 0.02
    with pytest.raises(SchemaError, match=r"received .40, 2., expected .M, D. like"):
        maximum_mean_discrepancy(reference, inputs[:, :2], seed=0)


def test_p_values_of_embeddings_are_even_where_nothing_differs():
    found = []
    for seed in range(200):
        random = np.random.default_rng(seed)
        given = random.normal(size=(60, 2)), random.normal(size=(30, 2))
        found.append(maximum_mean_discrepancy(*given, permutations=199, seed=seed)[1])
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_an_embedding_that_moved_is_found():
    table = compare(sample(0, 300), sample(1, 100, apart=0.5), SETTINGS).set_index("statistic")
    assert table.index[table["drifted"]].tolist() == ["embedding"]
    assert np.isnan(table.loc["embedding", "distance"])


def test_nothing_to_compare_is_said():
    empty = sample(0, 5).iloc[:0]
    with pytest.raises(SchemaError, match=r"received 0 inputs with brightness, .* of 5"):
        compare(sample(0, 5), empty, SETTINGS)
    with pytest.raises(SchemaError, match="received 5 inputs with prediction_id"):
        compare(sample(0, 5), sample(0, 5)[["prediction_id"]], SETTINGS)
