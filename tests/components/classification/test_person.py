"""Age, sex and site: what is unknown may be said, what is not understood is refused."""

import numpy as np
import pandas as pd
import pytest

from slimderm.components.classification.person import read_age, read_word
from slimderm.components.common.errors import SchemaError

SEXES = ("unknown", "female", "male")


@pytest.mark.parametrize("given", [0, 45, 45.5, 120, np.int64(45), np.float32(3)])
def test_years_are_years(given):
    assert read_age(given) == given


@pytest.mark.parametrize("given", [None, float("nan"), np.nan, np.float64("nan"), pd.NA])
def test_what_is_missing_is_unknown(given):
    assert np.isnan(read_age(given))
    assert read_word(given, SEXES) == "unknown"


@pytest.mark.parametrize("given", [-1, 121, np.inf, -np.inf, True, "45", "", [45], b"4"])
def test_what_is_no_age_is_refused_with_what_is_expected(given):
    with pytest.raises(SchemaError, match=r"expected years from 0 to 120, or null where unknown"):
        read_age(given)


def test_known_words_and_unknown_are_taken():
    assert [read_word(word, SEXES) for word in SEXES] == list(SEXES)
    assert read_word("unknown", ()) == "unknown"


@pytest.mark.parametrize("given", ["m", "Male", "", " male", 1, True, ["male"]])
def test_an_unknown_word_is_refused_with_the_list_of_known_ones(given):
    with pytest.raises(SchemaError, match=r"expected one of female, male; or null or 'unknown'"):
        read_word(given, SEXES)
