"""A table of latencies: read by hand, measured once, used by a budget."""

import json
from dataclasses import asdict

import keras
import numpy as np
import pytest
from keras import layers

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.cost import multiply_accumulates
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning import budget as budget_module
from slimderm.components.pruning import layer_latency
from slimderm.components.pruning.latency_table import LatencyTable
from slimderm.components.pruning.layer_latency import efforts_by_layer, layer_latencies
from slimderm.components.pruning.method import Budget
from slimderm.components.pruning.pruner import prune


def test_latencies_lie_on_a_line_through_what_was_measured():
    table = LatencyTable(0.5, {"a": [(100, 2.0), (50, 1.5)], "b": [(10, 1.0), (4, 1.2)]})
    assert table.latency({"a": 100, "b": 0}) == pytest.approx(2.5)
    assert table.latency({"a": 75, "b": 0}) == pytest.approx(0.5 + 1.75)
    assert table.latency({"a": 25, "b": 0}) == pytest.approx(0.5 + 0.75)
    assert table.latency({"a": 0, "b": 10}) == pytest.approx(
        0.5 + 1.2
    )  # noise: no rise as it falls
    with pytest.raises(ParameterError, match="received one with b, which the model does not have"):
        table.latency({"a": 1})


def test_multiplications_by_layer_add_up_to_the_models(small):
    model = small()
    graph = trace(model)
    found = efforts_by_layer(graph, np.ones(graph.num_coupled, bool))
    assert found["a"] == 64 * 27 * 8
    assert found["d"] == 54 * 10
    assert sum(found.values()) == multiply_accumulates(model)


def test_a_table_is_measured_at_each_width_and_goes_through_json(small, monkeypatch):
    def clock(model, *, repeats):
        return 1 + model.count_params() / 1000  # doing nothing takes 1 ms

    monkeypatch.setattr(layer_latency, "latency", clock)
    model = small()
    table = layer_latencies(model, ratios=(0.5,))
    assert table.layers["d"] == ((540, pytest.approx(0.55)), (3 * 9 * 5, pytest.approx(0.14)))
    weights = sum(model.get_layer(name).count_params() for name in ("a", "b", "c", "d", "out"))
    assert table.rest == pytest.approx(1 + (model.count_params() - weights) / 1000)
    again = LatencyTable(**json.loads(json.dumps(asdict(table))))
    assert again.latency(dict.fromkeys(table.layers, 100)) == pytest.approx(
        table.latency(dict.fromkeys(table.layers, 100))
    )


def test_a_budget_is_met_by_the_table_and_nothing_is_built_for_it(small, monkeypatch):
    monkeypatch.setattr(budget_module, "latency", None)
    model = small()
    whole = efforts_by_layer(graph := trace(model), np.ones(graph.num_coupled, bool))
    table = LatencyTable(1.0, {path: [(effort, 1.0)] for path, effort in whole.items()})
    smaller = prune(model, budget=Budget("latency_ms", 3.0, table)).model
    graph = trace(smaller)
    found = table.latency(efforts_by_layer(graph, np.ones(graph.num_coupled, bool)))
    assert 2.5 < found <= 3.0
    with pytest.raises(ParameterError, match="expected at least"):
        prune(model, budget=Budget("latency_ms", 1.0, table))
    with pytest.raises(ParameterError, match="received bytes with a table of latencies"):
        Budget("bytes", 100, table)


def test_nested_and_shared_layers_are_timed():
    inside = keras.Sequential([keras.Input((16,)), layers.Dense(16, name="p")], name="inner")
    inputs = keras.Input((16,))
    model = keras.Model(inputs, layers.Dense(2, name="out")(inside(inside(inputs))))
    table = layer_latencies(model, ratios=(0.5,), repeats=2)
    assert set(table.layers) == {"inner/p", "out"}
    assert all(milliseconds >= 0 for points in table.layers.values() for _, milliseconds in points)
    with pytest.raises(ParameterError, match="ratios: received 1"):
        layer_latencies(model, ratios=(1,))
