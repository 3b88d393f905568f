import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimderm.components.common.errors import ParameterError
from slimderm.components.compression.savings import attribute, compression_ratio, storage_saved

sizes = st.floats(1, 1e12)


def test_the_papers_figures():
    assert compression_ratio(2.72e9, 2.72e9 / 3.77) == pytest.approx(3.77)
    assert storage_saved(2.72e9, 2.72e9 / 3.77) == pytest.approx(0.735, abs=5e-4)


@given(sizes, sizes, sizes)
def test_the_total_is_the_product_of_its_parts(before, control, after):
    parts = attribute(before, control, after)
    assert parts.total == pytest.approx(parts.encoder * parts.svd)
    assert storage_saved(before, after) == pytest.approx(1 - after / before)


def test_a_dataset_that_grew_saved_less_than_nothing():
    assert storage_saved(100, 150) == pytest.approx(-0.5)
    assert attribute(100, 50, 60).svd < 1


@pytest.mark.parametrize("pair", [(0, 1), (1, 0), (-1, 1)])
def test_a_size_that_is_none_is_an_error(pair):
    with pytest.raises(ParameterError, match="expected positive"):
        compression_ratio(*pair)
