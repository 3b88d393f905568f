"""Passes by name."""

from dataclasses import fields, is_dataclass
from pathlib import Path
from runpy import run_path

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
    with pytest.raises(ParameterError, match="received 'gzip', expected one of train, prune, "):
        get("gzip")


def test_each_has_an_example_for_the_other_backends():
    """The slow suite runs them there; a pass without one would be missed."""
    found = run_path(str(Path(__file__).parents[2] / "passes_on_backend.py"))
    assert list(found["EXAMPLES"]) == list(PASSES)
