"""Checks of single values: what they let through, and what they say."""

import numpy as np
import pytest

from slimderm.components.common.checks import check_whole, look_up
from slimderm.components.common.errors import ParameterError


def test_a_name_of_the_table_gives_its_entry_and_any_other_lists_the_names():
    assert look_up("codec", "b", {"a": 1, "b": 2}) == 2
    with pytest.raises(ParameterError, match=r"codec: received 'c', expected one of a, b$"):
        look_up("codec", "c", {"a": 1, "b": 2})


@pytest.mark.parametrize("value", [1, 8, np.int64(3)])
def test_whole_numbers_within_bounds_pass(value):
    check_whole("bits", value, most=8)


@pytest.mark.parametrize("value", [0, 9, 2.0, True, "3", None, float("nan")])
def test_all_else_is_refused(value):
    with pytest.raises(ParameterError, match="for x, expected a whole number from 1 to 8"):
        check_whole("bits", value, most=8, where=" for x")
    if value != 9:
        with pytest.raises(ParameterError, match="expected a whole number of at least 1"):
            check_whole("bits", value)
