import numpy as np
import pandas as pd
import pytest
from scipy import stats

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.growth import fit_table, path_table, r_squared
from slimderm.components.pruning.widths import Widths

START = {"net": Widths((8, 16), (32, 4))}


def count(widths):
    return sum(widths.convolutions) + sum(widths.dense)


def test_paths_by_hand():
    table = path_table(START, {"net": count}, [50], num_iterations=2)
    paths = table.set_index(["scope", "iteration"])["num_parameters"]
    assert paths["all convolutions"].tolist() == [60, 30, 15]
    assert paths["the first"].tolist() == [60, 4 + 16 + 18, 2 + 16 + 9]
    assert paths["the first three"].tolist() == [60, 30, 15]
    assert len(table) == 4 * 3


def fits(values):
    table = pd.DataFrame({"network": "n", "scope": "s", "factor": 50, "num_parameters": values})
    table["iteration"] = range(len(values))
    return fit_table(table).set_index("model")["r2"]


def test_each_law_fits_its_own_kind_perfectly():
    assert fits([10, 8, 6, 4])["linear"] == pytest.approx(1)
    assert fits([100 - n**2 for n in range(6)])["polynomial"] == pytest.approx(1)
    assert fits([64 / 2**n for n in range(6)])["exponential"] == pytest.approx(1)
    assert fits([64 / 2**n for n in range(6)])["linear"] < 0.9


def test_the_line_agrees_with_scipy():
    values = [9, 7.5, 4, 3.5, 1]
    expected = stats.linregress(range(5), values).rvalue ** 2
    assert fits(values)["linear"] == pytest.approx(expected)
    curve = np.exp(np.poly1d(np.polyfit(range(5), np.log(values), 1))(range(5)))
    left = ((np.array(values) - curve) ** 2).sum() / ((np.array(values) - 5) ** 2).sum()
    assert fits(values)["exponential"] == pytest.approx(1 - left)


def test_equal_values_have_nothing_to_explain():
    with pytest.raises(ParameterError, match="some that differ"):
        r_squared(np.ones(4), np.ones(4))
