"""What a part can resolve, against the audit's figures, a simulation and counts by hand."""

import numpy as np
import pytest

from slimderm.components.evaluation.noninferiority import MARGINS
from slimderm.components.evaluation.power import in_words, part_size, powers


def single(counts):
    """A part of lesions with one image each."""
    labels = np.repeat(np.arange(len(counts)), counts)
    return part_size(labels, np.arange(len(labels)).astype(str), melanoma=1)


@pytest.mark.parametrize(
    ("images", "margin", "expected"),
    [(225, 0.05, 0.33), (750, 0.05, 0.80), (189, 0.10, 0.80), (597, 0.05, 0.70)],
)
def test_the_audits_figures_for_balanced_accuracy(images, margin, expected):
    margins = MARGINS | {"balanced_accuracy": margin}
    found = powers(single([images // 3] * 3), margins)
    assert found["balanced_accuracy"] == pytest.approx(expected, abs=0.006)


def test_the_audits_figure_for_75_melanomas():
    found = powers(single([75] * 3), MARGINS | {"melanoma_sensitivity": 0.05})
    assert found["melanoma_sensitivity"] == pytest.approx(0.14, abs=0.005)


def test_power_is_what_a_simulation_of_unequal_classes_gives():
    counts, discordance, margin = (200, 60, 90), 0.3, 0.08
    random = np.random.default_rng(0)
    cells = [random.multinomial(n, [0.15, 0.15, 0.7], 20_000) for n in counts]
    difference = np.mean([(c[:, 0] - c[:, 1]) / n for c, n in zip(cells, counts, strict=True)], 0)
    # A difference that lies above this would pass by the true spread of the difference.
    passed = difference - 1.96 * difference.std() > -margin
    found = powers(single(counts), MARGINS | {"balanced_accuracy": margin}, discordance=discordance)
    assert found["balanced_accuracy"] == pytest.approx(passed.mean(), abs=0.015)


def test_images_of_one_lesion_count_less_and_seeds_count_more():
    labels = np.zeros(12, int)
    lesions = np.array(["a"] * 6 + ["b", "c", "d"] * 2)
    size = part_size(labels, lesions)
    assert (size.num_images, size.num_lesions, size.melanomas) == (12, 4, None)
    assert size.effective == (12**2 / (6**2 + 3 * 2**2),)
    assert str(size) == "12 images of 4 lesions"
    three = powers(single([100] * 3), MARGINS, num_seeds=3)
    assert three == pytest.approx(powers(single([300] * 3), MARGINS))


def test_words():
    said = in_words({"balanced_accuracy": 0.7041, "melanoma_sensitivity": 0.5}, MARGINS)
    assert said == (
        "0.05 of balanced accuracy with probability 0.70 and 0.1 of melanoma sensitivity with "
        "probability 0.50"
    )
