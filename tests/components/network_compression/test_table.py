"""Passes by name."""

from dataclasses import fields, is_dataclass

import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.network_compression.passes import Order
from slimderm.components.network_compression.table import PASSES, get


@pytest.mark.parametrize("name", PASSES)
def test_each_is_a_frozen_dataclass_with_an_order(name):
    found = get(name)
    assert is_dataclass(found)
    assert found.__dataclass_params__.frozen
    assert isinstance(found.order, Order)
    assert "order" not in {field.name for field in fields(found)}


def test_an_unknown_name_is_refused_with_those_that_there_are():
    with pytest.raises(ParameterError, match="received 'gzip', expected one of prune, low_rank, "):
        get("gzip")
